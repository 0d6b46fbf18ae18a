"""Lists v3 and dated: definitions, memberships, search, id mapping."""

from __future__ import annotations

from typing import Any, Final

from millstream.sandbox import payload
from millstream.sandbox.errors import Refused
from millstream.sandbox.portal import Portal
from millstream.sandbox.routing import Call, Reply, Route, complete, family, page_of, route, whole

_LISTS: Final = ("/crm/v3/lists", "/crm/lists/{}")
_TYPES: Final = ("MANUAL", "SNAPSHOT", "DYNAMIC")


def _list(portal: Portal, list_id: str, *, deleted: bool = False) -> dict[str, Any]:
    found = portal.lists.get(list_id)
    if found is None or (found.get("deletedAt") is not None) is not deleted:
        raise Refused(404, f"List does not exist with ID {list_id}.", "OBJECT_NOT_FOUND")
    return found


def _shown(portal: Portal, found: dict[str, Any]) -> dict[str, Any]:
    shown = {k: v for k, v in found.items() if k != "filteredBy"}
    return {**shown, "size": len(portal.members.get(found["listId"], {}))}


def _filtered_by(branch: Any) -> list[str]:
    """The properties that a filter branch names, however deep."""
    if isinstance(branch, list):
        return [name for part in branch for name in _filtered_by(part)]
    if not isinstance(branch, dict):
        return []
    own = [payload.text(branch, "property")] if branch.get("property") else []
    return own + [n for key in ("filterBranches", "filters") for n in _filtered_by(branch.get(key))]


def create(portal: Portal, call: Call) -> Reply:
    """`POST /lists`: a name is used once for each object type."""
    body = call.object
    name, kind = payload.text(body, "name").strip(), payload.text(body, "processingType")
    if not name or len(name) > 200:
        raise Refused(400, "name is required and has at most 200 characters")
    if kind not in _TYPES:
        raise payload.Misfit(body, "processingType", f"{kind} is not one of {', '.join(_TYPES)}")
    type_id = portal.type_id(payload.text(body, "objectTypeId"))
    filtered_by = _filtered_by(payload.mapping(body, "filterBranch"))
    if _named(portal, type_id, name) is not None:
        raise Refused(
            400,
            f"A list with the name '{name}' already exists for object type {type_id}",
            subCategory="ILS.DUPLICATE_LIST_NAMES",
        )
    now = portal.stamp()
    list_id = str(portal.number("list"))
    portal.lists[list_id] = {
        "listId": list_id,
        "listVersion": 1,
        "name": name,
        "objectTypeId": type_id,
        "processingType": kind,
        "processingStatus": "COMPLETE",
        "filteredBy": filtered_by,
        "createdAt": now,
        "updatedAt": now,
        "filtersUpdatedAt": now,
        "createdById": "1",
        "updatedById": "1",
    }
    portal.members[list_id] = {}
    return 200, {"list": _shown(portal, portal.lists[list_id])}


def _named(portal: Portal, type_id: str, name: str) -> dict[str, Any] | None:
    return next(
        (
            found
            for found in portal.lists.values()
            if found["objectTypeId"] == type_id
            and found["name"].lower() == name.lower()
            and found.get("deletedAt") is None
        ),
        None,
    )


def by_ids(portal: Portal, call: Call) -> Reply:
    """`GET /lists?listIds=1&listIds=2`; unknown ones are left out."""
    ids = call.query.get("listIds", "").split(",")
    found = [portal.lists[i] for i in ids if i in portal.lists and portal.lists[i].get("deletedAt") is None]
    return 200, {"lists": [_shown(portal, x) for x in found]}


def get(portal: Portal, call: Call) -> Reply:
    """`GET /lists/{listId}`."""
    return 200, {"list": _shown(portal, _list(portal, call["listId"]))}


def get_by_name(portal: Portal, call: Call) -> Reply:
    """`GET /lists/object-type-id/{objectTypeId}/name/{listName}`."""
    name, type_id = call["listName"], portal.type_id(call["objectTypeId"])
    found = _named(portal, type_id, name)
    if found is None:
        raise Refused(400, f"List does not exist with name {name} and object type ID {type_id}.")
    return 200, {"list": _shown(portal, found)}


