"""Operations on records: single and in batches, with HubSpot's partial success and whole-batch failures."""

from __future__ import annotations

from typing import Any, Final

from millstream.sandbox import payload, pipelines
from millstream.sandbox.errors import Complaint, Refused, missing_records
from millstream.sandbox.portal import Portal
from millstream.sandbox.record import Record
from millstream.sandbox.records import Records
from millstream.sandbox.routing import Call, Reply, Route, complete, family, route, whole

_LIMIT: Final = 100


Item = dict[str, Any]


def _inputs(call: Call) -> list[dict[str, Any]]:
    found = call.rows
    if len(found) > _LIMIT:
        raise Refused(400, f"The maximum number of inputs is {_LIMIT}, but {len(found)} were given")
    return found


def archive_batch(portal: Portal, call: Call) -> Reply:
    """`batch/archive`."""
    for item in _inputs(call):
        _archive(portal, portal.type(call["objectType"]), payload.text(item, "id"))
    return 204, None


def write_batch(portal: Portal, call: Call) -> Reply:
    """`batch/create`, `batch/update`, `batch/upsert`: by row with trace ids, else all or nothing."""
    records, inputs = portal.type(call["objectType"]), _inputs(call)
    action = call.path.rstrip("/").rsplit("/", 1)[1]
    _no_duplicates(inputs)
    switches = portal.config.switches
    traces = {payload.text(i, "objectWriteTraceId") for i in inputs} - {""}
    traced = bool(inputs) and len(traces) == len(inputs)
    if action == "upsert" and (
        switches["trace_ids_on_upsert"] == "whole_400"
        or switches["partial_upsert_by_email"] == "all_or_nothing"
    ):
        traced = False
    apply = {"create": _create, "update": _update, "upsert": _upsert}[action]
    results: list[dict[str, Any]] = []
    errors: list[dict[str, Any]] = []
    if not traced:
        if action == "update":
            inputs, errors = _there(records, inputs)
        seen: set[tuple[str, str]] = set()
        for item in inputs:  # everything or nothing: check first
            apply(portal, records, item, call.version, dry=seen)
    for item in inputs:
        trace = payload.text(item, "objectWriteTraceId")
        try:
            results.append(
                apply(portal, records, item, call.version) | ({"objectWriteTraceId": trace} if trace else {})
            )
        except Complaint as complaint:
            if not traced:
                raise
            errors.append(complaint.entry(trace))
    portal.shuffle.shuffle(results)
    return complete(portal, results, errors, 201 if action == "create" else 200)


