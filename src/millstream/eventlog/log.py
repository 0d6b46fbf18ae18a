"""The port of the durable log. Adapters: `storage.memory.log`, `storage.sqlite.log`; one conformance suite for all.

Errors
    LogError
    ├── LogFull        the disk is nearly full: ingest answers 503 `log_full`
    ├── LogClosed      append after close
    └── LogCorrupt     what was read is not what was written
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from millstream.eventlog.record import Block, Offset, Record


class LogError(Exception):
    """The log could not do what was asked."""


class LogFull(LogError):
    """The disk is nearly full; nothing was written."""


class LogClosed(LogError):
    """The log is closed; nothing was written."""


class LogCorrupt(LogError):
    """What was read is not what was written."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """The log as it stands: the first retained offset and the offset that the next record gets."""

    start: Offset
    end: Offset


class EventLog(Protocol):
    """A durable, append-only sequence of records.

    `append` may be called from any event loop; `read`, `bounds` and `find_time` are short, synchronous and safe from
    any thread.
    """

    async def append(self, records: Sequence[Record]) -> Offset:
        """Write the records in order and return the first one's offset, only after they are durable (fsync).

        Concurrent calls share group commits; the records of one call stay together. Raises `LogFull`, `LogClosed`.
        """

    def read(self, offset: Offset, limit: int) -> list[Block]:
        """Whole blocks from the one that holds `offset` on, until they hold at least `limit` records or the log ends.

        The first block may begin before `offset`. An offset below `bounds().start` reads from the start.
        """

    def read_headers(self, offset: Offset, limit: int) -> list[Block]:
        """The same with the header columns only: bodies are empty. For dedupe and for finding a message."""

    def bounds(self) -> Bounds:
        """The first retained offset and the next one to be written."""

    def find_time(self, received_ms: int) -> Offset:
        """The first offset received at or after that time; `bounds().end` when there is none."""

    async def wait_for(self, offset: Offset) -> None:
        """Return once `bounds().end > offset`, from whatever event loop it is awaited in."""

    def drop_before(self, offset: Offset) -> Offset:
        """Give space back: drop whole files that lie entirely before `offset`. Returns the new start."""

    def size_bytes(self) -> int:
        """What the log takes on disk (0 in memory)."""

    async def close(self) -> None:
        """Finish what was accepted, then refuse."""
