"""One destination's delivery: reads what is resolved, plans it, lets the slots order it, executes calls, keeps books.

Everything is bounded: what is planned and not settled by `window`, calls in flight by `max_calls`. Nothing is sent
after a restart before the reader has passed where it had read to, so that an in-doubt fold is never split into an
older and a newer half.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from millstream.delivery.circuit import Circuit
from millstream.delivery.ledger import Ledger
from millstream.delivery.operation import Job, Lane, Write
from millstream.delivery.outcome import Outcome, Reason, State
from millstream.delivery.plan import Plan, Planner
from millstream.delivery.records import RecordBook
from millstream.delivery.settlement import Hooks, Settlement
from millstream.delivery.sink import CallFailed, Cause, Confirmed, Rejected, Result, Sink, WriteRow
from millstream.delivery.slots import Entry, Slots, jobs_of
from millstream.delivery.store import DeadLetter, DeliveryCommit, DeliveryStore, Position, WaitingRow
from millstream.eventlog.record import Offset
from millstream.eventlog.resolved import ProfileReader, Resolution, Resolved, ResolvedReader, Status
from millstream.spec import events

_log = logging.getLogger("millstream.delivery")

DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class DeliverySettings:
    """Figures of one delivery; times in the unit that the name says."""

    shadow: bool = False
    enabled: bool = True
    window: int = 30_000
    max_calls: int = 16
    linger_s: float = 0.5
    in_doubt_s: float = 30.0
    commit_every_s: float = 0.2
    resend_after_ms: int = DAY_MS
    identity_wait_ms: int = 30 * DAY_MS
    waiting_per_profile: int = 1000
    max_lag_ms: int = 30 * DAY_MS
    slice_events: int = 100


@dataclass(frozen=True, slots=True)
class DeliveryStatus:
    """How it stands: `state` is running, limited, circuit_open, paused or disabled."""

    state: str
    detail: str
    lag: int
    in_works: int
    calls: int
    switched_off: tuple[str, ...]


class Observer(Protocol):
    """What delivery tells whoever measures it."""

    def delivered(self, destination: str, seconds: float) -> None:
        """An effect was confirmed so many seconds after its event's receipt."""


