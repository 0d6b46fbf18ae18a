"""What a search asks of a record, made ready once and then asked of many.

Values are compared as numbers when both sides are, else as moments, else as texts without regard to case.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

from millstream.sandbox import payload
from millstream.sandbox.record import Record

Test = Callable[[Record], bool]
Reader = Callable[[Record], str | None]
ID: Final = "hs_object_id"
_CALCULATED: Final = frozenset({ID, "hs_lastmodifieddate", "lastmodifieddate", "createdate"})
_NUMBER: Final = re.compile(r"[-+]?[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]+)?")


def reader(name: str) -> Reader:
    """Takes the value of a property out of a record; None when it has none."""
    if name in _CALCULATED:
        return lambda record: record.shown(name)
    return lambda record: record.values.get(name)


def number(text: str) -> float | None:
    """A text as a number; words such as `nan` are none."""
    return float(text) if _NUMBER.fullmatch(text) else None


def moment(text: str) -> float | None:
    """A text as epoch seconds: ISO 8601 (UTC where it says nothing) or epoch milliseconds."""
    found = number(text)
    if found is not None:
        return found / 1000
    try:
        at = datetime.fromisoformat(text.upper())
    except ValueError:
        return None
    return (at if at.tzinfo is not None else at.replace(tzinfo=UTC)).timestamp()


class Compared:
    """What values are compared with: read as a number, a moment and a text once."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._number = number(text)
        self._moment = moment(text)

    def __call__(self, value: str) -> int:
        """-1, 0 or 1: the value is less, the same, more."""
        if self._number is not None and (found := number(value)) is not None:
            return (found > self._number) - (found < self._number)
        if self._moment is not None and (found := moment(value)) is not None:
            return (found > self._moment) - (found < self._moment)
        return (value > self._text) - (value < self._text)


def test_of(wanted: dict[str, Any]) -> Test:
    """One filter. Raises `Misfit` for an operator that is none."""
    operator = operator_of(wanted)
    read = reader(payload.text(wanted, "propertyName"))
    if operator == "HAS_PROPERTY":
        return lambda r: read(r) is not None
    if operator == "NOT_HAS_PROPERTY":
        return lambda r: read(r) is None
    target = payload.text(wanted, "value").lower()
    if operator == "NEQ":
        return lambda r: (read(r) or "").lower() != target
    holds = _holds(operator, target, wanted)
    return lambda r: (v := read(r)) is not None and holds(v.lower())


def _holds(operator: str, target: str, wanted: dict[str, Any]) -> Callable[[str], bool]:
    values = frozenset(values_of(wanted))
    than, high = Compared(target), Compared(payload.text(wanted, "highValue").lower())
    token = target.strip("*")
    tests: dict[str, Callable[[str], bool]] = {
        "EQ": lambda v: v == target,
        "IN": lambda v: v in values,
        "NOT_IN": lambda v: v not in values,
        "CONTAINS_TOKEN": lambda v: token in v,
        "NOT_CONTAINS_TOKEN": lambda v: token not in v,
        "GT": lambda v: than(v) > 0,
        "GTE": lambda v: than(v) >= 0,
        "LT": lambda v: than(v) < 0,
        "LTE": lambda v: than(v) <= 0,
        "BETWEEN": lambda v: than(v) >= 0 and high(v) <= 0,
    }
    if operator not in tests:
        raise payload.Misfit(wanted, "operator", f"{operator} is not a search operator")
    return tests[operator]


def operator_of(wanted: dict[str, Any]) -> str:
    """What a filter does; EQ when it does not say."""
    return payload.text(wanted, "operator") or "EQ"


def values_of(wanted: dict[str, Any]) -> list[str]:
    """The values of IN and NOT_IN, in lower case."""
    return [v.lower() for v in payload.texts(wanted, "values")]


def every(tests: list[Test]) -> Test:
    """All of them hold."""
    if len(tests) == 1:
        return tests[0]
    return lambda record: all(test(record) for test in tests)


def some(tests: list[Test]) -> Test:
    """One of them holds."""
    if len(tests) == 1:
        return tests[0]
    return lambda record: any(test(record) for test in tests)


def sort_key(name: str) -> Callable[[Record], tuple[int, float, str]]:
    """Records without the property first, then numbers, then texts."""
    read = reader(name)

    def key(record: Record) -> tuple[int, float, str]:
        value = read(record)
        if value is None:
            return 0, 0.0, ""
        found = number(value)
        return (2, 0.0, value.lower()) if found is None else (1, found, "")

    return key
