"""Send a custom event, making its definition and properties when they are missing (SEMANTICS 16 to 19, 29)."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from hashlib import blake2b
from typing import Any, Final

from millstream.delivery.operation import Key, Send, Write
from millstream.delivery.outcome import Reason, State
from millstream.destinations.hubspot import names
from millstream.destinations.hubspot.context import Context
from millstream.destinations.hubspot.portal import MAX_DEFINITIONS, Portal
from millstream.destinations.hubspot.values import Unconvertible, number
from millstream.destinations.kit import Action, Field
from millstream.hubspot_api.schema import Definition
from millstream.profiles.identifiers import email_of

_NAMESPACE: Final = uuid.UUID("5d8f2f0a-6a3e-5b53-9d0b-6a2f6f1c9e11")
_NUMBERS: Final = frozenset({"revenue", "value", "total"})
_AUTOCAPTURE: Final = ("[Amplitude] ", "session_start", "session_end", "$")
_MAX_PROPERTIES: Final = 50


def plan(context: Context, fields: Mapping[str, Any]) -> None:
    """One event occurrence, behind what it needs."""
    wanted = str(fields.get("name") or "").strip()
    if not wanted:
        context.end("event", State.DEAD_LETTERED, Reason.MAPPING_FAILED, "the event has no name")
        return
    said = fields.get("email")
    if said not in (None, "") and email_of(said) is None:
        context.notes.append("email_not_valid")
    contact = context.contact_key(said)
    if contact is None:
        context.wait("event")
        return
    properties = _properties(context, fields)
    definition = _definition(context, wanted, properties)
    if definition is None:
        return
    short, requires = definition
    context.ensure_contact(contact)
    identity = f"{context.portal.settings['portal_id']}|{context.event.source}|{context.event.message_id}|{context.mapping}|event"
    context.plan.operations.append(
        Send(
            "event",
            (contact, *requires),
            {
                "definition": short,
                "contact": contact,
                "occurredAt": str(fields.get("occurred_at") or context.event.timestamp),
                "properties": properties,
                "uuid": str(uuid.uuid5(_NAMESPACE, identity)),
                "notes": tuple(context.notes),
            },
            context.job("event"),
            profile=context.person.id if context.person else None,
            lane=context.lane,
        )
    )


def _properties(context: Context, fields: Mapping[str, Any]) -> dict[str, Any]:
    """Properties by HubSpot's names: nulls out, amounts as numbers, at most 50."""
    given: dict[str, Any] = {}
    for part in (fields.get("properties"), fields.get("more_properties")):
        if isinstance(part, dict):
            given |= part
    if "$revenue" not in given and "$price" in given:
        try:
            given["$revenue"] = float(number(given["$price"])) * float(number(given.get("$quantity", 1)))
        except Unconvertible:
            context.notes.append("value_not_convertible:revenue")
    found: dict[str, Any] = {}
    for key, value in given.items():
        if value is None or key == "email":
            continue
        name = names.property_name(key, 50)
        if name in _NUMBERS:
            try:
                number(value)
            except Unconvertible:
                context.notes.append(f"value_not_convertible:{name}")
                continue
        if name in found:
            context.notes.append(f"name_collision:{name}")
            if name != key:
                continue
        found[name] = value
    known = context.portal.schema.definition(str(fields.get("name") or ""))
    if len(found) > _MAX_PROPERTIES:
        have = known.properties if known else {}
        ranked = sorted(found, key=lambda n: n not in have)[:_MAX_PROPERTIES]
        context.notes.append(f"properties_cut:{len(found) - _MAX_PROPERTIES}")
        found = {n: found[n] for n in found if n in set(ranked)}
    return found


def _definition(
    context: Context, wanted: str, properties: dict[str, Any]
) -> tuple[str, tuple[Key, ...]] | None:
    """The definition's short name and what must be made first; None when the effect is decided."""
    portal = context.portal
    schema = portal.schema
    if not schema.definitions_known:
        context.end("event", State.FILTERED, Reason.CUSTOM_EVENTS_UNAVAILABLE)
        return None
    short, found = _named(portal, wanted)
    requires: list[Key] = []
    definition = Key("definition", "name", short)
    if found is None:
        if wanted.startswith(_AUTOCAPTURE) or not portal.settings["create_definitions"]:
            context.end(
                "event", State.FILTERED, Reason.NO_MATCHING_MAPPING, "no definition, and none is made for it"
            )
            return None
        if short not in portal.wanted_definitions and portal.made_definitions >= MAX_DEFINITIONS:
            context.end("event", State.FILTERED, Reason.DEFINITION_LIMIT)
            return None
        portal.wanted_definitions.setdefault(short, {"label": wanted[:100]})
        context.plan.operations.append(Write("definition", definition, {}, lane=context.lane))
        requires.append(definition)
    have = found.properties if found is not None else {}
    room = _MAX_PROPERTIES - len([n for n in have if not n.startswith("hs_")])
    for name, value in properties.items():
        if name in have or name.startswith("hs_"):
            continue
        if room <= 0:
            context.notes.append(f"no_room_for_property:{name}")
            continue
        room -= 1
        key = Key("event_property", short, name)
        amount = isinstance(value, int | float) and not isinstance(value, bool)
        kind = "number" if amount or name in _NUMBERS else "string"
        wish = portal.wanted_definitions.setdefault(short, {"label": wanted[:100]})
        wish.setdefault("properties", {}).setdefault(name, kind)
        behind = (definition,) if found is None else ()
        context.plan.operations.append(Write("event_property", key, {}, requires=behind, lane=context.lane))
        requires.append(key)
    return short, tuple(requires)


def _named(portal: Portal, wanted: str) -> tuple[str, Definition | None]:
    """The short name of an event's definition, and the definition when HubSpot has it.

    Names that differ only in case or outer space share one. When another event's name becomes the same short name
    (its label says so), this one gets 4 hexadecimal digits.
    """
    found = portal.schema.definition(wanted)
    if found is not None:
        return found.name, found
    plain = wanted.strip().lower()
    short = names.event_name(wanted)
    for name in (short, f"{short[:45]}_{blake2b(plain.encode(), digest_size=2).hexdigest()}"):
        found = portal.schema.definition(name)
        planned = portal.wanted_definitions.get(name)
        label = found.label if found is not None else str(planned["label"]) if planned else wanted
        theirs = label.strip().lower()
        if theirs == plain[:100] or theirs == name or names.event_name(label) != name:
            return name, found
    return name, found


ACTION: Final = Action(
    "custom_event",
    "Custom event",
    "Sends an event occurrence; makes the definition and its properties when they are missing.",
    'type = "track"',
    (
        Field(
            "name",
            "Event name",
            "string",
            "The event; matched to a definition by name or label.",
            {"@path": "$.event"},
            required=True,
        ),
        Field(
            "email",
            "Email",
            "string",
            "The contact's address.",
            {
                "@if": {
                    "exists": {"@path": "$.properties.email"},
                    "then": {"@path": "$.properties.email"},
                    "else": {
                        "@if": {
                            "exists": {"@path": "$.context.traits.email"},
                            "then": {"@path": "$.context.traits.email"},
                            "else": {"@path": "$.profile.email"},
                        }
                    },
                }
            },
        ),
        Field("occurred_at", "Time", "datetime", "When it happened.", {"@path": "$.timestamp"}),
        Field("properties", "Properties", "object", "Event properties.", {"@path": "$.properties"}),
        Field("more_properties", "More properties", "object", "Further properties, over the others."),
    ),
    plan,
)
