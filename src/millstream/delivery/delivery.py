"""One destination's delivery: reads what is resolved, plans it, lets the slots order it, executes calls, keeps books.

Everything is bounded: what is planned and not settled by `window`, what is read and left for later by `backlog`, calls
in flight by `max_calls`. Nothing is sent before it is on disk how far was read, and nothing after a restart before the
reader has passed that point, so that an in-doubt fold is never split into an older and a newer half.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from millstream.delivery.calls import Calls
from millstream.delivery.guard import Guard
from millstream.delivery.intake import Intake
from millstream.delivery.letters import Letters, as_resolved
from millstream.delivery.operation import Job
from millstream.delivery.outcome import Reason, State
from millstream.delivery.plan import Planner
from millstream.delivery.replay import Replay, Replays
from millstream.delivery.sink import Sink
from millstream.delivery.store import DeliveryStore
from millstream.delivery.works import DeliverySettings, Works
from millstream.eventlog.resolved import ProfileReader, ResolvedReader

_UPKEEP_S = 30.0
# Longer than one that fails at the same thing again and again takes for a round.
_FAILING_S = 60.0


@dataclass(frozen=True, slots=True)
class DeliveryStatus:
    """How it stands: `state` is running, limited, circuit_open, paused, failing or disabled.

    `resumes_in_s`: after how many seconds calls are tried again; 0 while they go.
    """

    state: str
    detail: str
    lag: int
    in_works: int
    calls: int
    switched_off: tuple[str, ...]
    resumes_in_s: float


class Observer(Protocol):
    """What delivery tells whoever measures it."""

    def delivered(self, destination: str, seconds: float) -> None:
        """An effect was confirmed so many seconds after its event's receipt."""

    def quarantined(self, destination: str) -> None:
        """An effect ended as a dead letter because handling it raised an error of ours."""


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
        self._planner = planner = Guard(planner)
        self._observer = observer
        self._works = works = Works(destination, store, sink, settings, now_ms)
        self._letters = Letters(works, reader, sink, lambda: observer.quarantined(destination))
        self._intake = Intake(works, reader, profiles, planner, self._letters)
        intake = self._intake
        self._calls = Calls(
            works,
            sink,
            self._letters,
            intake.parking,
            intake.replan,
            self._delivered,
            intake.waiting.reached,
            jitter,
        )
        self.replays = Replays(works, reader, intake)
        self._upkeep_at = 0.0
        self._failure = ""
        self._failing_until = 0.0

    async def run(self) -> None:
        """Deliver until stopped."""
        works = self._works
        works.loop = asyncio.get_running_loop()
        try:
            while not works.stopping:
                works.wake.clear()
                read = await self._intake.read()
                read = await self._intake.take_up() or read or self.replays.step()
                wait = 0.02 if works.holding(self._reader.end()) else await self._calls.dispatch()
                await works.commit_if_due()
                self._upkeep()
                if read:
                    await asyncio.sleep(0)
                    continue
                longest = 0.02 if works.circuit.state == "running" else 0.2
                with contextlib.suppress(asyncio.TimeoutError):
                    await asyncio.wait_for(works.wake.wait(), min(wait, longest))
        finally:
            await self._calls.finish(5, cancel=True)
            await works.commit_now()

    async def stop(self, timeout_s: float = 8.0) -> None:
        """Start no further calls, wait for those in flight (at most `timeout_s`), commit."""
        self._works.stopping = True
        self._works.wake.set()
        await self._calls.finish(timeout_s)

    def failed(self, why: str) -> None:
        """It, or the one before it, ended in an error: said until it has been well for a minute."""
        self._failure, self._failing_until = why, self._works.loop.time() + _FAILING_S

    def status(self) -> DeliveryStatus:
        """How it stands."""
        works = self._works
        state, detail = works.circuit.state, works.circuit.detail
        if works.loop.time() < self._failing_until:
            state, detail = "failing", self._failure
        return DeliveryStatus(
            state if works.settings.enabled else "disabled",
            detail,
            max(self._reader.end() - works.ledger.decided, 0),
            works.slots.pending,
            len(self._calls),
            tuple(str(r) for r in works.circuit.off),
            works.circuit.left_s(works.loop.time()),
        )

    def resume(self) -> None:
        """End a pause, a circuit's opening, and switched-off capabilities."""
        self._works.circuit.resume()
        self._works.circuit.off.clear()
        self._works.wake.set()

    async def replay(self, order: Replay) -> bool:
        """Begin a replay; False when another is under way. Raises `CallFailed` when the schema cannot be read."""
        await self._planner.prepare()
        return self.replays.begin(order)

    async def redeliver(self, ids: Sequence[int], timeout_s: float = 60.0) -> int:
        """Plan dead letters anew, with values that are older than the profile's left out; wait for their outcomes.

        Returns how many are being redelivered. Until one is confirmed it stays a dead letter.
        """
        works = self._works
        await self._planner.prepare()
        begun = 0
        for letter in self._letters.by_id(ids):
            if self._letters.reopen(letter):
                begun += 1
                self._intake.plan_job(as_resolved(letter), letter.job, as_of_now=True)
        end = works.loop.time() + timeout_s
        while self._letters.pending() and works.loop.time() < end and not works.stopping:
            works.wake.set()
            await asyncio.sleep(0.02)
        await works.commit_now()
        return begun

    async def drop(self, ids: Sequence[int]) -> int:
        """Give dead letters up: their effects end as filtered."""
        works = self._works
        letters = self._letters.by_id(ids)
        for letter in letters:
            if works.ledger.reopen(letter.job):
                works.decide(letter.job, State.FILTERED, Reason.DROPPED, letter.detail)
            works.commit.dead_removed.append(letter.id)
        await works.commit_now()
        return len(letters)

    async def forget(self, profiles: set[str]) -> None:
        """Persons are about to be erased from the store: let go of what is held of them here."""
        self._calls.forget(profiles)
        await self._works.commit_now()
        self._works.records.reread()

    def _delivered(self, jobs: list[Job]) -> None:
        now_ms = self._works.now_ms()
        for job in jobs:
            received = self._works.received.get(job.offset)
            if received is not None:
                self._observer.delivered(self.destination, max(now_ms - received, 0) / 1000)

    def _upkeep(self) -> None:
        """What time brings: parked effects that are due; every half a minute, those who wait."""
        works = self._works
        if works.holding(self._reader.end()) or not works.settings.enabled:
            return
        now = works.loop.time()
        if now >= self._upkeep_at:
            self._upkeep_at = now + _UPKEEP_S
            self._intake.waiting.wake_reachable()
            self._intake.waiting.expire()
