"""Associate a contact with its company, or with records that `traits.hubspot` names (SEMANTICS 21, 23)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from millstream.delivery.operation import Key, Write, relation
from millstream.delivery.outcome import Reason, State
from millstream.delivery.statement import Statement
from millstream.destinations.hubspot.actions.upsert_company import company_key
from millstream.destinations.hubspot.calls.associations import label_of
from millstream.destinations.hubspot.calls.rows import object_of
from millstream.destinations.hubspot.context import Context
from millstream.destinations.kit import Action, Field


def plan(context: Context, fields: Mapping[str, Any]) -> None:
    """One association with the company, or one for each named object."""
    objects = fields.get("objects")
    label = str(fields.get("label") or "")
    if not label_is_usable(context, "association", label):
        return
    if isinstance(objects, dict):
        _objects(context, objects, label)
        return
    company = company_key(context, fields)
    if company is None:
        context.end("association", State.FILTERED, Reason.GROUP_WITHOUT_WEBSITE)
        return
    contact = context.named_contact(fields.get("email"), "association")
    if contact is None:
        return
    context.ensure_contact(contact)
    if context.records.get(company) is None:  # nobody may have written it: look for it, make nothing
        context.plan.operations.append(
            Write("company", company, Statement(), extra={"find": True}, lane=context.lane)
        )
    ends = {"from": contact, "to": company, "from_type": "contacts", "to_type": "companies", "label": label}
    link(context, "association", ends)


def _objects(context: Context, named: dict[str, Any], label: str) -> None:
    """RudderStack's `traits.hubspot`: `{contactId, qualifiedName, objects: [{objectId, objectType}]}`."""
    objects = named.get("objects")
    found = [o for o in objects if _names_record(o)] if isinstance(objects, list) else []
    if not found:
        detail = "traits.hubspot.objects names no record"
        context.end("association", State.FILTERED, Reason.NO_MATCHING_MAPPING, detail)
        return
    for i, item in enumerate(found):
        effect = f"association:{i}"
        contact = context.named_contact(None, effect, named.get("contactId"))
        if contact is None:
            continue
        context.ensure_contact(contact)
        kind = str(item.get("objectType") or named.get("qualifiedName") or "")
        ends = {
            "from": contact,
            "to": Key(object_of(kind), "id", str(item["objectId"])),
            "from_type": "contacts",
            "to_type": kind,
            "or_type": str(named.get("qualifiedName") or kind),
            "label": label,
        }
        link(context, effect, ends)


def _names_record(item: Any) -> bool:
    return isinstance(item, dict) and item.get("objectId") not in (None, "")


def link(context: Context, effect: str, ends: Mapping[str, Any], *, linked: bool = True) -> None:
    """One association or dissociation, behind the writes of both records. `ends`: see `calls/associations.py`."""
    source, target = ends["from"], ends["to"]
    kinds = f"{source.object}_{target.object}" + (f":{ends['label']}" if ends.get("label") else "")
    context.plan.operations.append(
        Write(
            "association",
            relation("association", kinds, (source, target)),
            context.says("linked", linked),
            context.job(effect),
            (source, target),
            context.person.id if context.person else None,
            notes=tuple(context.notes),
            extra=ends,
            lane=context.lane,
            between=(source, target),
        )
    )


def label_is_usable(context: Context, effect: str, label: str) -> bool:
    """Whether a label is none or reads `CATEGORY:id`; otherwise the effect ends here."""
    try:
        return not label or bool(label_of(label))
    except ValueError:
        detail = f"the label {label[:60]!r} is not CATEGORY:id, as in HUBSPOT_DEFINED:279"
        context.end(effect, State.DEAD_LETTERED, Reason.MAPPING_FAILED, detail)
        return False


ACTION: Final = Action(
    "associate",
    "Associate",
    "Associates the contact with its company, or with the records that traits.hubspot names.",
    'type = "group"',
    (
        Field("website", "Website", "string", "Its host names the company.", {"@path": "$.traits.website"}),
        Field("group_id", "Group ID", "string", "Names the company instead of the website."),
        Field(
            "email",
            "Email",
            "string",
            "The contact's address; default: the profile's.",
            {"@path": "$.profile.email"},
        ),
        Field("objects", "Objects", "object", "RudderStack's traits.hubspot object."),
        Field(
            "label",
            "Label",
            "string",
            "An association label, `CATEGORY:id`, as in `HUBSPOT_DEFINED:279`; none: HubSpot's default.",
        ),
    ),
    plan,
)
