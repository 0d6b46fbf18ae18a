"""Send a custom event, making its definition and properties when they are missing (SEMANTICS 16 to 19, 29)."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from hashlib import blake2b, sha1
from typing import Any, Final

from millstream.delivery.note import Note
from millstream.delivery.operation import Key, Send, Write
from millstream.delivery.outcome import Reason, State
from millstream.delivery.statement import Statement
from millstream.destinations.hubspot import names, nested
from millstream.destinations.hubspot.calls.rows import object_of
from millstream.destinations.hubspot.context import Context, is_record_id, record_id
from millstream.destinations.hubspot.portal import Portal
from millstream.destinations.hubspot.values import Unconvertible, number, text
from millstream.destinations.kit import Action, Field
from millstream.hubspot_api.object_types import STANDARD
from millstream.hubspot_api.schema import Definition

_NAMESPACE: Final = uuid.UUID("5d8f2f0a-6a3e-5b53-9d0b-6a2f6f1c9e11").bytes
_NUMBERS: Final = frozenset({"revenue", "value", "total"})
_AUTOCAPTURE: Final = ("[Amplitude] ", "$")
_SESSIONS: Final = frozenset({"session_start", "session_end"})
_MAX_PROPERTIES: Final = 50


def plan(context: Context, fields: Mapping[str, Any]) -> None:
    """One event occurrence, behind what it needs."""
    portal = context.portal
    wanted = str(fields.get("name") or "").strip().removeprefix(f"pe{portal.settings['portal_id']}_")
    if not wanted:
        context.end("event", State.DEAD_LETTERED, Reason.MAPPING_FAILED, "the event has no name")
        return
    object_type = portal.canonical(str(fields.get("object_type") or "contacts"))
    found = _record(context, fields, object_type)
    if found is None:
        return
    record, utk = found
    properties = _properties(context, fields, wanted)
    definition = _definition(context, fields, wanted, object_type, properties)
    if definition is None:
        return
    short, requires = definition
    if record is not None and object_type == "contacts":
        context.ensure_contact(record)
    event = context.event
    identity = f"{portal.settings['portal_id']}|{event.source}|{event.message_id}|{context.mapping}|event"
    if context.as_new:
        identity += f"|{context.as_new}"
    context.plan.operations.append(
        Send(
            "event",
            (*((record,) if record is not None else ()), *requires),
            {
                "definition": short,
                "record": record,
                "utk": utk,
                "occurredAt": str(fields.get("occurred_at") or context.event.timestamp),
                "properties": properties,
                "uuid": occurrence_id(identity),
                "notes": tuple(context.notes),
            },
            context.job("event"),
            profile=context.person.id if context.person else None,
            lane=context.lane,
        )
    )


def _record(
    context: Context, fields: Mapping[str, Any], object_type: str
) -> tuple[Key | None, str | None] | None:
    """Whose event it is: a record, or a visitor's token when nothing better is known. None: decided, or waiting."""
    object_id = record_id(fields.get("object_id"))
    if object_id and not is_record_id(object_id):
        detail = f"the object id {object_id[:60]!r} is not a number"
        context.end("event", State.DEAD_LETTERED, Reason.MAPPING_FAILED, detail)
        return None
    if object_id:
        return Key(object_of(object_type), "id", object_id), None
    if object_type != "contacts":
        detail = f"an event of {object_type} needs the record's object_id"
        context.end("event", State.DEAD_LETTERED, Reason.MAPPING_FAILED, detail)
        return None
    said = fields.get("email")
    if said not in (None, "") and context.address_of(said) is None:
        context.notes.append(Note.EMAIL_NOT_VALID)
    contact = context.contact_key(said)
    utk = str(fields.get("utk") or "").strip() or None
    if contact is None and utk is None:
        context.wait("event")
        return None
    return contact, utk


def _properties(context: Context, fields: Mapping[str, Any], wanted: str) -> dict[str, Any]:
    """Properties by HubSpot's names: empty ones out, amounts as numbers, at most 50."""
    given: dict[str, Any] = {}
    for part in (fields.get("properties"), fields.get("more_properties")):
        if part is not None:
            given |= part
    if (texts := fields.get("text_properties")) is not None:
        given |= {k: text(v) for k, v in texts.items() if v is not None}
    if "$revenue" not in given and "$price" in given:
        try:
            given["$revenue"] = float(number(given["$price"])) * float(number(given.get("$quantity", 1)))
        except Unconvertible:
            context.notes.append(Note.VALUE_NOT_CONVERTIBLE.of("revenue"))
    given = nested.of_event(given, str(context.portal.settings["nested"]))
    found: dict[str, Any] = {}
    for (key, value), name in zip(given.items(), names.event_property_names(tuple(given)), strict=True):
        if value in (None, "", [], {}) or key == "email":
            continue
        if name in _NUMBERS and not _is_number(value):
            context.notes.append(Note.VALUE_NOT_CONVERTIBLE.of(name))
            continue
        if name in found:
            context.notes.append(Note.NAME_COLLISION.of(name))
            if name != key:
                continue
        elif context.shapes.origins.differ(wanted, name, key):
            context.notes.append(Note.NAME_COLLISION.of(name))
        found[name] = value
    if len(found) > _MAX_PROPERTIES:
        known = context.portal.schema.definition(wanted)
        have = known.properties if known else {}
        ranked = sorted(found, key=lambda n: n not in have)[:_MAX_PROPERTIES]
        context.notes.append(Note.PROPERTIES_CUT.of(len(found) - _MAX_PROPERTIES))
        found = {n: found[n] for n in found if n in set(ranked)}
    return found


