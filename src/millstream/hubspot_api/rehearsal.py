"""Clients that keep what they are asked to write: one writes it too, the other only reads and answers for HubSpot.

A rehearsal goes through the same code as a delivery; HubSpot is asked for what is there and told nothing. Its answers
say what HubSpot's would if it took everything: a new record's id is `new-1`, `new-2`, ….
"""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec

from millstream.hubspot_api.client import Answer, Client
from millstream.hubspot_api.errors import HubSpotError
from millstream.hubspot_api.requests import Request


class Changed(NamedTuple):
    """What a write would do to one property: object type, record id (or `new-…`), property, old value, new value."""

    object_type: str
    record: str
    property: str
    old: str | None
    new: str


def reads(request: Request) -> bool:
    """Whether a request changes nothing."""
    return (request.method == "GET" and request.path != "/v1/event") or request.path.endswith(
        ("/batch/read", "/search", "/access-token-info")
    )


class RecordingClient(Client):
    """Sends everything, and keeps what changes something."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.written: list[Request] = []
        self.changes: list[Changed] = []

    async def send(self, request: Request, *, backfill: bool = False) -> Answer:
        """Send one request; see `Client.send`."""
        if not reads(request):
            self.written.append(request)
        return await super().send(request, backfill=backfill)


class RehearsingClient(RecordingClient):
    """Sends what reads; answers itself what would write. `portal_id` is part of the names of new events."""

    portal_id = ""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._new = 0
        self._made: set[str] = set()

    async def send(self, request: Request, *, backfill: bool = False) -> Answer:
        """Read, or pretend to write."""
        if reads(request):
            if self._concerns_new(request):
                return Answer(200, b'{"status":"COMPLETE","results":[]}')
            return await Client.send(self, request, backfill=backfill)
        self.written.append(request)
        body = msgspec.json.decode(request.body) if request.body else {}
        answer = await self._pretend(request, body)
        return Answer(200, msgspec.json.encode(answer))

    async def _pretend(self, request: Request, body: Any) -> Any:
        path, inputs = request.path, body.get("inputs") or []
        action = path.rpartition("/")[2]
        if "/associations/" in path:
            if action == "archive":
                return {}
            pairs = [{"fromObjectId": i["from"]["id"], "toObjectId": i["to"]["id"]} for i in inputs]
            return {"status": "COMPLETE", "results": pairs}
        if "/properties/" in path and action == "create":
            self._made |= {str(i["name"]) for i in inputs}
        if "/objects/" in path and action in {"update", "upsert", "create"}:
            return {"status": "COMPLETE", "results": await self._written(path, action, inputs)}
        if path.endswith("/event-definitions"):
            return {
                **body,
                "fullyQualifiedName": f"pe{self.portal_id}_{body['name']}",
                "properties": body.get("propertyDefinitions") or [],
            }
        if ("/lists/" in path and request.method == "POST") or path.endswith("/lists"):
            return {"list": {"listId": self._id(), **body}}
        return {"status": "COMPLETE", "results": inputs}

    async def _written(self, path: str, action: str, inputs: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Results of a batch, with the ids of records that are there; notes what would change."""
        object_type = path.split("/")[-3]
        there = await self._there(path, inputs) if action != "create" else {}
        results: list[dict[str, Any]] = []
        for item in inputs:
            record = there.get(str(item.get("id", "")).lower())
            found = str(record["id"]) if record else str(item["id"]) if action == "update" else self._id()
            held = (record or {}).get("properties") or {}
            for name, value in (item.get("properties") or {}).items():
                if (held.get(name) or "") != value:
                    self.changes.append(Changed(object_type, found, name, held.get(name), value))
            key = {item["idProperty"]: item["id"]} if item.get("idProperty") else {}
            results.append(
                {
                    "id": found,
                    "properties": {**key, **(item.get("properties") or {})},
                    "objectWriteTraceId": item.get("objectWriteTraceId"),
                }
            )
        return results

    async def _there(self, path: str, inputs: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
        """The records that a batch names, as they are now, by the value that names them."""
        found: dict[str, dict[str, Any]] = {}
        by_property: dict[str | None, list[dict[str, Any]]] = {}
        for item in inputs:
            by_property.setdefault(item.get("idProperty"), []).append(item)
        for id_property, items in by_property.items():
            names = sorted({n for i in items for n in i.get("properties") or {}} | {id_property or ""} - {""})
            body: dict[str, Any] = {"inputs": [{"id": i["id"]} for i in items], "properties": names}
            if id_property:
                body["idProperty"] = id_property
            read = path.rpartition("/")[0] + "/read"
            try:
                answer = await Client.send(
                    self, Request("POST", read, "general", "rehearsal", msgspec.json.encode(body))
                )
            except HubSpotError as error:
                if error.refusal.status in {400, 404}:
                    continue  # none of them is there, or what names them is not
                raise
            for record in answer.json().get("results") or []:
                named = (record.get("properties") or {}).get(id_property) if id_property else record["id"]
                found[str(named or "").lower()] = record
        return found

    def _concerns_new(self, request: Request) -> bool:
        """Whether a read asks for what this rehearsal only pretended to make: HubSpot knows nothing of it."""
        if not request.body:
            return False
        body = msgspec.json.decode(request.body)
        filters = [f for g in body.get("filterGroups") or [] for f in g.get("filters") or []]
        named = {body.get("idProperty"), *(f.get("propertyName") for f in filters)}
        ids = [str(i.get("id", "")) for i in body.get("inputs") or []]
        return bool(named & self._made) or any(i.startswith("new-") for i in ids)

    def _id(self) -> str:
        self._new += 1
        return f"new-{self._new}"
