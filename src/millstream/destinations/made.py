"""The port of what we made in destinations' schemas: limits count it, and no restart forgets it.

Adapters: `storage.memory.made`, `storage.sqlite.made`; one conformance suite for both.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from millstream.delivery.operation import Key


class MadeStore(Protocol):
    """What was made in each account, which is a portal's id: destinations of one portal share its limits."""

    async def add(self, account: str, keys: Iterable[Key], at_ms: int) -> None:
        """Remember what is about to be made; what is there already takes the new time. Returns when it is durable."""

    async def remove(self, account: str, keys: Iterable[Key]) -> None:
        """Forget what could not be made."""

    def names(self, account: str, kind: str, by: str, since_ms: int = 0) -> set[str]:
        """The values of the keys with this object and `by` that were added at or after that time."""
