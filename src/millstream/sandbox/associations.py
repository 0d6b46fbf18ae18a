"""Associations: v4 and dated with labels, the older v3 form, their types and labels.

An association is kept in both directions. A portal defines its own labels; HubSpot's own types are in `TYPES`.
"""

from __future__ import annotations

import re
from typing import Any, Final

from millstream.sandbox import payload
from millstream.sandbox.association_types import HUBSPOT, TYPES, USER
from millstream.sandbox.errors import Refused
from millstream.sandbox.portal import Portal
from millstream.sandbox.routing import DATED, Call, Reply, Route, complete, family, page_of, route


def default_type(portal: Portal, from_type: str, to_type: str) -> int:
    """The unlabelled type of a pair; a pair without one of HubSpot's gets a number of the portal's."""
    known = TYPES.get((from_type, to_type))
    if known:
        return known[0][0]
    return portal.pair_types.setdefault((from_type, to_type), 10_000 + len(portal.pair_types))


def other_end(portal: Portal, from_type: str, number: int) -> str:
    """The type that an association type of `from_type` leads to. Raises `Refused`."""
    for (left, right), kinds in TYPES.items():
        if left == from_type and any(k[0] == number for k in kinds):
            return right
    for (left, right), own in portal.labels.items():
        if left == from_type and number in own:
            return right
    for (left, right), default in portal.pair_types.items():
        if left == from_type and default == number:
            return right
    raise Refused(400, f"Association type {number} is not valid for {from_type}", "VALIDATION_ERROR")


def labels_of(portal: Portal, from_type: str, to_type: str) -> list[dict[str, Any]]:
    """All types of a pair, HubSpot's and the portal's own."""
    known = TYPES.get((from_type, to_type)) or [(default_type(portal, from_type, to_type), "", None)]
    own = portal.labels.get((from_type, to_type), {})
    return [
        *({"category": HUBSPOT, "typeId": number, "label": label} for number, _, label in known),
        *({"category": USER, "typeId": number, "label": x["label"]} for number, x in own.items()),
    ]


def _record(portal: Portal, object_type: str, record_id: str) -> Any:
    records = portal.type(object_type)
    if not record_id.isdecimal():
        raise Refused(
            400, f"{record_id} is not a valid ID", subCategory="crm.associations.INVALID_IDENTIFIER"
        )
    found = records.find(record_id, None)
    if found is None:
        name = records.single
        raise Refused(
            404,
            f"No {name} with ID {record_id} exists",
            "OBJECT_NOT_FOUND",
            subCategory="crm.associations.TO_OBJECT_NOT_FOUND",
            context={"objectType": [name], "id": [record_id]},
        )
    return found


def associate(
    portal: Portal,
    from_type: str,
    to_type: str,
    from_id: str,
    to_id: str,
    kinds: list[tuple[str, int]] | None = None,
) -> dict[str, Any]:
    """Associate two records, in both directions. Raises `Refused` when one is not there or a type is unknown."""
    left, right = portal.type(from_type).type, portal.type(to_type).type
    a, b = _record(portal, left, from_id), _record(portal, right, to_id)
    forward: dict[int, str] = {}
    backward: dict[int, str] = {}
    default = default_type(portal, left, right)
    labels = []
    for category, number in [*(kinds or []), (HUBSPOT, default)]:
        known = next((x for x in labels_of(portal, left, right) if x["typeId"] == number), None)
        if known is None or (category and category != known["category"]):
            raise Refused(
                400, f"Association type {number} is not valid between {left} and {right}", "VALIDATION_ERROR"
            )
        forward[number] = known["category"]
        backward[_inverse(portal, left, right, number)] = known["category"]
        labels += [known["label"]] if known["label"] else []
    portal.associations.add(left, a.id, right, b.id, forward)
    portal.associations.add(right, b.id, left, a.id, backward)
    return {
        "fromObjectTypeId": portal.type_id(left),
        "fromObjectId": a.id,
        "toObjectTypeId": portal.type_id(right),
        "toObjectId": b.id,
        "labels": labels,
    }


def _inverse(portal: Portal, left: str, right: str, number: int) -> int:
    own = portal.labels.get((left, right), {}).get(number)
    if own is not None:
        return int(own["inverse"])
    there, back = TYPES.get((left, right), []), TYPES.get((right, left), [])
    at = next((i for i, kind in enumerate(there) if kind[0] == number), 0)
    return back[at][0] if at < len(back) else default_type(portal, right, left)


