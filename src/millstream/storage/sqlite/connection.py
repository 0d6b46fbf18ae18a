"""SQLite connections with the settings that durability and prompt readers need (reference: engine trials, §7)."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path
from typing import Any

from millstream.eventlog.failure import StorageFailed


def writer(path: Path, *, cache_kib: int = 32 * 1024) -> sqlite3.Connection:
    """The one writing connection of a file: WAL, fsync at every commit, checkpoints by itself alone.

    `cache_kib` bounds the pages that it keeps; SQLite fills the cache before it lets go of any.
    """
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA page_size = 8192")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA journal_size_limit = 67108864")
    connection.execute(f"PRAGMA cache_size = -{cache_kib}")
    connection.execute("PRAGMA temp_store = MEMORY")
    return connection


def reader(path: Path) -> sqlite3.Connection:
    """A connection that cannot write. Raises `sqlite3.OperationalError` when the file is not there."""
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)
    connection.execute("PRAGMA query_only = ON")
    connection.execute("PRAGMA busy_timeout = 5000")
    return connection


class Unreadable(StorageFailed, sqlite3.DatabaseError):
    """SQLite cannot read the file: for those who know which storage it is, and for those who do not."""


class Readers:
    """One reading connection per thread. No cursor is left open, so readers never hold the WAL."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._local = threading.local()
        self._all: list[sqlite3.Connection] = []
        self._lock = threading.Lock()

    def all(self, sql: str, parameters: Any = ()) -> list[Any]:
        """All rows at once. Raises `Unreadable`."""
        try:
            return self._connection().execute(sql, parameters).fetchall()
        except sqlite3.ProgrammingError:  # a parameter that SQLite does not take: the caller's
            raise
        except sqlite3.DatabaseError as error:
            raise Unreadable(str(error)) from error

    def one(self, sql: str, parameters: Any = ()) -> Any:
        """The first row, or None."""
        rows = self.all(sql, parameters)
        return rows[0] if rows else None

    def close(self) -> None:
        """Close every thread's connection."""
        with self._lock:
            for connection in self._all:
                connection.close()
            self._all.clear()

    def _connection(self) -> sqlite3.Connection:
        found: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if found is None:
            found = sqlite3.connect(
                f"{self._path.absolute().as_uri()}?mode=ro",
                uri=True,
                isolation_level=None,
                check_same_thread=False,
            )
            found.execute("PRAGMA query_only = ON")
            found.execute("PRAGMA busy_timeout = 5000")
            self._local.connection = found
            with self._lock:
                self._all.append(found)
        return found
