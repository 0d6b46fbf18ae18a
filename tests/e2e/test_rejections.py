"""The list of rejections: what `tail --rejected` shows, and for how long."""

from __future__ import annotations

import asyncio

from millstream.eventlog.rejection import KEPT_MS
from millstream.runtime import wire
from millstream.runtime.inspection import Inspection


def nonsense(on, *words):
    """Items that are no events, and a moment until the processor has seen them."""
    on.batch([{"type": word, "userId": "u"} for word in words])
    on.until(lambda: not on.server.server.parts.status({})["processor_lag"])


def shown(on, n=20):
    """The details of the last `n`, as the command reads them beside the server."""
    with Inspection(on.settings, {"TOKEN": "t"}) as inspection:
        offset, rows = inspection.rows(inspection.last(n, rejected=True), rejected=True)
        assert inspection.rows(offset, rejected=True) == (offset, []), "and --follow goes on behind them"
    return [row[4].split()[-1] for row in rows]


def test_rejections_leave_after_seven_days_and_not_with_the_log(pair, monkeypatch):
    """Housekeeping lets them go by their own age, whatever the log's retention; they outlive a restart."""
    on = pair(more="settings:\n  retention_days: 0.00000001\n")
    nonsense(on, "first", "second", "third")
    on.restart()
    assert len(shown(on)) == 3
    assert shown(on, 2) == shown(on)[1:]
    parts = on.server.server.parts
    real = wire.now_ms
    for later, left in ((KEPT_MS - 60_000, 3), (KEPT_MS + 60_000, 0)):
        monkeypatch.setattr(wire, "now_ms", lambda later=later: real() + later)
        asyncio.run(parts.housekeeping())
        parts._state.processor._writer.submit(lambda _: None).result(5)
        assert len(shown(on)) == left, later
    monkeypatch.undo()
    nonsense(on, "fourth")
    assert len(shown(on)) == 1
