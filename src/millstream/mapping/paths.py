"""Paths into an event: `$.traits.email`, `properties.items[0].sku`, `context['page'].url`. Segment's `get`, compiled.

A path is split at dots, at `[` before a digit or a quote, and at `]`; quotes around a key fall away. Any other bracket
belongs to the key. There is no escaping of dots, no wildcard, no negative index. A value on the way that JavaScript
takes for false ends the walk and is the result (`$.zero.x` is 0, `$.nothing.x` is null); `length` of arrays and text is
there as in JavaScript.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final

from millstream.mapping.values import UNDEFINED, truthy

MAX_STEPS: Final = 64
_SPLIT: Final = re.compile(r"""\.|\[(?=[\d'"])|\]""")

Steps = tuple[str, ...]
Getter = Callable[[Any], Any]


class PathError(Exception):
    """A path cannot be used; the message says why."""


@lru_cache(maxsize=4096)
def steps(path: str) -> Steps:
    """The keys of a path; none for the whole event. Raises `PathError`."""
    text = path.replace("$.", "", 1)
    if text in {"", "."}:
        return ()
    found = tuple(_unquoted(part) for part in _SPLIT.split(text) if part)
    if len(found) > MAX_STEPS:
        raise PathError(f"has more than {MAX_STEPS} steps")
    return found


def _unquoted(part: str) -> str:
    if len(part) > 1 and part[0] == part[-1] and part[0] in "'\"":
        return part[1:-1]
    return part


def step(at: Any, key: str) -> Any:
    """One key of a value that is not falsy."""
    if type(at) is dict:
        return at.get(key, UNDEFINED)
    if isinstance(at, str | list):
        if key == "length":
            return len(at)
        if key.isascii() and key.isdigit() and int(key[:9]) < len(at) and (key == "0" or key[0] != "0"):
            return at[int(key)]
    elif isinstance(at, dict):
        return at.get(key, UNDEFINED)
    return UNDEFINED


def getter(found: Steps) -> Getter:
    """A function from an event to the value at the path, or UNDEFINED."""
    if not found:
        return lambda event: event
    if len(found) == 1:
        only = found[0]

        def one(event: Any) -> Any:
            if type(event) is dict:
                return event.get(only, UNDEFINED)
            return step(event, only) if truthy(event) else event

        return one
    first, *others = found
    rest = tuple(others)

    def get(event: Any) -> Any:
        if type(event) is not dict:
            if not truthy(event):
                return event
            at = step(event, first)
        else:
            at = event.get(first, UNDEFINED)
        for key in rest:
            if type(at) is dict:
                at = at.get(key, UNDEFINED)
            elif truthy(at):
                at = step(at, key)
            else:
                return at
        return at

    return get


def path_getter(path: str) -> Getter:
    """The getter of a path. Raises `PathError`."""
    return getter(steps(path))
