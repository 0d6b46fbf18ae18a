"""Which values a record keeps: the write policy of properties, judged by what HubSpot holds at that moment.

`overwrite` (default) writes the newest value by event time; `if_empty` only where HubSpot has none; `if_newer` only
where HubSpot's own last change is older than the event; `never` leaves the property to people (see `rows.Built`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from millstream.delivery.sink import WriteRow
from millstream.destinations.hubspot.calls.rows import Built, Send
from millstream.destinations.hubspot.portal import Portal
from millstream.spec.timestamps import to_ms

_LOOKS: Final = {"if_empty", "if_newer"}
_WITH_HISTORY: Final = 50  # HubSpot reads at most so many records with their history at once


def guarded(portal: Portal, object_type: str, row: WriteRow) -> list[str]:
    """The row's properties whose policy asks what HubSpot holds."""
    policies = portal.policies.get(object_type)
    return [n for n in row.values if policies.get(n) in _LOOKS] if policies else []


async def hold_back(
    portal: Portal,
    object_type: str,
    rows: Sequence[WriteRow],
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
            for name in asked[i]:
                _, said_ms, _ = rows[i].values[name]
                if _kept(policies[name], record, name, said_ms):
                    built[i].leave_out(name, f"kept_by_policy:{name}")


def _kept(policy: str, record: Mapping[str, Any], name: str, said_ms: int) -> bool:
    held = (record.get("properties") or {}).get(name)
    if policy == "if_empty":
        return held not in (None, "")
    history = (record.get("propertiesWithHistory") or {}).get(name) or []
    changed = to_ms(history[0].get("timestamp")) if history else None
    return changed is not None and changed > said_ms
