"""Custom object types: schemas, their properties, their associations."""

from __future__ import annotations

import re
from typing import Any, Final

from millstream.sandbox import payload, properties
from millstream.sandbox.errors import Refused
from millstream.sandbox.portal import Portal
from millstream.sandbox.records import Records
from millstream.sandbox.routing import Call, Reply, Route, family, route


def _schema(portal: Portal, name: str) -> dict[str, Any]:
    plural = portal.type(name).type
    found = portal.schemas.get(plural)
    if found is None:
        raise Refused(404, f"Object type {name} does not exist", "OBJECT_NOT_FOUND")
    return found


def _shown(portal: Portal, found: dict[str, Any]) -> dict[str, Any]:
    records = portal.records[found["name"]]
    return {**found, "properties": list(records.definitions.values())}


def every(portal: Portal, call: Call) -> Reply:
    """`GET /schemas`: custom types only."""
    archived = call.flag("archived")
    return 200, {"results": [_shown(portal, s) for s in portal.schemas.values() if s["archived"] is archived]}


def get(portal: Portal, call: Call) -> Reply:
    """`GET /schemas/{objectType}`."""
    return 200, _shown(portal, _schema(portal, call["objectType"]))


def create(portal: Portal, call: Call) -> Reply:
    """`POST /schemas`: Enterprise only, ten types at most."""
    body = call.object
    name = payload.text(body, "name")
    if portal.config.tier != "enterprise":
        raise Refused(403, "This account does not have access to custom objects.", "MISSING_ENTITLEMENTS")
    if not re.fullmatch(r"[a-zA-Z][a-zA-Z0-9_]{0,49}", name):
        raise payload.Misfit(body, "name", f'name "{name}" is not valid')
    labels = _labels(body)
    name = name.lower()
    if name in portal.schemas or name in portal.records:
        raise Refused(409, f"Object type {name} already exists", "OBJECT_ALREADY_EXISTS")
    if len(portal.schemas) >= 10:
        raise Refused(400, "The limit of 10 custom object types is reached", "LIMIT_EXCEEDED")
    given = payload.mappings(body, "properties")
    made = [properties.created({"groupName": f"{name}_information", **p}) for p in given]
    known = {p["name"] for p in made}
    required, searchable, second = (
        payload.texts(body, f"{kind}Properties") for kind in ("required", "searchable", "secondaryDisplay")
    )
    unknown = [p for p in [*required, *searchable] if p not in known]
    if not given or unknown:
        why = ", ".join(unknown) or "none are given"
        raise payload.Misfit(body, None, f"properties that are not defined: {why}")
    associated = [portal.type_id(o) for o in payload.texts(body, "associatedObjects")]
    number, now = portal.number("schema"), portal.stamp()
    portal.records[name] = records = Records(name, f"2-{number}", number * 1000 + 1, portal.config.portal_id)
    for one in made:
        records.define({**one, "required": one["name"] in required})
    portal.schemas[name] = {
        "id": str(number),
        "name": name,
        "objectTypeId": f"2-{number}",
        "fullyQualifiedName": f"p{portal.config.portal_id}_{name}",
        "metaType": "PORTAL_SPECIFIC",
        "labels": labels,
        "description": payload.text(body, "description"),
        "requiredProperties": required,
        "searchableProperties": searchable,
        "secondaryDisplayProperties": second,
        "primaryDisplayProperty": payload.text(body, "primaryDisplayProperty") or made[0]["name"],
        "associations": [_association(portal, f"2-{number}", o) for o in associated],
        "allowsSensitiveProperties": bool(body.get("allowsSensitiveProperties")),
        "archived": False,
        "createdAt": now,
        "updatedAt": now,
    }
    return 201, _shown(portal, portal.schemas[name])


def _labels(body: dict[str, Any]) -> dict[str, str]:
    given = payload.mapping(body, "labels")
    found = {name: payload.text(given, name) for name in ("singular", "plural")}
    if not all(found.values()):
        raise payload.unset(body, "labels.singular", "labels.plural")
    return found


def change(portal: Portal, call: Call) -> Reply:
    """`PATCH /schemas/{objectType}`."""
    found = _schema(portal, call["objectType"])
    allowed = {
        "labels", "description", "requiredProperties", "searchableProperties", "primaryDisplayProperty",
        "secondaryDisplayProperties",
    }  # fmt: skip
    for name in allowed & set(call.object):
        read = payload.texts if name.endswith("Properties") else payload.text
        found[name] = _labels(call.object) if name == "labels" else read(call.object, name)
    found["updatedAt"] = portal.stamp()
    required = set(found["requiredProperties"])
    for name, definition in portal.records[found["name"]].definitions.items():
        definition["required"] = name in required
    return 200, _shown(portal, found)


def delete(portal: Portal, call: Call) -> Reply:
    """`DELETE /schemas/{objectType}`: only once its records are archived."""
    found = _schema(portal, call["objectType"])
    if any(not r.archived for r in portal.records[found["name"]].by_id.values()):
        raise Refused(400, f"Object type {found['name']} still has records", "VALIDATION_ERROR")
    found["archived"] = True
    if call.flag("archived"):
        del portal.schemas[found["name"]], portal.records[found["name"]]
    return 204, None


def associate(portal: Portal, call: Call) -> Reply:
    """`POST /schemas/{objectType}/associations`."""
    found = _schema(portal, call["objectType"])
    body = call.object
    made = _association(
        portal, found["objectTypeId"], payload.text(body, "toObjectTypeId"), payload.text(body, "name")
    )
    found["associations"].append(made)
    return 201, made


def _association(portal: Portal, from_id: str, to: str, name: str = "") -> dict[str, Any]:
    now = portal.stamp()
    to_id = portal.type_id(to)
    return {
        "id": str(portal.number("label")),
        "fromObjectTypeId": from_id,
        "toObjectTypeId": to_id,
        "name": name or f"{from_id}_to_{to_id}".replace("-", "_"),
        "createdAt": now,
        "updatedAt": now,
    }


def dissociate(portal: Portal, call: Call) -> Reply:
    """`DELETE /schemas/{objectType}/associations/{associationIdentifier}`."""
    found = _schema(portal, call["objectType"])
    wanted = call["associationIdentifier"]
    found["associations"] = [a for a in found["associations"] if wanted not in {a["id"], a["name"]}]
    return 204, None


_SCHEMAS: Final = ("/crm-object-schemas/v3/schemas", "/crm-object-schemas/{}/schemas")
_OLD: Final = ("/crm/v3/schemas",)
_ONE: Final = family(*_SCHEMAS, "/{objectType}", more=_OLD)
ROUTES: Final[list[Route]] = [
    *route("GET", family(*_SCHEMAS, more=_OLD), every),
    *route("POST", family(*_SCHEMAS, more=_OLD), create),
    *route("GET", _ONE, get),
    *route("PATCH", _ONE, change),
    *route("DELETE", _ONE, delete),
    *route("POST", family(*_SCHEMAS, "/{objectType}/associations", more=_OLD), associate),
    *route(
        "DELETE",
        family(*_SCHEMAS, "/{objectType}/associations/{associationIdentifier}", more=_OLD),
        dissociate,
    ),
]
