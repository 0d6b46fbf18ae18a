"""A portal as one file, and back: msgpack in zstandard, checked as a whole before anything changes.

In it is what clients and the control API made of the portal: records with their histories, associations, definitions,
lists, occurrences and their uuids, tokens, the switches and the clock's distance. Not in it is what belongs to whoever
runs the sandbox: configuration, faults, latency, the log of calls and the windows of the rate limits.
"""

from __future__ import annotations

import random
from typing import Any, Final

import msgspec
import zstandard

from millstream.sandbox.associated import Associations
from millstream.sandbox.config import SWITCHES
from millstream.sandbox.errors import Refused
from millstream.sandbox.portal import TYPE_IDS, Portal
from millstream.sandbox.record import Record
from millstream.sandbox.records import Records
from millstream.sandbox.rules import Book

FORMAT: Final = "millstream-sandbox"
VERSION: Final = 1
_LARGEST: Final = 16 * 2**30  # unpacked; a portal of a million contacts has 0.4 GB
_SHARED: Final = 20_000  # a property with more different values than this is not worth sharing
_OCCURRENCE: Final = frozenset({"eventName", "objectId", "email", "occurredAt", "properties", "uuid"})
Pair = tuple[str, str]
Rows = list[dict[str, Any]]
Named = dict[str, dict[str, Any]]


class _Head(msgspec.Struct):
    """What every version begins with."""

    format: str
    version: int
    portal_id: int


class _Type(msgspec.Struct):
    """The records of one type. Unique indexes follow from them, but for `leads`: values that others had before a merge."""

    type_id: str
    first_id: int
    next_id: int
    definitions: Named
    rows: list[Record]
    erased: list[int]
    merged: dict[str, str]
    leads: dict[str, dict[str, str]]
    blocked_emails: set[str]
    ready_at: dict[str, float]


class Snapshot(_Head):
    """A whole portal. Fields of the same name as a portal's are taken over as they are."""

    switches: dict[str, str]
    types: dict[str, _Type]
    association_kinds: list[dict[int, str]]
    association_pairs: dict[Pair, dict[str, dict[str, int]]]
    shuffle_state: list[int]
    offset_s: float
    schemas: Named
    groups: dict[str, Named]
    labels: dict[Pair, dict[int, dict[str, Any]]]
    pair_types: dict[Pair, int]
    definitions: Named
    burnt: set[str]
    occurrences: Rows
    uuids: set[Pair]
    lists: Named
    members: dict[str, dict[str, str]]
    pipelines: dict[str, Named]
    subscriptions: dict[Pair, dict[str, Any]]
    submissions: Rows
    page_views: Rows
    legacy_events: Rows
    visitors: dict[str, str]
    rules: Book
    webhooks: dict[str, Any]
    codes: Named
    access_tokens: Named
    refresh_tokens: Named
    calls_today: int
    numbers: dict[str, int]


_OWN: Final = frozenset(
    {"format", "version", "portal_id", "switches", "types", "association_kinds", "association_pairs",
     "shuffle_state"}
)  # fmt: skip
SAME: Final = tuple(name for name in Snapshot.__struct_fields__ if name not in _OWN)


def save(portal: Portal) -> bytes:
    """The portal as a file."""
    snapshot = Snapshot(
        format=FORMAT,
        version=VERSION,
        portal_id=portal.config.portal_id,
        switches=portal.config.switches,
        types={name: _type(records) for name, records in portal.records.items()},
        association_kinds=portal.associations.kinds,
        association_pairs=portal.associations.pairs,
        shuffle_state=list(portal.shuffle.getstate()[1]),
        **{name: getattr(portal, name) for name in SAME},
    )
    return zstandard.ZstdCompressor().compress(msgspec.msgpack.encode(snapshot))


def restore(portal: Portal, data: bytes) -> None:
    """Make the portal what the file says. Raises `Refused` and then has changed nothing."""
    snapshot = _read(data, portal.config.portal_id)
    try:
        _check(snapshot)
        records = {name: _records(name, found, snapshot.portal_id) for name, found in snapshot.types.items()}
        associations = _associations(snapshot, records)
        shuffle = random.Random(1)
        shuffle.setstate((3, tuple(snapshot.shuffle_state), None))
    except (ValueError, LookupError, TypeError, OverflowError) as error:
        raise Refused(400, f"The snapshot is damaged: {error}") from None
    portal.records, portal.associations, portal.shuffle = records, associations, shuffle
    portal.config.switches.update(snapshot.switches)
    for name in SAME:
        setattr(portal, name, getattr(snapshot, name))