class Delivery:
    """One destination. `run` until `stop`; `redeliver`, `drop`, `resume` from the same loop."""

    def __init__(
        self,
        destination: str,
        reader: ResolvedReader,
        profiles: ProfileReader,
        store: DeliveryStore,
        planner: Planner,
        sink: Sink,
        settings: DeliverySettings,
        *,
        now_ms: Callable[[], int],
        jitter: Callable[[], float],
        observer: Observer,
    ) -> None:
        self.destination = destination
        self._reader = reader
        self._profiles = profiles
        self._store = store
        self._planner = planner
        self._sink = sink
        self._settings = settings
        self._now_ms = now_ms
        self._observer = observer
        position = store.position(destination) or Position(0, 0, 0)
        self._start = position.start
        self._hold_until = position.read_to
        self._ledger = Ledger(position.decided, lambda offset: store.outcomes(destination, offset))
        self._records = RecordBook(store, destination)
        self._slots = Slots(sink.kinds, lambda row: sink.route(row, self._records))
        self._circuit = Circuit()
        hooks = Hooks(self._rest, self._dead, self._replan, self._delivered, jitter)
        self._settlement = Settlement(
            self._slots, self._ledger, self._records, hooks, settings.resend_after_ms
        )
        self._commit = DeliveryCommit(destination, position)
        self._received: dict[Offset, int] = {}
        self._letters: dict[Job, DeadLetter] = {}
        self._woken: set[Job] = set()
        self._calls: set[asyncio.Task[None]] = set()
        self._wake = asyncio.Event()
        self._stopping = False
        self._committed_at = 0.0
        self._upkeep_at = 0.0
        self._loop = asyncio.get_event_loop()

    # --- from outside ------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Deliver until stopped."""
        self._loop = asyncio.get_running_loop()
        try:
            while not self._stopping:
                self._wake.clear()
                read = await self._read()
                wait = await self._dispatch()
                await self._commit_if_due()
                self._upkeep()
                if read:
                    await asyncio.sleep(0)
                    continue
                with contextlib.suppress(asyncio.TimeoutError):
                    await asyncio.wait_for(
                        self._wake.wait(), min(wait, 0.02 if self._circuit.state == "running" else 0.2)
                    )
        finally:
            if self._calls:
                await asyncio.wait(self._calls, timeout=5)
            for call in self._calls:
                call.cancel()
            await self._commit_now()

    async def stop(self, timeout_s: float = 8.0) -> None:
        """Start no further calls, wait for those in flight (at most `timeout_s`), commit."""
        self._stopping = True
        self._wake.set()
        if self._calls:
            await asyncio.wait(self._calls, timeout=timeout_s)

    def status(self) -> DeliveryStatus:
        """How it stands."""
        return DeliveryStatus(
            self._circuit.state if self._settings.enabled else "disabled",
            self._circuit.detail,
            max(self._reader.end() - self._ledger.decided, 0),
            self._slots.pending,
            len(self._calls),
            tuple(str(r) for r in self._circuit.off),
        )

    def resume(self) -> None:
        """End a pause, a circuit's opening, and switched-off capabilities."""
        self._circuit.resume()
        self._circuit.off.clear()
        self._wake.set()

    async def redeliver(self, ids: Sequence[int], timeout_s: float = 60.0) -> int:
        """Plan dead letters anew, with values that are older than the profile's left out; wait for their outcomes.

        Returns how many are being redelivered. Until one is confirmed it stays a dead letter.
        """
        await self._planner.prepare()
        jobs: list[Job] = []
        for letter in self._letters_by_id(ids):
            if self._ledger.reopen(letter.job):
                self._letters[letter.job] = letter
                jobs.append(letter.job)
                self._plan_job(_resolved(letter), letter.job, as_of_now=True)
        end = self._loop.time() + timeout_s
        while any(self._ledger.is_open(j) for j in jobs) and self._loop.time() < end and not self._stopping:
            self._wake.set()
            await asyncio.sleep(0.02)
        await self._commit_now()
        return len(jobs)

    async def drop(self, ids: Sequence[int]) -> int:
        """Give dead letters up: their effects end as filtered."""
        letters = self._letters_by_id(ids)
        for letter in letters:
            if self._ledger.reopen(letter.job):
                self._ledger.decide(Outcome(letter.job, State.FILTERED, Reason.DROPPED, letter.detail))
            self._commit.dead_removed.append(letter.id)
        await self._commit_now()
        return len(letters)

    # --- reading and planning ----------------------------------------------------------------------------------------

    async def _read(self) -> bool:
        """Plan the next slice if there is room. True when there may be more."""
        cursor = self._ledger.cursor
        if self._slots.pending >= self._settings.window and cursor >= self._hold_until:
            return False
        if cursor >= self._reader.end():
            return False
        found = self._reader.read(cursor, self._settings.slice_events)
        if not found:
            return False
        try:
            await self._planner.prepare()
        except CallFailed as error:
            self._circuit.failed(error, self._loop.time())
            self._wake.clear()
            await asyncio.sleep(0.05)
            return False
        if found[0].offset > cursor:  # the log was dropped under a position that had expired
            self._ledger.cursor = found[0].offset
        states = self._store.states(self.destination, found[0].offset, found[-1].offset + 1)
        fresh = [r for r in found if states[r.offset - found[0].offset] == State.UNDECIDED]
        views = self._profiles.views(
            {p for r in fresh for p in (r.resolution.profile, r.resolution.account) if p}
        )
        now_ms = self._now_ms()
        for resolved in fresh:
            self._received[resolved.offset] = resolved.received_ms
            if not self._settings.enabled:
                if resolved.offset >= self._hold_until:
                    self._only(resolved.offset, State.FILTERED, Reason.DESTINATION_DISABLED)
                continue
            if self._closed(resolved):
                continue
            if now_ms - resolved.received_ms > self._settings.max_lag_ms:
                self._only(resolved.offset, State.FILTERED, Reason.EXPIRED)
                continue
            plan = self._planner.plan(resolved, views, self._records, now_ms)
            self._ledger.open(resolved.offset, dict.fromkeys(_jobs(plan)))
            self._take_plan(plan, now_ms)
            if resolved.resolution.gained_address and resolved.resolution.profile:
                if self._commit.waiting_added:  # a merge may have re-keyed what is not stored yet
                    await self._commit_now()
                self._wake_waiting(resolved.resolution.profile)
        self._ledger.cursor = found[-1].offset + 1
        return True

    def _closed(self, resolved: Resolved) -> bool:
        """Events that are decided before any planning."""
        status = resolved.resolution.status
        if status is Status.DUPLICATE:
            self._only(resolved.offset, State.FILTERED, Reason.DUPLICATE)
        elif status is Status.REJECTED:
            self._only(resolved.offset, State.FILTERED, Reason.REJECTED_AT_INGEST)
        elif status is Status.QUARANTINED or resolved.event is None:
            job = Job(resolved.offset, "", "")
            self._ledger.open(resolved.offset, [job])
            detail = resolved.resolution.note or "not a canonical event"
            self._dead_letter(job, Reason.QUARANTINED, detail, resolved, b"")
        else:
            return False
        return True

    def _only(self, offset: Offset, state: State, reason: Reason) -> None:
        job = Job(offset, "", "")
        self._ledger.open(offset, [job])
        self._ledger.decide(Outcome(job, state, reason))

    def _take_plan(self, plan: Plan, now_ms: int) -> None:
        now = self._loop.time()
        for outcome in plan.outcomes:
            if outcome.state is State.DEAD_LETTERED:
                resolved = self._reader.read(outcome.job.offset, 1)
                self._dead_letter(
                    outcome.job, outcome.reason, outcome.detail, resolved[0] if resolved else None, b""
                )
            else:
                self._ledger.decide(outcome)
        for waiting in plan.waiting:
            if (
                self._store.waiting_count(self.destination, waiting.profile)
                >= self._settings.waiting_per_profile
            ):
                self._ledger.decide(
                    Outcome(waiting.job, State.FILTERED, Reason.NO_IDENTITY, "too many wait already")
                )
                continue
            self._commit.waiting_added.append(WaitingRow(waiting.profile, waiting.job, now_ms))
            self._ledger.decide(Outcome(waiting.job, State.WAITING, Reason.NO_IDENTITY_YET))
        for operation in plan.operations:
            if isinstance(operation, Write):
                self._slots.write(operation, now)
            else:
                self._slots.send(operation, now)

    def _wake_waiting(self, profile: str) -> None:
        """What waited for this profile goes behind the event that gave it an address, in log order."""
        self._wake_rows(self._store.waiting(self.destination, [profile]))

    def _wake_rows(self, rows: list[WaitingRow]) -> None:
        """Plan waiting effects anew. The row goes with the commit that holds the new outcome, not before."""
        for row in rows:
            if row.job not in self._woken and self._ledger.reopen(row.job):
                self._woken.add(row.job)
                self._replan([row.job])

    def _wake_reachable(self) -> None:
        """Whoever has an address by now though nobody woke them: a kill between two commits, or a later merge."""
        since = self._now_ms() + 1
        rows = self._store.waiting_before(self.destination, since, 5000)
        views = self._profiles.views({r.profile for r in rows})
        self._wake_rows([r for r in rows if (view := views.get(r.profile)) is not None and view.email])

    def _replan(self, jobs: list[Job]) -> None:
        """Plan single effects anew from the log; what else the event asked for is decided already."""
        for job in jobs:
            found = self._reader.read(job.offset, 1)
            if found and found[0].offset == job.offset:
                self._plan_job(found[0], job, as_of_now=False)
            else:
                self._ledger.decide(Outcome(job, State.FILTERED, Reason.EXPIRED))
        self._wake.set()

    def _plan_job(self, resolved: Resolved, job: Job, *, as_of_now: bool) -> None:
        resolution = resolved.resolution
        views = self._profiles.views({p for p in (resolution.profile, resolution.account) if p})
        make = self._planner.plan_as_of_now if as_of_now else self._planner.plan
        now_ms = self._now_ms()
        plan = make(resolved, views, self._records, now_ms)
        mine = Plan(
            [o for o in plan.operations if o.job is None or o.job == job],
            [o for o in plan.outcomes if o.job == job],
            [w for w in plan.waiting if w.job == job],
        )
        if job not in _jobs(mine):
            mine = Plan([], [Outcome(job, State.FILTERED, Reason.MAPPING_REMOVED)], [])
        self._take_plan(mine, now_ms)

    # --- calls -------------------------------------------------------------------------------------------------------

    async def _dispatch(self) -> float:
        """Start calls as long as there are batches and the budget allows. Returns seconds until it may pay again."""
        now = self._loop.time()
        if self._ledger.cursor < min(self._hold_until, self._reader.end()):
            return 0.02
        wait = self._circuit.wait_s(now)
        if self._circuit.needs_probe(now):
            await self._probe()
            wait = self._circuit.wait_s(self._loop.time())
        if wait:
            return wait
        while len(self._calls) < self._settings.max_calls and not self._stopping:
            queue, wait = self._slots.next_kind(now, self._settings.linger_s, self._sink.delay_s)
            if queue is None:
                return wait
            entries = [e for e in self._slots.take(queue) if self._settlement.trim(e, self._now_ms())]
            if not entries:
                continue
            kind = self._sink.kinds[queue[0]]
            if self._circuit.is_off(kind.capability, now):
                self._filter(
                    entries, kind.capability, "the destination refuses this; tried again within the hour"
                )
                continue
            self._start_call(self._execute(queue, entries))
        return 0.05

    def _start_call(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._calls.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._calls.discard(task)
        self._wake.set()
        if not task.cancelled() and task.exception() is not None:
            _log.error(
                "a call ended in an error", exc_info=task.exception(), extra={"destination": self.destination}
            )

    async def _execute(self, queue: tuple[str, Lane], entries: list[Entry]) -> None:
        """One batch, whatever becomes of it."""
        kind = queue[0]
        sent = self._loop.time()
        rows = [e.row for e in entries]
        try:
            if self._settings.shadow:
                request = self._sink.describe(kind, rows, self._records)
                offset = min((j.offset for e in entries for j in jobs_of(e)), default=0)
                self._commit.shadow_requests.append((offset, request))
                results: list[Result] = [Confirmed(notes=("shadow",)) for _ in rows]
            else:
                results = await self._sink.call(kind, rows, self._records)
        except CallFailed as error:
            await self._call_failed(error, queue, entries, sent)
            return
        except asyncio.CancelledError:
            raise
        except Exception as error:  # noqa: BLE001  (a fault of ours with these rows: bisect, blame one)
            _log.exception("the sink failed", extra={"destination": self.destination, "kind": kind})
            await self._call_failed(
                CallFailed(Cause.BATCH_REJECTED, f"{type(error).__name__}: {error}"), queue, entries, sent
            )
            return
        self._circuit.answered()
        now_ms = self._now_ms()
        for entry, result in zip(entries, results, strict=True):
            await self._settlement.settle(entry, result, now_ms, self._alone)

    async def _call_failed(
        self, error: CallFailed, queue: tuple[str, Lane], entries: list[Entry], sent: float
    ) -> None:
        now = self._loop.time()
        match error.cause:
            case Cause.BATCH_REJECTED:
                self._circuit.answered()
                if len(entries) > 1:
                    half = len(entries) // 2
                    await self._execute(queue, entries[:half])
                    await self._execute(queue, entries[half:])
                else:
                    rejected = error.rejected or Rejected(Reason.REJECTED, error.detail)
                    await self._settlement.settle(entries[0], rejected, self._now_ms(), self._alone)
            case Cause.FORBIDDEN:
                capability = self._sink.kinds[queue[0]].capability
                self._circuit.switch_off(capability, now)
                self._filter(entries, capability, error.detail)
            case Cause.IN_DOUBT:
                self._circuit.failed(error, now)
                for entry in entries:
                    self._rest(entry, max(sent + self._settings.in_doubt_s - now, 0.0))
            case _:
                if self._circuit.state == "running":
                    _log.warning(
                        "the destination does not take calls",
                        extra={"destination": self.destination, "why": error.detail},
                    )
                self._circuit.failed(error, now)
                for entry in reversed(entries):
                    self._slots.again(entry)

    async def _alone(self, entry: Entry) -> None:
        """Contributions of a rejected fold, one by one in log order, so that only the bad one is lost."""
        row = entry.row
        assert isinstance(row, WriteRow)
        for op in sorted(entry.contributions, key=lambda o: o.job.offset if o.job else -1):
            single = Entry(
                WriteRow(
                    op.family,
                    op.key,
                    dict(op.values),
                    [op.job] if op.job else [],
                    (),
                    op.profile,
                    op.partial,
                    op.extra,
                    op.lane,
                ),
                entry.since,
            )
            single.contributions = [op]
            single.kind = self._sink.route(single.row, self._records)
            single.state = "flying"
            self._slots.pending += 1
            await self._execute((single.kind, op.lane), [single])
        self._slots.done(entry)

    async def _probe(self) -> None:
        try:
            await self._sink.probe()
        except CallFailed as error:
            self._circuit.failed(error, self._loop.time())
        else:
            self._circuit.resume()

    def _filter(self, entries: list[Entry], reason: Reason, detail: str) -> None:
        for entry in entries:
            for job in jobs_of(entry):
                self._ledger.decide(Outcome(job, State.FILTERED, reason, detail))
            self._slots.done(entry)

    def _rest(self, entry: Entry, seconds: float) -> None:
        entry.state = "resting"
        self._loop.call_later(seconds, self._rested, entry)

    def _rested(self, entry: Entry) -> None:
        if entry.state == "resting":
            self._slots.again(entry)
            self._wake.set()

    # --- dead letters, commits, upkeep -------------------------------------------------------------------------------

    def _dead(self, job: Job, reason: Reason, detail: str, entry: Entry) -> None:
        found = self._reader.read(job.offset, 1)
        letter = self._letters.get(job)
        resolved = (
            found[0] if found and found[0].offset == job.offset else _resolved(letter) if letter else None
        )
        request = self._sink.describe(entry.kind, [entry.row], self._records)
        self._dead_letter(job, reason, detail, resolved, request)

    def _dead_letter(
        self, job: Job, reason: Reason, detail: str, resolved: Resolved | None, request: bytes
    ) -> None:
        event = resolved.event if resolved else None
        resolution = resolved.resolution if resolved else None
        self._commit.dead.append(
            DeadLetter(
                0,
                job,
                reason,
                detail[:4000],
                self._now_ms(),
                event.message_id if event else "",
                events.encode(event) if event else b"",
                resolution.profile if resolution else None,
                resolution.email if resolution else None,
                request[:65536],
            )
        )
        self._letters.pop(job, None)
        self._ledger.decide(Outcome(job, State.DEAD_LETTERED, reason, detail[:1000]))

    def _letters_by_id(self, ids: Sequence[int]) -> list[DeadLetter]:
        found = (self._store.dead_letters(self.destination, after_id=i - 1, limit=1) for i in ids)
        return [letters[0] for i, letters in zip(ids, found, strict=True) if letters and letters[0].id == i]

    def _delivered(self, jobs: list[Job]) -> None:
        now_ms = self._now_ms()
        for job in jobs:
            received = self._received.get(job.offset)
            if received is not None:
                self._observer.delivered(self.destination, max(now_ms - received, 0) / 1000)

    async def _commit_if_due(self) -> None:
        now = self._loop.time()
        if now - self._committed_at >= self._settings.commit_every_s and (
            self._ledger.changes or self._commit.position.read_to < self._ledger.cursor
        ):
            await self._commit_now()

    async def _commit_now(self) -> None:
        """One transaction with everything since the last one."""
        commit = self._commit
        commit.outcomes, commit.tally = self._ledger.take()
        commit.records, commit.aliases, commit.forgotten = self._records.take_changes()
        cursor = max(self._ledger.cursor, self._hold_until)
        commit.position = Position(self._start, self._ledger.decided, cursor)
        for job, letter in list(self._letters.items()):
            if not self._ledger.is_open(job):
                commit.dead_removed.append(letter.id)
                del self._letters[job]
        ended = {job for job in self._woken if not self._ledger.is_open(job)}
        commit.waiting_removed += [j for j in ended if all(w.job != j for w in commit.waiting_added)]
        self._woken -= ended
        self._commit = DeliveryCommit(self.destination, commit.position)
        await self._store.commit(commit)
        self._records.committed()
        for offset in commit.outcomes:
            self._received.pop(offset, None)
        self._committed_at = self._loop.time()

    def _upkeep(self) -> None:
        """Once a minute: whoever waited too long, and what is older than `max_lag`."""
        now = self._loop.time()
        if now < self._upkeep_at:
            return
        if self._ledger.cursor < min(self._hold_until, self._reader.end()):
            return
        self._upkeep_at = now + 30
        self._wake_reachable()
        before = self._now_ms() - self._settings.identity_wait_ms
        for row in self._store.waiting_before(self.destination, before, 1000):
            if self._ledger.reopen(row.job):
                self._commit.waiting_removed.append(row.job)
                self._ledger.decide(Outcome(row.job, State.FILTERED, Reason.NO_IDENTITY))


def _jobs(plan: Plan) -> list[Job]:
    """Every effect of a plan."""
    found = [o.job for o in plan.operations if o.job is not None]
    return [*found, *(o.job for o in plan.outcomes), *(w.job for w in plan.waiting)]


def _resolved(letter: DeadLetter) -> Resolved:
    """A dead letter as the event that it was."""
    event = events.decode(letter.body) if letter.body else None
    resolution = Resolution(Status.NEW, letter.profile, None, letter.email)
    return Resolved(
        letter.job.offset, event.source if event else "", letter.at_ms, letter.at_ms, event, resolution
    )
