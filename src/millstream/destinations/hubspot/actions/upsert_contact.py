"""Create or update a contact from an identify call (SEMANTICS 4 to 8, 10 to 15, 20)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from millstream.delivery.operation import Key, Write
from millstream.delivery.outcome import Reason, State
from millstream.destinations.hubspot.actions.fields import NULL_CLEARS
from millstream.destinations.hubspot.context import Context, property_map
from millstream.destinations.kit import Action, Field


def plan(context: Context, fields: Mapping[str, Any]) -> None:
    """One write of the contact: all of the profile when HubSpot is not known to have it, else what was said."""
    said = fields.get("email")
    address = context.address_of(said)
    if address is None and said not in (None, ""):
        context.end(
            "contact", State.DEAD_LETTERED, Reason.INVALID_EMAIL, f"not an address: {str(said)[:100]!r}"
        )
        return
    key = _key(context, fields)
    if key is None:
        # The traits are in the profile: the first write with an address brings them.
        context.end("contact", State.FILTERED, Reason.NO_IDENTITY)
        return
    person = context.person
    if person is not None and address not in (None, person.email):
        person = None  # the event addresses somebody else than its own person
    if person is not None and person.email is not None:
        address = person.email
    traits = property_map(fields)
    unknown = context.records.get(key) is None
    if unknown and person is not None:
        traits = context.all_known(traits, person)
    made = context.properties("contacts", traits, person, key, own=frozenset({"email", key.by}))
    if made is None:
        unknown_names = ", ".join(n for n in context.notes if n.startswith("unknown_property:"))
        context.end("contact", State.DEAD_LETTERED, Reason.UNKNOWN_PROPERTY, unknown_names)
        return
    values, requires = made
    for name, value in (("email", address), (key.by, key.value)):
        if value is not None and name != "id":
            values[name] = context.stamped(value)
    context.plan.operations.append(
        Write(
            "contact",
            key,
            values,
            context.job("contact"),
            (*requires, *context.attributed(key)),
            person.id if person else None,
            partial=not unknown,
            notes=tuple(context.notes),
            lane=context.lane,
        )
    )


def _key(context: Context, fields: Mapping[str, Any]) -> Key | None:
    """The contact: by its id, by the property that the mapping looks it up by, else by address."""
    object_id = str(fields.get("object_id") or "").strip()
    if object_id.isdigit():
        return Key("contact", "id", object_id)
    lookup = str(fields.get("lookup_field") or "email").strip().lower()
    value = str(fields.get("lookup_value") or "").strip()
    if lookup != "email" and value and lookup in context.portal.schema.properties.get("contacts", {}):
        return Key("contact", lookup, value)
    return context.contact_key(fields.get("email"))


ACTION: Final = Action(
    "upsert_contact",
    "Upsert contact",
    "Creates or updates a contact by email address, contact id or a property of your choice.",
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
        Field("object_id", "Contact ID", "string", "The contact's id in HubSpot, instead of the address."),
        Field(
            "lookup_field",
            "Lookup property",
            "string",
            "What the contact is found by instead of its address: a unique property is one call, any other a search.",
        ),
        Field("lookup_value", "Lookup value", "string", "Its value; without one the address counts."),
        NULL_CLEARS,
    ),
    plan,
)
