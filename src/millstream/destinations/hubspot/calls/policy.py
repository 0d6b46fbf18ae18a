"""Which values a record keeps: the write policy of properties, judged by what HubSpot holds at that moment.

`overwrite` (default) writes the newest value by event time; `if_empty` only where HubSpot has none; `if_newer` only
where the last change in HubSpot is older than the event; `never` leaves the property to people (see `rows.Built`).

A change that we made ourselves is as old as the event that it came from, not as our call: otherwise whatever arrives
late would keep out what is newer than it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import tzinfo
from typing import Any, Final

from millstream.delivery.note import Note
from millstream.delivery.operation import Key
from millstream.delivery.plan import Records
from millstream.delivery.record_state import Fingerprint, RecordState, fingerprint
from millstream.delivery.sink import WriteRow
from millstream.destinations.hubspot.calls.rows import Built, Send, object_of
from millstream.destinations.hubspot.portal import Portal
from millstream.destinations.hubspot.values import Unconvertible, convert
from millstream.hubspot_api.schema import Property
from millstream.spec.timestamps import to_ms

_LOOKS: Final = {"if_empty", "if_newer"}
_BY_PROGRAMS: Final = {"INTEGRATION", "API"}  # `sourceType` of changes that no person made in HubSpot's pages
_WITH_HISTORY: Final = 50  # HubSpot reads at most so many records with their history at once


def guarded(portal: Portal, object_type: str, row: WriteRow) -> list[str]:
    """The row's properties whose policy asks what HubSpot holds."""
    policies = portal.policies.get(object_type)
    return [n for n in row.said.values if policies.get(n) in _LOOKS] if policies else []


async def hold_back(
    portal: Portal,
    object_type: str,
    rows: Sequence[WriteRow],
    records: Records,
    known: Mapping[int, str],
    built: Mapping[int, Built],
    send: Send,
) -> None:
    """Take out of these rows what their policies say stays as HubSpot has it. One read for up to 50 records."""
    asked = {i: names for i in known if (names := guarded(portal, object_type, rows[i]))}
    policies = portal.policies.get(object_type, {})
    indexes = list(asked)
    for start in range(0, len(indexes), _WITH_HISTORY):
        some = indexes[start : start + _WITH_HISTORY]
        wanted = sorted({n for i in some for n in asked[i]})
        inputs = [{"id": known[i]} for i in some]
        answer = await send(
            portal.operations.batch(
                object_type, "read", inputs, properties=wanted, propertiesWithHistory=wanted
            )
        )
        there = {str(r["id"]): r for r in answer.get("results") or []}
        for i in some:
            record = there.get(known[i], {})
            ours = records.get(Key(object_of(object_type), "id", known[i]))
            for name in asked[i]:
                if policies[name] == "if_empty":
                    kept = (record.get("properties") or {}).get(name) not in (None, "")
                else:
                    history = (record.get("propertiesWithHistory") or {}).get(name) or []
                    changed_ms = _changed_ms(portal, object_type, name, history[0], ours) if history else None
                    kept = changed_ms is not None and changed_ms > rows[i].said.when(name)[0]
                if kept:
                    built[i].leave_out(name, Note.KEPT_BY_POLICY.of(name))


def _changed_ms(
    portal: Portal, object_type: str, name: str, newest: Mapping[str, Any], ours: RecordState | None
) -> int | None:
    """When a property got the value that it has: a value that we wrote, when it was said to us."""
    if ours is not None and name in ours.confirmed.values and newest.get("sourceType") in _BY_PROGRAMS:
        prop = portal.schema.properties[object_type][name]
        if _is_held(prop, ours.confirmed.values[name], str(newest.get("value") or ""), portal.zone):
            return ours.confirmed.when(name)[0]
    return to_ms(newest.get("timestamp"))


def _is_held(prop: Property, written: Fingerprint, held: str, zone: tzinfo) -> bool:
    """Whether HubSpot's text is what became of the value that we wrote, as far as its fingerprint can tell."""
    if isinstance(written, bytes):
        return any(fingerprint(value) == written for value in _readings(held))
    try:
        return convert(prop, written, zone) == convert(prop, held, zone)
    except Unconvertible:
        return False


def _readings(held: str) -> Iterator[Any]:
    """The values that can have become this text."""
    yield from (held, held.split(";"))
    if held in {"true", "false"}:
        yield held == "true"
    with suppress(ValueError):
        yield float(held)
