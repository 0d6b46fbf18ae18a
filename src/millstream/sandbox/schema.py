"""Operations on properties and their groups."""

from __future__ import annotations

from typing import Any, Final

from millstream.sandbox import payload, properties
from millstream.sandbox.errors import Refused
from millstream.sandbox.portal import Portal
from millstream.sandbox.routing import Call, Reply, Route, complete, family, route


def every(portal: Portal, call: Call) -> Reply:
    """`GET /properties/{objectType}`."""
    archived = call.flag("archived")
    found = portal.type(call["objectType"]).definitions.values()
    return 200, {"results": [d for d in found if bool(d["archived"]) is archived]}


def _found(portal: Portal, object_type: str, name: str, *, archived: bool = False) -> dict[str, Any]:
    records = portal.type(object_type)
    found = records.definitions.get(name)
    if found is None or bool(found["archived"]) is not archived:
        raise Refused(404, f"Property {name} does not exist", "OBJECT_NOT_FOUND")
    return found


def get(portal: Portal, call: Call) -> Reply:
    """`GET /properties/{objectType}/{propertyName}`."""
    archived = call.flag("archived")
    return 200, _found(portal, call["objectType"], call["propertyName"], archived=archived)


def _create(portal: Portal, object_type: str, body: dict[str, Any]) -> dict[str, Any]:
    records = portal.type(object_type)
    made = properties.created(body)
    known = records.definitions.get(made["name"])
    if known is not None and not known["archived"]:
        raise Refused(
            409,
            f"A property named '{made['name']}' already exists.",
            "OBJECT_ALREADY_EXISTS",
            subCategory="Properties.PROPERTY_WITH_NAME_EXISTS",
        )
    own = [d for d in records.definitions.values() if not d["hubspotDefined"] and not d["archived"]]
    if len(own) >= 1000:
        raise Refused(400, "The limit of 1000 custom properties is reached", "LIMIT_EXCEEDED")
    if made["hasUniqueValue"] and sum(bool(d["hasUniqueValue"]) for d in own) >= 10:
        raise Refused(400, "The limit of 10 unique properties is reached", "LIMIT_EXCEEDED")
    records.define(
        {**made, "createdAt": portal.stamp(), "updatedAt": portal.stamp()}, portal.property_ready_at()
    )
    return records.definitions[made["name"]]


def create(portal: Portal, call: Call) -> Reply:
    """`POST /properties/{objectType}`."""
    return 201, _create(portal, call["objectType"], call.object)


def create_batch(portal: Portal, call: Call) -> Reply:
    """`batch/create`: those that exist are errors of a 207."""
    results, errors = [], []
    for item in _some(call):
        try:
            results.append(_create(portal, call["objectType"], item))
        except Refused as refused:
            errors.append(refused.entry(name=[payload.text(item, "name")]))
    return complete(portal, results, errors, 200 if call.version == "2026-09" else 201)


def read_batch(portal: Portal, call: Call) -> Reply:
    """`batch/read`."""
    results, errors = [], []
    archived = call.object.get("archived") is True
    for item in _some(call):
        try:
            results.append(_found(portal, call["objectType"], payload.text(item, "name"), archived=archived))
        except Refused as refused:
            errors.append(refused.entry(name=[payload.text(item, "name")]))
    return complete(portal, results, errors)


def archive_batch(portal: Portal, call: Call) -> Reply:
    """`batch/archive`."""
    for item in _some(call):
        _archive(portal, call["objectType"], payload.text(item, "name"))
    return 204, None


def _some(call: Call) -> list[dict[str, Any]]:
    if len(call.inputs) > 100:
        raise Refused(400, f"The maximum number of inputs is 100, but {len(call.inputs)} were given")
    return call.rows


def change(portal: Portal, call: Call) -> Reply:
    """`PATCH /properties/{objectType}/{propertyName}`: the name and uniqueness stay."""
    found = _found(portal, call["objectType"], call["propertyName"])
    if found["hubspotDefined"] and set(call.object) - {
        "label",
        "groupName",
        "displayOrder",
        "options",
        "description",
    }:
        raise Refused(400, f"The property {found['name']} is defined by HubSpot", "VALIDATION_ERROR")
    found.update({k: v for k, v in properties.changed(call.object).items() if k != "hasUniqueValue"})
    found["updatedAt"] = portal.stamp()
    return 200, found


def archive(portal: Portal, call: Call) -> Reply:
    """`DELETE /properties/{objectType}/{propertyName}`."""
    _archive(portal, call["objectType"], call["propertyName"])
    return 204, None


