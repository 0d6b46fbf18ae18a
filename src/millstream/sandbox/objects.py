"""Operations on records: single, batch, search, with HubSpot's partial success and whole-batch failures."""

from __future__ import annotations

import random
from typing import Any, Final

from millstream.sandbox.errors import Complaint, Refused
from millstream.sandbox.portal import Portal
from millstream.sandbox.records import Record, Records

Reply = tuple[int, Any]
_LIMIT: Final = 100


def batch(portal: Portal, object_type: str, action: str, body: Any, shuffle: random.Random) -> Reply:
    """`/batch/{action}`."""
    records = portal.type(object_type)
    inputs = body.get("inputs") if isinstance(body, dict) else None
    if not isinstance(inputs, list) or not all(isinstance(i, dict) for i in inputs):
        raise Refused(400, "Invalid input JSON on line 1, column 1: inputs must be a list of objects")
    if len(inputs) > _LIMIT:
        raise Refused(400, f"The maximum number of inputs is {_LIMIT}, but {len(inputs)} were given")
    if action == "read":
        return _read(records, inputs, body)
    if action == "archive":
        for item in inputs:
            archive(records, str(item.get("id")))
        return 204, None
    _no_duplicates(inputs)
    switches = portal.config.switches
    traced = bool(inputs) and len(
        {i.get("objectWriteTraceId") for i in inputs if i.get("objectWriteTraceId")}
    ) == len(inputs)
    if action == "upsert" and (
        switches["trace_ids_on_upsert"] == "whole_400"
        or switches["partial_upsert_by_email"] == "all_or_nothing"
    ):
        traced = False
    apply = {"create": _create, "update": _update, "upsert": _upsert}[action]
    if not traced:
        for item in inputs:  # everything or nothing: check first
            apply(portal, records, item, dry=True)
    results: list[dict[str, Any]] = []
    errors: list[dict[str, Any]] = []
    for item in inputs:
        trace = item.get("objectWriteTraceId")
        try:
            results.append(
                apply(portal, records, item, dry=False) | ({"objectWriteTraceId": trace} if trace else {})
            )
        except Complaint as complaint:
            if not traced:
                raise
            errors.append(complaint.entry(trace))
    shuffle.shuffle(results)
    now = portal.stamp()
    reply: dict[str, Any] = {"status": "COMPLETE", "results": results, "startedAt": now, "completedAt": now}
    if errors:
        return 207, {**reply, "errors": errors, "numErrors": len(errors)}
    return 201 if action == "create" else 200, reply


def _no_duplicates(inputs: list[dict[str, Any]]) -> None:
    seen: set[str] = set()
    for item in inputs:
        if item.get("id") is None:
            continue
        name = str(item["id"]).strip().lower()
        if name in seen:
            raise Refused(
                400,
                f"Duplicate IDs found in batch input: [{item['id']}]. IDs must be unique",
                context={"ids": [str(item["id"])]},
            )
        seen.add(name)


def _read(records: Records, inputs: list[dict[str, Any]], body: dict[str, Any]) -> Reply:
    names = body.get("properties")
    history = bool(body.get("propertiesWithHistory"))
    results, missing = [], []
    for item in inputs:
        record = records.find(str(item.get("id")), body.get("idProperty"))
        if record is None:
            missing.append(str(item.get("id")))
        else:
            results.append(record.json(names, history=history))
    reply: dict[str, Any] = {"status": "COMPLETE", "results": results}
    if not missing:
        return 200, reply
    error = {
        "status": "error",
        "category": "OBJECT_NOT_FOUND",
        "message": f"Could not get some {records.type.upper()} objects, they may be deleted or not exist. Check that ids are valid.",
        "context": {"ids": missing},
    }
    return 207, {**reply, "errors": [error], "numErrors": 1}


def _create(portal: Portal, records: Records, item: dict[str, Any], *, dry: bool) -> dict[str, Any]:
    values = records.check(item.get("properties"))
    records.require(values)
    if dry:
        _free(records, values)
        return {}
    return records.create(values, portal.stamp()).json()


