"""Old events that were read and left for later: known by their offset and by the records that they write. Pure.

What is planned is bounded by the window, and live events must not wait behind an import that is larger. The log keeps
the events themselves, so that one costs about 30 bytes here until there is room for it, or until something that goes
before it needs a record that it writes.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from typing import Final, NamedTuple

from millstream.delivery.operation import Key
from millstream.eventlog.record import Offset

# How many names are sorted at once: 25 ms, and 50 runs for a million.
_RUN: Final = 32_768


class _Run(NamedTuple):
    """Records that were written in a stretch of the log, sorted by hash and offset."""

    hashes: array[int]
    offsets: array[int]
    last: Offset


class Backlog:
    """The events left for later, in log order.

    A record is known by its hash: an event that is taken for a writer of another record goes out early, no more.
    """

    def __init__(self) -> None:
        self._offsets = array("q")  # ascending
        self._taken = bytearray()  # 1 where the event of that place has left
        self._head = 0  # the first that has not
        self._left = 0
        self._runs: list[_Run] = []
        self._lately: dict[int, list[Offset]] = {}  # what the next run will hold
        self._names = 0

    def __len__(self) -> int:
        """How many events are left."""
        return self._left

    def __contains__(self, offset: Offset) -> bool:
        """Whether the event is left for later."""
        return self._place(offset) is not None

    @property
    def first(self) -> Offset | None:
        """The oldest event."""
        return self._offsets[self._head] if self._left else None

    def add(self, offset: Offset, records: Iterable[Key]) -> None:
        """Leave an event for later: behind all others, and a writer of these records."""
        self._offsets.append(offset)
        self._taken.append(0)
        self._left += 1
        for said in {hash(key) for key in records}:
            self._lately.setdefault(said, []).append(offset)
            self._names += 1
        if self._names >= _RUN:
            self._seal(offset)

    def take(self, offset: Offset) -> bool:
        """The event is planned now; False when it is not here."""
        at = self._place(offset)
        if at is None:
            return False
        self._taken[at] = 1
        self._left -= 1
        if at == self._head:
            following = self._taken.find(0, at)
            self._head = following if following >= 0 else len(self._offsets)
            self._shrink()
        return True

    def writers(self, records: Iterable[Key], before: Offset) -> list[Offset]:
        """The events in front of `before` that write one of these records, in log order."""
        found: set[Offset] = set()
        for said in map(hash, records):
            found.update(self._lately.get(said, ()))
            for hashes, offsets, _ in self._runs:
                start = bisect_left(hashes, said)
                found.update(offsets[start : bisect_right(hashes, said, start)])
        return sorted(o for o in found if o < before and o in self)

    def _place(self, offset: Offset) -> int | None:
        """Where an event stands that is left."""
        at = bisect_left(self._offsets, offset, self._head)
        here = at < len(self._offsets) and self._offsets[at] == offset and not self._taken[at]
        return at if here else None

    def _seal(self, last: Offset) -> None:
        """What was added lately becomes a run."""
        named = sorted(self._lately.items())
        hashes = array("q", (said for said, offsets in named for _ in offsets))
        self._runs.append(_Run(hashes, array("q", (o for _, offsets in named for o in offsets)), last))
        self._lately, self._names = {}, 0

    def _shrink(self) -> None:
        """Let go of what stands before the oldest event, when that is most of it."""
        if self._left and (self._head < _RUN or self._head * 2 < len(self._offsets)):
            return
        del self._offsets[: self._head], self._taken[: self._head]
        self._head = 0
        oldest = self.first
        self._runs = [run for run in self._runs if oldest is not None and run.last >= oldest]
        if oldest is None:
            self._lately, self._names = {}, 0
