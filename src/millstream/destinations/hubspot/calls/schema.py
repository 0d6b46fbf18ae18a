"""What is made in the schema: properties, event definitions, event properties. "Exists" is success."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from millstream.delivery.operation import Key
from millstream.delivery.outcome import Reason
from millstream.delivery.plan import Records
from millstream.delivery.sink import Confirmed, Later, Rejected, Result, WriteRow
from millstream.destinations.hubspot.calls.rows import Send
from millstream.destinations.hubspot.failures import row_result
from millstream.destinations.hubspot.portal import GROUP, Portal
from millstream.hubspot_api.errors import Failure, HubSpotError, classify
from millstream.hubspot_api.requests import Request
from millstream.hubspot_api.schema import read_definition, read_property

# HubSpot takes values of a new property 250 to 700 ms after it was made; whoever needs it waits here, once, instead of
# spending calls on refusals.
_TAKES_VALUES_AFTER_S: Final = 0.7
# Refusals of what may be there: by a call before whose answer was lost, or by this one.
_MAYBE_MADE: Final = frozenset({Failure.EXISTS, Failure.CONFLICT, Failure.DOWN})
_FIELD_TYPES: Final = {
    "string": "text",
    "number": "number",
    "bool": "booleancheckbox",
    "date": "date",
    "datetime": "date",
    "enumeration": "select",
}


async def create_properties(
    portal: Portal, rows: Sequence[WriteRow], _records: Records, send: Send
) -> list[Result]:
    """Make the properties of each object type with one call."""
    results: list[Result | None] = [None] * len(rows)
    by_type: dict[str, list[int]] = {}
    for i, row in enumerate(rows):
        by_type.setdefault(row.key.by, []).append(i)
    for object_type, indexes in by_type.items():
        await _group(portal, object_type, send)
        inputs = [_property(portal, object_type, rows[i].key.value) for i in indexes]
        asked = [rows[i].key for i in indexes]
        answer = await _counted(portal, asked, send, portal.operations.create_properties(object_type, inputs))
        made = {str(p["name"]): p for p in answer.get("results") or []}
        if made:
            await asyncio.sleep(_TAKES_VALUES_AFTER_S)
        for i in indexes:
            name = rows[i].key.value
            if name in made:
                portal.made_property(object_type, read_property(made[name]))
                results[i] = Confirmed()
        refusals = [classify(400, e) for e in answer.get("errors") or []]
        if any(r.failure is Failure.EXISTS for r in refusals):
            await portal.cache.refresh()
        for i in indexes:
            name = rows[i].key.value
            if results[i] is None:
                there = name in portal.schema.properties.get(object_type, {})
                mine = next((r for r in refusals if name in r.message), None)
                results[i] = (
                    Confirmed()
                    if there
                    else row_result(mine)
                    if mine
                    else Later("not mentioned in the answer")
                )
        await portal.not_made([rows[i].key for i in indexes if isinstance(results[i], Rejected)])
    return [r or Later("not mentioned in the answer") for r in results]


async def _counted(portal: Portal, keys: Sequence[Key], send: Send, request: Request) -> Any:
    """The answer of a request that makes these. What it makes counts from before it is sent; what HubSpot refuses outright does not."""
    await portal.making(keys)
    try:
        return await send(request)
    except HubSpotError as error:
        if error.refusal.failure not in _MAYBE_MADE:
            await portal.not_made(keys)
        raise


async def _group(portal: Portal, object_type: str, send: Send) -> None:
    """Our property group, made once."""
    if object_type in portal.groups:
        return
    try:
        await send(portal.operations.create_group(object_type, GROUP, "Millstream"))
    except HubSpotError as error:
        if error.refusal.failure not in {Failure.EXISTS, Failure.CONFLICT}:
            raise
    portal.groups.add(object_type)


def _property(portal: Portal, object_type: str, name: str) -> dict[str, Any]:
    wanted = portal.wanted_properties.get((object_type, name), {"label": name, "kind": "string"})
    kind = str(wanted["kind"])
    made: dict[str, Any] = {
        "name": name,
        "label": wanted["label"],
        "type": kind,
        "fieldType": _FIELD_TYPES.get(kind, "text"),
        "groupName": GROUP,
        "displayOrder": -1,
    }
    if kind == "bool":
        made["options"] = [
            {"label": "Yes", "value": "true", "displayOrder": 0, "hidden": False},
            {"label": "No", "value": "false", "displayOrder": 1, "hidden": False},
        ]
    if wanted.get("sensitive"):
        made["dataSensitivity"] = "sensitive"
    if wanted.get("unique"):
        made |= {"hasUniqueValue": True, "hidden": True}
    return made


async def create_definitions(
    portal: Portal, rows: Sequence[WriteRow], _records: Records, send: Send
) -> list[Result]:
    """Make event definitions, with the properties that are wanted by now."""
    results: list[Result] = []
    for row in rows:
        short = row.key.value
        if portal.schema.definition(short) is not None:
            results.append(Confirmed())
            continue
        wanted = portal.wanted_definitions.get(short, {"label": short})
        own: dict[str, str] = dict(wanted.get("properties") or {})
        body = {
            "name": short,
            "label": wanted["label"],
            "primaryObject": wanted.get("object", "CONTACT"),
            "includeDefaultProperties": False,
            "propertyDefinitions": [
                {"name": n, "label": n, "type": t, "options": []} for n, t in own.items()
            ],
        }
        try:
            made = await _counted(portal, [row.key], send, portal.operations.create_definition(body))
        except HubSpotError as error:
            if error.refusal.failure in {Failure.EXISTS, Failure.CONFLICT}:
                await portal.cache.refresh()
                there = portal.schema.definition(short) is not None
                burnt = Rejected(
                    Reason.REJECTED, f"the event name {short} was deleted once and cannot be used again"
                )
                results.append(Confirmed() if there else burnt)
                continue
            if error.refusal.status in {401, 403, 429} or error.refusal.status >= 500:
                raise
            results.append(row_result(error.refusal))
            continue
        found = read_definition(made)
        portal.cache.add_definition(
            replace(
                found,
                name=short,
                label=found.label or str(wanted["label"]),
                properties={**own, **found.properties},
            )
        )
        results.append(Confirmed())
    return results


async def extend_definitions(
    portal: Portal, rows: Sequence[WriteRow], _records: Records, send: Send
) -> list[Result]:
    """Add properties to event definitions; those that came with the definition cost nothing."""
    results: list[Result] = []
    for row in rows:
        short, name = row.key.by, row.key.value
        definition = portal.schema.definition(short)
        if definition is None:
            results.append(Rejected(Reason.REJECTED, f"no event definition {short}"))
            continue
        if name in definition.properties:
            results.append(Confirmed())
            continue
        kind = (portal.wanted_definitions.get(short, {}).get("properties") or {}).get(name, "string")
        try:
            await send(
                portal.operations.extend_definition(
                    definition.name, {"name": name, "label": name, "type": kind}
                )
            )
        except HubSpotError as error:
            if error.refusal.failure not in {Failure.EXISTS, Failure.CONFLICT}:
                if error.refusal.status in {401, 403, 429} or error.refusal.status >= 500:
                    raise
                results.append(row_result(error.refusal))
                continue
        portal.cache.add_definition(replace(definition, properties={**definition.properties, name: kind}))
        results.append(Confirmed())
    return results
