"""The event log on SQLite: files `log/<base>.db`, one zstd block row per group commit, an fsync before each answer.

One thread writes; appends that wait together share a commit. Old files are read-only and dropped whole. The base is in
the file name and the next base is where the last file ends, so offsets never start again.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import queue
import shutil
import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from millstream.eventlog.block import BlockCodec, needs_dictionary, train
from millstream.eventlog.log import Bounds, LogClosed, LogError, LogFull
from millstream.eventlog.record import Block, Offset, Record
from millstream.eventlog.waiters import Waiters
from millstream.storage.sqlite import connection
from millstream.storage.sqlite.connection import Readers

_SCHEMA: Final = (Path(__file__).parent / "log.sql").read_text()
_MAX_BLOCK: Final = 2000
_GROUP_EVENTS: Final = 8000
_CHECK_DISK_EVERY: Final = 64
# A dictionary is trained from the first events of a process, and anew for each file from the newest ones.
_SAMPLES: Final = 500
_SAMPLE_BYTES: Final = 8192
# Blocks are written once and read by others: pages that the writer keeps are of no use to anybody.
_CACHE_KIB: Final = 1024


@dataclass(frozen=True, slots=True)
class _Append:
    """Records that somebody waits for. Whoever stops waiting does not stop the writing."""

    records: Sequence[Record]
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[Offset]


def _answer(answers: list[tuple[_Append, Offset | LogError]]) -> None:
    """Tell everybody of a commit, with one wake-up of each event loop."""
    by_loop: dict[asyncio.AbstractEventLoop, list[tuple[asyncio.Future[Offset], Offset | LogError]]] = {}
    for append, answer in answers:
        by_loop.setdefault(append.loop, []).append((append.future, answer))
    for loop, mine in by_loop.items():
        with contextlib.suppress(RuntimeError):  # its loop has ended: nobody waits any more
            loop.call_soon_threadsafe(_resolve, mine)


def _resolve(answers: list[tuple[asyncio.Future[Offset], Offset | LogError]]) -> None:
    for future, answer in answers:
        if future.done():
            continue
        if isinstance(answer, LogError):
            future.set_exception(answer)
        else:
            future.set_result(answer)


class SqliteLog:
    """Implements `EventLog` in a folder."""

    def __init__(
        self,
        folder: Path,
        *,
        rotate_bytes: int = 256 * 1024 * 1024,
        min_free_bytes: int = 1024**3,
        free_bytes: Callable[[Path], int] = lambda path: shutil.disk_usage(path).free,
        read_only: bool = False,
    ) -> None:
        self._folder = folder
        self._rotate_bytes = rotate_bytes
        self._min_free = min_free_bytes
        self._free_bytes = free_bytes
        self._waiters = Waiters()
        self._codecs = threading.local()
        self._lock = threading.Lock()
        self._closed = False
        self._commits = 0
        self._samples: deque[bytes] = deque(maxlen=_SAMPLES)
        self._trained = False
        self._encoder = BlockCodec()
        self.full = False
        if not read_only:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._files: dict[Offset, Readers] = {}
        self._open_existing()
        self._queue: queue.SimpleQueue[_Append | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        if not read_only:
            if not self._files:
                self._new_file(0)
            self._writing = connection.writer(self._path(max(self._files)), cache_kib=_CACHE_KIB)
            self._end = self._find_end()
            self._adopt_dictionary()
            self._thread = threading.Thread(target=self._write, name="log writer", daemon=True)
            self._thread.start()

    async def append(self, records: Sequence[Record]) -> Offset:
        """Write the records and wait for the fsync; see the port."""
        if self._closed or self._thread is None:
            raise LogClosed("the log is closed")
        if self.full and self._is_full():
            raise LogFull(f"less than {self._min_free} bytes are free")
        if not records:
            return self._end
        loop = asyncio.get_running_loop()
        append = _Append(records, loop, loop.create_future())
        self._queue.put(append)
        return await append.future

    def read(self, offset: Offset, limit: int) -> list[Block]:
        """Whole blocks from the one that holds `offset` on."""
        return self._read(offset, limit, bodies=True)

    def read_headers(self, offset: Offset, limit: int) -> list[Block]:
        """The same without bodies."""
        return self._read(offset, limit, bodies=False)

    def bounds(self) -> Bounds:
        """First retained and next offset."""
        end = self._end if self._thread is not None else self._find_end()
        return Bounds(min(self._files, default=0), end)

    def find_time(self, received_ms: int) -> Offset:
        """The first offset received at or after that time, by the blocks' newest receipt."""
        for base in sorted(self._files):
            row = self._files[base].one(
                "SELECT base, header FROM block WHERE received_max >= ? ORDER BY base LIMIT 1", (received_ms,)
            )
            if row is not None:
                block = self._decode(base, (row[0], row[1], None))
                return next(
                    (block.base + i for i, at in enumerate(block.received_ms) if at >= received_ms), block.end
                )
        return self.bounds().end

    async def wait_for(self, offset: Offset) -> None:
        """Return once the end is beyond the offset."""
        future = self._waiters.add(offset)
        self._waiters.wake(self.bounds().end)
        await future

    def drop_before(self, offset: Offset) -> Offset:
        """Drop whole files before the offset; the newest stays."""
        with self._lock:
            bases = sorted(self._files)
            for base, following in itertools.pairwise(bases):
                if following > offset:
                    break
                self._files.pop(base).close()
                for suffix in ("", "-wal", "-shm"):
                    with contextlib.suppress(FileNotFoundError):
                        Path(f"{self._path(base)}{suffix}").unlink()
        return self.bounds().start

    def size_bytes(self) -> int:
        """All files, WALs included."""
        return sum(p.stat().st_size for p in self._folder.glob("*.db*"))

    async def close(self) -> None:
        """Finish what was accepted, then refuse."""
        if self._closed:
            return
        self._closed = True
        if self._thread is not None:
            self._queue.put(None)
            await asyncio.to_thread(self._thread.join)
            self._end_file(self._writing)
        for readers in self._files.values():
            readers.close()

    # --- the writer thread -------------------------------------------------------------------------------------------

    def _write(self) -> None:
        ended = False
        while not ended:
            group: list[_Append] = []
            events = 0
            item = self._queue.get()
            while True:
                if item is None:
                    ended = True
                    break
                group.append(item)
                events += len(item.records)
                if events >= _GROUP_EVENTS:
                    break
                try:
                    item = self._queue.get_nowait()
                except queue.Empty:
                    break
            if group:
                self._commit(group)

    def _commit(self, group: list[_Append]) -> None:
        """One transaction; everybody is answered only after it is durable."""
        base = self._end
        records = [r for append in group for r in append.records]
        try:
            self._rotate_if_due()
            self._writing.execute("BEGIN IMMEDIATE")
            at = base
            self._train_if_due(records)
            for i in range(0, len(records), _MAX_BLOCK):
                chunk = records[i : i + _MAX_BLOCK]
                header, body = self._encoder.encode(chunk)
                newest = max(r.received_ms for r in chunk)
                self._writing.execute(
                    "INSERT INTO block (base, n, received_max, header, body) VALUES (?, ?, ?, ?, ?)",
                    (at, len(chunk), newest, header, body),
                )
                at += len(chunk)
            self._writing.execute("COMMIT")
        except (sqlite3.Error, OSError, OverflowError) as error:
            with contextlib.suppress(sqlite3.Error):
                self._writing.execute("ROLLBACK")
            self._adopt_dictionary()
            failure = LogFull(str(error)) if "full" in str(error) else LogError(str(error))
            _answer([(append, failure) for append in group])
            return
        self._end = at
        answers: list[tuple[_Append, Offset | LogError]] = []
        for append in group:
            answers.append((append, base))
            base += len(append.records)
        _answer(answers)
        self._waiters.wake(at)
        self._commits += 1
        if self._commits % _CHECK_DISK_EVERY == 0:
            self._is_full()

    def _rotate_if_due(self) -> None:
        pages = self._writing.execute("PRAGMA page_count").fetchone()[0]
        if pages * 8192 < self._rotate_bytes:
            return
        self._end_file(self._writing)
        self._new_file(self._end)
        self._writing = connection.writer(self._path(self._end), cache_kib=_CACHE_KIB)
        self._encoder, self._trained = BlockCodec(), False

    def _adopt_dictionary(self) -> None:
        """What the file that is written to has, after a start or a commit that failed."""
        made = "CREATE TABLE IF NOT EXISTS dictionary (id INTEGER PRIMARY KEY CHECK (id = 1), body BLOB NOT NULL) STRICT"
        with contextlib.suppress(sqlite3.Error):
            self._writing.execute(made)  # files of before there were dictionaries
        row = self._writing.execute("SELECT body FROM dictionary").fetchone()
        self._encoder, self._trained = BlockCodec(row[0] if row else None), row is not None

    def _train_if_due(self, records: Sequence[Record]) -> None:
        """Once a file has seen enough events: a dictionary of its own, stored in the transaction that first uses it."""
        if self._trained:
            if self._commits % 16 == 0:
                self._samples.extend(r.body[:_SAMPLE_BYTES] for r in records[:8])
            return
        self._samples.extend(r.body[:_SAMPLE_BYTES] for r in records)
        if len(self._samples) < _SAMPLES:
            return
        self._trained = True
        dictionary = train(self._samples)
        if dictionary is not None:
            self._writing.execute("INSERT OR REPLACE INTO dictionary VALUES (1, ?)", (dictionary,))
            self._encoder = BlockCodec(dictionary)

    def _end_file(self, finished: sqlite3.Connection) -> None:
        with contextlib.suppress(sqlite3.Error):
            finished.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        finished.close()

    # --- files -------------------------------------------------------------------------------------------------------

    def _path(self, base: Offset) -> Path:
        return self._folder / f"{base:016d}.db"

    def _open_existing(self) -> None:
        for path in sorted(self._folder.glob("*.db")):
            if path.stem.isdigit():
                self._files.setdefault(int(path.stem), Readers(path))

    def _new_file(self, base: Offset) -> None:
        made = connection.writer(self._path(base))
        made.executescript(_SCHEMA)
        made.close()
        with self._lock:
            self._files[base] = Readers(self._path(base))

    def _find_end(self) -> Offset:
        if self._thread is None:
            self._open_existing()
        for base in sorted(self._files, reverse=True):
            row = self._files[base].one("SELECT base + n FROM block ORDER BY base DESC LIMIT 1")
            return int(row[0]) if row is not None else base
        return 0

    def _read(self, offset: Offset, limit: int, *, bodies: bool) -> list[Block]:
        columns = "base, header, body" if bodies else "base, header, NULL"
        found: list[Block] = []
        count = 0
        with self._lock:
            bases = sorted(self._files)
        for base, following in zip(bases, [*bases[1:], None], strict=True):
            if following is not None and following <= offset:
                continue
            readers = self._files.get(base)
            at = offset
            while readers is not None and count < max(limit, 1):
                rows = readers.all(
                    f"SELECT {columns} FROM block WHERE base >= "  # noqa: S608  (columns are ours)
                    "COALESCE((SELECT max(base) FROM block WHERE base <= ?), 0) ORDER BY base LIMIT 16",
                    (at,),
                )
                decoded = [self._decode(base, row) for row in rows]
                fresh = [b for b in decoded if b.end > at]
                if not fresh:
                    break
                for block in fresh:
                    if count >= max(limit, 1):
                        break
                    found.append(block)
                    count += len(block)
                    at = block.end
            offset = max(offset, at)
            if count >= max(limit, 1):
                break
        return found

    def _decode(self, file: Offset, row: tuple[Offset, bytes, bytes | None]) -> Block:
        """A row of one file as a block; its dictionary is read when the first frame needs it."""
        codecs: dict[Offset, BlockCodec] = self._codecs.__dict__.setdefault("by_file", {})
        codec = codecs.get(file)
        needed = row[2] is not None and needs_dictionary(row[2])
        if codec is None or (needed and not codec.has_dictionary):
            for dropped in [base for base in codecs if base not in self._files]:
                del codecs[dropped]
            found = self._files[file].one("SELECT body FROM dictionary") if needed else None
            codec = codecs[file] = BlockCodec(found[0] if found else None)
        return codec.decode(*row)

    def _is_full(self) -> bool:
        self.full = self._free_bytes(self._folder) < self._min_free
        return self.full
