"""state.db: one file, one writer thread, the stores of processor and deliveries on it."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Final

from millstream.storage.sqlite import connection
from millstream.storage.sqlite.connection import Readers
from millstream.storage.sqlite.deliveries import SqliteDeliveryStore
from millstream.storage.sqlite.processor import SqliteProcessorStore
from millstream.storage.sqlite.writer import Writer

SCHEMA_VERSION: Final = 1
_SCHEMA: Final = (Path(__file__).parent / "state.sql").read_text()


class StateTooNew(Exception):
    """The file was written by a newer version."""


class SqliteState:
    """Opens state.db (and makes it when it is not there)."""

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        self._writer: Writer | None = None
        if not read_only:
            opened = connection.writer(path)
            self._migrate(opened)
            self._writer = Writer(opened, "state writer")
        self._readers = Readers(path)
        self.processor = SqliteProcessorStore(self._writer, self._readers)
        self.deliveries = SqliteDeliveryStore(self._writer, self._readers)

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
            raise StateTooNew(f"state.db has schema {version}; this version knows {SCHEMA_VERSION}")
        if version == 0:
            opened.executescript(f"BEGIN; {_SCHEMA}; PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;")
