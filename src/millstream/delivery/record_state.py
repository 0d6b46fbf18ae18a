"""What is known of one record at a destination: the values it confirmed last, and when they were said. Pure.

Records are the largest part of what delivery remembers, and every confirmation rewrites one whole. What one event
said carries one time, so a record keeps one stamp for all its values and lists those that were said earlier.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from operator import itemgetter
from typing import Any, Final

from millstream.delivery.operation import Key, Stamped
from millstream.eventlog.record import Offset

Stamp = tuple[int, Offset]
Fingerprint = str | int | bytes
_SHORT: Final = 32
_INT64: Final = range(-(2**63), 2**63)
_NOTHING: Final = object()
_time_of = itemgetter(1)
_offset_of = itemgetter(2)


def fingerprint(value: Any) -> Fingerprint:
    """What tells a written value from another: short text and integers are themselves, anything else is a hash.

    The hash outlives the process. `True` is not the integer 1: HubSpot's text for the two differs.
    """
    kind = type(value)
    if (kind is str and len(value) <= _SHORT) or (kind is int and value in _INT64):
        return value  # type: ignore[no-any-return]
    return blake2b(repr(value).encode(), digest_size=8).digest()


@dataclass(slots=True)
class RecordState:
    """A record's id at the destination and its last confirmed values.

    `values` maps property name → fingerprint. They were said at `stamp` (event time in ms, offset), the newest of all;
    `earlier` has the stamps of those that were said before that. `at_ms` is the time of the last confirmation.
    """

    key: Key
    id: str
    values: dict[str, Fingerprint] = field(default_factory=dict)
    stamp: Stamp = (0, 0)
    earlier: dict[str, Stamp] = field(default_factory=dict)
    at_ms: int = 0

    def copy(self) -> RecordState:
        """The same, on its own."""
        return RecordState(self.key, self.id, dict(self.values), self.stamp, dict(self.earlier), self.at_ms)

    def news(self, values: Mapping[str, Stamped], *, fresh: bool) -> tuple[dict[str, Stamped], bool]:
        """Those that the record does not have, and whether any was left out for being older than what it has.

        Unless `fresh`, values that it does have count as news too: somebody may have changed them there.
        """
        held, earlier, newest = self.values, self.earlier, self.stamp
        behind: set[str] = set()
        if values and min(map(_time_of, values.values())) <= newest[0]:
            behind = {n for n, s in values.items() if n in held and s[1:] < earlier.get(n, newest)}
        if fresh:
            said = _fingerprints(values)
            kept = {n: s for n, s in values.items() if held.get(n, _NOTHING) != said[n] and n not in behind}
        else:
            kept = {n: s for n, s in values.items() if n not in behind}
        return kept, bool(behind)

    def confirm(self, values: Mapping[str, Stamped], at_ms: int) -> None:
        """The destination has these values now, as far as it does not have newer ones."""
        self.at_ms = at_ms
        times, offsets = set(map(_time_of, values.values())), set(map(_offset_of, values.values()))
        if len(times) == len(offsets) == 1 and (stamp := (*times, *offsets)) >= self.stamp:
            self._take(values, stamp)
        else:
            self._merge(values)

    def _take(self, values: Mapping[str, Stamped], stamp: Stamp) -> None:
        """Values that were said at once, after everything that is known."""
        held, earlier = self.values, self.earlier
        if stamp != self.stamp:
            for name in held.keys() - values.keys():
                earlier.setdefault(name, self.stamp)
            self.stamp = stamp
        if earlier:
            for name in values:
                earlier.pop(name, None)
        held.update(_fingerprints(values))

    def _merge(self, values: Mapping[str, Stamped]) -> None:
        """Values that were said at various times: the newer one of each property stays."""
        said = {name: self.earlier.get(name, self.stamp) for name in self.values}
        taken = {n: s for n, s in values.items() if n not in said or s[1:] >= said[n]}
        said |= {n: s[1:] for n, s in taken.items()}
        self.values |= _fingerprints(taken)
        self.stamp = max(said.values(), default=self.stamp)
        self.earlier = {n: at for n, at in said.items() if at != self.stamp}


def _fingerprints(values: Mapping[str, Stamped]) -> dict[str, Fingerprint]:
    """The fingerprint of each value; spelled out because it runs for every property of every write."""
    return {
        name: value if type(value) is str and len(value) <= _SHORT else fingerprint(value)
        for name, (value, _, _) in values.items()
    }