def uses_of(portal: Portal, object_type: str, name: str) -> int:
    """How many lists filter by a property, and whether a custom type needs it."""
    type_id, schema = portal.type_id(object_type), portal.schemas.get(portal.type(object_type).type, {})
    lists = [x for x in portal.lists.values() if x["objectTypeId"] == type_id and "deletedAt" not in x]
    needs = [
        *(schema.get("requiredProperties") or []),
        *(schema.get("searchableProperties") or []),
        schema.get("primaryDisplayProperty"),
    ]
    return sum(name in x["filteredBy"] for x in lists) + (name in needs)


def _archive(portal: Portal, object_type: str, name: str) -> None:
    found = portal.type(object_type).definitions.get(name)
    if found is not None and found["hubspotDefined"]:
        raise Refused(400, f"The property {name} is defined by HubSpot", "VALIDATION_ERROR")
    used = uses_of(portal, object_type, name)
    if found is not None and used:
        type_id = portal.type_id(object_type)
        raise Refused(
            400,
            f"Property: {name} of object type {type_id} is currently used in {used} places and cannot be deleted",
            subCategory="PropertyValidationError.CANNOT_DELETE_PROPERTY_IN_USE",
        )
    if found is not None:
        found["archived"], found["archivedAt"] = True, portal.stamp()


def _groups(portal: Portal, object_type: str) -> dict[str, dict[str, Any]]:
    kind = portal.type(object_type).type
    if kind not in portal.groups:
        name = f"{kind.rstrip('s') if kind != 'companies' else 'company'}information"
        label = f"{kind.rstrip('s').capitalize()} information"
        portal.groups[kind] = {name: {"name": name, "label": label, "displayOrder": 0, "archived": False}}
    return portal.groups[kind]


def groups(portal: Portal, call: Call) -> Reply:
    """`GET /properties/{objectType}/groups`."""
    return 200, {"results": list(_groups(portal, call["objectType"]).values())}


def create_group(portal: Portal, call: Call) -> Reply:
    """`POST /properties/{objectType}/groups`."""
    known, body = _groups(portal, call["objectType"]), call.object
    name, label = payload.text(body, "name"), payload.text(body, "label")
    if not name or not label:
        raise payload.unset(body, "name", "label")
    if name in known:
        raise Refused(409, f"A property group named '{name}' already exists.", "OBJECT_ALREADY_EXISTS")
    order = payload.number(body, "displayOrder", -1)
    known[name] = {"name": name, "label": label, "displayOrder": order, "archived": False}
    return 201, known[name]


def _group(portal: Portal, call: Call) -> dict[str, Any]:
    found = _groups(portal, call["objectType"]).get(call["groupName"])
    if found is None:
        raise Refused(404, f"Property group {call['groupName']} does not exist", "OBJECT_NOT_FOUND")
    return found


def get_group(portal: Portal, call: Call) -> Reply:
    """`GET …/groups/{groupName}`."""
    return 200, _group(portal, call)


def change_group(portal: Portal, call: Call) -> Reply:
    """`PATCH …/groups/{groupName}`."""
    found = _group(portal, call)
    changes = properties.changed(call.object)
    found.update({k: v for k, v in changes.items() if k in {"label", "displayOrder"}})
    return 200, found


def delete_group(portal: Portal, call: Call) -> Reply:
    """`DELETE …/groups/{groupName}`."""
    _group(portal, call)
    del _groups(portal, call["objectType"])[call["groupName"]]
    return 204, None


_PROPERTIES: Final = ("/crm/v3/properties", "/crm/properties/{}")
_ALL: Final = family(*_PROPERTIES, "/{objectType}")
_ONE: Final = [f"{a}/{{propertyName}}" for a in _ALL]
_GROUP: Final = [f"{a}/groups/{{groupName}}" for a in _ALL]
ROUTES: Final[list[Route]] = [
    *route("GET", _ALL, every),
    *route("POST", _ALL, create),
    *route("POST", [f"{a}/batch/create" for a in _ALL], create_batch),
    *route("POST", [f"{a}/batch/read" for a in _ALL], read_batch),
    *route("POST", [f"{a}/batch/archive" for a in _ALL], archive_batch),
    *route("GET", [f"{a}/groups" for a in _ALL], groups),
    *route("POST", [f"{a}/groups" for a in _ALL], create_group),
    *route("GET", _GROUP, get_group),
    *route("PATCH", _GROUP, change_group),
    *route("DELETE", _GROUP, delete_group),
    *route("GET", _ONE, get),
    *route("PATCH", _ONE, change),
    *route("DELETE", _ONE, archive),
]
