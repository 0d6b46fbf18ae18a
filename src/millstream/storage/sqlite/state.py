"""state.db: one file, one writer thread, the stores on it."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Final

from millstream.storage.sqlite import connection
from millstream.storage.sqlite.connection import Readers
from millstream.storage.sqlite.deliveries import SqliteDeliveryStore
from millstream.storage.sqlite.made import SqliteMadeStore
from millstream.storage.sqlite.processor import SqliteProcessorStore
from millstream.storage.sqlite.writer import Writer

_HERE: Final = Path(__file__).parent
SCHEMA: Final = (_HERE / "state.sql").read_text()
# What leads from one version to the next; all of them together make `SCHEMA` (a test compares).
MIGRATIONS: Final = {int(p.name[:4]): p.read_text() for p in sorted((_HERE / "migrations").glob("*.sql"))}
SCHEMA_VERSION: Final = max(MIGRATIONS)


class StateOfOtherVersion(Exception):
    """The file was written by a newer version; or by an older one, and is only to be read."""


class SqliteState:
    """Opens state.db (and makes it when it is not there)."""

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        self._writer: Writer | None = None
        if not read_only:
            opened = connection.writer(path)
            self._migrate(opened)
            self._writer = Writer(opened, "state writer")
        self._readers = Readers(path)
        if read_only and (version := self._readers.one("PRAGMA user_version")[0]) != SCHEMA_VERSION:
            self._readers.close()
            raise StateOfOtherVersion(
                f"state.db has schema {version}, this version reads {SCHEMA_VERSION}; a server that starts brings an "
                "older one forward"
            )
        self.processor = SqliteProcessorStore(self._writer, self._readers)
        self.deliveries = SqliteDeliveryStore(self._writer, self._readers)
        self.made = SqliteMadeStore(self._writer, self._readers)

    def close(self) -> None:
        """Finish commits, close."""
        if self._writer is not None:
            self._writer.close()
        self._readers.close()

    @staticmethod
    def _migrate(opened: sqlite3.Connection) -> None:
        version = opened.execute("PRAGMA user_version").fetchone()[0]
        if version > SCHEMA_VERSION:
            opened.close()
            raise StateOfOtherVersion(f"state.db has schema {version}; this version knows {SCHEMA_VERSION}")
        if version == 0:
            opened.executescript(f"BEGIN; {SCHEMA}; PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;")
            return
        for number in range(version + 1, SCHEMA_VERSION + 1):
            opened.executescript(f"BEGIN; {MIGRATIONS[number]}; PRAGMA user_version = {number}; COMMIT;")
