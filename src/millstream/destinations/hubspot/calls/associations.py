"""Associations and dissociations, one call for each pair of types and label (SEMANTICS 21, 23).

A row says in `linked` whether the two records belong together; its `extra` names them: `from`, `to` (keys),
`from_type`, `to_type`, `or_type` (tried when HubSpot does not know `to_type`) and `label` ("CATEGORY:id" or "").
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from millstream.delivery.plan import Records
from millstream.delivery.sink import Confirmed, Later, Result, WriteRow
from millstream.destinations.hubspot.calls.rows import Send, missing, record_id
from millstream.destinations.hubspot.failures import call_failed, row_result
from millstream.destinations.hubspot.portal import Portal
from millstream.hubspot_api.errors import HubSpotError, classify
from millstream.hubspot_api.requests import Request

_Pairs = dict[tuple[str, str], list[int]]
_ARCHIVED_AT_ONCE = 100


class _Kind(NamedTuple):
    """What one call does."""

    linked: bool
    from_type: str
    to_type: str
    or_type: str
    label: str


async def write_associations(
    portal: Portal, rows: Sequence[WriteRow], records: Records, send: Send
) -> list[Result]:
    """Associate and dissociate. A call that fails after others succeeded leaves its own rows for the next time."""
    results: list[Result | None] = [None] * len(rows)
    calls: dict[_Kind, _Pairs] = {}
    for i, row in enumerate(rows):
        left, right = (record_id(row.extra[end], records) for end in ("from", "to"))
        if left is None or right is None:
            results[i] = missing(row.extra["from" if left is None else "to"], records)
            continue
        to_type = str(row.extra["to_type"])
        kind = _Kind(
            bool(row.value("linked")) if "linked" in row.said.values else True,
            str(row.extra["from_type"]),
            to_type,
            str(row.extra.get("or_type") or to_type),
            str(row.extra.get("label") or ""),
        )
        calls.setdefault(kind, {}).setdefault((left, right), []).append(i)
    for n, (kind, pairs) in enumerate(calls.items()):
        try:
            found = await _call(portal, kind, pairs, send)
        except HubSpotError:
            if n == 0:
                raise
            for i in (i for pairs in list(calls.values())[n:] for at in pairs.values() for i in at):
                results[i] = Later("a call of another kind went first", 0.5, counts=False)
            break
        for pair, result in found.items():
            for i in pairs[pair]:
                results[i] = result
    return [r or Later("HubSpot's answer does not mention this pair", 1.0) for r in results]


async def _call(portal: Portal, kind: _Kind, pairs: _Pairs, send: Send) -> dict[tuple[str, str], Result]:
    try:
        if not kind.linked:
            return await _archive(portal, kind, list(pairs), send)
        answer = await send(_request(portal, kind, list(pairs)))
    except HubSpotError as error:
        refusal = error.refusal
        if refusal.status == 400 and "object type" in refusal.message and kind.or_type != kind.to_type:
            return await _call(portal, kind._replace(to_type=kind.or_type), pairs, send)
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


def _request(portal: Portal, kind: _Kind, pairs: list[tuple[str, str]]) -> Request:
    operations = portal.operations
    if not kind.label:
        return operations.associate_default(kind.from_type, kind.to_type, pairs)
    return operations.associate(kind.from_type, kind.to_type, pairs, *label_of(kind.label))


async def _archive(
    portal: Portal, kind: _Kind, pairs: list[tuple[str, str]], send: Send
) -> dict[tuple[str, str], Result]:
    """A 204 confirms all; what was not associated is what was wanted."""
    label = label_of(kind.label) if kind.label else ("", 0)
    for start in range(0, len(pairs), _ARCHIVED_AT_ONCE):
        some = pairs[start : start + _ARCHIVED_AT_ONCE]
        await send(portal.operations.dissociate(kind.from_type, kind.to_type, some, *label))
    return dict.fromkeys(pairs, Confirmed())


def label_of(text: str) -> tuple[str, int]:
    """A label as Segment and HubSpot's docs write it: `HUBSPOT_DEFINED:279`. Raises `ValueError`."""
    category, _, number = text.strip().partition(":")
    if category not in {"HUBSPOT_DEFINED", "USER_DEFINED", "INTEGRATOR_DEFINED"} or not number.isdigit():
        raise ValueError(text)
    return category, int(number)
