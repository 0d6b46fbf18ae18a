"""`MadeStore` on state.db."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any

from millstream.delivery.operation import Key
from millstream.storage.sqlite.connection import Readers
from millstream.storage.sqlite.writer import Writer


class SqliteMadeStore:
    """See the port in `destinations.made`."""

    def __init__(self, writer: Writer | None, readers: Readers) -> None:
        self._writer = writer
        self._readers = readers

    async def add(self, account: str, keys: Iterable[Key], at_ms: int) -> None:
        """Remember what is about to be made."""
        rows = [(account, *key, at_ms) for key in keys]
        await self._run("INSERT OR REPLACE INTO made VALUES (?, ?, ?, ?, ?)", rows)

    async def remove(self, account: str, keys: Iterable[Key]) -> None:
        """Forget what could not be made."""
        rows = [(account, *key) for key in keys]
        await self._run("DELETE FROM made WHERE account = ? AND object = ? AND by = ? AND value = ?", rows)

    def names(self, account: str, kind: str, by: str, since_ms: int = 0) -> set[str]:
        """What was made of a kind since then."""
        rows = self._readers.all(
            "SELECT value FROM made WHERE account = ? AND object = ? AND by = ? AND at_ms >= ?",
            (account, kind, by, since_ms),
        )
        return {value for (value,) in rows}

    async def _run(self, sql: str, rows: Sequence[tuple[Any, ...]]) -> None:
        if self._writer is None:
            raise sqlite3.OperationalError("opened read-only")
        await self._writer.run(lambda connection: connection.executemany(sql, rows))