def _pairs(item: dict[str, Any]) -> tuple[str, str]:
    left, right = (payload.text(payload.mapping(item, end), "id") for end in ("from", "to"))
    if not left or not right:
        raise payload.unset(item, "from", "to")
    return left, right


def _kinds(item: dict[str, Any], from_type: str, to_type: str) -> list[tuple[str, int]]:
    if item.get("types") is not None:
        return _listed(payload.rows(item, "types"))
    if payload.text(item, "type"):
        return [("", _numbered(payload.text(item, "type"), from_type, to_type))]
    return []


def _listed(kinds: list[Any]) -> list[tuple[str, int]]:
    found = [payload.mapping(kinds, i) for i in range(len(kinds))]
    return [(payload.text(k, "associationCategory"), payload.number(k, "associationTypeId")) for k in found]


def _numbered(name: str, from_type: str, to_type: str) -> int:
    """A type of the older form: its number or its name."""
    if name.isdecimal() and len(name) < 19:
        return int(name)
    for number, known, _ in TYPES.get((from_type, to_type), []):
        if name in {known, known.removesuffix("_unlabeled")}:
            return number
    raise Refused(400, f"{name} is not a valid association type", "VALIDATION_ERROR")


def create_batch(portal: Portal, call: Call) -> Reply:
    """`batch/create` and `batch/associate/default`: rows that fail are errors of a 207."""
    left, right = portal.type(call["fromObjectType"]).type, portal.type(call["toObjectType"]).type
    default = call.path.endswith("/associate/default")
    inputs = call.rows
    if len(inputs) > 2000:
        raise Refused(400, f"The maximum number of inputs is 2000, but {len(inputs)} were given")
    results, errors = [], []
    for item in inputs:
        from_id, to_id = _pairs(item)
        try:
            made = associate(
                portal, left, right, from_id, to_id, [] if default else _kinds(item, left, right)
            )
        except Refused as refused:
            errors.append(refused.entry())
            continue
        if default:
            number = default_type(portal, left, right)
            spec = {"associationCategory": HUBSPOT, "associationTypeId": number}
            results.append({"from": {"id": from_id}, "to": {"id": to_id}, "associationSpec": spec})
        elif call.version == "v3":
            results.append({"from": {"id": from_id}, "to": {"id": to_id}, "type": payload.text(item, "type")})
        else:
            results.append(made)
    return complete(portal, results, errors, 200 if default else 201)


def archive_batch(portal: Portal, call: Call) -> Reply:
    """`batch/archive`: all types of the pairs; in the older form and of `labels/archive` those that are named."""
    left, right = portal.type(call["fromObjectType"]).type, portal.type(call["toObjectType"]).type
    labels_only = "/labels/" in call.path
    for item in call.rows:
        from_id = payload.text(payload.mapping(item, "from"), "id")
        listed = isinstance(item.get("to"), list)
        targets = payload.mappings(item, "to") if listed else [payload.mapping(item, "to")]
        for target in targets:
            to_id = payload.text(target, "id")
            if labels_only:
                for _, number in _kinds(item, left, right):
                    _drop(portal, left, from_id, right, to_id, number)
            else:
                portal.associations.remove(left, from_id, right, to_id)
    return (200 if call.version in DATED else 204), None


def _drop(portal: Portal, left: str, from_id: str, right: str, to_id: str, number: int) -> None:
    portal.associations.drop(left, from_id, right, to_id, number)
    portal.associations.drop(right, to_id, left, from_id, _inverse(portal, left, right, number))


def _of(portal: Portal, left: str, record_id: str, right: str) -> list[dict[str, Any]]:
    names = {x["typeId"]: x["label"] for x in labels_of(portal, left, right)}
    return [
        {
            "toObjectId": j,
            "associationTypes": [
                {"category": c, "typeId": n, "label": names.get(n)} for n, c in sorted(kinds.items())
            ],
        }
        for j, kinds in portal.associations.of(left, record_id, right).items()
    ]


