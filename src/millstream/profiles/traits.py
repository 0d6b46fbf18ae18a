"""Traits by event time: the newest value of each trait wins, ties by log order (SEMANTICS 9, 10, 22, 24). Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import isfinite
from typing import Any, Final

import msgspec

from millstream.eventlog.record import Offset
from millstream.eventlog.resolved import TraitValue
from millstream.spec.events import TraitOperation

# When something was said: epoch milliseconds of event time; the offset breaks ties.
Stamp = tuple[int, Offset]
NEVER: Final[Stamp] = (-(2**62), -1)
# A NamedTuple's own constructor is a Python function; this is the C one that it calls.
made = tuple.__new__


MAX_TRAITS: Final = 2000


class Traits(msgspec.Struct, array_like=True, gc=False):
    """What is known of a profile, and since when.

    Most traits are said together, so there is one stamp for most: `said` is the newest of all, `earlier` has the
    stamps of the traits that were said before it. `removed` keeps when a trait was removed, so that an older value
    does not come back.
    """

    values: dict[str, Any] = {}
    said: Stamp = NEVER
    earlier: dict[str, Stamp] = {}
    removed: dict[str, Stamp] = {}

    def when(self, key: str) -> Stamp:
        """When the trait was last said or removed."""
        if key in self.values:
            return self.earlier.get(key, self.said)
        return self.removed.get(key, NEVER)

    def put(self, key: str, value: Any, stamp: Stamp) -> None:
        """Set one trait, whatever it was."""
        self.advance(stamp)
        self.values[key] = value
        if stamp == self.said:
            self.earlier.pop(key, None)
        else:
            self.earlier[key] = stamp
        self.removed.pop(key, None)

    def put_newest(self, said: dict[str, Any], stamp: Stamp) -> None:
        """Set many, said at or after everything that is known; none of them was removed."""
        if self.values.keys() <= said.keys():
            self.earlier.clear()
            self.said = stamp
        else:
            self.advance(stamp)
            for key in said.keys() & self.earlier.keys():
                del self.earlier[key]
        self.values.update(said)

    def remove(self, key: str, stamp: Stamp) -> None:
        """Remove one trait, whatever it was."""
        self.values.pop(key, None)
        self.earlier.pop(key, None)
        self.removed[key] = stamp

    def advance(self, stamp: Stamp) -> None:
        """Make room for what is said at that time, if it is the newest."""
        if stamp > self.said:
            self.earlier = dict.fromkeys(self.values, self.said) | self.earlier
            self.said = stamp

    def join(self, other: Traits) -> None:
        """Take over what was said later than one's own."""
        self.advance(other.said)
        for key, value in other.values.items():
            when = other.when(key)
            if when > self.when(key):
                self.put(key, value, when)
        for key, when in other.removed.items():
            if when > self.when(key):
                self.remove(key, when)

    def stamped(self) -> dict[str, TraitValue]:
        """Each trait with its stamp."""
        earlier, said = self.earlier, self.said
        return {k: made(TraitValue, (v, *earlier.get(k, said))) for k, v in self.values.items()}


@dataclass(frozen=True, slots=True)
class Change:
    """What applying an event did: keys whose value was older than the known one, results of operations, a remark."""

    superseded: tuple[str, ...] = ()
    results: dict[str, Any] = field(default_factory=dict)
    note: str | None = None


NOTHING: Final = Change()
# RudderStack's object of HubSpot ids: it addresses records, it is no trait (SEMANTICS 21).
_NOT_TRAITS: Final = frozenset({"hubspot"})


def apply(
    traits: Traits, said: dict[str, Any], time_ms: int, offset: Offset, *, fill_only: bool = False
) -> Change:
    """Set traits. `None` removes; `{}` changes nothing; `fill_only` sets only what is absent."""
    stamp = (time_ms, offset)
    if fill_only or stamp < traits.said or not _plain(traits, said):
        return _one_by_one(traits, said, stamp, fill_only=fill_only)
    traits.put_newest(said, stamp)
    return NOTHING


def _plain(traits: Traits, said: dict[str, Any]) -> bool:
    """Whether everything said is set as it is: none removes, none is empty, none comes back, none is one too many."""
    for value in said.values():
        if not value and (value is None or value == {}):
            return False
    return (
        _NOT_TRAITS.isdisjoint(said)
        and (not traits.removed or traits.removed.keys().isdisjoint(said))
        and len(traits.values) + len(said) <= MAX_TRAITS
    )


def _one_by_one(traits: Traits, said: dict[str, Any], stamp: Stamp, *, fill_only: bool) -> Change:
    superseded: list[str] = []
    note = None
    for key, value in said.items():
        if value == {} or key in _NOT_TRAITS:
            continue
        known = key in traits.values
        if fill_only and (known or key in traits.removed or value is None):
            continue
        if stamp < traits.when(key):
            superseded.append(key)
        elif value is None:
            traits.remove(key, stamp)
        elif known or len(traits.values) < MAX_TRAITS:
            traits.put(key, value, stamp)
        else:
            note = f"more than {MAX_TRAITS} traits: {key[:100]} and further ones are left out"
    return Change(tuple(superseded), note=note) if superseded or note else NOTHING


def operate(traits: Traits, operations: list[TraitOperation], time_ms: int, offset: Offset) -> dict[str, Any]:
    """Apply Amplitude's operations in order; return each touched trait's resulting value (None = removed)."""
    stamp = (time_ms, offset)
    results: dict[str, Any] = {}
    for operation in operations:
        if operation.op == "clearAll":
            for key in list(traits.values):
                traits.remove(key, stamp)
                results[key] = None
            continue
        key = operation.key
        after = _after(operation, traits.values.get(key))
        if after is _SAME:
            continue
        if after is None:
            traits.remove(key, stamp)
        elif key in traits.values or len(traits.values) < MAX_TRAITS:
            traits.put(key, after, stamp)
        else:
            continue
        results[key] = after
    return results


class _Same:
    """The operation changed nothing."""


_SAME: Final = _Same()


def _after(operation: TraitOperation, before: Any) -> Any:
    """The value after one operation, None when it is removed, `_SAME` when nothing changes."""
    value = operation.value
    match operation.op:
        case "set":
            return value
        case "setOnce":
            return value if before is None and value is not None and value != "EMPTY" else _SAME
        case "unset":
            return None if before is not None else _SAME
        case "add":
            return _sum(before, value)
        case "remove":
            gone = _list(value)
            kept = [v for v in _list(before) if v not in gone]
            return kept if before is not None and kept != _list(before) else _SAME
        case "append" | "prepend" | "preInsert" | "postInsert":
            have = _list(before)
            new = _list(value)
            if operation.op in {"preInsert", "postInsert"}:
                new = [v for v in new if v not in have]
            if not new:
                return _SAME
            return have + new if operation.op in {"append", "postInsert"} else new + have
    return _SAME


def _sum(before: Any, value: Any) -> Any:
    try:
        start = 0 if before is None else before
        if isinstance(start, bool) or isinstance(value, bool):
            return _SAME
        start = float(start) if isinstance(start, str) else start
        add = float(value) if isinstance(value, str) else value
        total = start + add
    except (TypeError, ValueError, OverflowError):
        return _SAME
    if isinstance(total, int):
        return total
    if not isinstance(total, float) or not isfinite(total):  # lists have a sum too
        return _SAME
    return int(total) if total.is_integer() else total


def _list(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]
