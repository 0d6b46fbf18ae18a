"""Implements `delivery.sink.Sink` for HubSpot: which call a row needs, and what its answer confirms."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

import msgspec

from millstream.delivery.operation import Lane
from millstream.delivery.outcome import Reason
from millstream.delivery.plan import Records
from millstream.delivery.sink import CallKind, Result, Row, SendRow, WriteRow
from millstream.destinations.hubspot.calls.associations import write_associations
from millstream.destinations.hubspot.calls.companies import write_companies
from millstream.destinations.hubspot.calls.contacts import write_contacts
from millstream.destinations.hubspot.calls.events import send_events
from millstream.destinations.hubspot.calls.lists import ensure_lists, write_members
from millstream.destinations.hubspot.calls.privacy import delete_contacts, write_subscriptions
from millstream.destinations.hubspot.calls.records import write_objects
from millstream.destinations.hubspot.calls.rows import type_of
from millstream.destinations.hubspot.calls.schema import (
    create_definitions,
    create_properties,
    extend_definitions,
)
from millstream.destinations.hubspot.calls.tracking import send_legacy_events, submit_forms
from millstream.destinations.hubspot.failures import call_failed
from millstream.destinations.hubspot.portal import Portal
from millstream.hubspot_api.client import Client
from millstream.hubspot_api.errors import HubSpotError, Unreachable
from millstream.hubspot_api.requests import Request

Call = Callable[[Portal, Sequence[Any], Records, "Send"], Awaitable[list[Result]]]
Send = Callable[[Request], Awaitable[Any]]


class _Kinds(dict[str, CallKind]):
    """Kinds by name; an object type's two kinds come into being when the type is first written."""

    def __missing__(self, name: str) -> CallKind:
        self[name] = kind = CallKind(name, 100, "general", Reason.OBJECTS_UNAVAILABLE)
        return kind


KINDS: Final = (
    CallKind("contact.update", 100, "general", Reason.CONTACTS_UNAVAILABLE),
    CallKind("contact.upsert", 100, "general", Reason.CONTACTS_UNAVAILABLE),
    CallKind("contact.gdpr_delete", 1, "general", Reason.CONTACTS_UNAVAILABLE),
    CallKind("company.update", 100, "general", Reason.COMPANIES_UNAVAILABLE),
    CallKind("company.upsert", 100, "general", Reason.COMPANIES_UNAVAILABLE),
    CallKind("association.create", 2000, "associations", Reason.ASSOCIATIONS_UNAVAILABLE),
    CallKind("association.archive", 100, "associations", Reason.ASSOCIATIONS_UNAVAILABLE),
    CallKind("event.send", 500, "events", Reason.CUSTOM_EVENTS_UNAVAILABLE),
    CallKind("list.create", 10, "general", Reason.LISTS_UNAVAILABLE, 0.1),
    CallKind("membership.change", 1000, "general", Reason.LISTS_UNAVAILABLE),
    CallKind("subscription.write", 100, "general", Reason.SUBSCRIPTIONS_UNAVAILABLE),
    CallKind("legacy_event.send", 1, "events", Reason.LEGACY_EVENTS_UNAVAILABLE),
    CallKind("form.submit", 1, "events", Reason.FORMS_UNAVAILABLE, 0.0),
    CallKind("property.create", 100, "general", Reason.SCHEMAS_UNAVAILABLE, 0.1),
    CallKind("definition.create", 10, "general", Reason.CUSTOM_EVENTS_UNAVAILABLE, 0.05),
    CallKind("event_property.create", 50, "general", Reason.CUSTOM_EVENTS_UNAVAILABLE, 0.05),
)
_CALLS: Mapping[str, Call] = {
    "contact.update": write_contacts,
    "contact.upsert": write_contacts,
    "contact.gdpr_delete": delete_contacts,
    "company.update": write_companies,
    "company.upsert": write_companies,
    "association.create": write_associations,
    "association.archive": write_associations,
    "event.send": send_events,
    "list.create": ensure_lists,
    "membership.change": write_members,
    "subscription.write": write_subscriptions,
    "legacy_event.send": send_legacy_events,
    "form.submit": submit_forms,
    "property.create": create_properties,
    "definition.create": create_definitions,
    "event_property.create": extend_definitions,
}
_FIXED: Final = {
    "event": "event.send",
    "legacy_event": "legacy_event.send",
    "membership": "membership.change",
    "subscription": "subscription.write",
    "gdpr_delete": "contact.gdpr_delete",
    "form": "form.submit",
}


class HubSpotSink:
    """Executes operations of one portal."""

    def __init__(self, portal: Portal) -> None:
        self._portal = portal
        self.kinds: Mapping[str, CallKind] = _Kinds({kind.name: kind for kind in KINDS})

    @property
    def client(self) -> Client:
        """The portal's connection."""
        return self._portal.client

    @property
    def clients(self) -> tuple[Client, ...]:
        """Every connection: the portal's, the track host's, the forms host's."""
        return self._portal.client, self._portal.pixel, self._portal.forms

    def route(self, row: Row, records: Records) -> str:
        """By id when it is known, otherwise by what else names the record."""
        if isinstance(row, SendRow) or row.family in _FIXED:
            return _FIXED[row.family]
        if row.family in {"contact", "company", "object"}:
            what = row.family if row.family != "object" else type_of(row.key)
            known = row.key.by == "id" or records.get(row.key) is not None
            return f"{what}.update" if known else f"{what}.upsert"
        if row.family == "association":
            return "association.create" if row.value("linked") else "association.archive"
        return f"{row.family}.create"

    def delay_s(self, kind: str, lane: Lane) -> float:
        """What the budget says."""
        now, budget = asyncio.get_running_loop().time(), self._portal.client.budget
        if lane is Lane.BACKFILL and (left_s := budget.quota_s(now, backfill=True)):
            return left_s
        return budget.delay_s(self.kinds[kind].pool, now, backfill=lane is Lane.BACKFILL)

    async def call(self, kind: str, rows: Sequence[Row], records: Records) -> list[Result]:
        """Execute one batch."""
        backfill = all(r.lane is Lane.BACKFILL for r in rows)

        async def send(request: Request) -> Any:
            return (await self._portal.client.send(request, backfill=backfill)).read(request.answer)

        try:
            return await _CALLS.get(kind, write_objects)(self._portal, rows, records, send)
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
                        "properties": row.said.values,
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
        for client in self.clients:
            await client.close()
