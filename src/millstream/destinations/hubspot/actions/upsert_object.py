"""Create or update a record of any type, and what it is associated with (Segment's "Custom Object V2")."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from millstream.delivery.operation import Key, Write
from millstream.delivery.outcome import Reason, State
from millstream.delivery.statement import Statement
from millstream.destinations.hubspot.actions.associate import label_is_usable, link
from millstream.destinations.hubspot.actions.fields import NULL_CLEARS
from millstream.destinations.hubspot.calls.rows import object_of
from millstream.destinations.hubspot.context import Context, is_record_id, property_map
from millstream.destinations.kit import Action, Field
from millstream.profiles.identifiers import email_of

ID: Final = "hs_object_id"


def object_key(context: Context, given: Mapping[str, Any], effect: str) -> Key | None:
    """The record that `{object_type, id_field, id_value}` names; None when it is none, and the effect has ended."""
    object_type = context.portal.canonical(str(given.get("object_type") or ""))
    id_field = str(given.get("id_field") or ID).strip().lower()
    value = str(given.get("id_value") if given.get("id_value") is not None else "").strip()
    problem = ""
    if object_type not in context.portal.schema.properties:
        problem = f"HubSpot has no object type {object_type!r}, or the token may not read its properties"
    elif not value:
        problem = f"the record has no {id_field}"
    elif id_field == "email" and object_type == "contacts":
        value = email_of(value) or ""
        problem = "" if value else f"not an address: {str(given.get('id_value'))[:100]!r}"
    elif id_field == ID:
        problem = "" if is_record_id(value) else f"hs_object_id must be digits, but it was {value[:60]!r}"
    elif id_field not in context.portal.schema.properties[object_type]:
        problem = f"HubSpot has no property {id_field} of {object_type} to find records by"
    if problem:
        invalid = id_field == "email" and bool(given.get("id_value"))
        reason = Reason.INVALID_EMAIL if invalid else Reason.MAPPING_FAILED
        context.end(effect, State.DEAD_LETTERED, reason, problem)
        return None
    return Key(object_of(object_type), "id" if id_field == ID else id_field, value)


def plan(context: Context, fields: Mapping[str, Any]) -> None:
    """One write of the record, one of each record it is associated with, and the associations."""
    key = object_key(context, fields, "object")
    if key is None:
        return
    object_type = context.portal.canonical(str(fields["object_type"]))
    own = frozenset({key.by})
    said = Statement()
    requires: tuple[Key, ...] = ()
    for name, sensitive in (("properties", False), ("sensitive_properties", True)):
        made = context.properties(
            object_type, property_map(fields, name), None, key, own=own, well_known=False, sensitive=sensitive
        )
        if made is None:
            context.end("object", State.DEAD_LETTERED, Reason.UNKNOWN_PROPERTY, ", ".join(context.notes))
            return
        said.fold(made[0])
        requires += made[1]
    if key.by not in {"id", "email"}:
        said.put(key.by, key.value, context.stamp)
    mode = str(fields.get("mode") or "upsert")
    if mode == "add" and context.records.get(key) is not None:
        context.end("object", State.FILTERED, Reason.SYNC_MODE, "the record exists already")
    else:
        context.plan.operations.append(
            Write(
                "object",
                key,
                said,
                context.job("object"),
                requires,
                partial=False,
                notes=tuple(context.notes),
                extra={"mode": mode},
                lane=context.lane,
            )
        )
    _relations(context, fields, key, object_type)


def _relations(context: Context, fields: Mapping[str, Any], source: Key, from_type: str) -> None:
    """Associations and dissociations, in the order given; a target that is not there is made, or only looked for."""
    mode = str(fields.get("association_mode") or "upsert")
    for name, linked in (("associations", True), ("dissociations", False)):
        for i, item in enumerate(fields.get(name) or []):
            effect = f"{name[:-1]}:{i}"
            if not isinstance(item, dict):
                context.end(effect, State.DEAD_LETTERED, Reason.MAPPING_FAILED, "not an object")
                continue
            label = str(item.get("label") or "")
            if not label_is_usable(context, effect, label):
                continue
            if item.get("id_value") in (None, ""):
                context.end(
                    effect, State.FILTERED, Reason.RECORD_NOT_FOUND, "no id_value: nothing to associate"
                )
                continue
            target = object_key(context, item, effect)
            if target is None:
                continue
            if target.by != "id" and context.records.get(target) is None:
                find = "upsert" if linked and mode == "upsert" else "find"
                context.plan.operations.append(
                    Write(
                        "object", target, Statement(), partial=False, extra={"mode": find}, lane=context.lane
                    )
                )
            to_type = context.portal.canonical(str(item["object_type"]))
            ends = {
                "from": source,
                "to": target,
                "from_type": from_type,
                "to_type": to_type,
                "label": label,
            }
            link(context, effect, ends, linked=linked)


_RELATION: Final = "{object_type, label (`CATEGORY:id`, optional), id_field, id_value}"
ACTION: Final = Action(
    "upsert_object",
    "Upsert object",
    "Creates or updates a record of any standard or custom object type, with its associations.",
    'type = "track"',
    (
        Field(
            "object_type",
            "Object type",
            "string",
            "Any name of the type, as text in the mapping: `deals`, `0-3`, `p123_machine`.",
            required=True,
        ),
        Field(
            "id_field",
            "ID property",
            "string",
            "What the record is found by: a unique property is one call, any other a search in bulk.",
            ID,
        ),
        Field("id_value", "ID value", "string", "Its value.", required=True),
        Field(
            "mode",
            "Sync mode",
            "string",
            "upsert; add: only records that are not there; update: only those that are.",
            "upsert",
            choices=("upsert", "add", "update"),
        ),
        Field("properties", "Properties", "object", "Property names and values."),
        Field(
            "sensitive_properties",
            "Sensitive properties",
            "object",
            "The same for properties that HubSpot keeps as sensitive data.",
        ),
        Field("associations", "Associations", "array", f"Records to associate: {_RELATION}."),
        Field("dissociations", "Dissociations", "array", f"Records to dissociate: {_RELATION}."),
        Field(
            "association_mode",
            "Association mode",
            "string",
            "upsert: make records that are not there; read: dead-letter the association.",
            "upsert",
            choices=("upsert", "read"),
        ),
        NULL_CLEARS,
    ),
    plan,
)
