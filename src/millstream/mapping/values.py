"""Undefined: what a path gives that is not there. Distinct from None, which is JSON's null."""

from __future__ import annotations

from typing import Any, Final


class Undefined:
    """The one value of its kind; falsy."""

    __slots__ = ()

    def __bool__(self) -> bool:
        """Nothing is there."""
        return False

    def __repr__(self) -> str:
        """For traces."""
        return "undefined"


UNDEFINED: Final = Undefined()


def to_text(value: Any) -> str:
    """A value as JavaScript prints it in a template."""
    if value is None or value is UNDEFINED:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e21:
        return str(int(value))
    if isinstance(value, list):
        return ",".join(to_text(v) for v in value)
    if isinstance(value, dict):
        return "[object Object]"
    return str(value)
