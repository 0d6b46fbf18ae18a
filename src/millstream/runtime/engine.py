"""The engine: processor and deliveries on an event loop in a thread of their own, so that ingest stays prompt."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import sqlite3
import sys
import threading
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from millstream.delivery.delivery import Delivery
from millstream.pipeline.processor import Processor
from millstream.runtime.wire import Parts, now_ms
from millstream.spec.timestamps import to_iso
from millstream.telemetry.fault import fault_of
from millstream.workspace.model import Destination, Workspace

T = TypeVar("T")
_AGAIN_S = 5.0

_log = logging.getLogger("millstream.engine")

# The interpreter's default of 5 ms lets the hot path hold up an answer to an SDK for 12 ms (p99); 0.5 ms: 4.9 ms.
SWITCH_INTERVAL_S = 0.0005


# Collecting cycles after every 700 new containers costs 60 to 110 of 200 to 330 µs an event, and finds nothing: the hot
# path's structures have no cycles. Cycles that libraries make are still collected.
GC_THRESHOLDS = (50_000, 20, 100)


def _told(error: Exception) -> str:
    """What happened and where; the storage's own words too, which quote nobody."""
    said = f": {error}" if isinstance(error, OSError | sqlite3.Error) else ""
    return fault_of(error) + said


def tune_interpreter() -> None:
    """Set what the process as a whole needs for the engine to be prompt and cheap."""
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)


class Engine:
    """Runs everything downstream of the log. `start` returns when events flow; `stop` after what was begun is safe."""

    def __init__(self, parts: Parts, *, every_s: float = 60.0) -> None:
        self._parts = parts
        self._every_s = every_s
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._running: dict[str, tuple[Destination, Delivery, asyncio.Task[None]]] = {}
        self._stopping: asyncio.Event | None = None
        self.failure: BaseException | None = None

    @property
    def deliveries(self) -> dict[str, Delivery]:
        """The running deliveries by destination name."""
        return {name: delivery for name, (_, delivery, _) in self._running.items()}

    def start(self) -> None:
        """Start the thread and wait until the processor and all deliveries run. Raises what building them raised."""
        tune_interpreter()
        ready = threading.Event()
        self._thread = threading.Thread(target=self._thread_main, args=(ready,), name="engine", daemon=True)
        self._thread.start()
        ready.wait()
        if self.failure is not None:
            raise self.failure

    def stop(self, timeout_s: float = 10.0) -> None:
        """Let calls in flight finish and commit (at most `timeout_s`), then end the thread."""
        if self._loop is None or self._thread is None or self._stopping is None:
            return
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join(timeout_s + 2)

    async def call(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Run a coroutine on the engine's loop and await it from this one."""
        if self._loop is None:
            raise RuntimeError("the engine is not running")
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work(), self._loop))

    async def reload(self, workspace: Workspace) -> list[str]:
        """Take a new configuration: destinations that changed are stopped and started anew. Returns their names."""
        return await self.call(lambda: self._reload(workspace))

    def _thread_main(self, ready: threading.Event) -> None:
        try:
            asyncio.run(self._main(ready))
        except BaseException as error:  # noqa: BLE001  (handed to whoever started the thread)
            self.failure = error
            _log.critical("the engine stopped", exc_info=error)
        finally:
            ready.set()

    async def _main(self, ready: threading.Event) -> None:
        self._loop = asyncio.get_running_loop()
        self._stopping = stopping = asyncio.Event()
        processor = self._parts.processor()
        for destination in self._parts.workspace.destinations:
            await self._begin(destination)
        tasks = [
            asyncio.create_task(self._guard("processor", processor, stopping)),
            asyncio.create_task(self._repeat(self._parts.housekeeping, stopping)),
        ]
        ready.set()
        await stopping.wait()
        await asyncio.gather(*(self._end(name) for name in list(self._running)))
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _guard(self, what: str, processor: Processor, stopping: asyncio.Event) -> None:
        """Run the processor; a failure of its storage is tried again, since the log keeps everything."""
        while not stopping.is_set():
            try:
                await processor.run(stopping)
            except asyncio.CancelledError:
                raise
            except Exception:  # noqa: BLE001  (a supervisor outlives what it supervises)
                _log.exception("%s failed; trying again in 5 s", what)
                await asyncio.sleep(5)

    async def _repeat(self, work: Callable[[], Awaitable[None]], stopping: asyncio.Event) -> None:
        while not stopping.is_set():
            try:
                await work()
            except Exception:  # noqa: BLE001  (the same)
                _log.exception("housekeeping failed")
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(stopping.wait(), self._every_s)

    async def _begin(self, destination: Destination) -> None:
        delivery = await self._parts.delivery(destination)
        if delivery is None:
            return
        task = asyncio.create_task(self._deliver(destination, delivery), name=f"delivery {destination.name}")
        self._running[destination.name] = (destination, delivery, task)

    async def _deliver(self, destination: Destination, delivery: Delivery) -> None:
        """Run one delivery; what it did not foresee stops this destination alone, which shows it and starts anew."""
        why = ""
        while True:
            try:
                if why:
                    delivery = await self._anew(destination, why)
                await delivery.run()
            except asyncio.CancelledError:
                raise
            except Exception as error:  # noqa: BLE001  (the same)
                why = f"{to_iso(now_ms())} {_told(error)}"
                at = {"destination": destination.name, "fault": why}
                _log.error("delivery failed; it starts again in 5 s", extra=at)
                delivery.failed(why)
                await asyncio.sleep(_AGAIN_S)
            else:
                return

    async def _anew(self, destination: Destination, why: str) -> Delivery:
        """The delivery as a restart would make it: what the last one held in memory may be half of something."""
        await self._parts.release(destination.name)
        delivery = await self._parts.delivery(destination)
        delivery.failed(why)
        _, _, task = self._running[destination.name]
        self._running[destination.name] = (destination, delivery, task)
        return delivery

    async def _end(self, name: str) -> None:
        _, delivery, task = self._running.pop(name)
        await delivery.stop(8.0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await self._parts.release(name)

    async def _reload(self, workspace: Workspace) -> list[str]:
        wanted = {d.name: d for d in workspace.destinations}
        changed = [n for n, (d, _, _) in self._running.items() if wanted.get(n) != d]
        for name in changed:
            await self._end(name)
        self._parts.workspace = workspace
        begun = [d for n, d in wanted.items() if n not in self._running]
        for destination in begun:
            await self._begin(destination)
        return sorted({*changed, *(d.name for d in begun)})
