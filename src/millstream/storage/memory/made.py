"""`MadeStore` in memory: for trials."""

from __future__ import annotations

from collections.abc import Iterable

from millstream.delivery.operation import Key


class MemoryMadeStore:
    """Implements the port."""

    def __init__(self) -> None:
        self._made: dict[tuple[str, Key], int] = {}

    async def add(self, account: str, keys: Iterable[Key], at_ms: int) -> None:
        """Remember what is about to be made."""
        self._made.update({(account, key): at_ms for key in keys})

    async def remove(self, account: str, keys: Iterable[Key]) -> None:
        """Forget what could not be made."""
        for key in keys:
            self._made.pop((account, key), None)

    def names(self, account: str, kind: str, by: str, since_ms: int = 0) -> set[str]:
        """What was made of a kind since then."""
        return {
            key.value
            for (whose, key), at_ms in self._made.items()
            if (whose, key.object, key.by) == (account, kind, by) and at_ms >= since_ms
        }