def read_batch(portal: Portal, call: Call) -> Reply:
    """`batch/read`: 1,000 records at most."""
    left, right = portal.type(call["fromObjectType"]).type, portal.type(call["toObjectType"]).type
    results, errors = [], []
    if len(call.inputs) > 1000:
        raise Refused(400, f"The maximum number of inputs is 1000, but {len(call.inputs)} were given")
    one, other = portal.type(left).single, portal.type(right).single
    for item in call.rows:
        record_id = payload.text(item, "id")
        found = _of(portal, left, record_id, right)
        if not found:
            errors.append(
                {
                    "status": "error",
                    "category": "OBJECT_NOT_FOUND",
                    "subCategory": "crm.associations.NO_ASSOCIATIONS_FOUND",
                    "message": f"No {other} is associated with {one} {record_id}.",
                    "context": {
                        "fromObjectId": [record_id],
                        "fromObjectType": [one],
                        "toObjectType": [other],
                    },
                }
            )
        elif call.version == "v3":
            kinds = [{"id": x["toObjectId"], "type": _named(left, right, x)} for x in found]
            results.append({"from": {"id": record_id}, "to": kinds})
        else:
            results.append({"from": {"id": record_id}, "to": found})
    return complete(portal, results, errors)


def _named(left: str, right: str, found: dict[str, Any]) -> str:
    number = found["associationTypes"][0]["typeId"]
    return next((n for i, n, _ in TYPES.get((left, right), []) if i == number), f"{left}_to_{right}")


def of_record(portal: Portal, call: Call) -> Reply:
    """`GET …/{objectId}/associations/{toObjectType}`."""
    left, right = portal.type(call["objectType"]).type, portal.type(call["toObjectType"]).type
    found = _of(portal, left, call["objectId"], right)
    rows = (
        [{"id": x["toObjectId"], "type": _named(left, right, x)} for x in found]
        if call.version == "v3"
        else found
    )
    return 200, page_of(rows, call.query, 500, 500)


def put_default(portal: Portal, call: Call) -> Reply:
    """`PUT …/associations/default/…`."""
    left, right = call["fromObjectType"], call["toObjectType"]
    made = associate(portal, left, right, call["fromObjectId"], call["toObjectId"])
    number = default_type(portal, portal.type(left).type, portal.type(right).type)
    spec = {"associationCategory": HUBSPOT, "associationTypeId": number}
    row = {"from": {"id": made["fromObjectId"]}, "to": {"id": made["toObjectId"]}, "associationSpec": spec}
    return complete(portal, [row])


def put(portal: Portal, call: Call) -> Reply:
    """`PUT …/associations/{toObjectType}/{toObjectId}` with a list of types."""
    kinds = _listed(payload.whole_list(call.body))
    ids = call["objectId"], call["toObjectId"]
    return 201, associate(portal, call["objectType"], call["toObjectType"], *ids, kinds)


def put_named(portal: Portal, call: Call) -> Reply:
    """`PUT …/{toObjectId}/{associationType}`, the oldest form: the record that was associated."""
    left, right = portal.type(call["objectType"]).type, portal.type(call["toObjectType"]).type
    number = _numbered(call["associationType"], left, right)
    made = associate(portal, left, right, call["objectId"], call["toObjectId"], [("", number)])
    record = portal.type(left).find(made["fromObjectId"], None)
    return 200, record.json() if record else {}


def delete(portal: Portal, call: Call) -> Reply:
    """`DELETE …/associations/{toObjectType}/{toObjectId}`: all types of the pair."""
    left, right = portal.type(call["objectType"]).type, portal.type(call["toObjectType"]).type
    portal.associations.remove(left, call["objectId"], right, call["toObjectId"])
    return 204, None


def types(portal: Portal, call: Call) -> Reply:
    """`GET /crm/v3/associations/{from}/{to}/types`."""
    pair = portal.type(call["fromObjectType"]).type, portal.type(call["toObjectType"]).type
    own = portal.labels.get(pair, {})
    rows = [{"id": str(n), "name": name} for n, name, _ in TYPES.get(pair, [])]
    return 200, {"results": [*rows, *({"id": str(n), "name": x["name"]} for n, x in own.items())]}


def labels(portal: Portal, call: Call) -> Reply:
    """`GET …/labels`."""
    pair = portal.type(call["fromObjectType"]).type, portal.type(call["toObjectType"]).type
    return 200, {"results": labels_of(portal, *pair)}


