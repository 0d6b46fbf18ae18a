"""JSON that is almost JSON, read as whoever sent it meant it: one cut emoji is no reason to lose a batch.

Only what the fast decoder refuses comes here, since it takes five times as long (45 ms for a MB); docs/tracking-api.md
lists what is mended and into what.
"""

from __future__ import annotations

import json
import math


def repaired(raw: bytes) -> str:
    """The body as JSON proper. Raises `ValueError` for what no repair makes JSON, and `RecursionError`."""
    text = json.dumps(_lenient.decode(raw.decode("utf-8-sig", "replace")), ensure_ascii=False)
    # Halves of surrogate pairs are whole only together: the way through UTF-16 replaces each that is alone.
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _fraction(text: str) -> float | str:
    """A number that no double holds stays what was written."""
    found = float(text)
    return found if math.isfinite(found) else text


def _integer(text: str) -> int | str:
    """An integer with more digits than Python reads stays what was written."""
    try:
        return int(text)
    except ValueError:
        return text


def _nothing(_name: str) -> None:
    """`NaN` and the infinities, as `JSON.stringify` writes them: Python's `json.dumps` does not."""


_lenient = json.JSONDecoder(strict=False, parse_float=_fraction, parse_int=_integer, parse_constant=_nothing)
