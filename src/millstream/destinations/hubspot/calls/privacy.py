"""What people ask of their own data: deletion for good, and which mail they want."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from millstream.delivery.plan import Records
from millstream.delivery.sink import Confirmed, Later, Result, WriteRow
from millstream.destinations.hubspot.calls.rows import Send, record_id
from millstream.destinations.hubspot.failures import row_result
from millstream.destinations.hubspot.portal import Portal
from millstream.hubspot_api.errors import Failure, HubSpotError, classify


async def delete_contacts(
    portal: Portal, rows: Sequence[WriteRow], records: Records, send: Send
) -> list[Result]:
    """HubSpot deletes one contact a call; a contact that is not there is what was wanted."""
    results: list[Result] = []
    for row in rows:
        known = record_id(row.key, records)
        try:
            await send(
                portal.operations.gdpr_delete(known or row.key.value, None if known is not None else "email")
            )
        except HubSpotError as error:
            if error.refusal.failure is not Failure.NOT_FOUND and error.refusal.status != 404:
                raise
        results.append(Confirmed(ended=True))
    return results


async def write_subscriptions(
    portal: Portal, rows: Sequence[WriteRow], _records: Records, send: Send
) -> list[Result]:
    """Statuses of up to 100 addresses; each result confirms its own address and subscription type."""
    inputs: list[dict[str, Any]] = []
    for row in rows:
        legal = {k: row.extra[k] for k in ("legalBasis", "legalBasisExplanation") if row.extra.get(k)}
        inputs.append(
            {
                "subscriberIdString": row.key.value,
                "subscriptionId": int(row.key.by),
                "statusState": row.value("status"),
                "channel": "EMAIL",
                **legal,
            }
        )
    answer = await send(portal.operations.write_subscriptions(inputs))
    found: dict[tuple[str, str], Result] = {}
    for status in answer.get("results") or []:
        address = str(status.get("subscriberIdString") or "").lower()
        found[address, str(status.get("subscriptionId"))] = Confirmed()
    for entry in answer.get("errors") or []:
        refusal = classify(400, entry)
        context = entry.get("context") or {}
        for address in context.get("subscriberIdString") or []:
            ids = [str(i) for i in context.get("subscriptionId") or []]
            for row in rows:
                if row.key.value == str(address).lower() and (not ids or row.key.by in ids):
                    found.setdefault((row.key.value, row.key.by), row_result(refusal))
    return [
        found.get((r.key.value, r.key.by)) or Later("HubSpot's answer does not mention this address", 1.0)
        for r in rows
    ]
