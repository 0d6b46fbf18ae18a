"""What is known of one record at a destination: the values it confirmed last, and when they were said. Pure.

Records are the largest part of what delivery remembers, and every confirmation rewrites one whole: short values are
kept as they are, others as a hash.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any, Final

from millstream.delivery.operation import Key
from millstream.delivery.statement import Statement

Fingerprint = str | int | bytes
_SHORT: Final = 32
_INT64: Final = range(-(2**63), 2**63)
_NOTHING: Final = object()


def fingerprint(value: Any) -> Fingerprint:
    """What tells a written value from another: short text and integers are themselves, anything else is a hash.

    The hash outlives the process. `True` is not the integer 1: HubSpot's text for the two differs.
    """
    kind = type(value)
    if (kind is str and len(value) <= _SHORT) or (kind is int and value in _INT64):
        return value  # type: ignore[no-any-return]
    return blake2b(repr(value).encode(), digest_size=8).digest()


@dataclass(slots=True)
class RecordState:
    """A record's id at the destination, and the fingerprints of the values that it confirmed last, at `at_ms`."""

    key: Key
    id: str
    confirmed: Statement = field(default_factory=Statement)
    at_ms: int = 0

    def copy(self) -> RecordState:
        """The same, on its own."""
        return RecordState(self.key, self.id, self.confirmed.copy(), self.at_ms)

    def news(self, said: Statement, *, fresh: bool) -> tuple[Statement, bool]:
        """What the record does not have, and whether anything was left out for being older than what it has.

        Unless `fresh`, values that it does have count as news too: somebody may have changed them there.
        """
        behind = said.behind(self.confirmed)
        news = said.without(behind)
        return news.without(self._held(news.values)) if fresh else news, bool(behind)

    def confirm(self, said: Statement, at_ms: int) -> None:
        """The destination has these values now, as far as it does not have newer ones."""
        self.at_ms = at_ms
        self.confirmed.fold(Statement(_fingerprints(said.values), said.stamp, said.earlier))

    def _held(self, values: Mapping[str, Any]) -> set[str]:
        """Those that the record has; spelled out because it runs for every property of every write."""
        held = self.confirmed.values.get
        return {
            name
            for name, value in values.items()
            if held(name, _NOTHING)
            == (value if type(value) is str and len(value) <= _SHORT else fingerprint(value))
        }


def _fingerprints(values: Mapping[str, Any]) -> dict[str, Fingerprint]:
    """The fingerprint of each value; spelled out for the same reason."""
    return {
        name: value if type(value) is str and len(value) <= _SHORT else fingerprint(value)
        for name, value in values.items()
    }
