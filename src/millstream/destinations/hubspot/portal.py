"""What planner and sink of one portal share: settings, schema, and what is about to be made."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from millstream.destinations.hubspot.settings import HubSpotSettings
from millstream.destinations.hubspot.values import zone_of
from millstream.hubspot_api import object_types
from millstream.hubspot_api.client import Client
from millstream.hubspot_api.requests import Operations
from millstream.hubspot_api.schema import PortalSchema
from millstream.hubspot_api.schema_cache import SchemaCache

MAX_PROPERTIES_A_DAY = 100
MAX_DEFINITIONS = 200
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
        now_s: Callable[[], float],
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
        self.now_s = now_s
        self.wanted_properties: dict[tuple[str, str], dict[str, Any]] = {}
        self.wanted_definitions: dict[str, dict[str, Any]] = {}
        self.made_at: dict[tuple[str, str], float] = {}
        self.made_definitions = 0
        self.groups: set[str] = set()

    @property
    def schema(self) -> PortalSchema:
        """The schema as it is known now."""
        return self.cache.current

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
            made = {
                n for (t, n), at in self.made_at.items() if t == object_type and self.now_s() - at < 86400
            }
            today = len(made | {n for t, n in self.wanted_properties if t == object_type})
            if today >= MAX_PROPERTIES_A_DAY:
                return False
            self.wanted_properties[object_type, name] = {
                "label": label,
                "kind": kind,
                "sensitive": sensitive,
            }
        elif wanted["kind"] != kind:
            wanted["kind"] = "string"
        return True

    def made_any_lately(self, object_type: str) -> bool:
        """Whether a property is so new that HubSpot may not know it everywhere yet."""
        return any(t == object_type and self.now_s() - at < 5.0 for (t, _), at in self.made_at.items())
