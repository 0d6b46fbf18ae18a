"""The event log in memory: for tests and trials. Durable as long as the process lives."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from millstream.eventlog.log import Bounds, LogClosed
from millstream.eventlog.record import Block, Offset, Record
from millstream.eventlog.waiters import Waiters


class MemoryLog:
    """Implements `EventLog`; one append makes one block, one block is one file."""

    def __init__(self, start: Offset = 0) -> None:
        self._lock = threading.Lock()
        self._blocks: list[Block] = []
        self._start: Offset = start
        self._end: Offset = start
        self._closed = False
        self._waiters = Waiters()

    async def append(self, records: Sequence[Record]) -> Offset:
        """Write the records; see the port."""
        with self._lock:
            if self._closed:
                raise LogClosed("the log is closed")
            base = self._end
            if records:
                self._blocks.append(
                    Block(
                        base,
                        bytes(r.kind for r in records),
                        [r.source for r in records],
                        [r.id_hash for r in records],
                        [r.time_ms for r in records],
                        [r.received_ms for r in records],
                        [r.body for r in records],
                    )
                )
                self._end = self._blocks[-1].end
        self._waiters.wake(self._end)
        return base

    def read(self, offset: Offset, limit: int) -> list[Block]:
        """Whole blocks from the one that holds `offset` on."""
        found: list[Block] = []
        with self._lock:
            for block in self._blocks:
                if block.end > offset and sum(map(len, found)) < max(limit, 1):
                    found.append(block)
        return found

    def read_headers(self, offset: Offset, limit: int) -> list[Block]:
        """The same; bodies cost nothing here."""
        return self.read(offset, limit)

    def bounds(self) -> Bounds:
        """First retained and next offset."""
        return Bounds(self._start, self._end)

    def find_time(self, received_ms: int) -> Offset:
        """The first offset received at or after that time."""
        for block in self._blocks:
            for i, at in enumerate(block.received_ms):
                if at >= received_ms:
                    return block.base + i
        return self._end

    async def wait_for(self, offset: Offset) -> None:
        """Return once the end is beyond the offset."""
        future = self._waiters.add(offset)
        self._waiters.wake(self._end)
        await future

    def drop_before(self, offset: Offset) -> Offset:
        """Drop blocks that lie entirely before the offset; never the newest."""
        with self._lock:
            while len(self._blocks) > 1 and self._blocks[0].end <= offset:
                del self._blocks[0]
            self._start = self._blocks[0].base if self._blocks else self._end
        return self._start

    def size_bytes(self) -> int:
        """Nothing on disk."""
        return 0

    async def close(self) -> None:
        """Refuse from now on."""
        self._closed = True
