"""Calls: batches leave while the budget allows it, and whatever becomes of them is settled row by row."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from millstream.delivery.letters import Letters
from millstream.delivery.note import Note
from millstream.delivery.operation import Job, Key, Lane
from millstream.delivery.outcome import Reason, State
from millstream.delivery.parking import Parking
from millstream.delivery.settlement import Hooks, Settlement
from millstream.delivery.sink import CallFailed, Cause, Confirmed, Rejected, Result, Sink, WriteRow
from millstream.delivery.slots import Entry, jobs_of
from millstream.delivery.works import Works
from millstream.eventlog.failure import StorageFailed
from millstream.telemetry.fault import fault_of

_log = logging.getLogger("millstream.delivery")


class Calls:
    """The calls of one destination that are in flight."""

    def __init__(
        self,
        works: Works,
        sink: Sink,
        letters: Letters,
        parking: Parking,
        replan: Callable[[list[Job]], None],
        delivered: Callable[[list[Job]], None],
        reached: Callable[[str], Awaitable[None]],
        jitter: Callable[[], float],
    ) -> None:
        self._works = works
        self._sink = sink
        self._parking = parking
        self._letters = letters
        hooks = Hooks(self._rest, letters.refused, parking.park, replan, delivered, reached, jitter)
        self._settlement = Settlement(
            works.slots, works.ledger, works.records, hooks, works.settings.resend_after_ms
        )
        self._in_flight: set[asyncio.Task[None]] = set()
        self._resting: set[Entry] = set()
        self._failure: BaseException | None = None

    def __len__(self) -> int:
        """How many are in flight."""
        return len(self._in_flight)

    async def finish(self, timeout_s: float, *, cancel: bool = False) -> None:
        """Wait for those in flight."""
        if self._in_flight:
            await asyncio.wait(self._in_flight, timeout=timeout_s)
        if cancel:
            for call in self._in_flight:
                call.cancel()

    async def dispatch(self) -> float:
        """Start calls as long as there are batches and the budget allows. Returns seconds until it may pay again.

        Raises what ended a call that nobody else could answer for: its rows have no result, and would never get one.
        """
        if self._failure is not None:
            raise self._failure
        now = self._works.loop.time()
        wait = self._works.circuit.wait_s(now)
        if self._works.circuit.needs_probe(now):
            await self._probe()
            wait = self._works.circuit.wait_s(self._works.loop.time())
        if wait:
            return wait
        while len(self._in_flight) < self._works.settings.max_calls and not self._works.stopping:
            queue, wait = self._works.slots.next_kind(now, self._works.settings.linger_s, self._sink.delay_s)
            if queue is None:
                return wait
            entries = [e for e in self._works.slots.take(queue) if self._trim(e)]
            if not entries:
                continue
            kind = self._sink.kinds[queue[0]]
            if self._works.circuit.is_off(kind.capability, now):
                self._filter(
                    entries, kind.capability, "the destination refuses this; tried again within the hour"
                )
                continue
            # A value that is sent and then not known to be read may be followed by an older one.
            if any(self._works.unsaved(job) for entry in entries for job in jobs_of(entry)):
                await self._works.commit_now()
            self._start_call(self._execute(queue, entries))
        return 0.05

    def _start_call(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._in_flight.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._in_flight.discard(task)
        self._works.wake.set()
        if not task.cancelled() and task.exception() is not None:
            self._failure = task.exception()

    async def _execute(self, queue: tuple[str, Lane], entries: list[Entry]) -> None:
        """One batch, whatever becomes of it."""
        kind = queue[0]
        sent = self._works.loop.time()
        rows = [e.row for e in entries]
        try:
            if self._works.settings.shadow:
                request = self._sink.describe(kind, rows, self._works.records)
                offset = min((j.offset for e in entries for j in jobs_of(e)), default=0)
                self._works.commit.shadow_requests.append((offset, request))
                results: list[Result] = [Confirmed(notes=(Note.SHADOW,), learned=False) for _ in rows]
            else:
                results = await self._sink.call(kind, rows, self._works.records)
        except CallFailed as error:
            await self._call_failed(error, queue, entries, sent)
            return
        except (asyncio.CancelledError, StorageFailed):
            raise
        except Exception as error:  # noqa: BLE001  (a fault of ours with these rows: bisect, blame one)
            at = {"destination": self._works.destination, "kind": kind}
            _log.error("the sink failed", extra={**at, "fault": fault_of(error)})
            await self._call_failed(CallFailed(Cause.BATCH_REJECTED, fault_of(error)), queue, entries, sent)
            return
        self._works.circuit.answered()
        now_ms = self._works.now_ms()
        self._works.records.prefetch(
            Key(row.key.object, "id", result.id)
            for row, result in zip(rows, results, strict=True)
            if isinstance(row, WriteRow)
            and isinstance(result, Confirmed)
            and result.id is not None
            and not result.created
        )
        for entry, result in zip(entries, results, strict=True):
            await self._settle(entry, result, now_ms)

    async def _settle(self, entry: Entry, result: Result, now_ms: int) -> None:
        """Apply one row's result. What that raises is the row's own end: others of its batch and record go on."""
        try:
            await self._settlement.settle(entry, result, now_ms, self._alone)
        except StorageFailed:
            raise
        except Exception as error:  # noqa: BLE001  (whatever it is: the row would fly for ever)
            self._give_up(entry, error)

    def _trim(self, entry: Entry) -> bool:
        """Whether something of a row is left to be sent."""
        try:
            return self._settlement.trim(entry, self._works.now_ms())
        except StorageFailed:
            raise
        except Exception as error:  # noqa: BLE001  (the same)
            self._give_up(entry, error)
            return False

    def _give_up(self, entry: Entry, error: Exception) -> None:
        """A row that cannot be handled is dead; its record goes on."""
        for job in jobs_of(entry):
            if self._works.ledger.is_open(job):
                self._letters.poisoned(job, error)
        if entry.state == "flying":
            self._works.slots.done(entry)

    async def _call_failed(
        self, error: CallFailed, queue: tuple[str, Lane], entries: list[Entry], sent: float
    ) -> None:
        now = self._works.loop.time()
        match error.cause:
            case Cause.BATCH_REJECTED:
                self._works.circuit.answered()
                if len(entries) > 1:
                    half = len(entries) // 2
                    await self._execute(queue, entries[:half])
                    await self._execute(queue, entries[half:])
                else:
                    rejected = error.rejected or Rejected(Reason.REJECTED, error.detail)
                    await self._settle(entries[0], rejected, self._works.now_ms())
            case Cause.FORBIDDEN:
                capability = self._sink.kinds[queue[0]].capability
                self._works.circuit.switch_off(capability, now)
                self._filter(entries, capability, error.detail)
            case Cause.IN_DOUBT:
                self._works.circuit.failed(error, now)
                for entry in entries:
                    self._rest(entry, max(sent + self._works.settings.in_doubt_s - now, 0.0))
            case _:
                if self._works.circuit.state == "running":
                    _log.warning(
                        "the destination does not take calls",
                        extra={"destination": self._works.destination, "why": error.detail},
                    )
                self._works.circuit.failed(error, now)
                for entry in reversed(entries):
                    self._works.slots.again(entry)

    async def _alone(self, entry: Entry) -> None:
        """Contributions of a rejected fold, one by one in log order, so that only the bad one is lost."""
        row = entry.row
        assert isinstance(row, WriteRow)
        for op in sorted(entry.contributions, key=lambda o: o.job.offset if o.job else -1):
            single = Entry(
                WriteRow(
                    op.family,
                    row.key if op.between else op.key,
                    op.said.copy(),
                    [op.job] if op.job else [],
                    (),
                    op.profile,
                    op.partial,
                    op.extra,
                    op.lane,
                    op.between,
                ),
                entry.since,
            )
            single.contributions = [op]
            single.kind = self._sink.route(single.row, self._works.records)
            single.state = "flying"
            self._works.slots.pending += 1
            await self._execute((single.kind, op.lane), [single])
        self._works.slots.done(entry)

    async def _probe(self) -> None:
        try:
            await self._sink.probe()
        except CallFailed as error:
            self._works.circuit.failed(error, self._works.loop.time())
        else:
            self._works.circuit.resume()

    def _filter(self, entries: list[Entry], reason: Reason, detail: str) -> None:
        for entry in entries:
            for job in jobs_of(entry):
                self._works.decide(job, State.FILTERED, reason, detail)
            self._works.slots.done(entry)

    def forget(self, profiles: set[str]) -> None:
        """Rows of these persons that rest are given up."""
        for entry in [e for e in self._resting if e.row.profile in profiles]:
            self._resting.discard(entry)
            self._parking.take_up(jobs_of(entry))
            self._filter([entry], Reason.FORGOTTEN, "")

    def _rest(self, entry: Entry, seconds: float) -> None:
        entry.state = "resting"
        self._resting.add(entry)
        self._works.loop.call_later(seconds, self._rested, entry)

    def _rested(self, entry: Entry) -> None:
        if entry in self._resting:
            self._resting.discard(entry)
            self._parking.take_up(jobs_of(entry))
            self._works.slots.again(entry)
            self._works.wake.set()
