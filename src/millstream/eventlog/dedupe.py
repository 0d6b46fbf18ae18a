"""Which messages were seen within a window: their hashes in 16,384 sorted arrays, 10 to 11 bytes a message.

Hashes are uniform: the first bits choose the array, and there a binary search is short. In the array the number of a
generation stands in place of those bits, so nothing of the hash is lost. A generation is messages that came together
and are forgotten together. Nothing is ever merged or built anew, so nothing stalls: adding a message moves some
kilobytes in memory and pays for a look at `_LOOKS` entries, where those of forgotten generations are dropped.

Of two messages with the same 64-bit hash the later passes for a duplicate. With 50 million remembered the chance is
3e-12 for each new message: at 80 a second, once in 150 years.

It is rebuilt at the start from the log's header columns, so it needs no disk of its own; the log keeps at least the
window (7 days by default).
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from millstream.spec.timestamps import DAY_MS

# Bits of a hash that choose its array; as many hold the generation. At 50 million messages an array is 24 kB.
_BITS: Final = 14
_COUNT: Final = 1 << _BITS
_SHIFT: Final = 64 - _BITS
_ENTRY: Final = (1 << 64) - 1
# A generation spans this part of the window and of the limit, so fewer than 300 are remembered: numbers do not run out.
_PART: Final = 128
# Per message added. While as many are forgotten as come, a sixth of what is held is waiting to be dropped, at most.
_LOOKS: Final = 6


@dataclass(slots=True)
class _Generation:
    """`messages` counts one that came again while it was remembered once more."""

    number: int
    first_ms: int
    newest_ms: int
    messages: int = 0


class Dedupe:
    """Message hashes of the last `window_ms`, at most `limit` of them (the oldest go first).

    Both are exact to a generation: a message may be remembered for 1/128 of the window longer.
    """

    def __init__(self, window_ms: int = 7 * DAY_MS, limit: int = 50_000_000) -> None:
        self.window_ms = window_ms
        self._limit = limit
        self._arrays: list[array[int]] = [array("Q") for _ in range(_COUNT)]
        self._held = 0
        self._generations: deque[_Generation] = deque()
        self._remembered = 0
        # 1 for the number of each generation that is remembered.
        self._alive = bytearray(_COUNT)
        self._next_number = 0
        self._looks = 0
        self._next_look = 0

    def seen(self, id_hash: int) -> bool:
        """Whether the message came before within the window."""
        entries = self._arrays[id_hash >> _SHIFT]
        lowest = id_hash << _BITS & _ENTRY
        at = bisect_left(entries, lowest)
        return at < len(entries) and (number := entries[at] - lowest) < _COUNT and self._alive[number] == 1

    def add(self, hashes: Iterable[int], received_ms: int) -> None:
        """Remember messages, the newest of them received at that time."""
        generation = self._generation(received_ms)
        arrays, number = self._arrays, generation.number
        added = new = 0
        for id_hash in hashes:
            entries = arrays[id_hash >> _SHIFT]
            lowest = id_hash << _BITS & _ENTRY
            at = bisect_left(entries, lowest)
            if at < len(entries) and entries[at] - lowest < _COUNT:
                entries[at] = lowest + number
            else:
                entries.insert(at, lowest + number)
                new += 1
            added += 1
        self._held += new
        generation.messages += added
        self._remembered += added
        while self._remembered > self._limit and len(self._generations) > 1:
            self._forget_oldest()
        self._looks += _LOOKS * added
        self._drop_forgotten()

    def expire(self, now_ms: int) -> None:
        """Forget what is older than the window."""
        while self._generations and self._generations[0].newest_ms < now_ms - self.window_ms:
            self._forget_oldest()

    def _generation(self, received_ms: int) -> _Generation:
        """The newest generation, or a new one when that has its part of the window or of the limit."""
        if self._generations:
            newest = self._generations[-1]
            if (
                received_ms - newest.first_ms <= self.window_ms // _PART
                and newest.messages <= self._limit // _PART
            ):
                newest.newest_ms = max(newest.newest_ms, received_ms)
                return newest
        found = _Generation(self._next_number, received_ms, received_ms)
        self._generations.append(found)
        self._alive[found.number] = 1
        self._next_number = (found.number + 1) % _COUNT
        return found

    def _forget_oldest(self) -> None:
        oldest = self._generations.popleft()
        self._alive[oldest.number] = 0
        self._remembered -= oldest.messages

    def _drop_forgotten(self) -> None:
        """Go on through the arrays as far as the looks reach; there is nothing to do until something is forgotten."""
        alive = self._alive
        while self._looks > 0 and self._held > self._remembered:
            entries = self._arrays[self._next_look]
            kept = array("Q", [entry for entry in entries if alive[entry % _COUNT]])
            self._arrays[self._next_look] = kept
            self._held -= len(entries) - len(kept)
            self._looks -= len(entries) + 1
            self._next_look = (self._next_look + 1) % _COUNT
        self._looks = min(self._looks, 0)
