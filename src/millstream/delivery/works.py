"""What one delivery has in hand: its books, its scheduler, the commit in the making. Shared by the parts of delivery."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from millstream.delivery.circuit import Circuit
from millstream.delivery.ledger import Ledger
from millstream.delivery.operation import Job
from millstream.delivery.outcome import Outcome, Reason, State
from millstream.delivery.records import RecordBook
from millstream.delivery.sink import Sink
from millstream.delivery.slots import Slots
from millstream.delivery.store import DeliveryCommit, DeliveryStore, Position
from millstream.eventlog.record import Offset

DAY_MS: Final = 86_400_000


@dataclass(frozen=True, slots=True)
class DeliverySettings:
    """Figures of one delivery; times in the unit that the name says."""

    shadow: bool = False
    enabled: bool = True
    window: int = 30_000
    backlog: int = 1_000_000
    max_calls: int = 16
    linger_s: float = 0.5
    in_doubt_s: float = 30.0
    commit_every_s: float = 0.2
    resend_after_ms: int = DAY_MS
    identity_wait_ms: int = 30 * DAY_MS
    waiting_per_profile: int = 1000
    max_lag_ms: int = 30 * DAY_MS
    slice_events: int = 100


class Works:
    """One destination's books and scheduler."""

    def __init__(
        self,
        destination: str,
        store: DeliveryStore,
        sink: Sink,
        settings: DeliverySettings,
        now_ms: Callable[[], int],
    ) -> None:
        self.destination = destination
        self.store = store
        self.settings = settings
        self.now_ms = now_ms
        position = store.position(destination) or Position(0, 0, 0)
        self.start = position.start
        # Nothing is sent before the reader has passed where it had read to.
        self.hold_until = self._kept_to = position.read_to
        self.ledger = Ledger(position.decided, lambda offset: store.outcomes(destination, offset))
        self.records = RecordBook(store, destination)
        self.slots = Slots(sink.kinds, lambda row: sink.route(row, self.records))
        self.circuit = Circuit()
        self.commit = DeliveryCommit(destination, position)
        self.received: dict[Offset, int] = {}
        self.before_commit: list[Callable[[DeliveryCommit], None]] = []
        self.wake = asyncio.Event()
        self.stopping = False
        self.loop = asyncio.get_event_loop()
        self._committed_at = 0.0

    def decide(self, job: Job, state: State, reason: Reason, detail: str = "") -> None:
        """The outcome of one effect."""
        self.ledger.decide(Outcome(job, state, reason, detail))

    def only(self, offset: Offset, state: State, reason: Reason) -> None:
        """The one outcome of an event that no mapping is asked about."""
        job = Job(offset, "", "")
        self.ledger.open(offset, [job])
        self.decide(job, state, reason)

    def holding(self, end: Offset) -> bool:
        """Whether the reader has not come back yet to where it had read before a restart."""
        return self.ledger.cursor < min(self.hold_until, end)

    def unsaved(self, job: Job) -> bool:
        """Whether it is not on disk that this was read: behind a kill we would not hold until it is read again."""
        return job.offset >= self._kept_to

    async def commit_if_due(self) -> None:
        """Commit when the last one is long enough ago and there is something new."""
        due = self.loop.time() - self._committed_at >= self.settings.commit_every_s
        if due and (self.ledger.changes or self._kept_to < self.ledger.cursor):
            await self.commit_now()

    async def commit_now(self) -> None:
        """One transaction with everything since the last one."""
        commit = self.commit
        commit.outcomes, commit.tally = self.ledger.take()
        commit.records, commit.aliases, commit.forgotten = self.records.take_changes()
        cursor = max(self.ledger.cursor, self.hold_until)
        commit.position = Position(self.start, self.ledger.decided, cursor)
        for complete in self.before_commit:
            complete(commit)
        self.commit = DeliveryCommit(self.destination, commit.position)
        await self.store.commit(commit)
        self._kept_to = commit.position.read_to
        self.records.committed()
        for offset in commit.outcomes:
            self.received.pop(offset, None)
        self._committed_at = self.loop.time()


class Reopened:
    """Effects that were taken up again from a stored row. The row goes with the commit that holds the new outcome."""

    def __init__(self, works: Works) -> None:
        self._works = works
        self._jobs: set[Job] = set()

    def take(self, job: Job) -> bool:
        """Take an effect up; False when it is in the works already."""
        if job in self._jobs or not self._works.ledger.reopen(job):
            return False
        self._jobs.add(job)
        return True

    def ended(self) -> list[Job]:
        """Effects that have an outcome by now: their rows may go."""
        found = [job for job in self._jobs if not self._works.ledger.is_open(job)]
        self._jobs.difference_update(found)
        return found
