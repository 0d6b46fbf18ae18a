"""`DeliveryStore` on state.db."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec
import zstandard

from millstream.delivery.ledger import worst_of
from millstream.delivery.operation import Job, Key
from millstream.delivery.outcome import Outcome, Reason, State
from millstream.delivery.record_state import RecordState
from millstream.delivery.statement import Stamp, Statement
from millstream.delivery.store import DeadLetter, DeliveryCommit, ParkedRow, Position, WaitingRow
from millstream.eventlog.record import Offset
from millstream.storage.sqlite.connection import Readers
from millstream.storage.sqlite.writer import Writer

CHUNK: Final = 500
_Effects = list[tuple[str, str, int, str, str, list[str], str]]
_details_decode = msgspec.msgpack.Decoder(dict[int, _Effects]).decode
# What `record.confirmed` holds: values, stamp, what was said earlier (`Statement`); older versions wrote a map of
# property -> fingerprint, time, offset, which is read as it is and renewed when the record is next confirmed.
_Known = tuple[dict[str, Any], int, Offset, dict[str, Stamp]]
_Before = dict[str, tuple[str | int, int, Offset]]
_known_decode = msgspec.msgpack.Decoder(_Known | _Before).decode
_pack = msgspec.msgpack.Encoder().encode
_LETTER = 'id, "offset", mapping, effect, reason, detail, at_ms, message_id, body, profile, email, request'


class SqliteDeliveryStore:
    """See the port in `delivery.store`."""

    def __init__(self, writer: Writer | None, readers: Readers) -> None:
        self._writer = writer
        self._readers = readers

    async def commit(self, commit: DeliveryCommit) -> None:
        """One transaction; see the port."""
        if self._writer is None:
            raise sqlite3.OperationalError("opened read-only")
        # Encoded here, not on the writer's thread: what is known of a record changes while it is written.
        d = commit.destination
        records = [(d, *r.key, r.id, r.at_ms, _packed(r.confirmed)) for r in commit.records]
        await self._writer.run(lambda connection: _write(connection, commit, records))

    def position(self, destination: str) -> Position | None:
        """Where the destination stands."""
        row = self._readers.one(
            "SELECT start, decided, read_to FROM position WHERE destination = ?", (destination,)
        )
        return Position(*row) if row else None

    def states(self, destination: str, base: Offset, end: Offset) -> bytes:
        """The state byte of each offset of the range."""
        found = bytearray(max(end - base, 0))
        rows = self._readers.all(
            "SELECT chunk, states FROM outcome WHERE destination = ? AND chunk BETWEEN ? AND ?",
            (destination, base // CHUNK, end // CHUNK),
        )
        for chunk, states in rows:
            for i, state in enumerate(states):
                at = chunk * CHUNK + i - base
                if 0 <= at < len(found):
                    found[at] = state
        return bytes(found)

    def outcomes(self, destination: str, offset: Offset) -> list[Outcome]:
        """The outcomes of one event."""
        row = self._readers.one(
            "SELECT details FROM outcome WHERE destination = ? AND chunk = ?", (destination, offset // CHUNK)
        )
        if row is None:
            return []
        return _outcomes(offset, _unpack(row[0]).get(offset, []))

    def tally(self, destination: str) -> dict[tuple[State, Reason], int]:
        """Events by worst state and reason."""
        rows = self._readers.all(
            "SELECT state, reason, n FROM tally WHERE destination = ? AND n != 0", (destination,)
        )
        return {(State(s), Reason(r)): n for s, r, n in rows}

    def waiting(self, destination: str, profiles: Sequence[str]) -> list[WaitingRow]:
        """What waits for these profiles."""
        marks = ",".join("?" * len(profiles))
        return _waiting(
            self._readers.all(
                f'SELECT profile, "offset", mapping, effect, since_ms FROM waiting '  # noqa: S608
                f'WHERE destination = ? AND profile IN ({marks}) ORDER BY "offset"',
                (destination, *profiles),
            )
        )

    def waiting_before(self, destination: str, since_ms: int, limit: int) -> list[WaitingRow]:
        """The oldest waiting rows."""
        return _waiting(
            self._readers.all(
                'SELECT profile, "offset", mapping, effect, since_ms FROM waiting '
                "WHERE destination = ? AND since_ms < ? ORDER BY since_ms LIMIT ?",
                (destination, since_ms, limit),
            )
        )

    def waiting_count(self, destination: str, profile: str | None = None) -> int:
        """How many wait."""
        if profile is None:
            return int(
                self._readers.one("SELECT count(*) FROM waiting WHERE destination = ?", (destination,))[0]
            )
        return int(
            self._readers.one(
                "SELECT count(*) FROM waiting WHERE destination = ? AND profile = ?", (destination, profile)
            )[0]
        )

    def first_reference(self, destination: str) -> Offset | None:
        """The lowest offset that is still needed."""
        row = self._readers.one(
            'SELECT min(at) FROM (SELECT min("offset") AS at FROM waiting WHERE destination = ?1 '
            'UNION ALL SELECT min("offset") FROM parked WHERE destination = ?1)',
            (destination,),
        )
        return int(row[0]) if row and row[0] is not None else None

    def parked(self, destination: str) -> list[ParkedRow]:
        """All parked rows, by due time."""
        rows = self._readers.all(
            'SELECT "offset", mapping, effect, profile, tries, due_ms FROM parked '
            "WHERE destination = ? ORDER BY due_ms",
            (destination,),
        )
        return [ParkedRow(Job(o, m, e), profile, tries, due) for o, m, e, profile, tries, due in rows]

    def parked_count(self, destination: str) -> int:
        """How many are parked."""
        return int(self._readers.one("SELECT count(*) FROM parked WHERE destination = ?", (destination,))[0])

    def dead_letters(
        self,
        destination: str,
        *,
        reason: str | None = None,
        since_ms: int = 0,
        until_ms: int | None = None,
        after_id: int = 0,
        limit: int = 100,
    ) -> list[DeadLetter]:
        """Dead letters by id."""
        rows = self._readers.all(
            f"SELECT {_LETTER} FROM dead_letter WHERE destination = ? AND id > ? AND at_ms >= ? "  # noqa: S608
            "AND at_ms <= ? AND (? IS NULL OR reason = ?) ORDER BY id LIMIT ?",
            (
                destination,
                after_id,
                since_ms,
                until_ms if until_ms is not None else 2**62,
                reason,
                reason,
                limit,
            ),
        )
        return [
            DeadLetter(i, Job(o, m, e), Reason(r), detail, at, message, body, profile, email, request)
            for i, o, m, e, r, detail, at, message, body, profile, email, request in rows
        ]

    def dead_letter_count(self, destination: str) -> int:
        """How many there are."""
        return int(
            self._readers.one("SELECT count(*) FROM dead_letter WHERE destination = ?", (destination,))[0]
        )

    def record(self, destination: str, key: Key) -> RecordState | None:
        """The record under any of its names."""
        row = self._readers.one(
            "SELECT r.by, r.value, r.id, r.confirmed, r.at_ms FROM record r WHERE r.destination = ?1 AND r.object = ?2 "
            "AND r.by = ?3 AND r.value = ?4 UNION ALL "
            "SELECT r.by, r.value, r.id, r.confirmed, r.at_ms FROM alias a JOIN record r ON r.destination = a.destination "
            "AND r.object = a.object AND r.by = a.canonical_by AND r.value = a.canonical_value "
            "WHERE a.destination = ?1 AND a.object = ?2 AND a.by = ?3 AND a.value = ?4 LIMIT 1",
            (destination, *key),
        )
        return _record(key.object, row) if row else None

    def records(self, destination: str, keys: Iterable[Key]) -> dict[Key, RecordState]:
        """Records under any of their names, with two statements for each kind of name."""
        by_kind: dict[tuple[str, str], list[str]] = {}
        for object_type, by, value in keys:
            by_kind.setdefault((object_type, by), []).append(value)
        found: dict[Key, RecordState] = {}
        for (object_type, by), values in by_kind.items():
            for some in (values[i : i + 400] for i in range(0, len(values), 400)):
                marks = ",".join("?" * len(some))
                given = (destination, object_type, by, *some)
                rows = self._readers.all(
                    "SELECT value, by, value, id, confirmed, at_ms FROM record "  # noqa: S608
                    f"WHERE destination = ? AND object = ? AND by = ? AND value IN ({marks})",
                    given,
                ) + self._readers.all(
                    "SELECT a.value, r.by, r.value, r.id, r.confirmed, r.at_ms FROM alias a "  # noqa: S608
                    "JOIN record r ON r.destination = a.destination AND r.object = a.object "
                    "AND r.by = a.canonical_by AND r.value = a.canonical_value "
                    f"WHERE a.destination = ? AND a.object = ? AND a.by = ? AND a.value IN ({marks})",
                    given,
                )
                for value, *row in rows:
                    found.setdefault(Key(object_type, by, value), _record(object_type, row))
        return found

    def aliases_of(self, destination: str, key: Key) -> list[Key]:
        """All names of a record."""
        rows = self._readers.all(
            "SELECT object, by, value FROM alias WHERE destination = ? AND object = ? AND canonical_by = ? "
            "AND canonical_value = ?",
            (destination, *key),
        )
        return [key, *(Key(*r) for r in rows)]

    async def forget(self, profile: str, names: Iterable[Key]) -> int:
        """Erase a person; see the port."""
        if self._writer is None:
            raise sqlite3.OperationalError("opened read-only")
        given = list(names)
        return await self._writer.run(lambda connection: _forget(connection, profile, given))

    def shadow_requests(self, destination: str, limit: int = 100) -> list[tuple[Offset, bytes]]:
        """The newest requests that shadow mode kept."""
        return self._readers.all(
            'SELECT "offset", request FROM shadow WHERE destination = ? ORDER BY rowid DESC LIMIT ?',
            (destination, limit),
        )


def _unpack(details: bytes) -> dict[int, _Effects]:
    return _details_decode(zstandard.ZstdDecompressor().decompress(details))


def _waiting(rows: list[Any]) -> list[WaitingRow]:
    return [WaitingRow(p, Job(o, m, e), since) for p, o, m, e, since in rows]


def _packed(confirmed: Statement) -> bytes:
    return _pack((confirmed.values, *confirmed.stamp, confirmed.earlier))


def _record(object_type: str, row: Any) -> RecordState:
    by, value, rid, confirmed, at = row
    key, known = Key(object_type, by, value), _known_decode(confirmed)
    if isinstance(known, tuple):
        values, time_ms, offset, earlier = known
        return RecordState(key, rid, Statement(values, (time_ms, offset), earlier), at)
    # Hashes were numbers then: such a value equals nothing, so that it is sent once more.
    confirmed = Statement()
    for name, (said, time_ms, offset) in known.items():
        confirmed.put(name, said if isinstance(said, str) else b"", (time_ms, offset))
    return RecordState(key, rid, confirmed, at)


def _write(c: sqlite3.Connection, commit: DeliveryCommit, records: list[Any]) -> None:
    """Everything of one commit, in the writer's transaction."""
    d = commit.destination
    at = commit.position
    c.execute("INSERT OR REPLACE INTO position VALUES (?, ?, ?, ?)", (d, at.start, at.decided, at.read_to))
    _write_outcomes(c, d, commit.outcomes)
    job = 'destination = ? AND "offset" = ? AND mapping = ? AND effect = ?'
    c.executemany(f"DELETE FROM waiting WHERE {job}", [(d, *j) for j in commit.waiting_removed])  # noqa: S608
    c.executemany(
        "INSERT OR REPLACE INTO waiting SELECT ?1, ?2, ?3, ?4, COALESCE((SELECT survivor FROM merged WHERE absorbed = ?5), ?5), ?6",
        [(d, *w.job, w.profile, w.since_ms) for w in commit.waiting_added],
    )
    c.executemany(f"DELETE FROM parked WHERE {job}", [(d, *j) for j in commit.parked_removed])  # noqa: S608
    c.executemany(
        "INSERT OR REPLACE INTO parked VALUES (?, ?, ?, ?, ?, ?, ?)",
        [(d, *p.job, p.profile, p.tries, p.due_ms) for p in commit.parked_added],
    )
    c.executemany("DELETE FROM dead_letter WHERE id = ?", [(i,) for i in commit.dead_removed])
    c.executemany(
        'INSERT OR REPLACE INTO dead_letter (destination, "offset", mapping, effect, reason, detail, at_ms, '
        "message_id, body, profile, email, request) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (
                d,
                *x.job,
                x.reason.value,
                x.detail,
                x.at_ms,
                x.message_id,
                x.body,
                x.profile,
                x.email,
                x.request,
            )
            for x in commit.dead
        ],
    )
    for key in commit.forgotten:
        c.execute(
            "DELETE FROM record WHERE destination = ? AND object = ? AND by = ? AND value = ?", (d, *key)
        )
        c.execute(
            "DELETE FROM alias WHERE destination = ? AND object = ? AND canonical_by = ? AND canonical_value = ?",
            (d, *key),
        )
    c.executemany(
        # An update in place where there is one: replacing deletes the row first, at three times the cost.
        "INSERT INTO record VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET "
        "id = excluded.id, at_ms = excluded.at_ms, confirmed = excluded.confirmed",
        records,
    )
    c.executemany(
        "INSERT OR REPLACE INTO alias VALUES (?, ?, ?, ?, ?, ?)",
        [(d, *name, canonical.by, canonical.value) for name, canonical in commit.aliases],
    )
    _count(c, d, commit.tally)
    c.executemany(
        "INSERT INTO shadow VALUES (?, ?, ?)", [(d, o, request) for o, request in commit.shadow_requests]
    )


