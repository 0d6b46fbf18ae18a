"""Event definitions and their properties."""

from __future__ import annotations

import re
from typing import Any, Final

from millstream.sandbox import payload
from millstream.sandbox.errors import Refused
from millstream.sandbox.occurrences import enterprise
from millstream.sandbox.portal import Portal
from millstream.sandbox.routing import DATED, Call, Reply, Route, page_of, route

_FIELD_TYPES: Final = {"string": "text", "number": "number", "enumeration": "select", "datetime": "date"}


def every(portal: Portal, call: Call) -> Reply:
    """`GET /event-definitions`."""
    enterprise(portal)
    search = call.query.get("searchString", "").lower()
    found = [d for d in portal.definitions.values() if search in d["name"] or search in d["label"].lower()]
    return 200, {"total": len(found), **page_of(found, call.query, 100, 100)}


def get(portal: Portal, call: Call) -> Reply:
    """`GET /event-definitions/{eventName}`."""
    return 200, portal.definition(call["eventName"])


def create(portal: Portal, call: Call) -> Reply:
    """`POST /event-definitions`: a deleted name is burnt."""
    enterprise(portal)
    body = call.object
    label = payload.text(body, "label")
    name = payload.text(body, "name") or re.sub(r"[^a-z0-9_-]", "_", label.lower())
    if not label or len(label) > 100:
        raise Refused(400, "label is required and has at most 100 characters")
    if not re.fullmatch(r"[a-z][a-z0-9_-]{0,49}", name):
        raise Refused(400, f"Event name '{name}' is not valid")
    if name in portal.definitions or name in portal.burnt:
        raise Refused(409, f"Event definition with name {name} already exists", "CONFLICT")
    if len(portal.definitions) >= 500:
        raise Refused(400, "The limit of 500 event definitions is reached", "LIMIT_EXCEEDED")
    primary = payload.text(body, "primaryObject") or "CONTACT"
    primary_id = portal.type_id(primary)
    listed = [_property(p) for p in payload.mappings(body, "propertyDefinitions")]
    number = portal.number("definition")
    portal.definitions[name] = {
        "id": str(number),
        "name": name,
        "label": label,
        "labels": {"singular": label, "plural": None},
        "description": payload.text(body, "description"),
        "fullyQualifiedName": f"pe{portal.config.portal_id}_{name}",
        "objectTypeId": f"6-{1000 + number}",
        "primaryObject": primary,
        "primaryObjectId": primary_id,
        "archived": False,
        "createdAt": portal.stamp(),
        "updatedAt": portal.stamp(),
        "properties": listed,
        "associations": [],
    }
    return 201, portal.definitions[name]


def change(portal: Portal, call: Call) -> Reply:
    """`PATCH /event-definitions/{eventName}`: label and description."""
    found = portal.definition(call["eventName"])
    found.update({k: payload.text(call.object, k) for k in call.object if k in {"label", "description"}})
    found["labels"] = {**found["labels"], "singular": found["label"]}
    found["updatedAt"] = portal.stamp()
    return 201, found


def delete(portal: Portal, call: Call) -> Reply:
    """`DELETE /event-definitions/{eventName}`: its name is burnt."""
    found = portal.definition(call["eventName"])
    del portal.definitions[found["name"]]
    portal.burnt.add(found["name"])
    return 204, None


def _property(body: dict[str, Any]) -> dict[str, Any]:
    name, kind = payload.text(body, "name"), payload.text(body, "type")
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,49}", name):
        raise Refused(400, f"Event property name '{name}' is not valid")
    if kind not in _FIELD_TYPES:
        raise payload.Misfit(body, "type", f'"{kind}" is not a type of event properties')
    return {
        "name": name,
        "label": payload.text(body, "label") or name,
        "description": payload.text(body, "description"),
        "type": kind,
        "fieldType": _FIELD_TYPES[kind],
        "groupName": "",
        "options": payload.mappings(body, "options"),
        "archived": False,
    }


def add_property(portal: Portal, call: Call) -> Reply:
    """`POST …/{eventName}/property`: 50 at most."""
    found = portal.definition(call["eventName"])
    made = _property(call.object)
    if any(p["name"] == made["name"] for p in found["properties"]):
        raise Refused(409, f"Property {made['name']} already exists", "OBJECT_ALREADY_EXISTS")
    if len(found["properties"]) >= 50:
        raise Refused(400, "The limit of 50 properties is reached", "LIMIT_EXCEEDED")
    found["properties"].append(made)
    return 201, made


def _found_property(portal: Portal, call: Call) -> dict[str, Any]:
    for known in portal.definition(call["eventName"])["properties"]:
        if known["name"] == call["propertyName"]:
            return dict(known) if call.method == "GET" else known
    raise Refused(404, f"Property {call['propertyName']} does not exist", "OBJECT_NOT_FOUND")


def change_property(portal: Portal, call: Call) -> Reply:
    """`PATCH …/{eventName}/property/{propertyName}`."""
    found = _found_property(portal, call)
    body = call.object
    found.update({k: payload.text(body, k) for k in ("label", "description") if k in body})
    if "options" in body:
        found["options"] = payload.mappings(body, "options")
    return 201, found


def delete_property(portal: Portal, call: Call) -> Reply:
    """`DELETE …/{eventName}/property/{propertyName}`."""
    found = _found_property(portal, call)
    portal.definition(call["eventName"])["properties"].remove(found)
    return 204, None


_DEFINITIONS: Final = [f"/events/{v}/event-definitions" for v in ("v3", *DATED)]
_ONE: Final = [f"{d}/{{eventName}}" for d in _DEFINITIONS]
_PROPERTY: Final = [f"{o}/property" for o in _ONE]
ROUTES: Final[list[Route]] = [
    *route("GET", _DEFINITIONS, every),
    *route("POST", _DEFINITIONS, create),
    *route("GET", _ONE, get),
    *route("PATCH", _ONE, change),
    *route("DELETE", _ONE, delete),
    *route("POST", _PROPERTY, add_property),
    *route("PATCH", [f"{p}/{{propertyName}}" for p in _PROPERTY], change_property),
    *route("DELETE", [f"{p}/{{propertyName}}" for p in _PROPERTY], delete_property),
]