def _read(data: bytes, portal_id: int) -> Snapshot:
    try:
        size = zstandard.get_frame_parameters(data).content_size
        if not 0 < size <= _LARGEST:
            raise Refused(400, "The snapshot is damaged: it does not say how large it is, or is too large")
        unpacked = zstandard.ZstdDecompressor().decompress(data)
        head = msgspec.msgpack.decode(unpacked, type=_Head)
        if head.format != FORMAT:
            raise Refused(400, f"This is no snapshot of a sandbox but {head.format!r}")
        if head.version != VERSION:
            raise Refused(
                400, f"The snapshot has version {head.version}; this sandbox reads version {VERSION}"
            )
        if head.portal_id != portal_id:
            raise Refused(400, f"The snapshot is of portal {head.portal_id}; this is portal {portal_id}")
        return msgspec.msgpack.decode(unpacked, type=Snapshot)
    except zstandard.ZstdError as error:
        raise Refused(400, f"This is no snapshot: {error}") from None
    except msgspec.DecodeError as error:
        raise Refused(400, f"The snapshot is damaged: {error}") from None


def _type(records: Records) -> _Type:
    by_id = records.by_id
    leads: dict[str, dict[str, str]] = {}
    for name, index in records.unique.items():
        own = {
            key for r in records.live() for target, key in records.unique.held(r) if target is index
        } if records.merged else index.keys()  # fmt: skip
        live = ((k, by_id.get(records.merged.get(held, held))) for k, held in index.items() if k not in own)
        leads[name] = {key: r.id for key, r in live if r is not None and not r.archived}
    return _Type(
        records.type_id, records.first_id, records.next_id, records.definitions, list(by_id.values()),
        [i for i in records.absent if str(i) not in by_id], records.merged, leads, records.blocked_emails,
        records.ready_at,
    )  # fmt: skip


def _check(snapshot: Snapshot) -> None:
    """What types alone do not say."""
    if missing := TYPE_IDS.keys() - snapshot.types.keys():
        raise ValueError(f"types are missing: {', '.join(sorted(missing))}")
    if unknown := snapshot.types.keys() - TYPE_IDS.keys() - snapshot.schemas.keys():
        raise ValueError(f"types without a schema: {', '.join(sorted(unknown))}")
    for name, value in snapshot.switches.items():
        if value not in SWITCHES.get(name, ((), ""))[0]:
            raise ValueError(f"{name}: {value} is no variant of a switch")
    if snapshot.members.keys() != snapshot.lists.keys():
        raise ValueError("lists and their members do not fit together")
    if not all(o.keys() >= _OCCURRENCE for o in snapshot.occurrences):
        raise ValueError(f"an occurrence lacks one of {', '.join(sorted(_OCCURRENCE))}")
    if abs(snapshot.offset_s) > 1e10:
        raise ValueError("the clock is too far away")


def _records(name: str, found: _Type, portal_id: int) -> Records:
    records = Records(name, found.type_id, found.first_id, portal_id)
    records.definitions = found.definitions
    records.merged, records.blocked_emails = found.merged, found.blocked_emails
    records.ready_at = found.ready_at
    for prop in found.leads:
        records.unique.setdefault(prop, {})
    last = found.first_id - 1
    for record in found.rows:
        if not last < int(record.id) < found.next_id:
            raise ValueError(f"{name}: record {record.id} is out of order")
        last = int(record.id)
    _share(found.rows)
    records.load(found.rows)
    records.next_id = found.next_id
    records.absent = sorted({*records.absent, *found.erased})
    for prop, index in found.leads.items():
        records.unique[prop].update((key, records.by_id[held].id) for key, held in index.items())
    return records


def _share(rows: list[Record]) -> None:
    """The same text is kept once: names always, values of properties that have few different ones."""
    names: dict[str, tuple[str, dict[str, str]]] = {}
    for record in rows:
        values: dict[str, str] = {}
        for given, value in record.values.items():
            known = names.get(given)
            if known is None:
                known = names[given] = (given, {})
            name, seen = known
            values[name] = seen.setdefault(value, value) if len(seen) < _SHARED else seen.get(value, value)
        record.values = values
        if record.updated == record.created:
            record.updated = record.created


def _associations(snapshot: Snapshot, records: dict[str, Records]) -> Associations:
    """With the records' own ids, so that none is kept twice."""
    made = Associations()
    numbers = [made.number(kinds) for kinds in snapshot.association_kinds]
    for (left, right), from_ids in snapshot.association_pairs.items():
        lefts, rights = records[left].by_id, records[right].by_id
        made.pairs[left, right] = {
            lefts[i].id: {rights[j].id: numbers[number] for j, number in targets.items()}
            for i, targets in from_ids.items()
        }
    return made
