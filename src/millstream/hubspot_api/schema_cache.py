"""One portal's schema, fetched once however many ask: single flight, kept for a while, refetched on a mismatch."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Final

from millstream.hubspot_api.client import Client
from millstream.hubspot_api.errors import Failure, HubSpotError
from millstream.hubspot_api.object_types import canonical, names_of, standard
from millstream.hubspot_api.requests import Operations
from millstream.hubspot_api.schema import Definition, PortalSchema, Property, read_definition, read_property

_DOUBT_S: Final = 60.0


class SchemaCache:
    """`current` is a frozen value; `refresh` replaces it."""

    def __init__(
        self,
        client: Client,
        operations: Operations,
        object_types: Iterable[str],
        *,
        sensitive: bool = False,
        custom_events: bool = True,
        ttl_s: float = 600.0,
    ) -> None:
        self._client = client
        self._operations = operations
        self._types = tuple(object_types)
        self._sensitive = sensitive
        self._custom_events = custom_events
        self._ttl_s = ttl_s
        self._flight: asyncio.Task[None] | None = None
        self._fetched_at: float | None = None
        self._learned: list[Callable[[PortalSchema], PortalSchema]] = []
        self.current = PortalSchema()

    async def ensure(self) -> None:
        """Fetch when it was never fetched; refetch in the background when it is old. Raises what the client raises."""
        now = asyncio.get_running_loop().time()
        if self._fetched_at is None:
            await self.refresh()
        elif now - self._fetched_at > self._ttl_s and (self._flight is None or self._flight.done()):
            self._flight = asyncio.create_task(self._fetch())
            self._flight.add_done_callback(lambda t: t.cancelled() or t.exception())

    async def refresh(self) -> None:
        """Fetch now; whoever asks meanwhile shares the answer."""
        if self._flight is None or self._flight.done():
            self._flight = asyncio.create_task(self._fetch())
        await asyncio.shield(self._flight)

    def doubt(self) -> None:
        """A value did not fit: the schema may have changed. Refetched in the background, once a minute at most."""
        if self._fetched_at is not None:
            now = asyncio.get_running_loop().time()
            if now - self._fetched_at > _DOUBT_S:
                self._fetched_at = now - self._ttl_s - 1

    def add_property(self, object_type: str, prop: Property) -> None:
        """A property that was just created, before a read would show it."""
        self._learn(lambda schema: schema.with_property(object_type, prop))

    def add_definition(self, definition: Definition) -> None:
        """A definition that was just created or extended."""
        self._learn(lambda schema: schema.with_definition(definition))

    def _learn(self, change: Callable[[PortalSchema], PortalSchema]) -> None:
        """Apply a change now, and again to what a fetch brings that began before it."""
        self.current = change(self.current)
        self._learned.append(change)

    async def _fetch(self) -> None:
        self._learned.clear()
        custom, type_ids = await self._custom()
        properties: dict[str, dict[str, Property]] = {}
        for wanted in self._types:
            object_type = canonical(wanted, custom)
            try:
                properties[object_type] = await self._properties(object_type)
            except HubSpotError as error:
                refusal = error.refusal
                if object_type == "contacts" or (
                    refusal.failure is not Failure.FORBIDDEN and refusal.status != 400
                ):
                    raise
        definitions, known = await self._definitions()
        found = PortalSchema(properties, definitions, known, custom, type_ids)
        for change in self._learned:
            found = change(found)
        self.current = found
        self._fetched_at = asyncio.get_running_loop().time()

    async def _custom(self) -> tuple[dict[str, str], dict[str, str]]:
        """Names and type ids of custom objects; nothing is asked when no mapping writes any."""
        if all(standard(t) for t in self._types):
            return {}, {}
        try:
            listed = (await self._client.send(self._operations.schemas())).json().get("results") or []
        except HubSpotError as error:
            if error.refusal.failure is not Failure.FORBIDDEN:
                raise
            return {}, {}
        return names_of(listed), {str(s["fullyQualifiedName"]): str(s["objectTypeId"]) for s in listed}

    async def _properties(self, object_type: str) -> dict[str, Property]:
        found: dict[str, Property] = {}
        for sensitive in (False, True) if self._sensitive else (False,):
            request = self._operations.properties(object_type, sensitive=sensitive)
            answer = (await self._client.send(request)).json()
            found |= {p["name"]: read_property(p) for p in answer.get("results", [])}
        return found

    async def _definitions(self) -> tuple[dict[str, Definition], bool]:
        """All event definitions, and whether the portal tells them at all."""
        definitions: dict[str, Definition] = {}
        if not self._custom_events:
            return definitions, False
        known = True
        after: str | None = None
        try:
            while True:
                page = (await self._client.send(self._operations.definitions(after))).json()
                for raw in page.get("results", []):
                    definition = read_definition(raw)
                    definitions[definition.name.lower()] = definition
                after = ((page.get("paging") or {}).get("next") or {}).get("after")
                if not after:
                    break
        except HubSpotError as error:
            if error.refusal.status in {401, 429} or error.refusal.status >= 500:
                raise
            known = False  # no Enterprise, or the scope is missing: custom events are unavailable
        return definitions, known