def _is_number(value: Any) -> bool:
    try:
        number(value)
    except Unconvertible:
        return False
    return True


def occurrence_id(identity: str) -> str:
    """The id of an occurrence: the text of a UUID of version 5, made without the object, which costs thrice as much."""
    digits = sha1(_NAMESPACE + identity.encode(), usedforsecurity=False).hexdigest()
    variant = "89ab"[int(digits[16], 16) & 3]
    return f"{digits[:8]}-{digits[8:12]}-5{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:32]}"


def _definition(
    context: Context,
    fields: Mapping[str, Any],
    wanted: str,
    object_type: str,
    properties: dict[str, Any],
) -> tuple[str, tuple[Key, ...]] | None:
    """The definition's short name and what must be made first; None when the effect is decided."""
    portal = context.portal
    if not portal.schema.definitions_known:
        context.end("event", State.FILTERED, Reason.CUSTOM_EVENTS_UNAVAILABLE)
        return None
    mode = str(fields.get("mode") or "upsert")
    short, found = _named(portal, wanted)
    requires: list[Key] = []
    definition = Key("definition", "name", short)
    if found is not None and portal.canonical(found.primary_object) != object_type:
        detail = f"events of {short} belong to {found.primary_object}, not to {object_type}"
        context.end("event", State.DEAD_LETTERED, Reason.MAPPING_FAILED, detail)
        return None
    if found is None:
        if mode not in {"upsert", "add"}:
            context.end("event", State.FILTERED, Reason.SYNC_MODE, f"no event definition {short}")
            return None
        automatic = wanted.startswith(_AUTOCAPTURE) or wanted in _SESSIONS
        if automatic or not portal.settings["create_definitions"]:
            context.end(
                "event", State.FILTERED, Reason.NO_MATCHING_MAPPING, "no definition, and none is made for it"
            )
            return None
        label = str(fields.get("label") or wanted)[:100]
        if not portal.want_definition(short, label, _primary(object_type)):
            context.end("event", State.FILTERED, Reason.DEFINITION_LIMIT)
            return None
        context.plan.operations.append(Write("definition", definition, Statement(), lane=context.lane))
        requires.append(definition)
    may_extend = found is None or mode in {"upsert", "update"}
    requires += _extend(context, short, wanted, found, properties, may_extend=may_extend)
    return short, tuple(requires)


def _extend(
    context: Context,
    short: str,
    wanted: str,
    found: Definition | None,
    properties: dict[str, Any],
    *,
    may_extend: bool,
) -> list[Key]:
    """The properties that the definition lacks: the keys of their making. What cannot be made is left out later."""
    have = found.properties if found is not None else {}
    lacking = [n for n in properties if n not in have and not n.startswith("hs_")]
    if not lacking:
        return []
    room = _MAX_PROPERTIES - len([n for n in have if not n.startswith("hs_")]) if may_extend else 0
    requires: list[Key] = []
    for name in lacking:
        if room <= 0:
            if may_extend:
                context.notes.append(Note.NO_ROOM_FOR_PROPERTY.of(name))
            continue
        room -= 1
        key = Key("event_property", short, name)
        value = properties[name]
        amount = isinstance(value, int | float) and not isinstance(value, bool)
        kind = "number" if amount or name in _NUMBERS else "string"
        wish = context.portal.wanted_definitions.setdefault(short, {"label": wanted[:100]})
        wish.setdefault("properties", {}).setdefault(name, kind)
        behind = (Key("definition", "name", short),) if found is None else ()
        context.plan.operations.append(
            Write("event_property", key, Statement(), requires=behind, lane=context.lane)
        )
        requires.append(key)
    return requires


def _primary(object_type: str) -> str:
    """How a definition names the object that its events belong to."""
    known = STANDARD.get(object_type)
    return known[0].upper() if known is not None else object_type


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
        Field("text_properties", "Text properties", "object", "Further properties, always sent as text."),
        Field(
            "label", "Label", "string", "The label of a definition that is made; default: the event's name."
        ),
        Field(
            "mode",
            "Sync mode",
            "string",
            "What may be made: upsert, definitions and properties; add, definitions; update, properties; none.",
            "upsert",
            choices=("upsert", "add", "update", "none"),
        ),
        Field(
            "object_type",
            "Object type",
            "string",
            "The type that the event belongs to, as text in the mapping; others than contacts need an object id.",
            "contacts",
        ),
        Field("object_id", "Object ID", "string", "The record's id in HubSpot, instead of the email."),
        Field(
            "utk",
            "User token",
            "string",
            "The visitor's hubspotutk, when neither is known.",
            {"@path": "$.context.hubspotutk"},
        ),
    ),
    plan,
)
