"""Reading and planning: resolved events become operations in the scheduler, or outcomes at once."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final

from millstream.delivery.letters import Letters
from millstream.delivery.operation import Job, Write
from millstream.delivery.outcome import Reason, State
from millstream.delivery.parking import Parking
from millstream.delivery.plan import Plan, Planner
from millstream.delivery.sink import CallFailed, Cause
from millstream.delivery.waiting import WaitingRoom
from millstream.delivery.works import Works
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
        self.waiting = WaitingRoom(works, profiles, self.replan, planner.reachable)
        self.parking = Parking(works, self.replan)

    async def read(self) -> bool:
        """Plan the next slice if there is room. True when there may be more."""
        works = self._works
        cursor = works.ledger.cursor
        if not self.parking.loaded and not await self._load_parked():
            return False
        if works.slots.pending >= works.settings.window and cursor >= works.hold_until:
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
        views = self._profiles.views(
            {p for r in fresh for p in (r.resolution.profile, r.resolution.account) if p}
        )
        works.records.prefetch(self._planner.names(fresh, views))
        now_ms = works.now_ms()
        for resolved in fresh:
            works.received[resolved.offset] = resolved.received_ms
            if not self._closed(resolved, now_ms):
                await self._plan(resolved, views, now_ms)
        works.ledger.cursor = found[-1].offset + 1
        return True

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

    async def _plan(self, resolved: Resolved, views: Mapping[str, ProfileView], now_ms: int) -> None:
        plan = self._planner.plan(resolved, views, self._works.records, now_ms)
        self._works.ledger.open(resolved.offset, jobs_of_plan(plan))
        self._take(plan, now_ms)
        if resolved.resolution.gained_address and resolved.resolution.profile:
            await self.waiting.wake(resolved.resolution.profile)

    def _closed(self, resolved: Resolved, now_ms: int) -> bool:
        """Events that are decided before any planning."""
        works = self._works
        status = resolved.resolution.status
        if not works.settings.enabled:
            if resolved.offset >= works.hold_until:
                works.only(resolved.offset, State.FILTERED, Reason.DESTINATION_DISABLED)
            else:  # pending when it was disabled: kept undecided, delivered once it is enabled again
                works.ledger.open(resolved.offset, [Job(resolved.offset, "", "")])
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
        """Plan one effect of an event."""
        resolution = resolved.resolution
        views = self._profiles.views({p for p in (resolution.profile, resolution.account) if p})
        make = self._planner.plan_as_of_now if as_of_now else self._planner.plan
        now_ms = self._works.now_ms()
        plan = make(resolved, views, self._works.records, now_ms)
        mine = Plan(
            [o for o in plan.operations if o.job is None or o.job == job],
            [o for o in plan.outcomes if o.job == job],
            [w for w in plan.waiting if w.job == job],
        )
        if job not in jobs_of_plan(mine):
            self._works.decide(job, State.FILTERED, Reason.MAPPING_REMOVED)
        else:
            self._take(mine, now_ms)

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
                if job in stuck or not works.ledger.reopen(job):
                    skipped += 1
                else:
                    wanted.add(job)
        self._take(
            Plan(
                [o for o in plan.operations if wanted and (o.job is None or o.job in wanted)],
                [o for o in plan.outcomes if o.job in wanted],
                [w for w in plan.waiting if w.job in wanted],
            ),
            now_ms,
        )
        return len(wanted), skipped

    def _take(self, plan: Plan, now_ms: int) -> None:
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
