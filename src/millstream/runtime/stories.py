"""The whole story of one event, as JSON: what came, who it was, what became of it at each destination."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from millstream.delivery.outcome import REASONS, Outcome, Reason
from millstream.eventlog.resolved import ProfileView, Resolved, Status
from millstream.mapping.trigger import parse_trigger
from millstream.spec.timestamps import to_iso
from millstream.workspace.model import Destination

_SHOWN: Final = frozenset({"type", "event", "messageId", "userId", "anonymousId", "groupId"})
# Outcomes of no mapping that the mappings themselves gave: they were looked at.
_LOOKED_AT: Final = frozenset({Reason.NO_MATCHING_MAPPING, Reason.UNSUPPORTED_EVENT_TYPE})


def head(resolved: Resolved, profile: ProfileView | None) -> dict[str, Any]:
    """The event and whose it is."""
    resolution = resolved.resolution
    return {
        "event": {
            "offset": resolved.offset,
            "received": to_iso(resolved.received_ms),
            "time": to_iso(resolved.time_ms),
            "source": resolved.source,
            "status": Status(resolution.status).name.lower(),
            **{k: v for k, v in _view(resolved).items() if k in _SHOWN},
        },
        "profile": {
            "id": resolution.profile,
            "account": resolution.account,
            "email": resolution.email,
            "gained_address": resolution.gained_address,
            "superseded": list(resolution.superseded),
            "note": resolution.note,
            "external_ids": {k: list(v) for k, v in profile.external_ids.items()} if profile else {},
        },
    }


def at_destination(
    resolved: Resolved, destination: Destination, outcomes: list[Outcome]
) -> list[dict[str, Any]]:
    """Its outcomes there; then the mappings that did nothing, each with why, if they were looked at."""
    rows = [
        {
            "mapping": o.job.mapping,
            "effect": o.job.effect,
            "state": o.state.name.lower(),
            "reason": o.reason.value,
            "call": o.call,
            "notes": ", ".join(o.notes),
            "detail": o.detail if o.job.mapping or o.reason in _LOOKED_AT else _stopped(resolved, o),
        }
        for o in outcomes
    ]
    if any(not o.job.mapping and o.reason not in _LOOKED_AT for o in outcomes):
        return rows
    return rows + list(_idle(resolved, destination, {o.job.mapping for o in outcomes}))


def _stopped(resolved: Resolved, outcome: Outcome) -> str:
    why = REASONS[outcome.reason].rstrip(".")
    if outcome.reason is Reason.SOURCE_NOT_CONNECTED:
        why = f"this destination does not take source {resolved.source}"
    return f"not looked at: {why}" + (f"; {outcome.detail}" if outcome.detail else "")


def _idle(resolved: Resolved, destination: Destination, busy: set[str]) -> Iterator[dict[str, Any]]:
    view = _view(resolved)
    for mapping in destination.mappings:
        if mapping.name in busy:
            continue
        holds = mapping.enabled and parse_trigger(mapping.trigger, mapping.compat).matches(view)
        why = "matched" if holds else f"trigger does not hold: {mapping.trigger}"
        row = dict.fromkeys(("effect", "state", "reason", "call", "notes"), "")
        yield {"mapping": mapping.name, **row, "detail": why if mapping.enabled else "disabled"}


def _view(resolved: Resolved) -> dict[str, Any]:
    return resolved.event.view() if resolved.event else {}
