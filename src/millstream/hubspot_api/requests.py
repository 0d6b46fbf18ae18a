"""HubSpot's operations as values: method, path for the configured API version, body, and the pool that pays."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final, Literal
from urllib.parse import quote

import msgspec

Pool = Literal["general", "search", "associations", "events"]
DATED: Final = ("2026-03", "2026-09")
VERSIONS: Final = (*DATED, "v3")


@dataclass(frozen=True, slots=True)
class Request:
    """One call. `family` names what a refusal concerns: contacts, companies, schemas, associations, events and so on."""

    method: str
    path: str
    pool: Pool
    family: str
    body: bytes = b""
    query: dict[str, str] = field(default_factory=dict)


class Operations:
    """Requests for one API version: `2026-09` (default), `2026-03`, or `v3` for the old v3 and v4 paths."""

    def __init__(self, version: str = "2026-09") -> None:
        self.version = version
        dated = version in DATED
        self._objects = f"/crm/objects/{version}" if dated else "/crm/v3/objects"
        self._properties = f"/crm/properties/{version}" if dated else "/crm/v3/properties"
        self._associations = f"/crm/associations/{version}" if dated else "/crm/v4/associations"
        self._definitions = (
            f"/events/{version}/event-definitions" if dated else "/events/v3/event-definitions"
        )
        self._send = f"/events/{version}/send" if dated else "/events/v3/send"
        self._account = f"/account-info/{version}" if dated else "/account-info/v3"
        self._dated = dated

    def batch(self, object_type: str, action: str, inputs: list[dict[str, Any]], **more: Any) -> Request:
        """`POST …/{type}/batch/{read|create|update|upsert|archive}`."""
        body = msgspec.json.encode({"inputs": inputs, **more})
        return Request(
            "POST", f"{self._objects}/{quote(object_type)}/batch/{action}", "general", object_type, body
        )

    def search(self, object_type: str, body: dict[str, Any]) -> Request:
        """`POST …/{type}/search`; pays from the search pool."""
        return Request(
            "POST",
            f"{self._objects}/{quote(object_type)}/search",
            "search",
            object_type,
            msgspec.json.encode(body),
        )

    def archive(self, object_type: str, record: str) -> Request:
        """`DELETE …/{type}/{id}`."""
        return Request(
            "DELETE", f"{self._objects}/{quote(object_type)}/{quote(record)}", "general", object_type
        )

    def properties(self, object_type: str) -> Request:
        """All properties of a type."""
        return Request("GET", f"{self._properties}/{quote(object_type)}", "general", "schemas")

    def create_properties(self, object_type: str, inputs: list[dict[str, Any]]) -> Request:
        """Create properties in one call."""
        body = msgspec.json.encode({"inputs": inputs})
        return Request(
            "POST", f"{self._properties}/{quote(object_type)}/batch/create", "general", "schemas", body
        )

    def create_group(self, object_type: str, name: str, label: str) -> Request:
        """Create a property group."""
        body = msgspec.json.encode({"name": name, "label": label, "displayOrder": -1})
        return Request("POST", f"{self._properties}/{quote(object_type)}/groups", "general", "schemas", body)

    def definitions(self, after: str | None = None) -> Request:
        """A page of event definitions with their properties."""
        query = {"limit": "100", "includeProperties": "true"} | ({"after": after} if after else {})
        return Request("GET", self._definitions, "general", "events", query=query)

    def create_definition(self, definition: dict[str, Any]) -> Request:
        """Create an event definition."""
        return Request("POST", self._definitions, "general", "events", msgspec.json.encode(definition))

    def extend_definition(self, name: str, prop: dict[str, Any]) -> Request:
        """Add a property to an event definition."""
        path = f"{self._definitions}/{quote(name)}/property"
        return Request("POST", path, "general", "events", msgspec.json.encode(prop))

    def send_events(self, inputs: list[dict[str, Any]]) -> Request:
        """Send up to 500 event occurrences."""
        return Request(
            "POST", f"{self._send}/batch", "events", "events", msgspec.json.encode({"inputs": inputs})
        )

    def associate_default(self, from_type: str, to_type: str, pairs: list[tuple[str, str]]) -> Request:
        """Associate records with the unlabelled type."""
        inputs = [{"from": {"id": a}, "to": {"id": b}} for a, b in pairs]
        path = f"{self._associations}/{quote(from_type)}/{quote(to_type)}/batch/associate/default"
        return Request("POST", path, "associations", "associations", msgspec.json.encode({"inputs": inputs}))

    def account(self) -> Request:
        """Portal id, time zone, data centre."""
        return Request("GET", f"{self._account}/details", "general", "account")

    def token_info(self, token: str) -> Request:
        """What a private app's or service key's token may do."""
        body = msgspec.json.encode({"tokenKey": token})
        return Request("POST", "/oauth/v2/private-apps/get/access-token-info", "general", "account", body)
