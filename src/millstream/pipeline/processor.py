"""The processor: dedupe, identity, traits; one annotation per log block, one transaction per step.

It takes "now" from the records' receipt and new profile ids from offsets, so running a step again gives the same
result. A step in which an event raises is run once more, carefully: it is marked before each event, the event that
raises is undone and quarantined.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from millstream.eventlog import rejection
from millstream.eventlog.dedupe import Dedupe
from millstream.eventlog.failure import StorageFailed
from millstream.eventlog.log import EventLog
from millstream.eventlog.record import Block, Kind, Offset
from millstream.eventlog.resolved import Annotation, Resolution, Status
from millstream.pipeline.step import Step
from millstream.pipeline.store import ProcessorStore
from millstream.spec import events
from millstream.spec.events import Claim
from millstream.telemetry.fault import fault_of

_log = logging.getLogger("millstream.processor")


# After a small step more is let come together: a commit costs the same for one event as for hundreds.
_GATHER_S = 0.02


@dataclass(frozen=True, slots=True)
class ProcessorSettings:
    """`company_group_types`: Amplitude group types that are accounts."""

    company_group_types: tuple[str, ...] = ("company", "account", "org", "organization")
    step_events: int = 2000
    slice_events: int = 100


class Processor:
    """One consumer of the log. `step` does what is there; `run` goes on until told to stop."""

    def __init__(
        self, log: EventLog, store: ProcessorStore, dedupe: Dedupe, settings: ProcessorSettings | None = None
    ) -> None:
        self._log = log
        self._store = store
        self._dedupe = dedupe
        self._settings = settings or ProcessorSettings()

    async def run(self, stopping: asyncio.Event) -> None:
        """Process as events arrive, until `stopping` is set."""
        stop = asyncio.create_task(stopping.wait())
        try:
            while not stopping.is_set():
                done = await self.step()
                if done:
                    if done < self._settings.step_events // 4:
                        await asyncio.sleep(_GATHER_S)
                    continue
                arrival = asyncio.create_task(self._log.wait_for(self._store.position()))
                await asyncio.wait({arrival, stop}, return_when=asyncio.FIRST_COMPLETED)
                arrival.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await arrival
        finally:
            stop.cancel()

    async def step(self) -> int:
        """Process at most `step_events` events and commit. Returns how many; 0 when there is nothing new."""
        start = max(self._store.position(), self._log.bounds().start)
        blocks = [b for b in self._log.read(start, self._settings.step_events) if b.end > start]
        if not blocks:
            return 0
        newest = max(max(b.received_ms) for b in blocks)
        self._dedupe.expire(newest)
        try:
            step, met = await self._steps(blocks, careful=False)
        except _EventRaised:
            step, met = await self._steps(blocks, careful=True)
        await self._store.commit(step.finish())
        self._dedupe.add(met, newest)
        return blocks[-1].end - start

    async def _steps(self, blocks: Sequence[Block], *, careful: bool) -> tuple[Step, set[int]]:
        """All the blocks' events in slices; the step to commit and the hashes of the messages that were met."""
        step = Step(self._store, self._settings.company_group_types, blocks[-1].end)
        met: set[int] = set()
        for block in blocks:
            resolutions: list[Resolution] = []
            for at in range(0, len(block), self._settings.slice_events):
                resolutions += self._slice(step, block, at, met, careful=careful)
                await asyncio.sleep(0)
            step.commit.annotations.append(Annotation(block.base, resolutions))
        return step, met

    def _slice(self, step: Step, block: Block, at: int, met: set[int], *, careful: bool) -> list[Resolution]:
        """The resolutions of up to `slice_events` records of a block."""
        end = min(at + self._settings.slice_events, len(block))
        todo: list[tuple[Offset, int, Claim]] = []
        found: dict[int, Resolution] = {}
        for i in range(at, end):
            if block.kinds[i] == Kind.REJECTED:
                found[i] = Resolution(Status.REJECTED)
                step.commit.rejections.append(rejection.of_block(block, i))
            elif block.id_hashes[i] in met or self._dedupe.seen(block.id_hashes[i]):
                met.add(block.id_hashes[i])  # the window begins anew, as it would by a restart
                found[i] = Resolution(Status.DUPLICATE)
            else:
                met.add(block.id_hashes[i])
                try:
                    todo.append((i, block.times_ms[i], events.decode_claim(block.bodies[i])))
                except msgspec.MsgspecError as error:
                    found[i] = Resolution(Status.QUARANTINED, note=f"not a canonical event: {error}")
        found.update((_carefully if careful else _resolve)(step, block.base, todo))
        return [found[i] for i in range(at, end)]


class _EventRaised(Exception):
    """Resolving an event raised: the step must be run again, carefully."""


_Todo = Sequence[tuple[int, int, Claim]]


def _resolve(step: Step, base: Offset, todo: _Todo) -> dict[int, Resolution]:
    """Resolutions by index in the block. Raises `_EventRaised`."""
    ids = step.prefetch(claim for _, _, claim in todo)
    try:
        found = {
            i: step.resolve(claim, said, base + i, time_ms)
            for (i, time_ms, claim), said in zip(todo, ids, strict=True)
        }
        step.fold(ids)
    except Exception as error:
        raise _EventRaised from error
    return found


def _carefully(step: Step, base: Offset, todo: _Todo) -> dict[int, Resolution]:
    """The same, with whatever raises undone and quarantined."""
    found: dict[int, Resolution] = {}
    for (i, time_ms, claim), said in zip(todo, step.prefetch(c for _, _, c in todo), strict=True):
        mark = step.mark(said)
        try:
            found[i] = step.resolve(claim, said, base + i, time_ms)
            step.fold((said,))
        except StorageFailed:  # no event's fault: all of it is done again
            raise
        except Exception as error:  # noqa: BLE001  (a poisoned event must not stop every destination)
            step.restore(mark)
            fault = fault_of(error)
            _log.error("event quarantined", extra={"offset": base + i, "fault": fault})
            found[i] = Resolution(Status.QUARANTINED, note=fault)
    return found


def rebuild(dedupe: Dedupe, log: EventLog, position: Offset, window_ms: int) -> None:
    """Fill a new dedupe index from the header columns of what was processed within the window."""
    end = log.bounds().end
    if end == 0:
        return
    last = log.read_headers(max(end - 1, 0), 1)
    newest = max(last[-1].received_ms) if last else 0
    offset = log.find_time(newest - window_ms)
    while offset < position:
        blocks = [b for b in log.read_headers(offset, 20_000) if b.end > offset]
        if not blocks:
            return
        for block in blocks:
            # Whole blocks, since each call costs as much as a message: what a block holds was received together.
            done = range(min(len(block), position - block.base))
            hashes = [block.id_hashes[i] for i in done if block.kinds[i] != Kind.REJECTED]
            dedupe.add(hashes, max(block.received_ms))
        offset = blocks[-1].end
