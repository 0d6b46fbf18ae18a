"""Reading and planning: resolved events become operations in the scheduler, or outcomes at once.

Backfill fills half of the window at most. What is beyond stays in the backlog, so that live events are read past it; it
is planned when there is room, or with the first that needs a record which it writes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Final

from millstream.delivery.letters import Letters
from millstream.delivery.operation import Job, Key, Lane, Operation, Write
from millstream.delivery.outcome import Reason, State
from millstream.delivery.parking import Parking
from millstream.delivery.plan import Plan, Planner
from millstream.delivery.sink import CallFailed, Cause
from millstream.delivery.waiting import WaitingRoom
from millstream.delivery.works import Works
from millstream.eventlog.record import Offset
from millstream.eventlog.resolved import ProfileReader, ProfileView, Resolved, ResolvedReader, Status

# Effects that have somebody to look after them already.
_PENDING: Final = frozenset({State.WAITING, State.RETRYING, State.DEAD_LETTERED})


class Intake:
    """Plans what the reader gives, in log order, as far as the window has room."""

    def __init__(
        self,
        works: Works,
        reader: ResolvedReader,
        profiles: ProfileReader,
        planner: Planner,
        letters: Letters,
    ) -> None:
        self._works = works
        self._reader = reader
        self._profiles = profiles
        self._planner = planner
        self._letters = letters
        self._prepare_at = 0.0
        self._gained: list[str] = []
        self._backfill = 0  # entries that backfill made as it was read
        self.waiting = WaitingRoom(works, profiles, self.replan, planner.reachable)
        self.parking = Parking(works, self.replan)

    async def read(self) -> bool:
        """Plan the next slice if there is room. True when there may be more."""
        works = self._works
        cursor = works.ledger.cursor
        if not self.parking.loaded and not await self._load_parked():
            return False
        if self._full() and cursor >= works.hold_until:
            return False
        if cursor >= self._reader.end():
            return False
        found = self._reader.read(cursor, works.settings.slice_events)
        if not found or (works.settings.enabled and not await self._prepared()):
            return False
        if found[0].offset > cursor:  # the log was dropped under a position that had expired
            works.ledger.cursor = found[0].offset
        states = works.store.states(works.destination, found[0].offset, found[-1].offset + 1)
        fresh = [r for r in found if states[r.offset - found[0].offset] == State.UNDECIDED]
        views = self._known(fresh)
        now_ms = works.now_ms()
        for resolved in fresh:
            if self._closed(resolved, now_ms):
                continue
            plan = self._planner.plan(resolved, views, works.records, now_ms)
            backfill = bool(plan.operations) and all(o.lane is Lane.BACKFILL for o in plan.operations)
            if backfill and self._comes_later():
                works.ledger.backlog.add(resolved.offset, self._written(plan.operations))
                continue
            pending = works.slots.pending
            await self._begin(resolved, plan, now_ms)
            self._backfill += backfill and works.slots.pending - pending
        works.ledger.cursor = found[-1].offset + 1
        return True

    async def take_up(self) -> bool:
        """Plan the next slice of the backlog if there is room. True when there may be more."""
        works = self._works
        backlog = works.ledger.backlog
        await self._wake_gained()
        in_works = works.slots.pending + works.ledger.changes
        if backlog.first is None or in_works >= works.settings.window // 2:
            return False
        if not works.settings.enabled or works.holding(self._reader.end()) or not await self._prepared():
            return False
        found = self._reader.read(backlog.first, works.settings.slice_events)
        due = [r for r in found if r.offset in backlog]
        views = self._known(due)
        now_ms = works.now_ms()
        for resolved in due:
            if resolved.offset in backlog:  # unless an event before it brought it along
                plan = self._planner.plan(resolved, views, works.records, now_ms)
                await self._begin(resolved, plan, now_ms)
        return bool(due)

    def _full(self) -> bool:
        """Whether no more may be read. A disabled destination plans nothing, whatever it reads."""
        works, settings = self._works, self._works.settings
        pending, later = works.slots.pending, len(works.ledger.backlog)
        return settings.enabled and (pending >= settings.window or later >= settings.backlog)

    def _known(self, events: list[Resolved]) -> dict[str, ProfileView]:
        """The persons and accounts of these events; their records are read together."""
        views = self._profiles.views(
            {p for r in events for p in (r.resolution.profile, r.resolution.account) if p}
        )
        self._works.records.prefetch(self._planner.names(events, views))
        return views

    def _comes_later(self) -> bool:
        """Whether backfill finds no room, or some before it found none.

        What was in the works before a restart is planned before anything is sent: it was the oldest of the backlog, and
        at most the half of a window and a slice. Live events, which are planned as well, do not count then.
        """
        works, window = self._works, self._works.settings.window
        if works.ledger.backlog:
            return True
        if works.ledger.cursor < works.hold_until:
            return self._backfill >= window * 3 // 4
        return works.slots.pending >= window // 2

    def _written(self, operations: Iterable[Operation]) -> list[Key]:
        """The records that effects of these write, each by the name that is known best."""
        resolve = self._works.records.resolve
        return [resolve(o.key) for o in operations if isinstance(o, Write) and o.job is not None]

    async def _load_parked(self) -> bool:
        """What was parked before a restart goes in front of what is read after it."""
        works = self._works
        if works.settings.enabled and works.store.parked_count(works.destination):
            if not await self._prepared():
                return False
            self.parking.load()
        self.parking.loaded = True
        return True

    async def _prepared(self) -> bool:
        """Whether the planner knows what it needs; if not, the circuit is told why."""
        works = self._works
        now = works.loop.time()
        if works.circuit.state != "running" and now < self._prepare_at:
            return False
        try:
            await self._planner.prepare()
        except CallFailed as error:
            if error.cause is Cause.FORBIDDEN:  # nothing can be planned without a schema: a person must look
                error = CallFailed(Cause.UNAUTHORIZED, error.detail)
            works.circuit.failed(error, now)
            self._prepare_at = now + works.circuit.wait_s(now)
            works.wake.clear()
            await asyncio.sleep(0.05)
            return False
        return True

    async def _begin(self, resolved: Resolved, plan: Plan, now_ms: int) -> None:
        """A planned event goes to the books and the scheduler, and whoever waited for what it says behind it."""
        self._open(resolved, plan)
        self._take(resolved.offset, plan, now_ms)
        await self._wake_gained()

    def _open(self, resolved: Resolved, plan: Plan) -> None:
        """The event is in the books, at once with its leaving the backlog: what is in neither would count as decided."""
        self._works.ledger.backlog.take(resolved.offset)
        self._works.received[resolved.offset] = resolved.received_ms
        self._works.ledger.open(resolved.offset, jobs_of_plan(plan))
        if resolved.resolution.gained_address and resolved.resolution.profile:
            self._gained.append(resolved.resolution.profile)

    async def _wake_gained(self) -> None:
        """Wake those who wait for the profiles that gained an address."""
        while self._gained:
            await self.waiting.wake(self._gained.pop(0))

    def _closed(self, resolved: Resolved, now_ms: int) -> bool:
        """Events that are decided before any planning."""
        works = self._works
        status = resolved.resolution.status
        if not works.settings.enabled:
            if resolved.offset >= works.hold_until:
                works.only(resolved.offset, State.FILTERED, Reason.DESTINATION_DISABLED)
            else:  # pending when it was disabled: kept undecided, delivered once it is enabled again
                works.ledger.backlog.add(resolved.offset, ())
        elif status is Status.DUPLICATE:
            works.only(resolved.offset, State.FILTERED, Reason.DUPLICATE)
        elif status is Status.REJECTED:
            works.only(resolved.offset, State.FILTERED, Reason.REJECTED_AT_INGEST)
        elif status is Status.QUARANTINED or resolved.event is None:
            job = Job(resolved.offset, "", "")
            works.ledger.open(resolved.offset, [job])
            detail = resolved.resolution.note or "not a canonical event"
            self._letters.write(job, Reason.QUARANTINED, detail, resolved, b"")
        elif now_ms - resolved.received_ms > works.settings.max_lag_ms:
            works.only(resolved.offset, State.FILTERED, Reason.EXPIRED)
        else:
            return False
        return True

    def replan(self, jobs: list[Job]) -> None:
        """Plan single effects anew from the log; what else the event asked for is decided already."""
        for job in jobs:
            found = self._reader.read(job.offset, 1)
            if found and found[0].offset == job.offset:
                self.plan_job(found[0], job, as_of_now=False)
            else:
                self._works.decide(job, State.FILTERED, Reason.EXPIRED)
        self._works.wake.set()

    def plan_job(self, resolved: Resolved, job: Job, *, as_of_now: bool) -> None:
        """Plan one effect of an event; one that stood for a whole mapping, or for the event, becomes its effects."""
        resolution = resolved.resolution
        views = self._profiles.views({p for p in (resolution.profile, resolution.account) if p})
        make = self._planner.plan_as_of_now if as_of_now else self._planner.plan
        now_ms = self._works.now_ms()
        plan = make(resolved, views, self._works.records, now_ms)
        jobs = {other for other in jobs_of_plan(plan) if job.covers(other)}
        if not jobs:
            self._works.decide(job, State.FILTERED, Reason.MAPPING_REMOVED)
            return
        if job not in jobs:
            self._works.ledger.become(job, jobs)
            self._letters.become(job, jobs)
        self._take(job.offset, plan.only(jobs), now_ms)

    def replay(self, resolved: Resolved, mappings: frozenset[str] | None, as_new: str) -> tuple[int, int]:
        """Plan an event's effects of these mappings again: how many, and how many are pending and left alone."""
        works = self._works
        resolution = resolved.resolution
        views = self._profiles.views({p for p in (resolution.profile, resolution.account) if p})
        now_ms = works.now_ms()
        plan = self._planner.plan_as_of_now(resolved, views, works.records, now_ms, as_new)
        stuck = {
            o.job for o in works.store.outcomes(works.destination, resolved.offset) if o.state in _PENDING
        }
        wanted: set[Job] = set()
        skipped = 0
        for job in dict.fromkeys(jobs_of_plan(plan)):
            if job.mapping and (mappings is None or job.mapping in mappings):
                if any(s.covers(job) for s in stuck) or not works.ledger.reopen(job):
                    skipped += 1
                else:
                    wanted.add(job)
        self._take(
            resolved.offset,
            plan.only(wanted),
            now_ms,
        )
        return len(wanted), skipped

    def _take(self, offset: Offset, plan: Plan, now_ms: int) -> None:
        """Bring an event's plan to where it belongs, behind those of the backlog that it must not overtake."""
        for earlier in self._brought(offset, plan, now_ms):
            self._add(earlier, now_ms)
        self._add(plan, now_ms)

    def _brought(self, offset: Offset, plan: Plan, now_ms: int) -> list[Plan]:
        """What leaves the backlog for a plan, in log order: who wrote its records before, and who theirs."""
        backlog = self._works.ledger.backlog
        brought: dict[Offset, Plan] = {}
        behind = [(offset, plan)]
        while backlog and behind:
            before, needing = behind.pop()
            for earlier in backlog.writers(self._touched(needing.operations), before):
                for resolved in self._reader.read(earlier, 1):
                    views = self._known([resolved])
                    found = self._planner.plan(resolved, views, self._works.records, now_ms)
                    self._open(resolved, found)
                    brought[earlier] = found
                    behind.append((earlier, found))
        return [brought[at] for at in sorted(brought)]

    def _touched(self, operations: Iterable[Operation]) -> set[Key]:
        """The records that operations write or go behind, by the names they use and those that are known best."""
        used = {key for o in operations for key in o.requires}
        used |= {o.key for o in operations if isinstance(o, Write)}
        return used | {self._works.records.resolve(key) for key in used}

    def _add(self, plan: Plan, now_ms: int) -> None:
        """A plan's outcomes to the books, its waiting effects to the waiting room, its operations to the scheduler."""
        works = self._works
        now = works.loop.time()
        for outcome in plan.outcomes:
            if outcome.state is State.DEAD_LETTERED:
                self._letters.unplanned(outcome)
            else:
                works.ledger.decide(outcome)
        for waiting in plan.waiting:
            self.waiting.add(waiting, now_ms)
        for operation in plan.operations:
            if isinstance(operation, Write):
                entry = works.slots.write(operation, now)
            else:
                entry = works.slots.send(operation, now)
            if operation.job is not None:
                entry.tries = max(entry.tries, self.parking.tries(operation.job))


def jobs_of_plan(plan: Plan) -> list[Job]:
    """Every effect of a plan."""
    found = [o.job for o in plan.operations if o.job is not None]
    return [*found, *(o.job for o in plan.outcomes), *(w.job for w in plan.waiting)]
