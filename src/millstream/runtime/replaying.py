"""What a replay would do, counted before it is done: events, effects by mapping, and about how many calls."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

from millstream.delivery.outcome import State
from millstream.eventlog.resolved import Status
from millstream.mapping.trigger import TriggerError, parse_trigger
from millstream.runtime.dryrun import choose
from millstream.runtime.inspection import Inspection
from millstream.runtime.trial import TrialFailed
from millstream.workspace.model import Workspace

# How many effects of an action fit one call to HubSpot; what is not here fits 100.
_A_CALL = {
    "custom_event": 500,
    "associate": 2000,
    "list_membership": 1000,
    "legacy_event": 1,
    "gdpr_delete": 1,
}
_PENDING = {State.WAITING, State.RETRYING, State.DEAD_LETTERED}


def count(
    inspection: Inspection,
    workspace: Workspace,
    *,
    destination: str | None,
    since_ms: int,
    until_ms: int | None,
    trigger: str,
    mappings: list[str],
) -> dict[str, Any]:
    """The figures of a replay. Raises `TrialFailed` for a destination, mapping or trigger that is not there."""
    chosen = choose(workspace, destination)
    known = {m.name: m for m in chosen.mappings if m.enabled}
    unknown = [name for name in mappings if name not in known]
    if unknown:
        raise TrialFailed(f"no enabled mapping {unknown[0]!r}; there are: {', '.join(known)}")
    try:
        accepts = parse_trigger(trigger)
    except TriggerError as error:
        raise TrialFailed(f"the trigger cannot be read: {error}") from None
    wanted = [(known[n], parse_trigger(known[n].trigger, known[n].compat)) for n in (mappings or known)]
    in_range = matching = pending = 0
    effects: Counter[str] = Counter()
    for resolved in inspection.between(since_ms, until_ms):
        in_range += 1
        if resolved.resolution.status is not Status.NEW or resolved.event is None:
            continue
        view = resolved.event.view()
        if not accepts.matches(view):
            continue
        matching += 1
        stuck = {
            o.job.mapping for o in inspection.outcomes(chosen.name, resolved.offset) if o.state in _PENDING
        }
        for mapping, test in wanted:
            if test.matches(view):
                pending += mapping.name in stuck
                effects[mapping.name] += mapping.name not in stuck
    calls = sum(math.ceil(n / _A_CALL.get(known[name].action, 100)) for name, n in effects.items())
    return {
        "destination": chosen.name,
        "events_in_range": in_range,
        "events_matching": matching,
        "effects": dict(effects),
        "pending_left_out": pending,
        "calls_at_most": calls,
    }
