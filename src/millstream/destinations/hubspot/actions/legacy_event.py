"""A legacy event by the tracking pixel, for portals whose reports still count them (SEMANTICS 19)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from millstream.delivery.note import Note
from millstream.delivery.operation import Send
from millstream.delivery.outcome import Reason, State
from millstream.destinations.hubspot import names
from millstream.destinations.hubspot.actions.fields import EMAIL, first_of
from millstream.destinations.hubspot.context import Context
from millstream.destinations.hubspot.values import Unconvertible, number, text
from millstream.destinations.kit import Action, Field


def plan(context: Context, fields: Mapping[str, Any]) -> None:
    """One request of the pixel, behind the contact's earlier writes."""
    name = str(fields.get("name") or "").strip()
    if not name:
        context.end("legacy_event", State.DEAD_LETTERED, Reason.MAPPING_FAILED, "the event has no name")
        return
    contact = context.named_contact(fields.get("email"), "legacy_event")
    if contact is None:
        return
    query = {"_a": str(context.portal.settings["portal_id"]), "_n": name, "email": contact.value}
    if contact.by == "id":
        query.pop("email")
        query["id"] = contact.value
    if fields.get("value") is not None:
        try:
            query["_m"] = number(fields["value"])
        except Unconvertible:
            context.notes.append(Note.VALUE_NOT_CONVERTIBLE.of("value"))
    properties = fields.get("properties")
    for key, value in (properties if isinstance(properties, dict) else {}).items():
        if value is not None:
            query.setdefault(names.property_name(key), text(value)[:256])
    context.ensure_contact(contact)
    context.plan.operations.append(
        Send(
            "legacy_event",
            (contact,),
            {"query": query, "notes": tuple(context.notes)},
            context.job("legacy_event"),
            profile=context.person.id if context.person else None,
            lane=context.lane,
        )
    )


ACTION: Final = Action(
    "legacy_event",
    "Legacy event",
    "Sends an event by HubSpot's tracking pixel, which confirms nothing; for reports that still count these.",
    'type = "track"',
    (
        Field("name", "Event name", "string", "The event, or its id.", {"@path": "$.event"}, required=True),
        EMAIL,
        Field(
            "value",
            "Value",
            "number",
            "Revenue of the event.",
            first_of("$.properties.revenue", "$.properties.value", "$.properties.total"),
        ),
        Field("properties", "Contact properties", "object", "Contact properties that go with it."),
    ),
    plan,
)
