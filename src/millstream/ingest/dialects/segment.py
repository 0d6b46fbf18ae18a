"""Segment's wire format: single calls, batches and the pixel. RudderStack's SDKs send the same, see `rudderstack`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

LETTERS: Final = {"i": "identify", "t": "track", "p": "page", "s": "screen", "g": "group", "a": "alias"}


class Malformed(Exception):
    """The request as a whole cannot be read; `code` and the message go into the answer."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def items(body: Any) -> list[Any]:
    """The items of a batch. Raises `Malformed`."""
    if not isinstance(body, dict):
        raise Malformed("invalid_json", "the body must be a JSON object")
    batch = body.get("batch")
    if not isinstance(batch, list):
        raise Malformed("empty_batch", "`batch` must be a list of calls")
    if not batch:
        raise Malformed("empty_batch", "`batch` is empty")
    return batch


def from_query(query: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """The pixel's flat dotted query (`properties.x=1`) as a call."""
    call: dict[str, Any] = {}
    for name, value in query:
        at = call
        *outer, last = name.split(".")[:8]
        for step in outer:
            inner = at.setdefault(step, {})
            if not isinstance(inner, dict):
                break
            at = inner
        else:
            at[last] = value
    return call