def _update(portal: Portal, records: Records, item: dict[str, Any], *, dry: bool) -> dict[str, Any]:
    record = records.find(str(item.get("id")), item.get("idProperty"))
    if record is None:
        raise Complaint(
            404,
            f"Could not get some {records.type.upper()} objects, they may be deleted or not exist. Check that ids are valid.",
            "OBJECT_NOT_FOUND",
            {"ids": [str(item.get("id"))]},
        )
    values = records.check(item.get("properties"))
    if not dry:
        records.write(record, values, portal.stamp())
    return record.json()


def _upsert(portal: Portal, records: Records, item: dict[str, Any], *, dry: bool) -> dict[str, Any]:
    id_property = item.get("idProperty")
    record = records.find(str(item.get("id")), id_property)
    values = records.check(item.get("properties"))
    if id_property and id_property != "hs_object_id":
        values = {**records.check({id_property: item.get("id")}), **values}
    if record is None:
        records.require(values)
        if dry:
            return {}
        return records.create(values, portal.stamp()).json() | {"new": True}
    if dry:
        return {}
    now = portal.stamp()
    if id_property == "email" and portal.config.switches["partial_upsert_by_email"] == "clears":
        unsent = [n for n in record.values if n not in values and n not in {"email", "lifecyclestage"}]
        records.write(record, dict.fromkeys(unsent, ""), now)
    records.write(record, values, now)
    return record.json() | {"new": False}


def _free(records: Records, values: dict[str, str]) -> None:
    for name in records.unique:
        if values.get(name) and records.find(values[name], name):
            raise Complaint(409, "Contact already exists", "CONFLICT", {})


def get(records: Records, record_id: str, id_property: str | None, query: dict[str, str]) -> Reply:
    """`GET /{type}/{id}`."""
    record = records.find(record_id, id_property)
    if record is None:
        raise Refused(404, "resource not found", "")
    names = query["properties"].split(",") if query.get("properties") else None
    return 200, record.json(names, history="propertiesWithHistory" in query)


def page(records: Records, query: dict[str, str]) -> Reply:
    """`GET /{type}`."""
    limit = min(int(query.get("limit") or 10), 100)
    after = int(query.get("after") or 0)
    archived = query.get("archived") == "true"
    names = query["properties"].split(",") if query.get("properties") else None
    found = sorted(
        (r for r in records.by_id.values() if r.archived == archived and int(r.id) > after),
        key=lambda r: int(r.id),
    )
    return 200, _paged([r.json(names) for r in found[:limit]], found, limit)


def _paged(results: list[Any], found: list[Record], limit: int) -> dict[str, Any]:
    if len(found) <= limit:
        return {"results": results}
    return {"results": results, "paging": {"next": {"after": found[limit - 1].id}}}


def create(portal: Portal, records: Records, body: Any) -> Reply:
    """`POST /{type}`."""
    return 201, _create(portal, records, body if isinstance(body, dict) else {}, dry=False)


def update(portal: Portal, records: Records, record_id: str, id_property: str | None, body: Any) -> Reply:
    """`PATCH /{type}/{id}`."""
    record = records.find(record_id, id_property)
    if record is None:
        raise Refused(404, "resource not found", "")
    records.write(record, records.check((body or {}).get("properties")), portal.stamp())
    return 200, record.json()


def archive(records: Records, record_id: str) -> Reply:
    """`DELETE /{type}/{id}`: idempotent."""
    record = records.find(record_id, None)
    if record is not None:
        record.archived = True
        for name, index in records.unique.items():
            if record.values.get(name):
                index.pop(
                    record.values[name].strip().lower() if name == "email" else record.values[name], None
                )
    return 204, None