def _there(
    records: Records, inputs: list[dict[str, Any]]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The rows of an update whose records exist, and the error that lists the others."""
    found = [i for i in inputs if records.find(payload.text(i, "id"), payload.text(i, "idProperty"))]
    lost = [payload.text(i, "id") for i in inputs if not any(i is f for f in found)]
    return found, [missing_records(records.single, lost).entry(None)] if lost else []


def _no_duplicates(inputs: list[dict[str, Any]]) -> None:
    seen: set[str] = set()
    for item in inputs:
        given = payload.text(item, "id")
        name = given.strip().lower()
        if not name:
            continue
        if name in seen:
            raise Refused(
                400,
                f"Duplicate IDs found in batch input: [{given}]. IDs must be unique",
                context={"ids": [given]},
            )
        seen.add(name)


def read_batch(portal: Portal, call: Call) -> Reply:
    """`batch/read`, by id or by a unique property."""
    records, body = portal.type(call["objectType"]), call.object
    names = _known(records, payload.texts(body, "properties") or None)
    with_history = payload.texts(body, "propertiesWithHistory")
    results, missing = [], []
    for item in _inputs(call):
        record = records.find(payload.text(item, "id"), payload.text(body, "idProperty"))
        if record is None:
            missing.append(payload.text(item, "id"))
        else:
            results.append(record.json(names, history=with_history))
    error = missing_records(records.single, missing).entry(None)
    return complete(portal, results, [error] if missing else None)


def _values(portal: Portal, records: Records, item: dict[str, Any]) -> dict[str, str]:
    if item.get("properties") is None:
        raise payload.unset(item, "properties")
    return records.check(payload.mapping(item, "properties"), pipelines.stages_of(portal, records.type))


def _create(
    portal: Portal, records: Records, item: Item, version: str, *, dry: set[tuple[str, str]] | None = None
) -> dict[str, Any]:
    values = _values(portal, records, item)
    records.require(values)
    portal.rules.check(records.type, version, values, None)
    if dry is not None:
        try:
            _claim(records, values, None, dry)
        except Complaint as complaint:  # a whole batch is not told which record it is
            raise Complaint(409, complaint.message.partition(".")[0], "CONFLICT", {}) from None
        return {}
    return _made(portal, records, values).json()


def _made(portal: Portal, records: Records, values: dict[str, str]) -> Record:
    record = records.create(values, portal.stamp())
    portal.happened(records.type, "creation", record.id)
    return record


def _update(
    portal: Portal, records: Records, item: Item, version: str, *, dry: set[tuple[str, str]] | None = None
) -> dict[str, Any]:
    record = records.find(payload.text(item, "id"), payload.text(item, "idProperty"))
    if record is None:
        raise missing_records(records.single, [payload.text(item, "id")])
    values = _values(portal, records, item)
    portal.rules.check(records.type, version, values, record.values)
    if dry is not None:
        _claim(records, values, record, dry)
    else:
        _write(portal, records, record, values)
    return record.json()


def _upsert(
    portal: Portal, records: Records, item: Item, version: str, *, dry: set[tuple[str, str]] | None = None
) -> dict[str, Any]:
    id_property = payload.text(item, "idProperty")
    record = records.find(payload.text(item, "id"), id_property)
    values = _values(portal, records, item)
    if id_property and id_property != "hs_object_id":
        named = records.check({id_property: item.get("id")})
        additional = (
            record is not None and id_property == "email" and record.values.get("email") != named["email"]
        )
        if not additional or portal.config.switches["upsert_by_additional_email"] == "swaps":
            values = {**named, **values}
    portal.rules.check(records.type, version, values, record.values if record is not None else None)
    if record is None:
        records.require(values)
        if dry is not None:
            _claim(records, values, None, dry)
            return {}
        return _made(portal, records, values).json() | {"new": True}
    if dry is not None:
        _claim(records, values, record, dry)
        return {}
    if id_property == "email" and portal.config.switches["partial_upsert_by_email"] == "clears":
        unsent = [n for n in record.values if n not in values and n not in {"email", "lifecyclestage"}]
        _write(portal, records, record, dict.fromkeys(unsent, ""))
    _write(portal, records, record, values)
    return record.json() | {"new": False}


def _claim(
    records: Records, values: dict[str, str], record: Record | None, seen: set[tuple[str, str]]
) -> None:
    """No other record has these unique values, nor an earlier row of the batch."""
    records.conflicts(values, record)
    for name in records.unique:
        if values.get(name):
            if (name, values[name]) in seen:
                raise Complaint(409, f"{records.single.capitalize()} already exists", "CONFLICT", {})
            seen.add((name, values[name]))


def _names(call: Call, name: str = "properties") -> list[str] | None:
    return call.query[name].split(",") if call.query.get(name) else None


def _known(records: Records, names: list[str] | None) -> list[str] | None:
    """The properties asked for that exist; HubSpot leaves the others out silently."""
    return None if names is None else [n for n in names if n in records.definitions]


def _one(portal: Portal, call: Call, *, archived: bool = False) -> Record:
    records = portal.type(call["objectType"])
    by = call.query.get("idProperty")
    if not by and not call["objectId"].isdecimal():
        raise Refused(
            404,
            "Object not found.  objectId are usually numeric.",
            "OBJECT_NOT_FOUND",
            context={"id": [call["objectId"]]},
        )
    record = records.find(call["objectId"], by, archived=archived)
    if record is None:
        raise Refused(404, "resource not found", "")
    return record


def _with_associations(portal: Portal, call: Call, found: dict[str, Any]) -> dict[str, Any]:
    """What `associations=` asks for beside a record."""
    records = portal.type(call["objectType"])
    left = records.type
    wanted: dict[str, Any] = {}
    for name in _names(call, "associations") or []:
        others = portal.type(name)
        right = others.type
        rows = [
            {"id": j, "type": f"{records.single}_to_{others.single}"}
            for j in portal.associations.of(left, found["id"], right)
        ]
        if rows:
            wanted[right] = {"results": rows}
    return {**found, "associations": wanted} if wanted else found


def get(portal: Portal, call: Call) -> Reply:
    """`GET /{objectType}/{objectId}`."""
    record = _one(portal, call, archived=call.flag("archived"))
    names = _known(portal.type(call["objectType"]), _names(call))
    found = record.json(names, history=_names(call, "propertiesWithHistory"))
    return 200, _with_associations(portal, call, found)


def page(portal: Portal, call: Call) -> Reply:
    """`GET /{objectType}`: by id; `after` is an id."""
    records = portal.type(call["objectType"])
    names, history = _known(records, _names(call)), _names(call, "propertiesWithHistory")
    limit = whole(call.query.get("limit"), 1, 10, 50 if history else 100)
    after = whole(call.query.get("after"), 0, 0, 2**62)
    archived = call.flag("archived")
    found = records.after(after, limit + 1, archived=archived)
    rows = [_with_associations(portal, call, r.json(names, history=history)) for r in found[:limit]]
    reply: dict[str, Any] = {"results": rows}
    if len(found) > limit:
        last = found[limit - 1].id
        reply["paging"] = {"next": {"after": last, "link": f"?after={last}"}}
    return 200, reply


def create(portal: Portal, call: Call) -> Reply:
    """`POST /{objectType}`, also with associations."""
    from millstream.sandbox import associations  # noqa: PLC0415  (it imports nothing of this module)

    records, body = portal.type(call["objectType"]), call.object
    wanted = [
        (payload.text(payload.mapping(row, "to"), "id"), payload.number(kind, "associationTypeId"), kind)
        for row in payload.mappings(body, "associations")
        for kind in payload.mappings(row, "types")
    ]
    others = [associations.other_end(portal, records.type, number) for _, number, _ in wanted]
    made = _create(portal, records, body, call.version)
    for (to_id, number, kind), right in zip(wanted, others, strict=True):
        category = payload.text(kind, "associationCategory")
        associations.associate(portal, records.type, right, made["id"], to_id, [(category, number)])
    return 201, made


def update(portal: Portal, call: Call) -> Reply:
    """`PATCH /{objectType}/{objectId}`."""
    record = _one(portal, call)
    records = portal.type(call["objectType"])
    values = _values(portal, records, call.object)
    portal.rules.check(records.type, call.version, values, record.values)
    _write(portal, records, record, values)
    return 200, record.json()


def archive(portal: Portal, call: Call) -> Reply:
    """`DELETE /{objectType}/{objectId}`: idempotent."""
    _archive(portal, portal.type(call["objectType"]), call["objectId"])
    return 204, None


def _archive(portal: Portal, records: Records, record_id: str) -> None:
    record = records.find(record_id, None)
    if record is not None:
        records.archive(record, portal.stamp())
        portal.happened(records.type, "deletion", record.id)


def gdpr_delete(portal: Portal, call: Call) -> Reply:
    """`POST /{objectType}/gdpr-delete`: the record goes, its address may not come back."""
    records, body = portal.type(call.params.get("objectType", "contacts")), call.object
    by = payload.text(body, "idProperty")
    wanted = payload.text(body, "objectId")
    if not wanted:
        raise payload.unset(body, "objectId")
    record = records.find(wanted, by)
    email = wanted.strip().lower() if by == "email" else None
    if record is not None:
        email = record.values.get("email", email)
        records.erase(record)
        portal.associations.dissociate(records.type, record.id)
        portal.happened(records.type, "privacyDeletion", record.id)
    if email:
        records.blocked_emails.add(email)
    return 204, None


def merge(portal: Portal, call: Call) -> Reply:
    """`POST /{objectType}/merge`: both ids resolve to the primary record, and its second address stays findable."""
    records, body = portal.type(call.params.get("objectType", "contacts")), call.object
    primary = records.find(payload.text(body, "primaryObjectId"), None)
    other = records.find(payload.text(body, "objectIdToMerge"), None)
    if primary is None or other is None:
        raise Refused(404, "resource not found", "")
    if primary is other:
        raise Refused(400, "Cannot merge an object with itself", "VALIDATION_ERROR")
    records.merge(primary, other, portal.stamp())
    portal.associations.reassociate(records.type, other.id, primary.id)
    portal.happened(records.type, "merge", primary.id, mergedObjectIds=[int(other.id)])
    return 200, primary.json()


def _write(portal: Portal, records: Records, record: Record, values: dict[str, str]) -> None:
    before = {n: record.values.get(n) for n in values}
    records.write(record, values, portal.stamp())
    for name, old in before.items():
        now = record.values.get(name)
        if now != old:
            portal.happened(
                records.type, "propertyChange", record.id, propertyName=name, propertyValue=now or ""
            )


_OBJECTS: Final = ("/crm/v3/objects", "/crm/objects/{}")
_ALL: Final = family(*_OBJECTS, "/{objectType}")
_BATCH: Final = [f"{a}/batch" for a in _ALL]
_ONE: Final = [f"{a}/{{objectId}}" for a in _ALL]
ROUTES: Final[list[Route]] = [
    *route("POST", [f"{b}/read" for b in _BATCH], read_batch),
    *route("POST", [f"{b}/archive" for b in _BATCH], archive_batch),
    *(
        r
        for a in ("create", "update", "upsert")
        for r in route("POST", [f"{b}/{a}" for b in _BATCH], write_batch)
    ),
    *route("POST", [f"{a}/merge" for a in _ALL], merge),
    *route("POST", [f"{a}/gdpr-delete" for a in _ALL], gdpr_delete),
    *route("GET", _ALL, page),
    *route("POST", _ALL, create),
    *route("GET", _ONE, get),
    *route("PATCH", _ONE, update),
    *route("DELETE", _ONE, archive),
]
