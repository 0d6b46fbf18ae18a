"""Event occurrences: sending, deduplication by uuid, reading."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any, Final

from millstream.sandbox import payload
from millstream.sandbox.errors import Refused
from millstream.sandbox.portal import Portal
from millstream.sandbox.routing import DATED, Call, Reply, Route, page_of, route

_FIELDS: Final = ("eventName", "objectId", "email", "utk", "uuid", "occurredAt")


def send(portal: Portal, call: Call) -> Reply:
    """`POST /send`: one event."""
    enterprise(portal)
    send_one(portal, call.object)
    return 204, None


def send_batch(portal: Portal, call: Call) -> Reply:
    """`POST /send/batch`: everything or nothing."""
    enterprise(portal)
    inputs = call.inputs
    if len(inputs) > 500:
        raise Refused(400, f"The maximum number of inputs is 500, but {len(inputs)} were given")
    checked = [_checked(portal, item) for item in call.rows]
    for item in checked:
        _apply(portal, item)
    return 204, None


def send_one(portal: Portal, item: dict[str, Any]) -> None:
    """Check and keep one occurrence."""
    _apply(portal, _checked(portal, item))


def enterprise(portal: Portal) -> None:
    """Custom events are there in Enterprise only."""
    if portal.config.tier != "enterprise":
        status = int(portal.config.switches["custom_events_without_enterprise"])
        raise Refused(status, "This account does not have access to custom events.", "MISSING_ENTITLEMENTS")


def _checked(portal: Portal, body: dict[str, Any]) -> dict[str, Any]:
    item: dict[str, Any] = {k: payload.text(body, k) for k in _FIELDS if payload.text(body, k)}
    if "eventName" not in item:
        raise payload.unset(body, "eventName")
    try:
        definition = portal.definition(item["eventName"])
    except Refused as unknown:
        status = int(portal.config.switches["unknown_event_name"])
        raise Refused(status, unknown.body["message"], unknown.body.get("category", "")) from None
    if "occurredAt" in item:
        item["occurredAt"] = _moment(portal, body)
    given = payload.mapping(body, "properties")
    known = {p["name"]: p for p in definition["properties"]}
    if len(given) > 50:
        raise Refused(400, f"Event {definition['name']} has more than 50 properties")
    values: dict[str, str] = {}
    for name in given:
        if name not in known and not name.startswith("hs_"):
            raise Refused(400, f'Property "{name}" does not exist on event {definition["name"]}')
        text = payload.text(given, name)
        longest = 1024 if any(w in name for w in ("url", "referrer", "link")) else 256
        if len(text) > longest:
            raise Refused(400, f'Property "{name}" is longer than {longest} characters')
        if name in known and known[name]["type"] == "number" and not _number(text):
            raise Refused(400, f"{name} was not a valid number")
        values[name] = text
    identifiers = [k for k in ("objectId", "email", "utk") if item.get(k)]
    if not identifiers:
        raise Refused(400, "One of objectId, email or utk is required")
    records = portal.type(definition["primaryObject"])
    record = records.find(str(item["objectId"]), None) if item.get("objectId") else None
    if item.get("objectId") and record is None:
        kind = definition["primaryObject"].lower()
        raise Refused(400, f"No {kind} with ID {item['objectId']} exists", "OBJECT_NOT_FOUND")
    if record is None and records.type != "contacts":
        raise Refused(400, f"objectId is required for events of {definition['primaryObject']}")
    if record is None and item.get("email"):
        record = records.find(str(item["email"]), "email")
        if record is None and portal.config.switches["unknown_email_on_event"] == "400":
            raise Refused(400, f"No contact with email {item['email']} exists", "OBJECT_NOT_FOUND")
    uuid = str(item.get("uuid") or "")
    if (
        uuid
        and (definition["name"], uuid) in portal.uuids
        and portal.config.switches["repeated_uuid"] == "400"
    ):
        raise Refused(
            400,
            f"An event with uuid {uuid} already exists",
            "OBJECT_ALREADY_EXISTS",
            context={"uuid": [uuid]},
        )
    return {
        **item,
        "eventName": definition["fullyQualifiedName"],
        "properties": values,
        "_name": definition["name"],
    }


def _apply(portal: Portal, item: dict[str, Any]) -> None:
    uuid = str(item.get("uuid") or "")
    if uuid:
        if (item["_name"], uuid) in portal.uuids:
            return
        portal.uuids.add((item["_name"], uuid))
    records = portal.type(portal.definition(item["_name"])["primaryObject"])
    record = records.find(str(item["objectId"]), None) if item.get("objectId") else None
    if record is None and item.get("email"):
        record = records.find(str(item["email"]), "email")
        if record is None and portal.config.switches["unknown_email_on_event"] == "creates":
            record = records.create(records.check({"email": item["email"]}), portal.stamp())
    if record is None and item.get("utk"):
        record = records.find(portal.visitors.get(str(item["utk"]), ""), None)
    portal.occurrences.append(
        {
            "eventName": item["eventName"],
            "objectType": records.type,
            "objectId": record.id if record else None,
            "utk": item.get("utk"),
            "email": item.get("email"),
            "occurredAt": item.get("occurredAt") or portal.stamp(),
            "properties": item["properties"],
            "uuid": uuid,
            "receivedAt": portal.stamp(),
        }
    )


def read(portal: Portal, call: Call) -> Reply:
    """`GET /events` and `/event-occurrences`: of an object, of a type, or both; newest first."""
    query = call.query
    wanted, kind = query.get("objectId"), query.get("eventType")
    email = query.get("objectProperty.email")
    if email:
        found = portal.type("contacts").find(email, "email")
        wanted = found.id if found else "0"
    since, until = query.get("occurredAfter", ""), query.get("occurredBefore", "~")
    of_type = portal.type(query["objectType"]).type if query.get("objectType") else None
    owners = {d["fullyQualifiedName"]: d["primaryObject"] for d in portal.definitions.values()}
    rows = [
        {
            "id": o["uuid"] or f"{i}",
            "objectType": owners.get(o["eventName"], "CONTACT"),
            "objectId": o["objectId"],
            "eventType": o["eventName"],
            "occurredAt": o["occurredAt"],
            "properties": o["properties"],
        }
        for i, o in enumerate(portal.occurrences)
        if (not wanted or o["objectId"] == wanted)
        and of_type in {None, o["objectType"]}
        and (not kind or o["eventName"] == kind)
        and since <= o["occurredAt"] <= until
    ]
    rows.sort(key=lambda r: str(r["occurredAt"]), reverse=query.get("sort", "-").startswith("-"))
    return 200, page_of(rows, query, 20, 1000)


def types(portal: Portal, _call: Call) -> Reply:
    """`GET …/event-types`: fully qualified names."""
    return 200, {"eventTypes": [d["fullyQualifiedName"] for d in portal.definitions.values()]}


def _moment(portal: Portal, body: dict[str, Any]) -> str:
    """When it happened, of epoch milliseconds or ISO 8601."""
    given = payload.text(body, "occurredAt")
    if re.fullmatch(r"-?[0-9]{1,14}", given):
        return portal.stamp(int(given) / 1000)
    try:
        datetime.fromisoformat(given)
    except ValueError:
        why = f'Cannot deserialize value of type `java.time.Instant` from String "{given}"'
        raise payload.Misfit(body, "occurredAt", why) from None
    return given


def _number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


_SENDS: Final = [f"/events/{v}/send" for v in ("v3", *DATED)]
_READS: Final = ["/events/v3/events", *(f"/events/event-occurrences/{d}" for d in DATED)]
ROUTES: Final[list[Route]] = [
    *route("POST", _SENDS, send),
    *route("POST", [f"{s}/batch" for s in _SENDS], send_batch),
    *route("GET", _READS, read),
    *route("GET", [f"{r}/event-types" for r in _READS], types),
]
