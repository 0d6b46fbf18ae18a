"""Which key each name was made of, so that two keys that meet in one property over time are noted (SEMANTICS 11)."""

from __future__ import annotations

from typing import Final

# As many as a portal may have definitions with properties; keys that are made up all the time do not fill the memory.
_REMEMBERED: Final = 20_000


class Origins:
    """The key that each name of each scope (an object type, an event) came from first, as far as it is remembered."""

    def __init__(self) -> None:
        self._keys: dict[tuple[str, str], str] = {}

    def differ(self, scope: str, name: str, key: str) -> bool:
        """Whether the name was made of another key before; case makes no other key."""
        asked, low = (scope, name), key.lower()
        known = self._keys.get(asked)
        if known is not None:
            return known != low
        if len(self._keys) >= _REMEMBERED:
            del self._keys[next(iter(self._keys))]
        self._keys[asked] = low
        return False
