"""Create or update a contact from an identify call (SEMANTICS 4 to 8, 10 to 15, 20)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from millstream.delivery.note import Note
from millstream.delivery.operation import Key, Write
from millstream.delivery.outcome import Reason, State
from millstream.destinations.hubspot.actions.fields import NULL_CLEARS
from millstream.destinations.hubspot.context import Context, property_map, record_id
from millstream.destinations.kit import Action, Field


def plan(context: Context, fields: Mapping[str, Any]) -> None:
    """One write of the contact: all of the profile when HubSpot is not known to have it, else what was said."""
    email = fields.get("email")
    address = context.address_of(email)
    if not context.is_addressed(None, "contact", fields.get("object_id")):
        return
    if not context.is_addressed(email, "contact"):  # it is written, also where an id names the contact
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
        unknown_names = ", ".join(n for n in context.notes if n.startswith(Note.UNKNOWN_PROPERTY.of("")))
        context.end("contact", State.DEAD_LETTERED, Reason.UNKNOWN_PROPERTY, unknown_names)
        return
    said, requires = made
    for name, value in (("email", address), (key.by, key.value)):
        if value is not None and name != "id":
            said.put(name, value, context.stamp)
    context.plan.operations.append(
        Write(
            "contact",
            key,
            said,
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
    if number := record_id(fields.get("object_id")):
        return Key("contact", "id", number)
    lookup = str(fields.get("lookup_field") or "email").strip().lower()
    value = str(fields.get("lookup_value") or "").strip()
    if lookup != "email" and value:
        if lookup in context.portal.schema.properties.get("contacts", {}):
            return Key("contact", lookup, value)
        context.notes.append(Note.LOOKUP_UNKNOWN.of(lookup))
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
