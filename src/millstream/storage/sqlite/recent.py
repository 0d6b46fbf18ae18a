"""What was used lately, in bounded memory: two generations, so that being used costs no bookkeeping."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Recent(Generic[K, V]):
    """Entries of the last `weight` added, and as many again from before. Entries are added anew when they are used.

    One thread adds; any thread may look.
    """

    def __init__(self, weight: int) -> None:
        self._limit = weight
        self._weight = 0
        self._young: dict[K, V] = {}
        self._old: dict[K, V] = {}

    def split(self, keys: Iterable[K]) -> tuple[dict[K, V], list[K]]:
        """The entries of these keys, and the keys that have none."""
        found: dict[K, V] = {}
        missing: list[K] = []
        young, old = self._young, self._old
        for key in keys:
            entry = young.get(key) or old.get(key)
            if entry is not None:
                found[key] = entry
            else:
                missing.append(key)
        return found, missing

    def add(self, entries: Mapping[K, V], weight: int) -> None:
        """Remember these, which weigh so much together."""
        if self._weight + weight > self._limit:
            self._old, self._young, self._weight = self._young, {}, 0
        self._young.update(entries)
        self._weight += weight

    def drop(self, key: K) -> None:
        """Forget one."""
        self._young.pop(key, None)
        self._old.pop(key, None)

    def clear(self) -> None:
        """Forget all."""
        self._young, self._old, self._weight = {}, {}, 0
