"""Which messages were seen: a recent set, older ones in sorted runs behind Bloom filters. Bounded in memory.

It is rebuilt at the start from the log's header columns, so it needs no disk of its own; the log keeps at least the
window (7 days by default).
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterable
from typing import Final

from millstream.spec.timestamps import DAY_MS

_RUN: Final = 262_144
# 10 bits and 4 probes a message: 1.2 % false positives, each of which costs one binary search.
_BITS: Final = 10


class _Run:
    """Sorted hashes behind a Bloom filter. The hashes are random already: slices of them are the probes."""

    def __init__(self, hashes: set[int], newest_ms: int) -> None:
        self.newest_ms = newest_ms
        self._sorted = array("Q", sorted(hashes))
        self._mask = (1 << (len(hashes) * _BITS).bit_length()) - 1
        self._bloom = bytearray((self._mask >> 3) + 1)
        bloom, mask = self._bloom, self._mask
        for value in hashes:
            for bit in (value & mask, (value >> 16) & mask, (value >> 32) & mask, (value * 3 >> 8) & mask):
                bloom[bit >> 3] |= 1 << (bit & 7)

    def __contains__(self, value: int) -> bool:
        bloom, mask = self._bloom, self._mask
        for bit in (value & mask, (value >> 16) & mask, (value >> 32) & mask, (value * 3 >> 8) & mask):
            if not bloom[bit >> 3] & (1 << (bit & 7)):
                return False
        at = bisect_left(self._sorted, value)
        return at < len(self._sorted) and self._sorted[at] == value


class Dedupe:
    """Message hashes of the last `window_ms`, at most `limit` of them (the oldest run goes first)."""

    def __init__(self, window_ms: int = 7 * DAY_MS, limit: int = 50_000_000) -> None:
        self.window_ms = window_ms
        self._limit = limit
        self._recent: set[int] = set()
        self._recent_ms = 0
        self._runs: list[_Run] = []

    def seen(self, id_hash: int) -> bool:
        """Whether the message came before within the window."""
        return id_hash in self._recent or (bool(self._runs) and any(id_hash in run for run in self._runs))

    def add(self, hashes: Iterable[int], received_ms: int) -> None:
        """Remember messages, the newest of them received at that time."""
        self._recent.update(hashes)
        self._recent_ms = max(self._recent_ms, received_ms)
        if len(self._recent) >= _RUN:
            self._runs.append(_Run(self._recent, self._recent_ms))
            self._recent = set()
            while len(self._runs) * _RUN > self._limit:
                del self._runs[0]

    def expire(self, now_ms: int) -> None:
        """Let go of runs that are older than the window."""
        self._runs = [run for run in self._runs if run.newest_ms >= now_ms - self.window_ms]
