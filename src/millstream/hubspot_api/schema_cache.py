"""One portal's schema, fetched once however many ask: single flight, kept for a while, refetched on a mismatch."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from millstream.hubspot_api.client import Client
from millstream.hubspot_api.errors import Failure, HubSpotError
from millstream.hubspot_api.requests import Operations
from millstream.hubspot_api.schema import Definition, PortalSchema, Property, read_definition, read_property


class SchemaCache:
    """`current` is a frozen value; `refresh` replaces it."""

    def __init__(
        self, client: Client, operations: Operations, object_types: Iterable[str], *, ttl_s: float = 600.0
    ) -> None:
        self._client = client
        self._operations = operations
        self._types = tuple(object_types)
        self._ttl_s = ttl_s
        self._flight: asyncio.Task[None] | None = None
        self._fetched_at: float | None = None
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

    def add_property(self, object_type: str, prop: Property) -> None:
        """A property that was just created, before a read would show it."""
        known = dict(self.current.properties)
        known[object_type] = {**known.get(object_type, {}), prop.name: prop}
        self.current = PortalSchema(known, self.current.definitions, self.current.definitions_known)

    def drop_property(self, object_type: str, name: str) -> None:
        """A property that HubSpot says it does not have."""
        known = {
            t: {n: p for n, p in props.items() if (t, n) != (object_type, name)}
            for t, props in self.current.properties.items()
        }
        self.current = PortalSchema(known, self.current.definitions, self.current.definitions_known)

    def add_definition(self, definition: Definition) -> None:
        """A definition that was just created or extended."""
        known = {**self.current.definitions, definition.name.lower(): definition}
        self.current = PortalSchema(self.current.properties, known, self.current.definitions_known)

    async def _fetch(self) -> None:
        properties: dict[str, dict[str, Property]] = {}
        for object_type in self._types:
            try:
                answer = (await self._client.send(self._operations.properties(object_type))).json()
            except HubSpotError as error:
                if error.refusal.failure is not Failure.FORBIDDEN or object_type == "contacts":
                    raise
                continue
            properties[object_type] = {p["name"]: read_property(p) for p in answer.get("results", [])}
        definitions: dict[str, Definition] = {}
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
            if error.refusal.failure not in {Failure.FORBIDDEN, Failure.NOT_FOUND}:
                raise
            known = False  # no Enterprise, or the scope is missing: custom events are unavailable
        self.current = PortalSchema(properties, definitions, known)
        self._fetched_at = asyncio.get_running_loop().time()
