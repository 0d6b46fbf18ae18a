"""How much one evaluation may produce: a budget of text that the directives draw on. Hostile input meets it early."""

from __future__ import annotations

import threading
from typing import Final

from millstream.mapping.errors import MappingFailed

MAX_BYTES: Final = 1_000_000


class _Budget(threading.local):
    left: int = MAX_BYTES


_budget = _Budget()


def begin() -> None:
    """A new evaluation."""
    _budget.left = MAX_BYTES


def produce(text: str) -> str:
    """Text that an evaluation makes. Raises `MappingFailed` when it is more than `MAX_BYTES` in all."""
    _budget.left -= len(text)
    if _budget.left < 0:
        raise MappingFailed(f"the output is larger than {MAX_BYTES} characters")
    return text


def produce_items(count: int) -> None:
    """The same for structure: so many keys or items."""
    _budget.left -= 16 * count
    if _budget.left < 0:
        raise MappingFailed(f"the output is larger than {MAX_BYTES} characters")