def gdpr_delete(records: Records, body: Any) -> Reply:
    """`POST /{type}/gdpr-delete`: the record goes, its address may not come back."""
    record = records.find(str(body.get("objectId")), body.get("idProperty"))
    email = str(body.get("objectId")).strip().lower() if body.get("idProperty") == "email" else None
    if record is not None:
        email = record.values.get("email", email)
        archive(records, record.id)
        del records.by_id[record.id]
    if email:
        records.blocked_emails.add(email)
    return 204, None


def merge(portal: Portal, records: Records, body: Any) -> Reply:
    """`POST /{type}/merge`: both ids resolve to the primary record."""
    primary = records.find(str(body.get("primaryObjectId")), None)
    other = records.find(str(body.get("objectIdToMerge")), None)
    if primary is None or other is None or primary is other:
        raise Refused(404, "resource not found", "")
    archive(records, other.id)
    records.merged[other.id] = primary.id
    records.merged = {k: (primary.id if v == other.id else v) for k, v in records.merged.items()}
    fresh = {n: v for n, v in other.values.items() if n not in primary.values and n not in records.unique}
    records.write(primary, fresh, portal.stamp())
    for name, index in records.unique.items():
        if other.values.get(name):  # a second address of the same contact
            index[other.values[name].strip().lower()] = primary.id
    return 200, primary.json()


def search(portal: Portal, records: Records, body: Any) -> Reply:
    """`POST /{type}/search`: sees what is older than the index lag."""
    if not isinstance(body, dict):
        raise Refused(400, "Invalid input JSON on line 1, column 1")
    groups = body.get("filterGroups") or []
    limit = min(int(body.get("limit") or 10), 200)
    after = int(body.get("after") or 0)
    before = portal.now().timestamp() - portal.config.search_lag_ms / 1000
    found = [
        r
        for r in sorted(records.by_id.values(), key=lambda r: int(r.id))
        if not r.archived
        and _seconds(r.updated) <= before
        and (not groups or any(all(_holds(r, f) for f in g.get("filters", [])) for g in groups))
    ]
    if after + limit > 10_000:
        raise Refused(400, "Search results are limited to 10000")
    names = body.get("properties")
    reply: dict[str, Any] = {
        "total": len(found),
        "results": [r.json(names) for r in found[after : after + limit]],
    }
    if len(found) > after + limit:
        reply["paging"] = {"next": {"after": str(after + limit)}}
    return 200, reply


def _seconds(stamp: str) -> float:
    from datetime import datetime  # noqa: PLC0415  (kept beside its only use)

    return datetime.fromisoformat(stamp).timestamp()


def _holds(record: Record, wanted: dict[str, Any]) -> bool:
    value = (
        record.id
        if wanted.get("propertyName") == "hs_object_id"
        else record.values.get(str(wanted.get("propertyName")))
    )
    operator = str(wanted.get("operator") or "EQ")
    target = str(wanted.get("value") or "").lower()
    low = value.lower() if value is not None else ""
    values = [str(v).lower() for v in wanted.get("values") or []]
    tests = {
        "EQ": lambda: value is not None and low == target,
        "NEQ": lambda: value is None or low != target,
        "IN": lambda: low in values and value is not None,
        "NOT_IN": lambda: value is not None and low not in values,
        "HAS_PROPERTY": lambda: value is not None,
        "NOT_HAS_PROPERTY": lambda: value is None,
        "CONTAINS_TOKEN": lambda: value is not None and target.strip("*") in low,
        "GT": lambda: value is not None and _compare(low, target) > 0,
        "GTE": lambda: value is not None and _compare(low, target) >= 0,
        "LT": lambda: value is not None and _compare(low, target) < 0,
        "LTE": lambda: value is not None and _compare(low, target) <= 0,
    }
    if operator not in tests:
        raise Refused(400, f"Invalid input JSON: {operator} is not a search operator")
    return bool(tests[operator]())


def _compare(left: str, right: str) -> int:
    try:
        a, b = float(left), float(right)
    except ValueError:
        return (left > right) - (left < right)
    return (a > b) - (a < b)
