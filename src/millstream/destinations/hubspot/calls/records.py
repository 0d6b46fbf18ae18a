"""Records of every type: update by id, upsert by a unique value, find and create by any other (SEMANTICS 8, 28)."""

from __future__ import annotations

from collections.abc import Sequence

from millstream.delivery.outcome import Reason
from millstream.delivery.plan import Records
from millstream.delivery.sink import Filtered, Gone, Later, Rejected, Result, WriteRow
from millstream.destinations.hubspot.calls.lookup import is_unique, read_by, search_by
from millstream.destinations.hubspot.calls.policy import guarded, hold_back
from millstream.destinations.hubspot.calls.rows import Built, Send, input_of, record_id, type_of, write_batch
from millstream.destinations.hubspot.portal import Portal
from millstream.hubspot_api.errors import Failure, classify

_Results = list[Result | None]


async def write_objects(
    portal: Portal, rows: Sequence[WriteRow], records: Records, send: Send
) -> list[Result]:
    """Rows of one object type. `extra["mode"]`: upsert (default), add, update, or find, which writes nothing."""
    results: _Results = [None] * len(rows)
    object_type = type_of(rows[0].key)
    known = {i: r for i, row in enumerate(rows) if (r := record_id(row.key, records)) is not None}
    await write(portal, object_type, rows, records, known, results, send)
    return [r or Later("HubSpot's answer does not mention this row", 1.0) for r in results]


async def write(
    portal: Portal,
    object_type: str,
    rows: Sequence[WriteRow],
    records: Records,
    known: dict[int, str],
    results: _Results,
    send: Send,
) -> None:
    """Known records by id; the others, property by property, by whatever finds them."""
    fresh: dict[str, list[int]] = {}
    for i, row in enumerate(rows):
        if i not in known and results[i] is None:
            fresh.setdefault(row.key.by, []).append(i)
    missing: dict[str, list[int]] = {}
    for id_property, indexes in fresh.items():
        unique = is_unique(portal, object_type, id_property)
        asked = [i for i in indexes if not unique or _looked_up(portal, object_type, rows[i])]
        found, ambiguous = await _find(portal, object_type, id_property, rows, asked, send)
        known |= found
        for i in ambiguous:
            results[i] = Rejected(Reason.AMBIGUOUS, f"several {object_type} have {rows[i].key.value}")
        missing[id_property] = [i for i in indexes if i not in known and results[i] is None]
    for i in known:
        if _mode(rows[i]) == "add":
            results[i] = Filtered(Reason.SYNC_MODE, "the record exists already")
    there = {i: r for i, r in known.items() if results[i] is None}
    await update(portal, object_type, rows, records, there, results, send)
    for id_property, indexes in missing.items():
        await _make(portal, object_type, id_property, rows, indexes, results, send)


def _mode(row: WriteRow) -> str:
    return str(row.extra.get("mode", "upsert"))


def _looked_up(portal: Portal, object_type: str, row: WriteRow) -> bool:
    """Whether a record must be found before it is written, though an upsert could do both."""
    first = object_type == "contacts" and portal.settings["contact_lookup"] == "read_first"
    return first or _mode(row) != "upsert" or bool(guarded(portal, object_type, row))


async def _find(
    portal: Portal,
    object_type: str,
    id_property: str,
    rows: Sequence[WriteRow],
    indexes: list[int],
    send: Send,
) -> tuple[dict[int, str], list[int]]:
    """Records that exist, and rows for which several do."""
    values = [rows[i].key.value for i in indexes]
    if not values:
        return {}, []
    if is_unique(portal, object_type, id_property):
        by_value = await read_by(portal, object_type, id_property, values, send)
        return {i: by_value[rows[i].key.value] for i in indexes if rows[i].key.value in by_value}, []
    several = await search_by(portal, object_type, id_property, values, send)
    found: dict[int, str] = {}
    ambiguous: list[int] = []
    for i in indexes:
        ids = several.get(rows[i].key.value.lower(), [])
        if len(ids) == 1:
            found[i] = ids[0]
        elif ids:
            ambiguous.append(i)
    return found, ambiguous


