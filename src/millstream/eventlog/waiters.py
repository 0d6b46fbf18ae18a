"""Who waits for the log to grow: futures of any event loop, woken from any thread."""

from __future__ import annotations

import asyncio
import contextlib
import threading

from millstream.eventlog.record import Offset


class Waiters:
    """Futures that are resolved once the log's end is beyond their offset."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: list[tuple[Offset, asyncio.AbstractEventLoop, asyncio.Future[None]]] = []

    def add(self, offset: Offset) -> asyncio.Future[None]:
        """A future of the running loop."""
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        with self._lock:
            self._waiting.append((offset, loop, future))
        return future

    def wake(self, end: Offset) -> None:
        """Resolve everybody who waited for something before `end`."""
        with self._lock:
            due = [w for w in self._waiting if w[0] < end]
            self._waiting = [w for w in self._waiting if w[0] >= end and not w[2].cancelled()]
        for _, loop, future in due:
            with contextlib.suppress(RuntimeError):  # its loop has ended: nobody waits any more
                loop.call_soon_threadsafe(_resolve, future)


def _resolve(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
