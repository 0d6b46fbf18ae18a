"""Implements `delivery.sink.Sink` for HubSpot: which call a row needs, and what its answer confirms."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import msgspec

from millstream.delivery.operation import Lane
from millstream.delivery.outcome import Reason
from millstream.delivery.plan import Records
from millstream.delivery.sink import CallKind, Result, Row, WriteRow
from millstream.destinations.hubspot.calls.activity import associate, send_events
from millstream.destinations.hubspot.calls.records import upsert_companies, upsert_contacts
from millstream.destinations.hubspot.calls.schema import (
    create_definitions,
    create_properties,
    extend_definitions,
)
from millstream.destinations.hubspot.failures import call_failed
from millstream.destinations.hubspot.portal import Portal
from millstream.hubspot_api.client import Client
from millstream.hubspot_api.errors import HubSpotError, Unreachable
from millstream.hubspot_api.requests import Request

Call = Callable[[Portal, Sequence[Any], Records, "Send"], Awaitable[list[Result]]]
Send = Callable[[Request], Awaitable[Any]]

KINDS: Mapping[str, CallKind] = {
    kind.name: kind
    for kind in (
        CallKind("contact.update", 100, "general", Reason.CONTACTS_UNAVAILABLE),
        CallKind("contact.upsert", 100, "general", Reason.CONTACTS_UNAVAILABLE),
        CallKind("company.update", 100, "general", Reason.COMPANIES_UNAVAILABLE),
        CallKind("company.upsert", 100, "general", Reason.COMPANIES_UNAVAILABLE),
        CallKind("association.create", 2000, "associations", Reason.ASSOCIATIONS_UNAVAILABLE),
        CallKind("event.send", 500, "events", Reason.CUSTOM_EVENTS_UNAVAILABLE),
        CallKind("property.create", 100, "general", Reason.SCHEMAS_UNAVAILABLE, 0.1),
        CallKind("definition.create", 10, "general", Reason.CUSTOM_EVENTS_UNAVAILABLE, 0.05),
        CallKind("event_property.create", 50, "general", Reason.CUSTOM_EVENTS_UNAVAILABLE, 0.05),
    )
}
_CALLS: Mapping[str, Call] = {
    "contact.update": upsert_contacts,
    "contact.upsert": upsert_contacts,
    "company.update": upsert_companies,
    "company.upsert": upsert_companies,
    "association.create": associate,
    "event.send": send_events,
    "property.create": create_properties,
    "definition.create": create_definitions,
    "event_property.create": extend_definitions,
}


class HubSpotSink:
    """Executes operations of one portal."""

    kinds: Mapping[str, CallKind] = KINDS

    def __init__(self, portal: Portal) -> None:
        self._portal = portal

    @property
    def client(self) -> Client:
        """The portal's connection."""
        return self._portal.client

    def route(self, row: Row, records: Records) -> str:
        """By id when it is known, otherwise by its unique value."""
        if isinstance(row, WriteRow) and row.family in {"contact", "company"}:
            known = records.get(row.key) is not None
            return f"{row.family}.update" if known else f"{row.family}.upsert"
        return {"association": "association.create", "event": "event.send"}.get(
            row.family, f"{row.family}.create"
        )

    def delay_s(self, kind: str, lane: Lane) -> float:
        """What the budget says."""
        now = asyncio.get_running_loop().time()
        return self._portal.client.budget.delay_s(KINDS[kind].pool, now, backfill=lane is Lane.BACKFILL)

    async def call(self, kind: str, rows: Sequence[Row], records: Records) -> list[Result]:
        """Execute one batch."""
        backfill = all(r.lane is Lane.BACKFILL for r in rows)

        async def send(request: Request) -> Any:
            return (await self._portal.client.send(request, backfill=backfill)).json()

        try:
            return await _CALLS[kind](self._portal, rows, records, send)
        except (HubSpotError, Unreachable) as error:
            raise call_failed(error) from None

    def describe(self, kind: str, rows: Sequence[Row], records: Records) -> bytes:
        """The rows as JSON: what would be sent, by HubSpot's names."""
        described = []
        for row in rows:
            if isinstance(row, WriteRow):
                described.append(
                    {
                        "record": list(records.resolve(row.key)),
                        "properties": {n: s.value for n, s in row.values.items()},
                    }
                )
            else:
                described.append({k: v for k, v in row.payload.items() if k != "notes"})
        return msgspec.json.encode({"call": kind, "inputs": described})

    async def probe(self) -> None:
        """Ask for the account: cheap, and it needs no scope."""
        try:
            await self._portal.client.send(self._portal.operations.account())
        except (HubSpotError, Unreachable) as error:
            raise call_failed(error) from None

    async def close(self) -> None:
        """Close connections."""
        await self._portal.client.close()
