"""HubSpot's operations as values: method, path for the configured API version, body, and the pool that pays."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final, Literal
from urllib.parse import quote

import msgspec

from millstream.hubspot_api.written import Written

Pool = Literal["general", "search", "associations", "events"]
DATED: Final = ("2026-03", "2026-09")


@dataclass(frozen=True, slots=True)
class Request:
    """One call. `family` names what a refusal concerns: contacts, companies, schemas, associations, events and so on.

    `answer` is the type that the answer is read as.
    """

    method: str
    path: str
    pool: Pool
    family: str
    body: bytes = b""
    query: dict[str, str] = field(default_factory=dict)
    answer: Any = Any


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
        self._lists = f"/crm/lists/{version}" if dated else "/crm/v3/lists"
        self._schemas = (
            f"/crm-object-schemas/{version}/schemas" if dated else "/crm-object-schemas/v3/schemas"
        )
        self._preferences = f"/communication-preferences/{version if dated else 'v4'}"
        self._account = f"/account-info/{version}" if dated else "/account-info/v3"

    def batch(self, object_type: str, action: str, inputs: list[dict[str, Any]], **more: Any) -> Request:
        """`POST …/{type}/batch/{read|create|update|upsert|archive}`."""
        return Request(
            "POST",
            f"{self._objects}/{quote(object_type)}/batch/{action}",
            "general",
            object_type,
            msgspec.json.encode({"inputs": inputs, **more}),
            answer=Written if action in {"create", "update", "upsert"} else Any,
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

    def properties(self, object_type: str, *, sensitive: bool = False) -> Request:
        """All properties of a type: the ordinary ones, or the sensitive ones, which HubSpot lists apart."""
        query = {"dataSensitivity": "sensitive"} if sensitive else {}
        return Request("GET", f"{self._properties}/{quote(object_type)}", "general", "schemas", query=query)

    def schemas(self) -> Request:
        """The portal's custom objects."""
        return Request("GET", self._schemas, "general", "schemas", query={"archived": "false"})

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

    def associate(
        self, from_type: str, to_type: str, pairs: list[tuple[str, str]], category: str, type_id: int
    ) -> Request:
        """Associate records under a label."""
        types = [{"associationCategory": category, "associationTypeId": type_id}]
        inputs = [{"from": {"id": a}, "to": {"id": b}, "types": types} for a, b in pairs]
        return self._association(from_type, to_type, "batch/create", inputs)

    def dissociate(
        self, from_type: str, to_type: str, pairs: list[tuple[str, str]], category: str = "", type_id: int = 0
    ) -> Request:
        """Take one label from pairs of records, or (without a category) everything between them."""
        if category:
            types = [{"associationCategory": category, "associationTypeId": type_id}]
            inputs = [{"from": {"id": a}, "to": {"id": b}, "types": types} for a, b in pairs]
            return self._association(from_type, to_type, "batch/labels/archive", inputs)
        by_source: dict[str, list[dict[str, str]]] = {}
        for a, b in pairs:
            by_source.setdefault(a, []).append({"id": b})
        inputs = [{"from": {"id": a}, "to": to} for a, to in by_source.items()]
        return self._association(from_type, to_type, "batch/archive", inputs)

    def _association(self, from_type: str, to_type: str, what: str, inputs: list[dict[str, Any]]) -> Request:
        path = f"{self._associations}/{quote(from_type)}/{quote(to_type)}/{what}"
        return Request("POST", path, "associations", "associations", msgspec.json.encode({"inputs": inputs}))

    def list_by_name(self, type_id: str, name: str) -> Request:
        """A list of records of a type, by its name."""
        path = f"{self._lists}/object-type-id/{quote(type_id)}/name/{quote(name, safe='')}"
        return Request("GET", path, "general", "lists")

    def create_list(self, type_id: str, name: str) -> Request:
        """Create a static list."""
        body = {"name": name, "objectTypeId": type_id, "processingType": "MANUAL"}
        return Request("POST", self._lists, "general", "lists", msgspec.json.encode(body))

    def change_members(self, list_id: str, add: list[str], remove: list[str]) -> Request:
        """Add records to a static list and remove others, in one call."""
        body = {"recordIdsToAdd": add, "recordIdsToRemove": remove}
        path = f"{self._lists}/{quote(list_id)}/memberships/add-and-remove"
        return Request("PUT", path, "general", "lists", msgspec.json.encode(body))

    def gdpr_delete(self, value: str, id_property: str | None) -> Request:
        """Delete a contact for good, by id or by email."""
        body = {"objectId": value} | ({"idProperty": id_property} if id_property else {})
        return Request(
            "POST", f"{self._objects}/contacts/gdpr-delete", "general", "contacts", msgspec.json.encode(body)
        )

    def write_subscriptions(self, inputs: list[dict[str, Any]]) -> Request:
        """Set subscription statuses of up to 100 addresses."""
        body = msgspec.json.encode({"inputs": inputs})
        path = f"{self._preferences}/statuses/batch/write"
        return Request("POST", path, "general", "subscriptions", body)

    def legacy_event(self, query: dict[str, str]) -> Request:
        """The tracking pixel of legacy events; on the track host, without a token."""
        return Request("GET", "/v1/event", "events", "legacy_events", query=query)

    def submit_form(self, portal: str, form: str, email: str, context: dict[str, Any]) -> Request:
        """A form with an address and the visitor's cookie; on the forms host, without a token."""
        body = {
            "fields": [{"objectTypeId": "0-1", "name": "email", "value": email}],
            "context": context,
        }
        path = f"/submissions/v3/integration/submit/{quote(portal)}/{quote(form)}"
        return Request("POST", path, "general", "forms", msgspec.json.encode(body))

    def account(self) -> Request:
        """Portal id, time zone, data centre."""
        return Request("GET", f"{self._account}/details", "general", "account")

    def token_info(self, token: str) -> Request:
        """What a private app's or service key's token may do."""
        body = msgspec.json.encode({"tokenKey": token})
        return Request("POST", "/oauth/v2/private-apps/get/access-token-info", "general", "account", body)
