"""Static lists and who is on them: a list is found or made once, members change in bulk."""

from __future__ import annotations

from collections.abc import Sequence

from millstream.delivery.operation import Key
from millstream.delivery.outcome import Reason
from millstream.delivery.plan import Records
from millstream.delivery.sink import Confirmed, Filtered, Gone, Later, Rejected, Result, WriteRow
from millstream.destinations.hubspot.calls.rows import Send, missing, record_id
from millstream.destinations.hubspot.failures import row_result
from millstream.destinations.hubspot.portal import Portal
from millstream.hubspot_api.errors import Failure, HubSpotError


async def ensure_lists(
    portal: Portal, rows: Sequence[WriteRow], _records: Records, send: Send
) -> list[Result]:
    """Find each list by its name, or make it (`extra["create"]`)."""
    return [await _ensure(portal, row, send) for row in rows]


async def _ensure(portal: Portal, row: WriteRow, send: Send) -> Result:
    name = row.key.value
    type_id = portal.type_id(row.key.by)
    try:
        found = await send(portal.operations.list_by_name(type_id, name))
    except HubSpotError as error:
        if error.refusal.status != 404 and "does not exist" not in error.refusal.message:
            raise  # HubSpot says 400 for a name that no list has
        if not row.extra.get("create"):
            return Rejected(Reason.RECORD_NOT_FOUND, f"no list is named {name}")
        try:
            found = await send(portal.operations.create_list(type_id, name))
        except HubSpotError as refused:
            if refused.refusal.failure in {Failure.EXISTS, Failure.CONFLICT}:
                return Later("somebody else made the list just now", 1.0)
            if refused.refusal.status in {401, 403, 429} or refused.refusal.status >= 500:
                raise
            return row_result(refused.refusal)
    listed = found.get("list") or found
    if str(listed.get("processingType", "MANUAL")) == "DYNAMIC":
        return Rejected(Reason.REJECTED, f"the list {name} is dynamic: HubSpot alone decides who is on it")
    return Confirmed(str(listed["listId"]))


async def write_members(
    portal: Portal, rows: Sequence[WriteRow], records: Records, send: Send
) -> list[Result]:
    """One call for each list: who joins and who leaves. `linked` says which."""
    results: list[Result | None] = [None] * len(rows)
    by_list: dict[Key, list[int]] = {}
    for i, row in enumerate(rows):
        by_list.setdefault(row.extra["list"], []).append(i)
    for n, (key, indexes) in enumerate(by_list.items()):
        list_id = record_id(key, records)
        members = {i: r for i in indexes if (r := record_id(rows[i].extra["record"], records)) is not None}
        if list_id is None:
            found: dict[int, Result] = {i: _absent(rows[i], key, records) for i in indexes}
        else:
            try:
                found = await _change(portal, rows, members, list_id, key, send)
            except HubSpotError:
                if n == 0:
                    raise
                break
        for i in indexes:
            results[i] = found.get(i) or _absent(rows[i], rows[i].extra["record"], records)
    return [r or Later("the call for another list failed first", 0.5, counts=False) for r in results]


def _absent(row: WriteRow, key: Key, records: Records) -> Result:
    """The record or its list is not there: nobody needs to leave then, and nobody can join."""
    why = missing(key, records)
    if not row.value("linked") and why.reason is Reason.RECORD_NOT_FOUND:
        return Filtered(Reason.UNCHANGED, f"nothing to remove: {why.detail}")
    return why


async def _change(
    portal: Portal, rows: Sequence[WriteRow], members: dict[int, str], list_id: str, key: Key, send: Send
) -> dict[int, Result]:
    if not members:
        return {}
    joins = {i: r for i, r in members.items() if rows[i].value("linked")}
    leaves = [r for i, r in members.items() if i not in joins]
    try:
        answer = await send(portal.operations.change_members(list_id, list(joins.values()), leaves))
    except HubSpotError as error:
        if error.refusal.status != 404:
            raise
        return {i: Gone(f"the list {key.value} was deleted", (key,)) for i in members}
    missing = {str(r) for r in answer.get("recordIdsMissing") or []}
    return {
        i: Gone("the record was deleted", (rows[i].extra["record"],)) if r in missing else Confirmed()
        for i, r in members.items()
    }
