"""Values as JavaScript has them: undefined beside null, what counts as empty, how anything is printed.

Mappings come from Segment's users and also run in browsers, so text and truth follow JavaScript.
"""

from __future__ import annotations

import json
from typing import Any, Final

from millstream.mapping.output import produce_items


class Undefined:
    """The one value of its kind: what a path gives that is not there. Falsy; not JSON's null."""

    __slots__ = ()

    def __bool__(self) -> bool:
        """Nothing is there."""
        return False

    def __repr__(self) -> str:
        """For traces."""
        return "undefined"


UNDEFINED: Final = Undefined()


def missing(value: Any) -> bool:
    """Null or undefined."""
    return value is None or value is UNDEFINED


def truthy(value: Any) -> bool:
    """What JavaScript takes for true: everything but false, 0, NaN, "", null and undefined."""
    if isinstance(value, dict | list):
        return True
    return bool(value) and value == value  # noqa: PLR0124  (NaN differs from itself)


def kind_of(value: Any) -> str:
    """The name of a value's type: object, array, string, number, boolean, null or undefined."""
    if value is None:
        return "null"
    if value is UNDEFINED:
        return "undefined"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    return "string" if isinstance(value, str) else "array" if isinstance(value, list) else "object"


def number_text(value: float) -> str:
    """A number as JavaScript prints it: no `.0`, digits up to 1e21, exponents without a leading zero."""
    if isinstance(value, int):
        return str(value)
    if value != value:  # noqa: PLR0124
        return "NaN"
    if value in {float("inf"), float("-inf")}:
        return "Infinity" if value > 0 else "-Infinity"
    sign = "-" if value < 0 else ""
    digits, _, exponent = repr(abs(value)).partition("e")
    whole, _, fraction = digits.partition(".")
    fraction = "" if fraction == "0" else fraction
    figures = (whole + fraction).lstrip("0")
    if not figures:
        return "0"
    # The decimal point stands after so many of the figures.
    point = len(whole) + int(exponent or 0) - (len(whole + fraction) - len(figures))
    figures = figures.rstrip("0") or "0"
    if 0 < point <= 21:
        if len(figures) <= point:
            return sign + figures + "0" * (point - len(figures))
        return f"{sign}{figures[:point]}.{figures[point:]}"
    if -6 < point <= 0:
        return f"{sign}0.{'0' * -point}{figures}"
    power = point - 1
    mantissa = figures[0] + (f".{figures[1:]}" if len(figures) > 1 else "")
    return f"{sign}{mantissa}e{'+' if power > 0 else '-'}{abs(power)}"


def to_text(value: Any) -> str:
    """A value as a template prints it: nothing for null and undefined, `[object Object]`, arrays joined by commas."""
    if type(value) is str:
        return value
    if value is None or value is UNDEFINED:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return number_text(value)
    if isinstance(value, list):
        return ",".join(map(to_text, value))
    return "[object Object]" if isinstance(value, dict) else str(value)


# `json.dumps` makes an encoder for each text when it is told how.
_quoted: Final = json.JSONEncoder(ensure_ascii=False).encode


def to_json(value: Any) -> str:
    """A value as `JSON.stringify` prints it."""
    if isinstance(value, dict):
        inside = ",".join(f"{to_json(str(k))}:{to_json(v)}" for k, v in value.items() if v is not UNDEFINED)
        return "{" + inside + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(to_json, value)) + "]"
    if missing(value):
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        text = number_text(value)
        return "null" if text in {"NaN", "Infinity", "-Infinity"} else text
    return _quoted(value)


def without_nulls(value: Any) -> Any:
    """An object with nulls taken out at every depth, but not inside arrays."""
    if not isinstance(value, dict):
        return value
    produce_items(len(value))
    return {k: without_nulls(v) for k, v in value.items() if not missing(v)}
