"""Operations on the schema: properties, groups, event definitions; account and token."""

from __future__ import annotations

import re
from typing import Any

from millstream.sandbox import properties
from millstream.sandbox.config import PER_DAY
from millstream.sandbox.errors import Refused
from millstream.sandbox.portal import Portal

Reply = tuple[int, Any]


def list_properties(portal: Portal, object_type: str) -> Reply:
    """All properties of a type."""
    return 200, {"results": list(portal.type(object_type).definitions.values())}


def get_property(portal: Portal, object_type: str, name: str) -> Reply:
    """One property."""
    found = portal.type(object_type).definitions.get(name)
    if found is None:
        raise Refused(404, f'Property "{name}" does not exist', "OBJECT_NOT_FOUND")
    return 200, found


def create_property(portal: Portal, object_type: str, body: Any) -> Reply:
    """Create one property."""
    records = portal.type(object_type)
    made = properties.created(body if isinstance(body, dict) else {})
    if made["name"] in records.definitions:
        raise Refused(
            409,
            f"A property named '{made['name']}' already exists.",
            "OBJECT_ALREADY_EXISTS",
            subCategory="Properties.PROPERTY_WITH_NAME_EXISTS",
        )
    records.definitions[made["name"]] = made
    if made["hasUniqueValue"]:
        records.unique[made["name"]] = {}
    return 201, made


def create_properties(portal: Portal, object_type: str, body: Any) -> Reply:
    """Create several; those that exist are errors of a 207."""
    results, errors = [], []
    for item in (body or {}).get("inputs", []):
        try:
            results.append(create_property(portal, object_type, item)[1])
        except Refused as refused:
            errors.append({**refused.body, "context": {"name": [str(item.get("name"))]}})
    reply: dict[str, Any] = {"status": "COMPLETE", "results": results}
    if errors:
        return 207, {**reply, "errors": errors, "numErrors": len(errors)}
    return 201, reply


def update_property(portal: Portal, object_type: str, name: str, body: Any) -> Reply:
    """Change a definition."""
    found = get_property(portal, object_type, name)[1]
    found.update({k: v for k, v in (body or {}).items() if k not in {"name", "hasUniqueValue"}})
    return 200, found


def archive_property(portal: Portal, object_type: str, name: str) -> Reply:
    """Archive a definition."""
    portal.type(object_type).definitions.pop(name, None)
    return 204, None


def create_group(portal: Portal, object_type: str, body: Any) -> Reply:
    """Create a property group."""
    groups = portal.groups.setdefault(portal.type(object_type).type, {})
    name = str((body or {}).get("name"))
    if name in groups:
        raise Refused(409, f"A property group named '{name}' already exists.", "OBJECT_ALREADY_EXISTS")
    groups[name] = {
        "name": name,
        "label": (body or {}).get("label") or name,
        "displayOrder": -1,
        "archived": False,
    }
    return 201, groups[name]


def list_groups(portal: Portal, object_type: str) -> Reply:
    """All groups of a type."""
    return 200, {"results": list(portal.groups.get(portal.type(object_type).type, {}).values())}


def list_definitions(portal: Portal) -> Reply:
    """All event definitions."""
    found = list(portal.definitions.values())
    return 200, {"results": found, "total": len(found)}


def create_definition(portal: Portal, body: Any) -> Reply:
    """Create an event definition."""
    body = body if isinstance(body, dict) else {}
    label = str(body.get("label") or "")
    name = str(body.get("name") or re.sub(r"[^a-z0-9_-]", "_", label.lower()))
    if not label or len(label) > 100:
        raise Refused(400, "label is required and has at most 100 characters")
    if not re.fullmatch(r"[a-z][a-z0-9_-]{0,49}", name):
        raise Refused(400, f"Event name '{name}' is not valid")
    if name in portal.definitions or name in portal.burnt:
        raise Refused(409, f"Event definition with name {name} already exists", "OBJECT_ALREADY_EXISTS")
    if len(portal.definitions) >= 500:
        raise Refused(400, "The limit of 500 event definitions is reached", "LIMIT_EXCEEDED")
    portal.definitions[name] = {
        "id": str(len(portal.definitions) + 1),
        "name": name,
        "label": label,
        "description": str(body.get("description") or ""),
        "fullyQualifiedName": f"pe{portal.config.portal_id}_{name}",
        "objectTypeId": f"6-{1000 + len(portal.definitions)}",
        "primaryObjectId": "0-1",
        "archived": False,
        "properties": [_event_property(p) for p in body.get("propertyDefinitions") or []],
    }
    return 201, portal.definitions[name]


def _event_property(body: Any) -> dict[str, Any]:
    name = str(body.get("name") or "")
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,49}", name):
        raise Refused(400, f"Event property name '{name}' is not valid")
    if body.get("type") not in {"string", "number", "enumeration", "datetime"}:
        raise Refused(400, f"{body.get('type')} is not a type of event properties")
    return {
        "name": name,
        "label": body.get("label") or name,
        "type": body["type"],
        "options": body.get("options") or [],
    }


def add_event_property(portal: Portal, definition: str, body: Any) -> Reply:
    """Add a property to a definition."""
    found = portal.definition(definition)
    made = _event_property(body or {})
    if any(p["name"] == made["name"] for p in found["properties"]):
        raise Refused(409, f"Property {made['name']} already exists", "OBJECT_ALREADY_EXISTS")
    if len(found["properties"]) >= 50:
        raise Refused(400, "The limit of 50 properties is reached", "LIMIT_EXCEEDED")
    found["properties"].append(made)
    return 201, made


def delete_definition(portal: Portal, name: str) -> Reply:
    """Delete a definition; its name is burnt."""
    found = portal.definition(name)
    del portal.definitions[found["name"]]
    portal.burnt.add(found["name"])
    return 204, None


def account(portal: Portal) -> Reply:
    """Account details."""
    return 200, {
        "portalId": portal.config.portal_id,
        "accountType": "DEVELOPER_TEST",
        "timeZone": portal.config.time_zone,
        "companyCurrency": "EUR",
        "additionalCurrencies": [],
        "utcOffset": "+00:00",
        "utcOffsetMilliseconds": 0,
        "uiDomain": "app.hubspot.com",
        "dataHostingLocation": "na1",
    }


def token_info(portal: Portal, body: Any) -> Reply:
    """What the token may do."""
    if (body or {}).get("tokenKey") != portal.config.token:
        raise Refused(404, "token not found", "OBJECT_NOT_FOUND")
    return 200, {
        "userId": 1,
        "hubId": portal.config.portal_id,
        "appId": 1,
        "scopes": list(portal.config.scopes),
    }


def usage(portal: Portal) -> Reply:
    """Calls of today."""
    return 200, {
        "results": [
            {
                "name": "private-apps-api-calls-daily",
                "usageLimit": PER_DAY[portal.config.tier],
                "currentUsage": len(portal.calls),
            }
        ]
    }