def create_label(portal: Portal, call: Call) -> Reply:
    """`POST …/labels`: ten of a portal's own for each pair."""
    left, right = portal.type(call["fromObjectType"]).type, portal.type(call["toObjectType"]).type
    label, name = payload.text(call.object, "label"), payload.text(call.object, "name")
    if not label or not name:
        raise payload.unset(call.object, "label", "name")
    own = portal.labels.setdefault((left, right), {})
    if any(x["name"] == name or x["label"] == label for x in own.values()):
        raise Refused(400, f"A label named {label} already exists", "VALIDATION_ERROR")
    if len(own) >= 10:
        raise Refused(400, "The limit of 10 labels is reached", "LIMIT_EXCEEDED")
    number, inverse = portal.number("label"), portal.number("label")
    back = payload.text(call.object, "inverseLabel") or label
    own[number] = {"name": name, "label": label, "inverse": inverse}
    portal.labels.setdefault((right, left), {})[inverse] = {
        "name": f"{name}_inverse",
        "label": back,
        "inverse": number,
    }
    made = [
        {"category": USER, "typeId": number, "label": label},
        {"category": USER, "typeId": inverse, "label": back},
    ]
    return 200, {"results": made}


def change_label(portal: Portal, call: Call) -> Reply:
    """`PUT …/labels`."""
    pair = portal.type(call["fromObjectType"]).type, portal.type(call["toObjectType"]).type
    found = portal.labels.get(pair, {}).get(payload.number(call.object, "associationTypeId"))
    if found is None:
        raise Refused(404, "Association type does not exist", "OBJECT_NOT_FOUND")
    found["label"] = payload.text(call.object, "label") or found["label"]
    return 204, None


def delete_label(portal: Portal, call: Call) -> Reply:
    """`DELETE …/labels/{associationTypeId}`, both directions."""
    left, right = portal.type(call["fromObjectType"]).type, portal.type(call["toObjectType"]).type
    number = int(call["associationTypeId"]) if re.fullmatch("[0-9]{1,18}", call["associationTypeId"]) else 0
    gone = portal.labels.get((left, right), {}).pop(number, None)
    if gone is not None:
        portal.labels[right, left].pop(gone["inverse"], None)
    return 204, None


_V4: Final = ("/crm/v4/associations", "/crm/associations/{}")
_PAIR: Final = "/{fromObjectType}/{toObjectType}"
_BATCH: Final = family(*_V4, f"{_PAIR}/batch", more=("/crm/v3/associations",))
_LABELS: Final = family(*_V4, f"{_PAIR}/labels", more=("/crm/associations/v4",))
_OBJECTS: Final = ("/crm/v4/objects", "/crm/objects/{}")
_FROM: Final = "/{fromObjectType}/{fromObjectId}/associations/default/{toObjectType}/{toObjectId}"
_TO: Final = "/{objectType}/{objectId}/associations/{toObjectType}"
ROUTES: Final[list[Route]] = [
    *route("POST", [f"{b}/create" for b in _BATCH], create_batch),
    *route("POST", [f"{b}/associate/default" for b in _BATCH[:3]], create_batch),
    *route("POST", [f"{b}/archive" for b in _BATCH], archive_batch),
    *route("POST", [f"{b}/labels/archive" for b in _BATCH[:3]], archive_batch),
    *route("POST", [f"{b}/read" for b in _BATCH], read_batch),
    *route("PUT", family(*_OBJECTS, _FROM), put_default),
    *route("GET", family(*_OBJECTS, _TO, more=("/crm/v3/objects",)), of_record),
    *route("PUT", family(*_OBJECTS, f"{_TO}/{{toObjectId}}"), put),
    *route("DELETE", family(*_OBJECTS, f"{_TO}/{{toObjectId}}"), delete),
    *route("PUT", f"/crm/v3/objects{_TO}/{{toObjectId}}/{{associationType}}", put_named),
    *route("GET", f"/crm/v3/associations{_PAIR}/types", types),
    *route("GET", _LABELS, labels),
    *route("POST", _LABELS, create_label),
    *route("PUT", _LABELS, change_label),
    *route("DELETE", [f"{x}/{{associationTypeId}}" for x in _LABELS], delete_label),
]
