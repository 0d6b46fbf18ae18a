"""Traits by event time: the newest value of each trait wins, ties by log order (SEMANTICS 9, 10, 22, 24). Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from millstream.eventlog.record import Offset
from millstream.eventlog.resolved import TraitValue
from millstream.profiles.profile import Profile
from millstream.spec.events import TraitOperation

MAX_TRAITS: Final = 2000
# A NamedTuple's own constructor is a Python function; this is the C one that it calls.
stamped = tuple.__new__


@dataclass(frozen=True, slots=True)
class Change:
    """What applying an event did: keys whose value was older than the known one, results of operations, a remark."""

    superseded: tuple[str, ...] = ()
    results: dict[str, Any] = field(default_factory=dict)
    note: str | None = None


NOTHING: Final = Change()
# RudderStack's object of HubSpot ids: it addresses records, it is no trait (SEMANTICS 21).
_NOT_TRAITS: Final = frozenset({"hubspot"})


def newest(profile: Profile, key: str) -> tuple[int, Offset]:
    """When the trait was last said or removed."""
    known = profile.traits.get(key)
    if known is not None:
        return known.time_ms, known.offset
    return profile.removed.get(key, (-(2**62), -1))


def apply(
    profile: Profile, said: Mapping[str, Any], time_ms: int, offset: Offset, *, fill_only: bool = False
) -> Change:
    """Set traits. `None` removes; `{}` changes nothing; `fill_only` sets only what is absent."""
    traits, removed = profile.traits, profile.removed
    superseded: list[str] = []
    note = None
    for key, value in said.items():
        if value == {} or key in _NOT_TRAITS:
            continue
        known = traits.get(key)
        if known is not None:
            _, known_ms, known_offset = known
            if fill_only:
                continue
            if time_ms < known_ms or (time_ms == known_ms and offset < known_offset):
                superseded.append(key)
                continue
        elif key in removed:
            if fill_only:
                continue
            if (time_ms, offset) < removed[key]:
                superseded.append(key)
                continue
        elif fill_only and value is None:
            continue
        if value is None:
            traits.pop(key, None)
            removed[key] = (time_ms, offset)
        elif known is not None or len(traits) < MAX_TRAITS:
            traits[key] = stamped(TraitValue, (value, time_ms, offset))
            if removed:
                removed.pop(key, None)
        else:
            note = f"more than {MAX_TRAITS} traits: {key[:100]} and further ones are left out"
    return Change(tuple(superseded), note=note) if superseded or note else NOTHING


def operate(
    profile: Profile, operations: list[TraitOperation], time_ms: int, offset: Offset
) -> dict[str, Any]:
    """Apply Amplitude's operations in order; return each touched trait's resulting value (None = removed)."""
    results: dict[str, Any] = {}
    for operation in operations:
        if operation.op == "clearAll":
            for key in list(profile.traits):
                del profile.traits[key]
                profile.removed[key] = (time_ms, offset)
                results[key] = None
            continue
        key = operation.key
        known = profile.traits.get(key)
        before = known.value if known is not None else None
        after = _after(operation, before)
        if after is _SAME:
            continue
        if after is None:
            profile.traits.pop(key, None)
            profile.removed[key] = (time_ms, offset)
        elif known is not None or len(profile.traits) < MAX_TRAITS:
            profile.traits[key] = TraitValue(after, time_ms, offset)
            profile.removed.pop(key, None)
        else:
            continue
        results[key] = after
    return results


def merge(survivor: Profile, absorbed: Profile) -> None:
    """Everything of the absorbed profile joins the survivor; the newest of each trait wins."""
    for external, at in absorbed.external_ids.items():
        survivor.external_ids[external] = max(at, survivor.external_ids.get(external, at))
    for account, at in absorbed.accounts.items():
        survivor.accounts[account] = max(at, survivor.accounts.get(account, at))
    for key, value in absorbed.traits.items():
        if (value.time_ms, value.offset) > newest(survivor, key):
            survivor.traits[key] = value
            survivor.removed.pop(key, None)
    for key, when in absorbed.removed.items():
        if when > newest(survivor, key):
            survivor.traits.pop(key, None)
            survivor.removed[key] = when
    survivor.updated_ms = max(survivor.updated_ms, absorbed.updated_ms)


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
            return value if before is None and value not in {"EMPTY", None} else _SAME
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
    except (TypeError, ValueError):
        return _SAME
    return int(total) if isinstance(total, float) and total.is_integer() else total


def _list(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]