async def _make(
    portal: Portal,
    object_type: str,
    id_property: str,
    rows: Sequence[WriteRow],
    indexes: list[int],
    results: _Results,
    send: Send,
) -> None:
    """Records that are not there: made where the mode says so."""
    wanted = []
    for i in indexes:
        if _mode(rows[i]) == "update":
            results[i] = Filtered(Reason.SYNC_MODE, "no such record, and the mapping makes none")
        elif _mode(rows[i]) == "find":
            results[i] = Rejected(Reason.RECORD_NOT_FOUND, f"no {object_type} has {rows[i].key.value}")
        else:
            wanted.append(i)
    if wanted and is_unique(portal, object_type, id_property):
        await upsert(portal, object_type, id_property, rows, wanted, results, send)
    elif wanted:
        await create(portal, object_type, id_property, rows, wanted, results, send)


async def update(
    portal: Portal,
    object_type: str,
    rows: Sequence[WriteRow],
    records: Records,
    known: dict[int, str],
    results: _Results,
    send: Send,
) -> None:
    """`batch/update` by id. Two rows that turn out to be one record are not sent together."""
    sent: dict[str, int] = {}
    built: dict[int, Built] = {}
    for i, record in known.items():
        if record in sent:
            results[i] = Later("the same record is in this batch by another name", 0.1, counts=False)
            continue
        sent[record] = i
        built[i] = Built(portal, object_type, rows[i])
        if object_type == "contacts" and rows[i].key.by == "email":
            built[i].properties.pop("email", None)  # it may be one of the contact's other addresses
    if portal.policies.get(object_type):
        await hold_back(portal, object_type, rows, records, {i: known[i] for i in built}, built, send)
    for i in [i for i, made in built.items() if not made.properties]:
        results[i] = built.pop(i).confirmed(known[i])
    if not built:
        return
    inputs = [input_of(made, known[i], i) for i, made in built.items()]
    if portal.settings["lifecycle"] == "allow_back":
        clear = [
            {**x, "properties": {"lifecyclestage": ""}}
            for x in inputs
            if x["properties"].get("lifecyclestage")
        ]
        if clear:
            await send(portal.operations.batch(object_type, "update", clear))
    answer = await write_batch(
        portal, object_type, "update", inputs, rows, built, results, "hs_object_id", send
    )
    if answer is None:
        return
    for error in answer.errors or []:
        refusal = classify(400, error)
        if refusal.failure is Failure.NOT_FOUND:
            for gone in refusal.ids:
                if gone in sent:
                    results[sent[gone]] = Gone(refusal.message)
    for i in built:  # an id that somebody gave and HubSpot does not have cannot be made again
        if isinstance(results[i], Gone) and rows[i].key.by == "id" and rows[i].family != "contact":
            results[i] = Rejected(Reason.RECORD_NOT_FOUND, f"no {object_type} has the id {known[i]}")


async def upsert(
    portal: Portal,
    object_type: str,
    id_property: str,
    rows: Sequence[WriteRow],
    fresh: Sequence[int],
    results: _Results,
    send: Send,
) -> None:
    """`batch/upsert` by a unique property."""
    built: dict[int, Built] = {}
    inputs = []
    for i in fresh:
        made = built[i] = Built(portal, object_type, rows[i])
        made.properties.pop(id_property, None)
        made.fill(rows[i])
        inputs.append(input_of(made, rows[i].key.value, i, id_property))
    await write_batch(portal, object_type, "upsert", inputs, rows, built, results, id_property, send)


async def create(
    portal: Portal,
    object_type: str,
    id_property: str,
    rows: Sequence[WriteRow],
    fresh: Sequence[int],
    results: _Results,
    send: Send,
) -> None:
    """`batch/create` of records that no search found."""
    built: dict[int, Built] = {}
    for i in fresh:
        built[i] = Built(portal, object_type, rows[i])
        built[i].fill(rows[i])
        built[i].properties[id_property] = rows[i].key.value
    inputs = [{"properties": made.properties, "objectWriteTraceId": str(i)} for i, made in built.items()]
    await write_batch(portal, object_type, "create", inputs, rows, built, results, id_property, send)