def search(portal: Portal, call: Call) -> Reply:
    """`POST /lists/search`: by part of the name and by processing type."""
    body = call.body if isinstance(call.body, dict) else {}
    query, kinds = payload.text(body, "query").lower(), payload.texts(body, "processingTypes")
    wanted = set(payload.texts(body, "listIds"))
    found = [
        _shown(portal, x)
        for x in portal.lists.values()
        if x.get("deletedAt") is None
        and query in x["name"].lower()
        and (not kinds or x["processingType"] in kinds)
        and (not wanted or x["listId"] in wanted)
    ]
    offset, count = (
        whole(payload.text(body, "offset"), 0, 0, 2**31),
        whole(payload.text(body, "count"), 1, 20, 500),
    )
    some = found[offset : offset + count]
    more = len(found) > offset + count
    asked = payload.texts(body, "additionalProperties")
    for one in some:
        values = {"hs_list_size": str(one["size"]), "hs_processing_type": one["processingType"]}
        one["additionalProperties"] = {n: v for n, v in values.items() if n in asked}
    return 200, {"lists": some, "hasMore": more, "offset": offset + len(some), "total": len(found)}


def delete(portal: Portal, call: Call) -> Reply:
    """`DELETE /lists/{listId}`: it can be restored."""
    _list(portal, call["listId"])["deletedAt"] = portal.stamp()
    return 204, None


def restore(portal: Portal, call: Call) -> Reply:
    """`PUT /lists/{listId}/restore`."""
    _list(portal, call["listId"], deleted=True).pop("deletedAt")
    return 204, None


def rename(portal: Portal, call: Call) -> Reply:
    """`PUT /lists/{listId}/update-list-name?listName=`."""
    found = _list(portal, call["listId"])
    name = call.query.get("listName", "").strip()
    taken = _named(portal, found["objectTypeId"], name)
    if not name or (taken is not None and taken is not found):
        raise Refused(
            400, f"A list with the name '{name}' already exists", subCategory="ILS.DUPLICATE_LIST_NAMES"
        )
    found["name"], found["updatedAt"] = name, portal.stamp()
    return 200, {"updatedList": _shown(portal, found)}


def memberships(portal: Portal, call: Call) -> Reply:
    """`GET /lists/{listId}/memberships`, by record id."""
    _list(portal, call["listId"])
    rows = [
        {"recordId": i, "membershipTimestamp": at}
        for i, at in sorted(portal.members[call["listId"]].items(), key=lambda item: int(item[0]))
    ]
    return 200, page_of(rows, call.query, 100, 250)


def _change(portal: Portal, list_id: str, add: list[str], remove: list[str]) -> Reply:
    found = _list(portal, list_id)
    if found["processingType"] == "DYNAMIC":
        raise Refused(400, "Records cannot be added to or removed from a DYNAMIC list", "VALIDATION_ERROR")
    most = int(portal.config.switches["list_change_limit"])
    if len(add) + len(remove) > most:
        raise Refused(400, f"At most {most} records can be changed at once")
    records = portal.type(found["objectTypeId"])
    members, now = portal.members[list_id], portal.stamp()
    added, missing = [], []
    for given in add:
        record = records.find(given, None)
        if record is None:
            missing.append(given)
        elif record.id not in members:
            members[record.id] = now
            added.append(record.id)
    removed = [given for given in remove if members.pop(given, None) is not None]
    found["updatedAt"] = now
    return 200, {"recordsIdsAdded": added, "recordIdsRemoved": removed, "recordIdsMissing": missing}


def _ids(call: Call) -> list[str]:
    given = payload.whole_list(call.body)
    return [payload.text(given, i) for i in range(len(given))]


def add(portal: Portal, call: Call) -> Reply:
    """`PUT …/memberships/add` with a list of ids."""
    return _change(portal, call["listId"], _ids(call), [])


def remove(portal: Portal, call: Call) -> Reply:
    """`PUT …/memberships/remove` with a list of ids."""
    return _change(portal, call["listId"], [], _ids(call))


