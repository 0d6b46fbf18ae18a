"""Paths into an event: `$.traits.email`, `properties.items[0].sku`, `context['my key'].x`. Compiled to step tuples."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from millstream.mapping.values import UNDEFINED

MAX_STEPS: Final = 64
_STEP: Final = re.compile(
    r"""\.?([^.\[\]'"\s][^.\[\]]*)|\[(\d+)\]|\[\s*'((?:[^'\\]|\\.)*)'\s*\]|\[\s*"((?:[^"\\]|\\.)*)"\s*\]"""
)

Steps = tuple[str | int, ...]


class PathError(Exception):
    """A path cannot be read; the message says where."""


def steps(path: str) -> Steps:
    """The steps of a path, without the leading `$`. Raises `PathError`."""
    text = path.strip()
    text = text.removeprefix("$")
    text = text.removeprefix(".")
    found: list[str | int] = []
    at = 0
    while at < len(text):
        match = _STEP.match(text, at)
        if match is None or match.end() == at:
            raise PathError(f"cannot read {path!r} at character {at + 1}: {text[at : at + 10]!r}")
        name, index, single, double = match.groups()
        if index is not None:
            found.append(int(index))
        else:
            quoted = single if single is not None else double
            found.append(name if quoted is None else re.sub(r"\\(.)", r"\1", quoted))
        at = match.end()
    if len(found) > MAX_STEPS:
        raise PathError(f"{path!r} has more than {MAX_STEPS} steps")
    return tuple(found)


def getter(found: Steps) -> Callable[[Mapping[str, Any]], Any]:
    """A function from an event to the value at the path, or UNDEFINED."""
    if len(found) == 1 and isinstance(found[0], str):
        only = found[0]
        return lambda event: event.get(only, UNDEFINED)

    def get(event: Mapping[str, Any]) -> Any:
        at: Any = event
        for step in found:
            if isinstance(at, dict):
                at = at.get(str(step), UNDEFINED) if isinstance(step, int) else at.get(step, UNDEFINED)
            elif isinstance(at, list) and isinstance(step, int) and step < len(at):
                at = at[step]
            elif isinstance(at, list) and isinstance(step, str):
                inner = [
                    v for i in at if isinstance(i, dict) and (v := i.get(step, UNDEFINED)) is not UNDEFINED
                ]
                at = inner or UNDEFINED
            else:
                return UNDEFINED
            if at is UNDEFINED:
                return UNDEFINED
        return at

    return get
