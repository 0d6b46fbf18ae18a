"""One writer thread per file: work is grouped, each group is one transaction, answers come after the fsync."""

from __future__ import annotations

import asyncio
import contextlib
import queue
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

T = TypeVar("T")
Work = Callable[[sqlite3.Connection], Any]


class WriterClosed(Exception):
    """The writer takes no more work."""


class Writer:
    """Runs pieces of work on its thread. Those that wait together share one transaction and one fsync.

    A piece that fails is rolled back alone (savepoint); the others of its group are committed.
    """

    def __init__(self, connection: sqlite3.Connection, name: str, *, group: int = 256) -> None:
        self._connection = connection
        self._group = group
        self._queue: queue.SimpleQueue[tuple[Work, Future[Any]] | None] = queue.SimpleQueue()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    async def run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Do the work in a transaction; return its value once that is durable."""
        return await asyncio.wrap_future(self.submit(work))

    def submit(self, work: Callable[[sqlite3.Connection], T]) -> Future[T]:
        """The same for callers without an event loop."""
        if self._closed:
            raise WriterClosed("closed")
        future: Future[T] = Future()
        self._queue.put((work, future))
        return future

    def close(self) -> None:
        """Finish what was submitted, checkpoint, close the connection."""
        if self._closed:
            return
        self._closed = True
        self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        ended = False
        while not ended:
            group: list[tuple[Work, Future[Any]]] = []
            first = self._queue.get()
            while True:
                if first is None:
                    ended = True
                    break
                if first[1].set_running_or_notify_cancel():  # from here on it cannot be cancelled
                    group.append(first)
                if len(group) >= self._group:
                    break
                try:
                    first = self._queue.get_nowait()
                except queue.Empty:
                    break
            if group:
                self._transaction(group)
        with contextlib.suppress(sqlite3.Error):
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self._connection.close()

    def _transaction(self, group: list[tuple[Work, Future[Any]]]) -> None:
        done: list[tuple[Future[Any], Any]] = []
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            for work, future in group:
                self._connection.execute("SAVEPOINT piece")
                try:
                    value = work(self._connection)
                except Exception as error:  # noqa: BLE001  (handed to whoever asked)
                    self._connection.execute("ROLLBACK TO piece")
                    future.set_exception(error)
                else:
                    done.append((future, value))
                self._connection.execute("RELEASE piece")
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            with contextlib.suppress(sqlite3.Error):
                self._connection.execute("ROLLBACK")
            for _, future in group:
                if not future.done():
                    future.set_exception(error)
            return
        for future, value in done:
            future.set_result(value)
