"""Create or update a contact from an identify call (SEMANTICS 4 to 8, 10 to 15, 20)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from millstream.delivery.operation import Stamped, Write
from millstream.delivery.outcome import Reason, State
from millstream.destinations.hubspot.context import Context
from millstream.destinations.kit import Action, Field
from millstream.profiles.identifiers import email_of


def plan(context: Context, fields: Mapping[str, Any]) -> None:
    """One write of the contact: all of the profile when HubSpot is not known to have it, else what was said."""
    said = fields.get("email")
    if said not in (None, "") and email_of(said) is None:
        context.end(
            "contact", State.DEAD_LETTERED, Reason.INVALID_EMAIL, f"not an address: {str(said)[:100]!r}"
        )
        return
    key = context.contact_key(said)
    if key is None:
        # The traits are in the profile: the first write with an address brings them.
        context.end("contact", State.FILTERED, Reason.NO_IDENTITY)
        return
    person = context.person
    if person is not None and email_of(said) not in {None, person.email}:
        person = None  # the event addresses somebody else than its own person
    address = (person.email if person is not None else None) or email_of(said)
    traits: dict[str, Any] = (
        dict(fields.get("properties") or {}) if isinstance(fields.get("properties"), dict) else {}
    )
    for name in context.resolved.resolution.superseded:
        traits.pop(name, None)
    traits |= context.resolved.resolution.results
    if context.as_of_now and context.person is not None:
        stamp = (context.resolved.time_ms, context.resolved.offset)
        known = context.person.traits
        traits = {k: v for k, v in traits.items() if k not in known or known[k][1:] <= stamp}
    unknown = context.records.get(key) is None
    if unknown and person is not None:
        traits = {k: t.value for k, t in person.traits.items()} | traits
    made = context.properties("contacts", traits, person, key)
    if made is None:
        unknown_names = ", ".join(n for n in context.notes if n.startswith("unknown_property:"))
        context.end("contact", State.DEAD_LETTERED, Reason.UNKNOWN_PROPERTY, unknown_names)
        return
    values, requires = made
    values["email"] = Stamped(address, context.resolved.time_ms, context.resolved.offset)
    context.plan.operations.append(
        Write(
            "contact",
            key,
            values,
            context.job("contact"),
            requires,
            person.id if person else None,
            partial=not unknown,
            notes=tuple(context.notes),
            lane=context.lane,
        )
    )


ACTION: Final = Action(
    "upsert_contact",
    "Upsert contact",
    "Creates or updates a contact by email address.",
    'type = "identify"',
    (
        Field(
            "email",
            "Email",
            "string",
            "The contact's address.",
            {
                "@if": {
                    "exists": {"@path": "$.traits.email"},
                    "then": {"@path": "$.traits.email"},
                    "else": {"@path": "$.profile.email"},
                }
            },
        ),
        Field("properties", "Properties", "object", "Property names and values.", {"@path": "$.traits"}),
    ),
    plan,
)
