"""What HubSpot defines for activities, commerce and goals beside the properties that every type has."""

from __future__ import annotations

from typing import Final

_TEXT: Final = "string text"
_LONG: Final = "string textarea"
_NUMBER: Final = "number number"
_MOMENT: Final = "datetime date"
FIELDS: Final[dict[str, dict[str, str]]] = {
    "calls": {
        **dict.fromkeys(
            ("hs_call_title", "hs_call_from_number", "hs_call_to_number", "hs_call_status"), _TEXT
        ),
        **dict.fromkeys(("hs_call_direction", "hs_call_disposition", "hs_call_recording_url"), _TEXT),
        "hs_call_body": _LONG,
        "hs_call_duration": _NUMBER,
    },
    "communications": {
        **dict.fromkeys(("hs_communication_channel_type", "hs_communication_logged_from"), _TEXT),
        "hs_communication_body": _LONG,
    },
    "emails": {
        **dict.fromkeys(("hs_email_subject", "hs_email_direction", "hs_email_status"), _TEXT),
        **dict.fromkeys(("hs_email_headers", "hs_email_html", "hs_email_text"), _LONG),
    },
    "goal_targets": {
        "hs_goal_name": _TEXT,
        "hs_target_amount": _NUMBER,
        "hs_start_datetime": _MOMENT,
        "hs_end_datetime": _MOMENT,
    },
    "invoices": {
        **dict.fromkeys(("hs_number", "hs_currency", "hs_invoice_status", "hs_purchase_order_number"), _TEXT),
        **dict.fromkeys(("hs_invoice_date", "hs_due_date"), _MOMENT),
    },
    "leads": dict.fromkeys(
        ("hs_lead_name", "hs_lead_type", "hs_lead_label", "hs_pipeline", "hs_pipeline_stage"), _TEXT
    ),
    "line_items": {
        **dict.fromkeys(("hs_product_id", "hs_sku"), _TEXT),
        "discount": _NUMBER,
    },
    "meetings": {
        **dict.fromkeys(("hs_meeting_title", "hs_meeting_location", "hs_meeting_outcome"), _TEXT),
        **dict.fromkeys(("hs_meeting_body", "hs_internal_meeting_notes"), _LONG),
        **dict.fromkeys(("hs_meeting_start_time", "hs_meeting_end_time"), _MOMENT),
        "hs_meeting_external_url": _TEXT,
    },
    "notes": {"hs_note_body": _LONG},
    "orders": {
        **dict.fromkeys(("hs_order_name", "hs_currency_code", "hs_external_order_id"), _TEXT),
        **dict.fromkeys(("hs_pipeline", "hs_pipeline_stage", "hs_fulfillment_status"), _TEXT),
        "hs_total_price": _NUMBER,
    },
    "postal_mail": {"hs_postal_mail_body": _LONG},
    "products": {
        **dict.fromkeys(("hs_sku", "hs_url"), _TEXT),
        "hs_cost_of_goods_sold": _NUMBER,
    },
    "quotes": {
        **dict.fromkeys(("hs_status", "hs_language", "hs_currency"), _TEXT),
        "hs_expiration_date": "date date",
    },
    "tasks": {
        **dict.fromkeys(("hs_task_subject", "hs_task_status", "hs_task_priority", "hs_task_type"), _TEXT),
        "hs_task_body": _LONG,
    },
    "taxes": {
        **dict.fromkeys(("hs_label", "hs_type"), _TEXT),
        "hs_value": _NUMBER,
    },
}
for _name in ("calls", "communications", "emails", "meetings", "notes", "postal_mail", "tasks"):
    FIELDS[_name] |= {"hubspot_owner_id": _TEXT, "hs_attachment_ids": _TEXT}
