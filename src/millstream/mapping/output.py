"""How much one evaluation may do and give: a budget that the directives draw on, and what the result is held to.

Hostile input meets the budget early. What is not made but only referred to, such as the same large part of an event many
times, is found when the result is held.
"""

from __future__ import annotations

import threading
from typing import Any, Final

from millstream.mapping.bounds import MAX_DEPTH
from millstream.mapping.errors import MappingFailed

MAX_BYTES: Final = 1_000_000
# What a key or an item costs beside its text, and what evaluating one part of a shape once does: 25,000 take 5 to 50 ms.
_ITEM: Final = 16
_STEP: Final = 40


class _Budget(threading.local):
    left: int = MAX_BYTES


_budget = _Budget()


def begin() -> None:
    """A new evaluation."""
    _budget.left = MAX_BYTES


def produce(text: str, times: int = 1) -> str:
    """Text that an evaluation makes. Raises `MappingFailed` when it is more than `MAX_BYTES` in all.

    Text that is dear to make or to go through counts several times.
    """
    _budget.left -= len(text) * times
    if _budget.left < 0:
        raise _too_large()
    return text


def produce_items(count: int) -> None:
    """The same for structure: so many keys or items."""
    _spend(_ITEM * count)


def repeat(times: int, weight: int) -> None:
    """The same for work: a shape of this weight (`bounds.weight`) so many times."""
    _spend(_STEP * times * weight)


def held(output: Any) -> Any:
    """The output. Raises `MappingFailed` when it is larger or deeper than one may be."""
    if not isinstance(output, dict | list):
        return output
    left = MAX_BYTES
    level: list[Any] = [output]
    for _ in range(MAX_DEPTH + 1):
        inner: list[Any] = []
        for container in level:
            left -= _ITEM * len(container)
            if left < 0:
                raise _too_large()
            for value in container.values() if type(container) is dict else container:
                kind = type(value)
                if kind is str:
                    left -= len(value)
                elif kind is dict or kind is list:
                    inner.append(value)
        if left < 0:
            raise _too_large()
        if not inner:
            return output
        level = inner
    raise MappingFailed(f"the output is nested deeper than {MAX_DEPTH}")


def _spend(cost: int) -> None:
    _budget.left -= cost
    if _budget.left < 0:
        raise _too_large()


def _too_large() -> MappingFailed:
    return MappingFailed(f"the output is larger than {MAX_BYTES} characters")
