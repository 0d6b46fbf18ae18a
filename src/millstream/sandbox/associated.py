"""Which records are associated, in both directions, found from either end without a search."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

Kinds = Mapping[int, str]
Key = tuple[str, str, str, str]
_NONE: Final[dict[str, int]] = {}


class Associations:
    """(from type, to type) → from id → to id → the kinds of the association, as a number of `kinds`.

    A portal knows a handful of combinations of kinds and may hold millions of associations: each refers to its
    combination by number.
    """

    def __init__(self) -> None:
        self.kinds: list[dict[int, str]] = []
        self.pairs: dict[tuple[str, str], dict[str, dict[str, int]]] = {}
        self._numbers: dict[tuple[tuple[int, str], ...], int] = {}

    def add(self, left: str, i: str, right: str, j: str, kinds: Kinds) -> None:
        """Kinds of one direction, beside those that are there."""
        targets = self.pairs.setdefault((left, right), {}).setdefault(i, {})
        known = targets.get(j)
        targets[j] = self.number(kinds if known is None else {**self.kinds[known], **kinds})

    def number(self, kinds: Kinds) -> int:
        """The number of a combination."""
        key = tuple(sorted(kinds.items()))
        found = self._numbers.get(key)
        if found is None:
            found = self._numbers[key] = len(self.kinds)
            self.kinds.append(dict(key))
        return found

    def drop(self, left: str, i: str, right: str, j: str, kind: int) -> None:
        """One kind of one direction; the association ends with its last kind."""
        targets = self.pairs.get((left, right), {}).get(i, _NONE)
        known = targets.get(j)
        if known is None:
            return
        rest = {n: c for n, c in self.kinds[known].items() if n != kind}
        if rest:
            targets[j] = self.number(rest)
        else:
            self._forget(left, i, right, j)

    def remove(self, left: str, i: str, right: str, j: str) -> None:
        """All kinds of both directions."""
        self._forget(left, i, right, j)
        self._forget(right, j, left, i)

    def of(self, left: str, i: str, right: str) -> dict[str, Kinds]:
        """What a record is associated with, by id."""
        found = self.pairs.get((left, right), {}).get(i, _NONE)
        return {j: self.kinds[number] for j, number in found.items()}

    def dissociate(self, gone_type: str, gone: str) -> None:
        """A record is gone: so are its associations."""
        for left, right in list(self.pairs):
            if left == gone_type:
                for j in list(self.pairs[left, right].get(gone, _NONE)):
                    self.remove(left, gone, right, j)

    def reassociate(self, moved_type: str, old: str, new: str) -> None:
        """A record became another: its associations follow; one between the two is gone."""
        for left, right in list(self.pairs):
            if left != moved_type:
                continue
            for j, there in self.of(left, old, right).items():
                back = self.of(right, j, left).get(old, {})
                self.remove(left, old, right, j)
                if right != moved_type or j not in {old, new}:
                    self.add(left, new, right, j, there)
                    self.add(right, j, left, new, back)

    def items(self) -> Iterator[tuple[Key, Kinds]]:
        """All, each direction by itself."""
        for (left, right), from_ids in self.pairs.items():
            for i, targets in from_ids.items():
                for j, number in targets.items():
                    yield (left, i, right, j), self.kinds[number]

    def __len__(self) -> int:
        """How many, each direction counted."""
        return sum(len(t) for from_ids in self.pairs.values() for t in from_ids.values())

    def _forget(self, left: str, i: str, right: str, j: str) -> None:
        from_ids = self.pairs.get((left, right))
        targets = from_ids.get(i) if from_ids is not None else None
        if from_ids is None or targets is None:
            return
        targets.pop(j, None)
        if not targets:
            del from_ids[i]
