"""Contacts: the person's own record, which may change its address (SEMANTICS 7, 8)."""

from __future__ import annotations

from collections.abc import Sequence

from millstream.delivery.note import Note
from millstream.delivery.operation import Key
from millstream.delivery.plan import Records
from millstream.delivery.sink import Gone, Later, Result, WriteRow
from millstream.destinations.hubspot.calls.records import write
from millstream.destinations.hubspot.calls.rows import Built, Send, input_of, record_id
from millstream.destinations.hubspot.failures import row_result
from millstream.destinations.hubspot.portal import Portal
from millstream.hubspot_api.errors import Failure, HubSpotError, classify


async def write_contacts(
    portal: Portal, rows: Sequence[WriteRow], records: Records, send: Send
) -> list[Result]:
    """Known contacts by id, others by email."""
    results: list[Result | None] = [None] * len(rows)
    known = {i: r for i, row in enumerate(rows) if (r := record_id(row.key, records)) is not None}
    for i in [i for i in known if rows[i].key.by == "id" and "email" in rows[i].said.values]:
        results[i] = await _move(portal, rows[i], known.pop(i), send)
    await write(portal, "contacts", rows, records, known, results, send)
    return [r or Later("HubSpot's answer does not mention this row", 1.0) for r in results]


async def _move(portal: Portal, row: WriteRow, contact: str, send: Send) -> Result:
    """A person's contact gets a new address; when that is another contact's, the values go there (SEMANTICS 7)."""
    made = Built(portal, "contacts", row)
    address = str(row.value("email"))
    try:
        answer = await send(portal.operations.batch("contacts", "update", [input_of(made, contact, 0)]))
        refused = next((classify(400, e) for e in answer.errors or []), None)
    except HubSpotError as error:
        refused = error.refusal
        if refused.failure not in {Failure.CONFLICT, Failure.EXISTS, Failure.NOT_FOUND}:
            raise
    if refused is not None and refused.failure is Failure.NOT_FOUND:
        return Gone(refused.message)
    if refused is not None:
        if refused.failure not in {Failure.CONFLICT, Failure.EXISTS}:
            return row_result(refused)
        made.notes.append(Note.EMAIL_CONFLICT)
        made.properties.pop("email", None)
        answer = await send(
            portal.operations.batch("contacts", "upsert", [input_of(made, address, 0, "email")])
        )
    for found in answer.results or []:
        return made.confirmed(str(found.id), (Key("contact", "email", address),))
    return Later("HubSpot's answer does not mention this row", 1.0)
