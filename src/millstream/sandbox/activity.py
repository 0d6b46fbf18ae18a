"""Associations and event occurrences."""

from __future__ import annotations

from typing import Any, Final

from millstream.sandbox.errors import Refused
from millstream.sandbox.portal import TYPE_IDS, Portal

Reply = tuple[int, Any]
DEFAULT_TYPES: Final = {
    ("contacts", "companies"): 279,
    ("companies", "contacts"): 280,
    ("contacts", "deals"): 4,
    ("deals", "contacts"): 3,
    ("deals", "companies"): 341,
    ("companies", "deals"): 342,
    ("contacts", "tickets"): 15,
    ("tickets", "contacts"): 16,
    ("tickets", "companies"): 339,
    ("companies", "tickets"): 340,
}


def associate(
    portal: Portal, from_type: str, to_type: str, from_id: str, to_id: str, kind: int | None = None
) -> dict[str, Any]:
    """Associate two records. Raises `Refused` when one is not there."""
    left, right = portal.type(from_type), portal.type(to_type)
    for records, record_id in ((left, from_id), (right, to_id)):
        if records.find(record_id, None) is None:
            name = records.type.rstrip("s") if records.type != "companies" else "company"
            raise Refused(
                404,
                f"No {name} with ID {record_id} exists",
                "OBJECT_NOT_FOUND",
                subCategory="crm.associations.TO_OBJECT_NOT_FOUND",
                context={"id": [record_id]},
            )
    number = kind or DEFAULT_TYPES.get((left.type, right.type), 1)
    back = DEFAULT_TYPES.get((right.type, left.type), 2)
    a, b = left.find(from_id, None), right.find(to_id, None)
    assert a is not None
    assert b is not None
    portal.associations.setdefault((left.type, a.id, right.type, b.id), {})[number] = "HUBSPOT_DEFINED"
    portal.associations.setdefault((right.type, b.id, left.type, a.id), {})[back] = "HUBSPOT_DEFINED"
    return {
        "fromObjectTypeId": TYPE_IDS.get(left.type, "2-1"),
        "fromObjectId": a.id,
        "toObjectTypeId": TYPE_IDS.get(right.type, "2-1"),
        "toObjectId": b.id,
        "associationSpec": {"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": number},
    }


def associate_batch(portal: Portal, from_type: str, to_type: str, body: Any, *, default: bool) -> Reply:
    """`batch/create` and `batch/associate/default`: rows that fail are errors of a 207."""
    inputs = (body or {}).get("inputs") or []
    if len(inputs) > 2000:
        raise Refused(400, "The maximum number of inputs is 2000")
    results, errors = [], []
    for item in inputs:
        kinds = [None] if default else [t.get("associationTypeId") for t in item.get("types") or [{}]]
        try:
            for kind in kinds:
                made = associate(
                    portal, from_type, to_type, str(item["from"]["id"]), str(item["to"]["id"]), kind
                )
            results.append(made)
        except Refused as refused:
            errors.append(refused.body)
        except (KeyError, TypeError):
            raise Refused(400, "Invalid input JSON: each input needs from.id and to.id") from None
    reply: dict[str, Any] = {"status": "COMPLETE", "results": results}
    if errors:
        return 207, {**reply, "errors": errors, "numErrors": len(errors)}
    return 200 if default else 201, reply


def read_associations(portal: Portal, from_type: str, record_id: str, to_type: str) -> Reply:
    """What a record is associated with."""
    left, right = portal.type(from_type).type, portal.type(to_type).type
    found = [
        {
            "toObjectId": j,
            "associationTypes": [{"category": c, "typeId": n, "label": None} for n, c in kinds.items()],
        }
        for (a, i, b, j), kinds in portal.associations.items()
        if (a, i, b) == (left, record_id, right)
    ]
    return 200, {"results": found}


def remove_association(portal: Portal, from_type: str, from_id: str, to_type: str, to_id: str) -> Reply:
    """Remove all associations of a pair."""
    left, right = portal.type(from_type).type, portal.type(to_type).type
    portal.associations.pop((left, from_id, right, to_id), None)
    portal.associations.pop((right, to_id, left, from_id), None)
    return 204, None


def send(portal: Portal, inputs: list[Any]) -> Reply:
    """Send events: everything or nothing."""
    if portal.config.tier != "enterprise":
        raise Refused(403, "This account does not have access to custom events.", "MISSING_ENTITLEMENTS")
    if len(inputs) > 500:
        raise Refused(400, "The maximum number of events is 500")
    checked = [_checked(portal, item) for item in inputs]
    for item in checked:
        _apply(portal, item)
    return 204, None


def _checked(portal: Portal, item: Any) -> dict[str, Any]:
    if not isinstance(item, dict) or not item.get("eventName"):
        raise Refused(400, "Invalid input JSON: eventName is required")
    definition = portal.definition(str(item["eventName"]))
    given = item.get("properties") or {}
    known = {p["name"]: p for p in definition["properties"]}
    if len(given) > 50:
        raise Refused(400, f"Event {definition['name']} has more than 50 properties")
    values: dict[str, str] = {}
    for name, value in given.items():
        if name not in known and not name.startswith("hs_"):
            raise Refused(400, f'Property "{name}" does not exist on event {definition["name"]}')
        text = "true" if value is True else "false" if value is False else str(value)
        longest = 1024 if any(w in name for w in ("url", "referrer", "link")) else 256
        if len(text) > longest:
            raise Refused(400, f'Property "{name}" is longer than {longest} characters')
        if name in known and known[name]["type"] == "number" and not _number(text):
            raise Refused(400, f"{name} was not a valid number")
        values[name] = text
    identifiers = [k for k in ("objectId", "email", "utk") if item.get(k)]
    if not identifiers:
        raise Refused(400, "One of objectId, email or utk is required")
    contacts = portal.type("contacts")
    contact = contacts.find(str(item["objectId"]), None) if item.get("objectId") else None
    if item.get("objectId") and contact is None:
        raise Refused(400, f"No contact with ID {item['objectId']} exists", "OBJECT_NOT_FOUND")
    if contact is None and item.get("email"):
        contact = contacts.find(str(item["email"]), "email")
        if contact is None and portal.config.switches["unknown_email_on_event"] == "400":
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
    contacts = portal.type("contacts")
    contact = contacts.find(str(item["objectId"]), None) if item.get("objectId") else None
    if contact is None and item.get("email"):
        contact = contacts.find(str(item["email"]), "email")
        if contact is None and portal.config.switches["unknown_email_on_event"] == "creates":
            contact = contacts.create(contacts.check({"email": item["email"]}), portal.stamp())
    portal.occurrences.append(
        {
            "eventName": item["eventName"],
            "objectId": contact.id if contact else None,
            "email": item.get("email"),
            "occurredAt": item.get("occurredAt") or portal.stamp(),
            "properties": item["properties"],
            "uuid": uuid,
            "receivedAt": portal.stamp(),
        }
    )


def occurrences(portal: Portal, query: dict[str, str]) -> Reply:
    """Read occurrences of an object or a type."""
    wanted, kind = query.get("objectId"), query.get("eventType")
    found = [
        o
        for o in portal.occurrences
        if (not wanted or o["objectId"] == wanted) and (not kind or o["eventName"] == kind)
    ]
    limit = int(query.get("limit") or 20)
    return 200, {
        "results": [
            {
                "id": o["uuid"],
                "objectType": "CONTACT",
                "objectId": o["objectId"],
                "eventType": o["eventName"],
                "occurredAt": o["occurredAt"],
                "properties": o["properties"],
            }
            for o in found[:limit]
        ]
    }


def _number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
