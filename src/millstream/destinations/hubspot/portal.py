"""What planner and sink of one portal share: settings, schema, its day, and what was made or is about to be."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from millstream.delivery.operation import Key
from millstream.destinations.hubspot.settings import HubSpotSettings
from millstream.destinations.hubspot.values import zone_of
from millstream.destinations.made import MadeStore
from millstream.hubspot_api import object_types
from millstream.hubspot_api.client import Client
from millstream.hubspot_api.errors import Failure, HubSpotError
from millstream.hubspot_api.portal_day import PortalDay
from millstream.hubspot_api.requests import Operations
from millstream.hubspot_api.schema import PortalSchema, Property
from millstream.hubspot_api.schema_cache import SchemaCache

MAX_PROPERTIES_A_DAY = 100
MAX_DEFINITIONS = 200
_LATELY_MS = 5000
# What asking again mends; any other refusal of account-info leaves the portal in UTC.
_PASSING = frozenset({Failure.UNAUTHORIZED, Failure.LIMITED, Failure.DAILY, Failure.DOWN})
DOMAIN_PROPERTY = "millstream_domain"
GROUP = "millstream"


class Portal:
    """One portal as one destination knows it."""

    def __init__(
        self,
        settings: HubSpotSettings,
        client: Client,
        operations: Operations,
        cache: SchemaCache,
        now_ms: Callable[[], int],
        day: PortalDay,
        made: MadeStore,
        is_browser: Callable[[str], bool | None],
        pixel: Client,
        forms: Client,
    ) -> None:
        self.settings = settings
        self.client = client
        self.pixel = pixel
        self.forms = forms
        self.policies: dict[str, dict[str, str]] = {
            object_types.canonical(t): dict(p) for t, p in (settings["write_policy"] or {}).items()
        }
        self.operations = operations
        self.cache = cache
        self.zone = zone_of(str(settings["date_timezone"]))
        self.is_browser = is_browser
        self._now_ms = now_ms
        self._day = day
        self._account = str(settings["portal_id"])
        self._made = made
        self.wanted_properties: dict[tuple[str, str], dict[str, Any]] = {}
        self.wanted_definitions: dict[str, dict[str, Any]] = {}
        self._made_ms: dict[str, int] = {}
        self._full: dict[str, int] = {}
        self.groups: set[str] = set()

    @property
    def schema(self) -> PortalSchema:
        """The schema as it is known now."""
        return self.cache.current

    async def prepare(self) -> None:
        """Know the portal's time zone and schema. Raises what the client raises."""
        if not self._day.known:
            try:
                self._day.learn((await self.client.send(self.operations.account())).json())
            except HubSpotError as error:
                if error.refusal.failure in _PASSING:
                    raise
                self._day.learn({})
        await self.cache.ensure()

    def canonical(self, object_type: str) -> str:
        """The one name of an object type that somebody calls by another."""
        return object_types.canonical(object_type, self.schema.custom)

    def type_id(self, object_type: str) -> str:
        """The id of an object type under its canonical name."""
        return object_types.type_id(object_type, self.schema.type_ids)

    def want_property(
        self, object_type: str, name: str, label: str, kind: str, *, sensitive: bool = False
    ) -> bool:
        """Note that a property is to be made; False when today's limit is reached. Mixed kinds become text."""
        wanted = self.wanted_properties.get((object_type, name))
        if wanted is None:
            if not self._room_today(object_type):
                return False
            self.wanted_properties[object_type, name] = {
                "label": label,
                "kind": kind,
                "sensitive": sensitive,
            }
        elif wanted["kind"] != kind:
            wanted["kind"] = "string"
        return True

    def _room_today(self, object_type: str) -> bool:
        """Whether one more property may be made on the portal's day."""
        today = self._day.began_ms()
        if self._full.get(object_type) == today:
            return False
        made = self._made.names(self._account, "property", object_type, today)
        if len(made | {n for t, n in self.wanted_properties if t == object_type}) < MAX_PROPERTIES_A_DAY:
            return True
        self._full[object_type] = today  # events with unknown properties keep coming: the store is asked once
        return False

    def want_definition(self, short: str, label: str, primary_object: str) -> bool:
        """Note that an event definition is to be made; False when as many as we may were made in the portal."""
        if short in self.wanted_definitions:
            return True
        made = self._made.names(self._account, "definition", "name")
        wanted = {n for n in self.wanted_definitions if self.schema.definition(n) is None}
        if short not in made and len(made | wanted) >= MAX_DEFINITIONS:
            return False
        self.wanted_definitions[short] = {"label": label, "object": primary_object}
        return True

    async def making(self, keys: Sequence[Key]) -> None:
        """Count what HubSpot is about to be asked for: a crash in between must not let more be made than allowed."""
        await self._made.add(self._account, keys, self._now_ms())

    async def not_made(self, keys: Sequence[Key]) -> None:
        """HubSpot refused: it does not count."""
        await self._made.remove(self._account, keys)

    def made_property(self, object_type: str, found: Property) -> None:
        """HubSpot made it."""
        self.cache.add_property(object_type, found)
        self.wanted_properties.pop((object_type, found.name), None)
        self._made_ms[object_type] = self._now_ms()

    def made_any_lately(self, object_type: str) -> bool:
        """Whether a property is so new that HubSpot may not know it everywhere yet."""
        return self._now_ms() - self._made_ms.get(object_type, 0) < _LATELY_MS
