"""The books: which effects of which events are decided, where the destination stands, what the next commit holds."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from heapq import heappop, heappush
from operator import attrgetter

from millstream.delivery.backlog import Backlog
from millstream.delivery.operation import Job
from millstream.delivery.outcome import Outcome, Reason, State
from millstream.eventlog.record import Offset

Worst = tuple[State, Reason]
_state_of = attrgetter("state")


def worst_of(outcomes: Iterable[Outcome]) -> Worst:
    """An event's state and the reason behind it."""
    found = max(outcomes, key=_state_of)
    return found.state, found.reason


class _Open:
    """An event whose effects are not all decided, or changed since the last commit."""

    __slots__ = ("before", "effects")

    def __init__(self, before: Worst | None, effects: dict[Job, Outcome | None]) -> None:
        self.before = before
        self.effects = effects


class Ledger:
    """Outcomes by event. An event is undecided until each of its effects has an outcome (waiting counts as one)."""

    def __init__(self, decided: Offset, stored: Callable[[Offset], list[Outcome]]) -> None:
        self._stored = stored
        self._open: dict[Offset, _Open] = {}
        self._undecided: set[Offset] = set()
        self._oldest: list[
            Offset
        ] = []  # a heap of them: what comes from the backlog is older than what is open
        self._changed: dict[Offset, None] = {}
        self.cursor: Offset = decided
        self.backlog = Backlog()

    @property
    def decided(self) -> Offset:
        """The first undecided offset."""
        oldest = self._oldest
        while oldest and oldest[0] not in self._undecided:
            heappop(oldest)
        later = self.backlog.first
        return min(oldest[0] if oldest else self.cursor, later if later is not None else self.cursor)

    @property
    def changes(self) -> int:
        """How many events a commit would write."""
        return len(self._changed)

    def open(self, offset: Offset, jobs: Iterable[Job]) -> None:
        """These effects of a new event are to be decided."""
        self._open[offset] = _Open(None, dict.fromkeys(jobs))
        self._undecided.add(offset)
        heappush(self._oldest, offset)
        if not self._open[offset].effects:
            raise ValueError(f"event {offset} has no effect: every event has an outcome")

    def reopen(self, job: Job) -> bool:
        """One effect that had an outcome is decided anew; False when it is in the works already."""
        entry = self._open.get(job.offset)
        if entry is None:
            known = self._stored(job.offset)
            before = worst_of(known) if known else None
            entry = self._open[job.offset] = _Open(before, {o.job: o for o in known})
        elif entry.effects.get(job, 0) is None:
            return False
        if job.mapping:  # an event that nothing applied to has an effect now
            entry.effects.pop(Job(job.offset, "", ""), None)
        entry.effects[job] = None
        return True

    def become(self, job: Job, jobs: Iterable[Job]) -> None:
        """An open effect that stood for these gives way to them."""
        effects = self._open[job.offset].effects
        del effects[job]
        effects.update(dict.fromkeys(jobs))

    def decide(self, outcome: Outcome) -> None:
        """An effect has its outcome."""
        entry = self._open.get(outcome.job.offset)
        if entry is None or outcome.job not in entry.effects:
            return
        entry.effects[outcome.job] = outcome
        if None not in entry.effects.values():
            self._undecided.discard(outcome.job.offset)
            self._changed[outcome.job.offset] = None

    def is_open(self, job: Job) -> bool:
        """Whether the effect still waits for its outcome."""
        entry = self._open.get(job.offset)
        return entry is not None and job in entry.effects and entry.effects[job] is None

    def take(self) -> tuple[dict[Offset, list[Outcome]], dict[Worst, int]]:
        """Events decided since the last call, and how that changes the tally."""
        outcomes: dict[Offset, list[Outcome]] = {}
        tally: dict[Worst, int] = {}
        for offset in self._changed:
            entry = self._open[offset]
            found = [o for o in entry.effects.values() if o is not None]
            if len(found) < len(entry.effects):
                continue
            outcomes[offset] = found
            after = worst_of(found)
            if after != entry.before:
                tally[after] = tally.get(after, 0) + 1
                if entry.before is not None:
                    tally[entry.before] = tally.get(entry.before, 0) - 1
            del self._open[offset]
        self._changed.clear()
        return outcomes, tally
