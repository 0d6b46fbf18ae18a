"""Event occurrences: up to 500 a call, confirmed as a whole (SEMANTICS 17, 18, 28, 29)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from millstream.delivery.note import Note
from millstream.delivery.outcome import Reason
from millstream.delivery.plan import Records
from millstream.delivery.sink import Confirmed, Later, Rejected, Result, SendRow
from millstream.destinations.hubspot.calls.rows import Send, record_id
from millstream.destinations.hubspot.failures import row_result
from millstream.destinations.hubspot.portal import Portal
from millstream.destinations.hubspot.values import Unconvertible, event_text, number, text
from millstream.hubspot_api.errors import Failure, HubSpotError
from millstream.hubspot_api.schema import EVENT_DEFAULTS


async def send_events(portal: Portal, rows: Sequence[SendRow], records: Records, send: Send) -> list[Result]:
    """Up to 500 occurrences; a 204 confirms all of them."""
    results: list[Result | None] = [None] * len(rows)
    inputs: list[dict[str, Any]] = []
    sent: list[int] = []
    for i, row in enumerate(rows):
        definition = portal.schema.definition(str(row.payload["definition"]))
        if definition is None:
            results[i] = Rejected(Reason.REJECTED, f"no event definition {row.payload['definition']}")
            continue
        properties, notes = _event_properties(definition.properties, row.payload["properties"])
        who = _who(row, records)
        inputs.append(
            {
                "eventName": definition.full_name,
                **who,
                "occurredAt": row.payload["occurredAt"],
                "uuid": row.payload["uuid"],
                "properties": properties,
            }
        )
        results[i] = Confirmed(notes=tuple(notes))
        sent.append(i)
    if not inputs:
        return [r or Later("not sent") for r in results]
    try:
        await send(portal.operations.send_events(inputs))
    except HubSpotError as error:
        if error.refusal.failure is Failure.EXISTS and len(sent) == 1:
            return [r or Later("not sent") for r in results]  # its uuid was there: it arrived before
        if len(sent) > 1 or error.refusal.status in {401, 403, 429} or error.refusal.status >= 500:
            raise
        results[sent[0]] = row_result(error.refusal)
    return [r or Later("not sent") for r in results]


def _who(row: SendRow, records: Records) -> dict[str, str]:
    """Exactly one identifier: the record's id, else the contact's email, else the visitor's token."""
    record = row.payload["record"]
    if record is None:
        return {"utk": str(row.payload["utk"])}
    known = record_id(record, records)
    return {"objectId": known} if known is not None else {"email": record.value}


def _event_properties(known: Any, given: dict[str, Any]) -> tuple[dict[str, str], list[str]]:
    """Values as the definition's types take them; what it lacks is left out, what is too long is cut."""
    found: dict[str, str] = {}
    notes: list[str] = []
    for name, value in given.items():
        if name not in known and name not in EVENT_DEFAULTS:
            notes.append(Note.UNKNOWN_PROPERTY_DROPPED.of(name))
            continue
        if known.get(name) == "number":
            try:
                found[name] = number(value)
            except Unconvertible:
                notes.append(Note.VALUE_NOT_CONVERTIBLE.of(name))
            continue
        found[name], cut = event_text(name, value if not isinstance(value, bool) else text(value))
        if cut:
            notes.append(Note.VALUE_CUT.of(name))
    return found, notes
