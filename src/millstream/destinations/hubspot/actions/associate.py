"""Associate a contact with its company, or with records that `traits.hubspot` names (SEMANTICS 21, 23)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from millstream.delivery.operation import Key, Send
from millstream.delivery.outcome import Reason, State
from millstream.destinations.hubspot.actions.upsert_company import company_key
from millstream.destinations.hubspot.context import Context
from millstream.destinations.kit import Action, Field


def plan(context: Context, fields: Mapping[str, Any]) -> None:
    """One association with the company, or one for each named object."""
    objects = fields.get("objects")
    if isinstance(objects, dict):
        _objects(context, objects)
        return
    company = company_key(context, fields.get("website"))
    if company is None:
        context.end("association", State.FILTERED, Reason.GROUP_WITHOUT_WEBSITE)
        return
    contact = context.contact_key(fields.get("email"))
    if contact is None:
        context.wait("association")
        return
    context.ensure_contact(contact)
    _send(context, "association", contact, company, {"from": contact, "to": company, "to_type": "companies"})


def _objects(context: Context, named: dict[str, Any]) -> None:
    """RudderStack's `traits.hubspot`: `{contactId, qualifiedName, objects: [{objectId, objectType}]}`."""
    found = [
        o for o in named.get("objects") or [] if isinstance(o, dict) and o.get("objectId") not in (None, "")
    ]
    if not found:
        context.end(
            "association", State.FILTERED, Reason.NO_MATCHING_MAPPING, "traits.hubspot.objects is empty"
        )
        return
    contact_id = named.get("contactId")
    contact = (
        Key("contact", "id", str(contact_id)) if contact_id not in (None, "") else context.contact_key(None)
    )
    for i, item in enumerate(found[:100]):
        effect = f"association:{i}"
        if contact is None:
            context.wait(effect)
            continue
        if contact.by == "email":
            context.ensure_contact(contact)
        kind = str(item.get("objectType") or named.get("qualifiedName") or "")
        target = Key(kind, "id", str(item["objectId"]))
        payload = {
            "from": contact,
            "to": target,
            "to_type": kind,
            "or_type": str(named.get("qualifiedName") or kind),
        }
        _send(context, effect, contact, target, payload)


def _send(context: Context, effect: str, contact: Key, target: Key, payload: dict[str, Any]) -> None:
    pair = Key("association", f"contact_{target.object}", f"{contact.value}|{target.value}")
    context.plan.operations.append(
        Send(
            "association",
            (contact, target),
            payload | {"notes": tuple(context.notes)},
            context.job(effect),
            pair,
            context.person.id if context.person else None,
            lane=context.lane,
        )
    )


ACTION: Final = Action(
    "associate",
    "Associate",
    "Associates the contact with its company, or with the records that traits.hubspot names.",
    'type = "group"',
    (
        Field("website", "Website", "string", "Its host names the company.", {"@path": "$.traits.website"}),
        Field(
            "email",
            "Email",
            "string",
            "The contact's address; default: the profile's.",
            {"@path": "$.profile.email"},
        ),
        Field("objects", "Objects", "object", "RudderStack's traits.hubspot object."),
    ),
    plan,
)
