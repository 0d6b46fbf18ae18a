"""Events and associations (SEMANTICS 17, 18, 21, 23, 28, 29)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from millstream.delivery.outcome import Reason
from millstream.delivery.plan import Records
from millstream.delivery.sink import Confirmed, Later, Rejected, Result, SendRow
from millstream.destinations.hubspot.failures import call_failed, row_result
from millstream.destinations.hubspot.portal import Portal
from millstream.destinations.hubspot.values import Unconvertible, event_text, number, text
from millstream.hubspot_api.errors import Failure, HubSpotError, classify
from millstream.hubspot_api.requests import Request

Send = Callable[[Request], Awaitable[Any]]


async def send_events(portal: Portal, rows: Sequence[SendRow], records: Records, send: Send) -> list[Result]:
    """Up to 500 occurrences; a 204 confirms all of them."""
    results: list[Result | None] = [None] * len(rows)
    inputs: list[dict[str, Any]] = []
    sent: list[int] = []
    for i, row in enumerate(rows):
        definition = portal.schema.definition(str(row.payload["definition"]))
        if definition is None:
            results[i] = Rejected(Reason.REJECTED, f"no event definition {row.payload['definition']}")
            continue
        properties, notes = _event_properties(definition.properties, row.payload["properties"])
        contact = records.get(row.payload["contact"])
        who = {"objectId": contact.id} if contact is not None else {"email": row.payload["contact"].value}
        inputs.append(
            {
                "eventName": definition.full_name,
                **who,
                "occurredAt": row.payload["occurredAt"],
                "uuid": row.payload["uuid"],
                "properties": properties,
            }
        )
        results[i] = Confirmed(notes=tuple(notes))
        sent.append(i)
    if not inputs:
        return [r or Later("not sent") for r in results]
    try:
        await send(portal.operations.send_events(inputs))
    except HubSpotError as error:
        if error.refusal.failure is Failure.EXISTS and len(sent) == 1:
            return [r or Later("not sent") for r in results]  # its uuid was there: it arrived before
        if len(sent) > 1 or error.refusal.status in {401, 403, 429} or error.refusal.status >= 500:
            raise
        results[sent[0]] = row_result(error.refusal)
    return [r or Later("not sent") for r in results]


def _event_properties(known: Any, given: dict[str, Any]) -> tuple[dict[str, str], list[str]]:
    """Values as the definition's types take them; what it lacks is left out, what is too long is cut."""
    found: dict[str, str] = {}
    notes: list[str] = []
    for name, value in given.items():
        if name not in known and not name.startswith("hs_"):
            notes.append(f"unknown_property_dropped:{name}")
            continue
        if known.get(name) == "number":
            try:
                found[name] = number(value)
            except Unconvertible:
                notes.append(f"value_not_convertible:{name}")
            continue
        found[name], cut = event_text(name, value if not isinstance(value, bool) else text(value))
        if cut:
            notes.append(f"value_cut:{name}")
    return found, notes


async def associate(portal: Portal, rows: Sequence[SendRow], records: Records, send: Send) -> list[Result]:
    """Default associations, one call for each pair of types."""
    results: list[Result | None] = [None] * len(rows)
    by_type: dict[str, dict[tuple[str, str], list[int]]] = {}
    for i, row in enumerate(rows):
        source, target = row.payload["from"], row.payload["to"]
        left = source.value if source.by == "id" else getattr(records.get(source), "id", None)
        right = target.value if target.by == "id" else getattr(records.get(target), "id", None)
        if left is None or right is None:
            missing = "contact" if left is None else "company"
            results[i] = Rejected(Reason.RECORD_NOT_FOUND, f"the {missing} could not be written")
            continue
        kind = str(row.payload["to_type"])
        by_type.setdefault(kind, {}).setdefault((left, right), []).append(i)
    for kind, pairs in by_type.items():
        for pair, result in (await _associate_type(portal, kind, pairs, rows, send)).items():
            for i in pairs[pair]:
                results[i] = result
    return [r or Later("HubSpot's answer does not mention this pair") for r in results]


async def _associate_type(
    portal: Portal, kind: str, pairs: dict[tuple[str, str], list[int]], rows: Sequence[SendRow], send: Send
) -> dict[tuple[str, str], Result]:
    try:
        answer = await send(portal.operations.associate_default("contacts", kind, list(pairs)))
    except HubSpotError as error:
        refusal = error.refusal
        other = str(rows[next(iter(pairs.values()))[0]].payload.get("or_type") or kind)
        if refusal.status == 400 and "object type" in refusal.message and other != kind:
            return await _associate_type(portal, other, pairs, rows, send)
        if call_failed(error).cause.value != "batch_rejected" or len(pairs) > 1:
            raise
        return {pair: row_result(refusal) for pair in pairs}
    found: dict[tuple[str, str], Result] = {}
    for result in answer.get("results") or []:
        left = result.get("fromObjectId") or (result.get("from") or {}).get("id")
        right = result.get("toObjectId") or (result.get("to") or {}).get("id")
        found[str(left), str(right)] = Confirmed()
    for error_entry in answer.get("errors") or []:
        refusal = classify(400, error_entry)
        for pair in pairs:
            if pair not in found and (
                set(refusal.ids) & set(pair) or any(p in refusal.message for p in pair)
            ):
                found[pair] = row_result(refusal)
    return {p: r for p, r in found.items() if p in pairs}
