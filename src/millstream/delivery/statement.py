"""A statement: values that were said of one record, and when; of two statements the newer word about each holds. Pure.

What one event says carries one time, so a statement keeps one stamp for all its values and lists those that were said
earlier: most writes are one dict and one stamp.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Any, Final

from millstream.eventlog.record import Offset

# When something was said: event time in ms; the offset breaks ties.
Stamp = tuple[int, Offset]
NEVER: Final[Stamp] = (-(2**62), -1)


@dataclass(slots=True)
class Statement:
    """Values by name (None clears). `stamp` is the newest of all; `earlier` has the stamps of those said before it."""

    values: dict[str, Any] = field(default_factory=dict)
    stamp: Stamp = NEVER
    earlier: dict[str, Stamp] = field(default_factory=dict)

    def copy(self) -> Statement:
        """The same, on its own."""
        return Statement(dict(self.values), self.stamp, dict(self.earlier))

    def when(self, name: str) -> Stamp:
        """When one of the values was said."""
        return self.earlier.get(name, self.stamp)

    def put(self, name: str, value: Any, stamp: Stamp) -> None:
        """Say one value, whatever was said of it before."""
        if stamp < self.stamp:
            self.earlier[name] = stamp
        else:
            if stamp > self.stamp:
                self.earlier = dict.fromkeys(self.values, self.stamp) | self.earlier
                self.stamp = stamp
            self.earlier.pop(name, None)
        self.values[name] = value

    def fold(self, other: Statement) -> None:
        """Take over what the other says: the newer word about each value, the other's when both are as old."""
        if not other.earlier and (other.stamp >= self.stamp or not self.values):
            self._take(other)
            return
        for name, value in other.values.items():
            when = other.when(name)
            if name not in self.values or when >= self.when(name):
                self.put(name, value, when)

    def without(self, names: AbstractSet[str]) -> Statement:
        """What is left when these are not said; itself when that is everything."""
        if not names:
            return self
        rest = self.copy()
        for name in names:
            rest.values.pop(name, None)
            rest.earlier.pop(name, None)
        return rest

    def behind(self, other: Statement) -> set[str]:
        """The values about which the other has a newer word."""
        oldest = min(self.earlier.values()) if self.earlier else self.stamp
        if oldest >= other.stamp:
            return set()
        return {n for n in self.values if n in other.values and self.when(n) < other.when(n)}

    def _take(self, other: Statement) -> None:
        """Values that were all said at once, at or after everything that is known."""
        newest = other.stamp
        self.earlier = {
            n: stamp for n in self.values if n not in other.values and (stamp := self.when(n)) != newest
        }
        self.stamp = newest
        self.values.update(other.values)
