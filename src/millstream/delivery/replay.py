"""A range of the log once more, through chosen mappings: at backfill priority, as of now, one slice at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from millstream.delivery.intake import Intake
from millstream.delivery.works import Works
from millstream.eventlog.record import Offset
from millstream.eventlog.resolved import ResolvedReader, Status
from millstream.spec.events import Event

_SLICE: Final = 100
_ROOM: Final = 2000


@dataclass(slots=True)
class Replay:
    """One order and how far it is. `mappings`: None means all. `as_new` makes occurrences new ones (SEMANTICS 29)."""

    start: Offset
    end: Offset
    accepts: Callable[[Event], bool]
    mappings: frozenset[str] | None = None
    as_new: str = ""
    at: Offset = 0
    events: int = 0
    effects: int = 0
    skipped: int = 0

    @property
    def read(self) -> bool:
        """Whether everything was read and planned."""
        return self.at >= self.end


class Replays:
    """At most one replay at a time; it gives way to what arrives."""

    def __init__(self, works: Works, reader: ResolvedReader, intake: Intake) -> None:
        self._works = works
        self._reader = reader
        self._intake = intake
        self.current: Replay | None = None

    def begin(self, order: Replay) -> bool:
        """Start one; False when another is under way."""
        if self.current is not None and not self.done:
            return False
        order.end = min(order.end, self._works.ledger.decided)
        order.at = order.start
        self.current = order
        self._works.wake.set()
        return True

    @property
    def done(self) -> bool:
        """Whether all of its effects have an outcome, on disk."""
        order, works = self.current, self._works
        return order is None or (order.read and not works.slots.pending and not works.ledger.changes)

    def step(self) -> bool:
        """Plan the next slice when there is room. True when there may be more."""
        order = self.current
        if order is None or order.read or self._works.slots.pending >= _ROOM:
            return False
        found = self._reader.read(order.at, min(_SLICE, order.end - order.at))
        for resolved in found:
            event = resolved.event
            if resolved.resolution.status is not Status.NEW or event is None or not order.accepts(event):
                continue
            planned, skipped = self._intake.replay(resolved, order.mappings, order.as_new)
            order.events += bool(planned)
            order.effects += planned
            order.skipped += skipped
        order.at = found[-1].offset + 1 if found else order.end
        return True
