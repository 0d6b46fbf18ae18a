"""Companies: found by our own key, adopted at first sight by what describes them, else made (SEMANTICS 23)."""

from __future__ import annotations

from collections.abc import Sequence

from millstream.delivery.note import Note
from millstream.delivery.outcome import Reason
from millstream.delivery.plan import Records
from millstream.delivery.sink import Filtered, Later, Rejected, Result, WriteRow
from millstream.destinations.hubspot.calls.lookup import is_unique, read_by, search_by
from millstream.destinations.hubspot.calls.records import create, update, upsert
from millstream.destinations.hubspot.calls.rows import Send, record_id
from millstream.destinations.hubspot.portal import DOMAIN_PROPERTY, Portal

_TYPE = "companies"


async def write_companies(
    portal: Portal, rows: Sequence[WriteRow], records: Records, send: Send
) -> list[Result]:
    """`extra["search"]` names what a company may be adopted by, `create` whether one is made, `find` that none is."""
    results: list[Result | None] = [None] * len(rows)
    known = {i: r for i, row in enumerate(rows) if (r := record_id(row.key, records)) is not None}
    fresh: dict[str, list[int]] = {}
    for i, row in enumerate(rows):
        if i not in known:
            fresh.setdefault(row.key.by, []).append(i)
    missing: dict[str, list[int]] = {}
    for key_property, indexes in fresh.items():
        ours = await read_by(portal, _TYPE, key_property, [rows[i].key.value for i in indexes], send)
        known |= {i: ours[rows[i].key.value] for i in indexes if rows[i].key.value in ours}
        unseen = [i for i in indexes if i not in known]
        known |= await _adopt(portal, rows, unseen, results, send)
        missing[key_property] = [i for i in unseen if i not in known and results[i] is None]
    await update(portal, _TYPE, rows, records, known, results, send)
    for key_property, indexes in missing.items():
        for i in indexes:
            if not rows[i].extra.get("create", not rows[i].extra.get("find")):
                results[i] = Filtered(Reason.SYNC_MODE, "no such company, and the mapping makes none")
        wanted = [i for i in indexes if results[i] is None]
        if key_property == DOMAIN_PROPERTY and not is_unique(portal, _TYPE, key_property):
            # The token may not make our key property (Classic's seven scopes): the domain has to do. Nobody else makes
            # it between the search and this call but another writer; HubSpot would not have stopped that one either.
            await create(portal, _TYPE, "domain", rows, wanted, results, send)
        else:
            await upsert(portal, _TYPE, key_property, rows, wanted, results, send)
    return [r or Later("HubSpot's answer does not mention this row", 1.0) for r in results]


async def _adopt(
    portal: Portal, rows: Sequence[WriteRow], indexes: list[int], results: list[Result | None], send: Send
) -> dict[int, str]:
    """Companies that are there under another key: one search for each property that describes them, for all rows.

    By domain the oldest of several is taken, and noted; by what a mapping names, several are nobody's to choose from.
    """
    hits: dict[int, set[str]] = {}
    wanted: dict[str, set[str]] = {}
    for i in indexes:
        for name, value in _described(rows[i]).items():
            wanted.setdefault(name, set()).add(value)
    for name in sorted(wanted):
        found = await search_by(portal, _TYPE, name, sorted(wanted[name]), send)
        for i in indexes:
            hits.setdefault(i, set()).update(found.get(_described(rows[i]).get(name, "").lower(), ()))
    adopted: dict[int, str] = {}
    for i, ids in hits.items():
        row = rows[i]
        if len(ids) > 1 and row.key.by != DOMAIN_PROPERTY:
            results[i] = Rejected(Reason.AMBIGUOUS, f"several companies fit: {', '.join(sorted(ids)[:5])}")
        elif ids:
            adopted[i] = min(ids, key=int)
            if len(ids) > 1:
                row.extra = {**row.extra, "notes": (*row.extra.get("notes", ()), Note.AMBIGUOUS_DOMAIN)}
    return adopted


def _described(row: WriteRow) -> dict[str, str]:
    """What a company may be found by, besides its key."""
    if row.key.by == DOMAIN_PROPERTY:
        return {"domain": row.key.value}
    return {n: str(v) for n, v in (row.extra.get("search") or {}).items() if v not in (None, "")}
