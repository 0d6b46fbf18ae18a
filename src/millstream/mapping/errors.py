"""What can be wrong with a mapping.

MappingError
MappingInvalid       it cannot be used at all: `problems` says where and what, all at once
MappingFailed        evaluating it for this event failed
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class MappingProblem:
    """One thing that is wrong: `/path/to/it`, what, and what to do. The words are Segment's where it has them."""

    path: str
    message: str
    hint: str = ""

    def __str__(self) -> str:
        """As in `/a/@path should be a string or a mapping directive but it is a number.`, and that is all."""
        return f"{self.path} {self.message}." if self.path else self.message


class MappingError(Exception):
    """Something is wrong with a mapping."""


class MappingInvalid(MappingError):
    """The mapping cannot be used."""

    def __init__(self, problems: Sequence[MappingProblem]) -> None:
        super().__init__(" ".join(str(p) for p in problems))
        self.problems = tuple(problems)


class MappingFailed(MappingError):
    """The mapping gave no result for this event."""
