"""How large a mapping may be, so that compiling and running any of them takes milliseconds; what its parts weigh."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from millstream.mapping.errors import MappingProblem

MAX_DEPTH: Final = 64
# 2,000 parts take 5 to 25 ms to compile, whichever they are. Our presets' largest has 55,
# the largest of Segment's own tests 208.
MAX_WEIGHT: Final = 2000
MAX_CHARACTERS: Final = 64_000
# Characters of Liquid that take as long as any other part.
_LIQUID: Final = 5


def problems(mapping: Any) -> Iterator[MappingProblem]:
    """What is too large about a mapping; without recursion, and without looking at more than is allowed."""
    weight = characters = 0
    level = [mapping]
    for _ in range(MAX_DEPTH + 2):
        inner: list[Any] = []
        for value in level:
            weight += _own(value)
            characters += _length(value)
            if weight > MAX_WEIGHT:
                yield MappingProblem("/", f"is larger than {MAX_WEIGHT} values, template holes included")
                return
            if characters > MAX_CHARACTERS:
                yield MappingProblem("/", f"is longer than {MAX_CHARACTERS} characters")
                return
            if isinstance(value, dict | list):
                inner += value.values() if isinstance(value, dict) else value
        level = inner
    if level:
        yield MappingProblem("/", f"is nested deeper than {MAX_DEPTH}")


def weight(mapping: Any) -> int:
    """What evaluating it once costs, about: its values and the holes of its templates."""
    inner = mapping.values() if isinstance(mapping, dict) else mapping if isinstance(mapping, list) else ()
    return _own(mapping) + sum(map(weight, inner))


def _own(value: Any) -> int:
    """A value without what is in it."""
    if isinstance(value, str):
        return 1 + value.count("{{")
    if isinstance(value, dict) and isinstance(liquid := value.get("@liquid"), str):
        return 1 + len(liquid) // _LIQUID
    return 1


def _length(value: Any) -> int:
    """The characters of a text, or of an object's keys."""
    if isinstance(value, str):
        return len(value)
    return sum(len(str(key)) for key in value) if isinstance(value, dict) else 0
