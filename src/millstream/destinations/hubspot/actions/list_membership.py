"""Put a contact, or another record, on a static list or take it off; the list is made when it is missing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from millstream.delivery.operation import Key, Write, relation
from millstream.delivery.outcome import Reason, State
from millstream.delivery.statement import Statement
from millstream.destinations.hubspot.actions.fields import first_of
from millstream.destinations.hubspot.actions.upsert_object import object_key
from millstream.destinations.hubspot.calls.rows import type_of
from millstream.destinations.hubspot.context import Context
from millstream.destinations.kit import Action, Field

_ENTERED: Final = {"Audience Entered": True, "Audience Exited": False}


def plan(context: Context, fields: Mapping[str, Any]) -> None:
    """One membership: the newest word of an event about one record on one list wins."""
    name = str(fields.get("list_name") or fields.get("computation_key") or "").strip()
    if not name:
        context.end("membership", State.FILTERED, Reason.NOT_IN_AUDIENCE, "the event names no list")
        return
    member = _member(context, fields)
    if member is None:
        context.end(
            "membership", State.FILTERED, Reason.NOT_IN_AUDIENCE, f"nothing says {name} is true or false"
        )
        return
    record = _record(context, fields, make=member)
    if record is None:
        return
    object_type = type_of(record)
    listed = Key("list", object_type, name)
    made = {"create": fields.get("create", True)} if member else {}  # nothing is made to take somebody off it
    context.plan.operations.append(Write("list", listed, Statement(), extra=made, lane=context.lane))
    context.plan.operations.append(
        Write(
            "membership",
            relation("membership", object_type, (record, listed)),
            context.says("linked", member),
            context.job("membership"),
            (record, listed),
            context.person.id if context.person else None,
            notes=tuple(context.notes),
            extra={"list": listed, "record": record},
            lane=context.lane,
            between=(record, listed),
        )
    )


def _member(context: Context, fields: Mapping[str, Any]) -> bool | None:
    """Whether the record belongs on the list: what the mapping says, else what the audience's own event does."""
    said = fields.get("member")
    if said is not None:
        return bool(said)
    traits = fields.get("traits_or_props")
    key = fields.get("computation_key")
    if isinstance(traits, dict) and key is not None and isinstance(traits.get(str(key)), bool):
        return bool(traits[str(key)])
    return _ENTERED.get(context.event.event or "")


def _record(context: Context, fields: Mapping[str, Any], *, make: bool) -> Key | None:
    """The member: the contact, made when `make` says so, unless another record is mapped. None: waits, or has ended."""
    if fields.get("id_value") is not None:
        record, make = object_key(context, fields, "membership"), False
    else:
        record = context.named_contact(fields.get("email"), "membership")
    if record is None:
        return None
    if make:
        context.ensure_contact(record)
    elif record.by != "id" and context.records.get(record) is None:
        context.plan.operations.append(
            Write("object", record, Statement(), partial=False, extra={"mode": "find"}, lane=context.lane)
        )
    return record


ACTION: Final = Action(
    "list_membership",
    "List membership",
    "Adds a record to a static list or removes it; makes the list when it is missing.",
    'context.personas.computation_key != null and (type = "identify" or type = "track")',
    (
        Field("list_name", "List name", "string", "The list; default: the audience's key."),
        Field(
            "member",
            "Member",
            "boolean",
            "true adds, false removes; default: what the audience's own event says.",
        ),
        Field("email", "Email", "string", "The contact's address.", {"@path": "$.profile.email"}),
        Field(
            "object_type",
            "Object type",
            "string",
            "Another type than contacts, as text in the mapping.",
            "contacts",
        ),
        Field("id_field", "ID property", "string", "What a record of that type is found by.", "hs_object_id"),
        Field("id_value", "ID value", "string", "Its value; without one the event's contact is meant."),
        Field("create", "Create the list", "boolean", "Whether a missing list is made (default: yes)."),
        Field(
            "computation_key",
            "Audience key",
            "string",
            "The key of a Segment Engage audience.",
            {"@path": "$.context.personas.computation_key"},
        ),
        Field(
            "traits_or_props",
            "Traits or properties",
            "object",
            "Where the audience's own key is true or false.",
            first_of("$.traits", "$.properties"),
        ),
    ),
    plan,
)
