"""`ProcessorStore` and `ProfileReader` on state.db."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
import zstandard

from millstream.eventlog.record import Offset
from millstream.eventlog.rejection import KEPT, Rejection
from millstream.eventlog.resolved import Annotation, ProfileView, Resolution
from millstream.pipeline.store import ProcessorCommit
from millstream.profiles.profile import ExternalId, Profile, view
from millstream.profiles.stored import pack, unpack
from millstream.storage.sqlite.connection import Readers
from millstream.storage.sqlite.recent import Recent
from millstream.storage.sqlite.writer import Writer

_encode_resolutions = msgspec.json.Encoder().encode
_decode_resolutions = msgspec.json.Decoder(list[Resolution]).decode
# What the first version wrote.
_decode_first_resolutions = msgspec.msgpack.Decoder(list[Resolution]).decode
_MANY = 400
# A generation of `Recent` each: bytes of profiles, with what a dict takes for one, and links.
_RECENT_BYTES = 16 * 1024 * 1024
_RECENT_LINKS = 32_768
_ENTRY_BYTES = 200


def chunks(items: Iterable[Any], size: int = _MANY) -> Iterable[Sequence[Any]]:
    """Lists of at most so many, for statements with bound lists."""
    found = list(items)
    for i in range(0, len(found), size):
        yield found[i : i + size]


def _resolutions(body: bytes) -> list[Resolution]:
    return _decode_resolutions(body) if body.startswith(b"[") else _decode_first_resolutions(body)


class SqliteProcessorStore:
    """See the ports in `pipeline.store` and `eventlog.resolved`."""

    def __init__(self, writer: Writer | None, readers: Readers) -> None:
        self._writer = writer
        self._readers = readers
        self._position: Offset | None = None
        # As the last commits left them. Only commits add here, so only the process that writes has any.
        self._bodies: Recent[str, bytes] = Recent(_RECENT_BYTES)
        self._links: Recent[ExternalId, str] = Recent(_RECENT_LINKS)

    async def commit(self, commit: ProcessorCommit) -> None:
        """One transaction; see the port."""
        if self._writer is None:
            raise sqlite3.OperationalError("opened read-only")
        bodies = {p.id: pack(p) for p in commit.profiles}
        await self._writer.run(lambda connection: self._write(connection, commit, bodies))
        self._position = commit.position
        self._bodies.add(bodies, sum(map(len, bodies.values())) + len(bodies) * _ENTRY_BYTES)
        self._links.add(commit.owners, len(commit.owners))
        for absorbed in commit.merged:
            self._bodies.drop(absorbed)

    def _write(self, c: sqlite3.Connection, commit: ProcessorCommit, bodies: Mapping[str, bytes]) -> None:
        if bodies:
            c.executemany(
                "INSERT INTO profile VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET body = excluded.body",
                bodies.items(),
            )
        if commit.identities:
            c.executemany(
                "INSERT INTO identity VALUES (?, ?, ?) "
                "ON CONFLICT (namespace, value) DO UPDATE SET profile = excluded.profile",
                [(e.namespace, e.value, p) for e, p in commit.identities.items()],
            )
        for absorbed, survivor in commit.merged.items():
            c.execute("INSERT OR REPLACE INTO merged VALUES (?, ?)", (absorbed, survivor))
            c.execute("UPDATE merged SET survivor = ? WHERE survivor = ?", (survivor, absorbed))
            c.execute("UPDATE waiting SET profile = ? WHERE profile = ?", (survivor, absorbed))
            c.execute("DELETE FROM profile WHERE id = ?", (absorbed,))
        if commit.annotations:
            squeeze = zstandard.ZstdCompressor(level=1).compress
            c.executemany(
                "INSERT OR REPLACE INTO annotation VALUES (?, ?, ?)",
                [
                    (a.base, len(a.resolutions), squeeze(_encode_resolutions(a.resolutions)))
                    for a in commit.annotations
                ],
            )
        if commit.rejections:
            c.executemany(
                "INSERT INTO rejection VALUES (NULL, ?, ?, ?, ?, ?, ?)",
                [
                    (r.offset, r.received_ms, r.source, r.reason, r.detail, r.payload)
                    for r in commit.rejections
                ],
            )
            c.execute(
                "DELETE FROM rejection WHERE number <= (SELECT max(number) FROM rejection) - ?", (KEPT,)
            )
        c.execute("INSERT OR REPLACE INTO meta VALUES ('position', ?)", (str(commit.position),))

    def position(self) -> Offset:
        """The first offset without annotation."""
        if self._position is None or self._writer is None:
            row = self._readers.one("SELECT value FROM meta WHERE name = 'position'")
            self._position = int(row[0]) if row else 0
        return self._position

    def annotations(self, offset: Offset, end: Offset) -> list[Annotation]:
        """Annotations that overlap the range."""
        rows = self._readers.all(
            "SELECT base, body FROM annotation WHERE base < ? AND base >= "
            "COALESCE((SELECT max(base) FROM annotation WHERE base <= ?), 0) ORDER BY base",
            (end, offset),
        )
        squash = zstandard.ZstdDecompressor().decompress
        return [Annotation(base, _resolutions(squash(body))) for base, body in rows]

    def find(self, ids: Iterable[ExternalId]) -> dict[ExternalId, str]:
        """The profile of each known external id."""
        by_namespace: dict[str, list[str]] = {}
        found, missing = self._links.split(ids)
        for namespace, value in missing:
            by_namespace.setdefault(namespace, []).append(value)
        # `value IN (…)` within one namespace searches the index; a list of row values makes SQLite scan a subquery
        # for each (1.3 against 20.6 µs an id).
        for namespace, values in by_namespace.items():
            for some in chunks(values):
                rows = self._readers.all(
                    "SELECT i.value, COALESCE(m.survivor, i.profile) FROM identity i "  # noqa: S608
                    "LEFT JOIN merged m ON m.absorbed = i.profile "
                    f"WHERE i.namespace = ? AND i.value IN ({','.join('?' * len(some))})",
                    [namespace, *some],
                )
                found.update((ExternalId(namespace, value), profile) for value, profile in rows)
        return found

    def load(self, ids: Iterable[str]) -> dict[str, Profile]:
        """The profiles under the ids asked for, for the caller to change."""
        bodies, missing = self._bodies.split(ids)
        if missing:
            bodies |= self._stored(missing)
        return {i: unpack(body) for i, body in bodies.items()}

    def _stored(self, asked: list[str]) -> dict[str, bytes]:
        """Bodies from the database; those that are not there may have been absorbed."""
        bodies = self._rows("SELECT id, body FROM profile WHERE id IN", asked)
        if len(bodies) < len(asked):
            gone = [i for i in asked if i not in bodies]
            survivors = self._rows("SELECT absorbed, survivor FROM merged WHERE absorbed IN", gone)
            theirs = self._rows("SELECT id, body FROM profile WHERE id IN", set(survivors.values()))
            bodies |= {i: theirs[s] for i, s in survivors.items() if s in theirs}
        return bodies

    def _rows(self, select: str, names: Iterable[str]) -> dict[str, Any]:
        """Pairs of a statement that ends with `IN`."""
        found: dict[str, Any] = {}
        for some in chunks(names):
            found.update(self._readers.all(f"{select} ({','.join('?' * len(some))})", some))
        return found

    def views(self, ids: Iterable[str]) -> dict[str, ProfileView]:
        """The profiles as delivery sees them."""
        return {i: view(p) for i, p in self.load(ids).items()}

    def rejections(self, offset: Offset) -> list[Rejection]:
        """The kept rejections from an offset on."""
        rows = self._readers.all(
            'SELECT "offset", received_ms, source, reason, detail, payload FROM rejection '
            'WHERE "offset" >= ? ORDER BY number',
            (offset,),
        )
        return [Rejection(*row) for row in rows]

    async def forget(self, profile_id: str) -> None:
        """Erase a person."""
        if self._writer is None:
            raise sqlite3.OperationalError("opened read-only")

        def work(c: sqlite3.Connection) -> None:
            names = [
                profile_id,
                *(r[0] for r in c.execute("SELECT absorbed FROM merged WHERE survivor = ?", (profile_id,))),
            ]
            for name in names:
                c.execute("DELETE FROM profile WHERE id = ?", (name,))
                c.execute("DELETE FROM identity WHERE profile = ?", (name,))
                c.execute("DELETE FROM merged WHERE absorbed = ?", (name,))

        await self._writer.run(work)
        self._bodies.clear()
        self._links.clear()

    def drop_annotations_before(self, offset: Offset) -> None:
        """Forget annotations of dropped log files."""
        if self._writer is not None:
            self._writer.submit(
                lambda c: c.execute("DELETE FROM annotation WHERE base + n <= ?", (offset,)) and None
            )

    def drop_rejections_before(self, received_ms: int) -> None:
        """Let go of old rejections."""
        if self._writer is not None:
            self._writer.submit(
                lambda c: c.execute("DELETE FROM rejection WHERE received_ms < ?", (received_ms,)) and None
            )

    async def close(self) -> None:
        """The writer is closed by `SqliteState`."""