def _forget(c: sqlite3.Connection, profile: str, names: list[Key]) -> int:
    """End everything of a profile that is pending, and unlearn its records."""
    jobs: set[tuple[str, Job]] = set()
    for table in ("waiting", "parked", "dead_letter"):
        rows = c.execute(
            f'SELECT destination, "offset", mapping, effect FROM {table} WHERE profile = ?',  # noqa: S608
            (profile,),
        )
        jobs.update((d, Job(o, m, e)) for d, o, m, e in rows)
        c.execute(f"DELETE FROM {table} WHERE profile = ?", (profile,))  # noqa: S608
    for destination, job in jobs:
        row = c.execute(
            "SELECT details FROM outcome WHERE destination = ? AND chunk = ?",
            (destination, job.offset // CHUNK),
        ).fetchone()
        before = _outcomes(job.offset, _unpack(row[0]).get(job.offset, [])) if row else []
        if not before:
            continue
        after = [
            Outcome(job, State.FILTERED, Reason.FORGOTTEN) if outcome.job == job else outcome
            for outcome in before
        ]
        _write_outcomes(c, destination, {job.offset: after})
        _count(c, destination, {worst_of(before): -1})
        _count(c, destination, {worst_of(after): 1})
    for name in names:
        canonical = c.execute(
            "SELECT destination, canonical_by, canonical_value FROM alias WHERE object = ? AND by = ? AND value = ?",
            name,
        ).fetchall()
        for destination, by, value in canonical:
            at = (destination, name.object, by, value)
            c.execute("DELETE FROM record WHERE destination = ? AND object = ? AND by = ? AND value = ?", at)
            c.execute(
                "DELETE FROM alias WHERE destination = ? AND object = ? AND canonical_by = ? AND canonical_value = ?",
                at,
            )
        c.execute("DELETE FROM record WHERE object = ? AND by = ? AND value = ?", name)
    return len(jobs)


def _count(c: sqlite3.Connection, destination: str, changes: dict[tuple[State, Reason], int]) -> None:
    c.executemany(
        "INSERT INTO tally VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET n = n + excluded.n",
        [(destination, int(state), reason.value, n) for (state, reason), n in changes.items() if n],
    )


def _outcomes(offset: Offset, effects: _Effects) -> list[Outcome]:
    return [
        Outcome(Job(offset, m, e), State(s), Reason(r), detail, tuple(notes), call)
        for m, e, s, r, detail, notes, call in effects
    ]


def _write_outcomes(c: sqlite3.Connection, destination: str, outcomes: dict[Offset, list[Outcome]]) -> None:
    by_chunk: dict[int, dict[Offset, list[Outcome]]] = {}
    for offset, found in outcomes.items():
        by_chunk.setdefault(offset // CHUNK, {})[offset] = found
    for chunk, changed in by_chunk.items():
        row = c.execute(
            "SELECT states, details FROM outcome WHERE destination = ? AND chunk = ?", (destination, chunk)
        ).fetchone()
        states = bytearray(row[0]) if row else bytearray(CHUNK)
        details = _unpack(row[1]) if row else {}
        for offset, found in changed.items():
            states[offset - chunk * CHUNK] = max((o.state for o in found), default=0)
            details[offset] = [
                (o.job.mapping, o.job.effect, int(o.state), o.reason.value, o.detail, list(o.notes), o.call)
                for o in found
            ]
        squeezed = zstandard.ZstdCompressor(level=1).compress(_pack(details))
        c.execute(
            "INSERT INTO outcome VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET "
            "states = excluded.states, details = excluded.details",
            (destination, chunk, bytes(states), squeezed),
        )