def add_and_remove(portal: Portal, call: Call) -> Reply:
    """`PUT …/memberships/add-and-remove`."""
    body = call.object
    return _change(
        portal,
        call["listId"],
        payload.texts(body, "recordIdsToAdd"),
        payload.texts(body, "recordIdsToRemove"),
    )


def add_from(portal: Portal, call: Call) -> Reply:
    """`PUT …/memberships/add-from/{sourceListId}`."""
    _list(portal, call["sourceListId"])
    _change(portal, call["listId"], list(portal.members[call["sourceListId"]]), [])
    return 204, None


def clear(portal: Portal, call: Call) -> Reply:
    """`DELETE …/memberships`: everybody leaves."""
    _change(portal, call["listId"], [], list(portal.members.get(call["listId"], {})))
    return 204, None


def of_record(portal: Portal, call: Call) -> Reply:
    """`GET /lists/records/{objectTypeId}/{recordId}/memberships`."""
    rows = _memberships_of(portal, portal.type_id(call["objectTypeId"]), call["recordId"])
    return 200, {"results": rows, "total": len(rows)}


def _memberships_of(portal: Portal, type_id: str, record_id: str) -> list[dict[str, Any]]:
    return [
        {
            "listId": list_id,
            "listVersion": portal.lists[list_id]["listVersion"],
            "firstAddedTimestamp": members[record_id],
            "lastAddedTimestamp": members[record_id],
            "isPublicList": False,
        }
        for list_id, members in portal.members.items()
        if record_id in members and portal.lists[list_id]["objectTypeId"] == type_id
    ]


def of_records(portal: Portal, call: Call) -> Reply:
    """`POST /lists/records/memberships/batch/read`."""
    results = [
        {
            "objectTypeId": portal.type_id(payload.text(i, "objectTypeId")),
            "recordId": payload.text(i, "recordId"),
            "recordListMemberships": _memberships_of(
                portal, portal.type_id(payload.text(i, "objectTypeId")), payload.text(i, "recordId")
            ),
        }
        for i in call.rows
    ]
    return complete(portal, results)


def id_mapping(portal: Portal, call: Call) -> Reply:
    """Legacy ids: here they are the same numbers."""
    if call.method == "GET":
        wanted = call.query.get("legacyListId", "")
        _list(portal, wanted)
        return 200, {"listId": wanted, "legacyListId": wanted}
    ids = _ids(call)
    known = [i for i in ids if i in portal.lists]
    return 200, {
        "legacyListIdsToIdsMapping": [{"listId": i, "legacyListId": i} for i in known],
        "missingLegacyListIds": [i for i in ids if i not in portal.lists],
    }


ROUTES: Final[list[Route]] = [
    *route("GET", family(*_LISTS), by_ids),
    *route("POST", family(*_LISTS), create),
    *route("POST", family(*_LISTS, "/search"), search),
    *route("POST", "/crm/lists/2026-09/all", search),
    *route("GET", family(*_LISTS, "/object-type-id/{objectTypeId}/name/{listName}"), get_by_name),
    *route("GET", family(*_LISTS, "/idmapping"), id_mapping),
    *route("POST", family(*_LISTS, "/idmapping"), id_mapping),
    *route("POST", family(*_LISTS, "/records/memberships/batch/read"), of_records),
    *route("GET", family(*_LISTS, "/records/{objectTypeId}/{recordId}/memberships"), of_record),
    *route("GET", family(*_LISTS, "/{listId}"), get),
    *route("DELETE", family(*_LISTS, "/{listId}"), delete),
    *route("PUT", family(*_LISTS, "/{listId}/restore"), restore),
    *route("PUT", family(*_LISTS, "/{listId}/update-list-name"), rename),
    *route("GET", family(*_LISTS, "/{listId}/memberships"), memberships),
    *route("DELETE", family(*_LISTS, "/{listId}/memberships"), clear),
    *route("PUT", family(*_LISTS, "/{listId}/memberships/add"), add),
    *route("PUT", family(*_LISTS, "/{listId}/memberships/remove"), remove),
    *route("PUT", family(*_LISTS, "/{listId}/memberships/add-and-remove"), add_and_remove),
    *route("PUT", family(*_LISTS, "/{listId}/memberships/add-from/{sourceListId}"), add_from),
]
