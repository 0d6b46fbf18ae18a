"""Contacts and companies: update by id, upsert by a unique value, results matched by trace id (SEMANTICS 8, 23, 28)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from millstream.delivery.operation import Key
from millstream.delivery.plan import Records
from millstream.delivery.sink import Confirmed, Gone, Later, Result, WriteRow
from millstream.destinations.hubspot.failures import row_result
from millstream.destinations.hubspot.portal import DOMAIN_PROPERTY, Portal
from millstream.destinations.hubspot.values import Unconvertible, convert
from millstream.hubspot_api.errors import Failure, HubSpotError, classify
from millstream.hubspot_api.requests import Request

Send = Callable[[Request], Awaitable[Any]]


class _Built:
    """A row's properties in HubSpot's encoding, what was left out of them, and why."""

    __slots__ = ("dropped", "notes", "properties")

    def __init__(self, portal: Portal, object_type: str, row: WriteRow) -> None:
        self.properties: dict[str, str] = {}
        self.notes: list[str] = []
        self.dropped: set[str] = set()
        schema = portal.schema.properties.get(object_type, {})
        for name, stamped in row.values.items():
            prop = schema.get(name)
            if prop is None:
                self.notes.append(f"unknown_property_dropped:{name}")
                self.dropped.add(name)
                continue
            try:
                self.properties[name] = convert(prop, stamped.value, portal.zone)
            except Unconvertible:
                self.notes.append(f"value_not_convertible:{name}")
                self.dropped.add(name)


async def upsert_contacts(
    portal: Portal, rows: Sequence[WriteRow], records: Records, send: Send
) -> list[Result]:
    """Known contacts by id, others by email."""
    results: list[Result | None] = [None] * len(rows)
    known = {i: r.id for i, row in enumerate(rows) if (r := records.get(row.key)) is not None}
    for i in [i for i in known if rows[i].key.by == "id" and "email" in rows[i].values]:
        results[i] = await _move(portal, rows[i], known.pop(i), send)
    if known:
        await _update(portal, "contacts", rows, known, results, send)
    fresh = [i for i in range(len(rows)) if i not in known and results[i] is None]
    if fresh and portal.settings["contact_lookup"] == "read_first":
        found = await _read(portal, "contacts", "email", [rows[i].key.value for i in fresh], send)
        there = {i: found[rows[i].key.value] for i in fresh if rows[i].key.value in found}
        if there:
            await _update(portal, "contacts", rows, there, results, send)
        fresh = [i for i in fresh if i not in there]
    if fresh:
        await _upsert(portal, "contacts", "email", rows, fresh, results, send)
    return [r or Later("HubSpot's answer does not mention this row", 1.0) for r in results]


async def upsert_companies(
    portal: Portal, rows: Sequence[WriteRow], records: Records, send: Send
) -> list[Result]:
    """Known companies by id; at first sight of a domain it is looked for in bulk and adopted, else made."""
    results: list[Result | None] = [None] * len(rows)
    known = {i: r.id for i, row in enumerate(rows) if (r := records.get(row.key)) is not None}
    fresh = [i for i in range(len(rows)) if i not in known]
    if fresh:
        by_domain = {rows[i].key.value: i for i in fresh}
        ours = await _read(portal, "companies", DOMAIN_PROPERTY, list(by_domain), send)
        known |= {by_domain[d]: found for d, found in ours.items() if d in by_domain}
        unseen = [d for d in by_domain if d not in ours]
        adopted, ambiguous = await _search_domains(portal, unseen, send)
        for domain, found in adopted.items():
            known[by_domain[domain]] = found
            if domain in ambiguous:
                row = rows[by_domain[domain]]
                row.extra = {**row.extra, "notes": (*row.extra.get("notes", ()), "ambiguous_domain")}
        fresh = [i for i in fresh if i not in known]
    if known:
        await _update(portal, "companies", rows, known, results, send)
    if fresh:
        await _upsert(portal, "companies", DOMAIN_PROPERTY, rows, fresh, results, send)
    return [r or Later("HubSpot's answer does not mention this row", 1.0) for r in results]


async def _move(portal: Portal, row: WriteRow, contact: str, send: Send) -> Result:
    """A person's contact gets a new address; when that is another contact's, the values go there (SEMANTICS 7)."""
    made = _Built(portal, "contacts", row)
    address = str(row.values["email"].value)
    inputs: list[dict[str, Any]] = [{"id": contact, "properties": made.properties, "objectWriteTraceId": "0"}]
    notes = list(made.notes)
    try:
        answer = await send(portal.operations.batch("contacts", "update", inputs))
        refusals = [classify(400, e) for e in answer.get("errors") or []]
        refused = next(iter(refusals), None)
    except HubSpotError as error:
        refused = error.refusal
        if refused.failure not in {Failure.CONFLICT, Failure.EXISTS, Failure.NOT_FOUND}:
            raise
    if refused is not None and refused.failure is Failure.NOT_FOUND:
        return Gone(refused.message)
    if refused is not None:
        if refused.failure not in {Failure.CONFLICT, Failure.EXISTS}:
            return row_result(refused)
        notes.append("email_conflict")
        made.properties.pop("email", None)
        inputs = [
            {
                "id": address,
                "idProperty": "email",
                "properties": made.properties,
                "objectWriteTraceId": "0",
            }
        ]
        answer = await send(portal.operations.batch("contacts", "upsert", inputs))
    for found in answer.get("results") or []:
        alias = Key("contact", "email", address)
        return Confirmed(str(found["id"]), (alias,), tuple(notes), frozenset(made.dropped))
    return Later("HubSpot's answer does not mention this row", 1.0)


async def _update(
    portal: Portal,
    object_type: str,
    rows: Sequence[WriteRow],
    known: dict[int, str],
    results: list[Result | None],
    send: Send,
) -> None:
    """`batch/update` by id. Two rows that turn out to be one record are not sent together."""
    sent: dict[str, int] = {}
    built: dict[int, _Built] = {}
    inputs = []
    for i, record_id in known.items():
        if record_id in sent:
            results[i] = Later("the same record is in this batch by another name", 0.1, counts=False)
            continue
        sent[record_id] = i
        made = built[i] = _Built(portal, object_type, rows[i])
        made.properties.pop("email", None)
        inputs.append({"id": record_id, "properties": made.properties, "objectWriteTraceId": str(i)})
    if portal.settings["lifecycle"] == "allow_back":
        clear = [
            {
                "id": x["id"],
                "properties": {"lifecyclestage": ""},
                "objectWriteTraceId": x["objectWriteTraceId"],
            }
            for x in inputs
            if x["properties"].get("lifecyclestage")  # type: ignore[attr-defined]
        ]
        if clear:
            await send(portal.operations.batch(object_type, "update", clear))
    answer = await _batch(portal, object_type, "update", inputs, send)
    if answer is None:
        for i in built:
            results[i] = Later("the property was made a moment ago", 0.5, counts=False)
        return
    _confirm(answer, rows, built, results, set(), object_type)
    for error in answer.get("errors") or []:
        refusal = classify(400, error)
        if refusal.failure is Failure.NOT_FOUND and refusal.ids:
            for gone in refusal.ids:
                if gone in sent:
                    results[sent[gone]] = Gone(refusal.message)


async def _upsert(
    portal: Portal,
    object_type: str,
    id_property: str,
    rows: Sequence[WriteRow],
    fresh: list[int],
    results: list[Result | None],
    send: Send,
) -> None:
    """`batch/upsert` by a unique property."""
    built: dict[int, _Built] = {}
    inputs = []
    for i in fresh:
        made = built[i] = _Built(portal, object_type, rows[i])
        made.properties.pop(id_property, None)
        if object_type == "companies":
            made.properties.setdefault("domain", rows[i].key.value)
            made.properties.setdefault("name", rows[i].key.value)
        inputs.append(
            {
                "id": rows[i].key.value,
                "idProperty": id_property,
                "properties": made.properties,
                "objectWriteTraceId": str(i),
            }
        )
    answer = await _batch(portal, object_type, "upsert", inputs, send)
    if answer is None:
        for i in fresh:
            results[i] = Later("the property was made a moment ago", 0.5, counts=False)
        return
    _confirm(answer, rows, built, results, {id_property}, object_type)


async def _batch(
    portal: Portal, object_type: str, action: str, inputs: list[dict[str, Any]], send: Send
) -> Any:
    """One call; properties that HubSpot says it lacks are left out and the rest is sent. None: try again shortly."""
    for _ in range(3):
        try:
            return await send(portal.operations.batch(object_type, action, inputs))
        except HubSpotError as error:
            refusal = error.refusal
            if refusal.failure is not Failure.UNKNOWN_PROPERTY or not refusal.properties:
                raise
            if any(portal.made_lately(object_type, name) for name in refusal.properties):
                return None
            for name in refusal.properties:
                portal.cache.drop_property(object_type, name)
                for item in inputs:
                    item["properties"].pop(name, None)
    return None


def _confirm(
    answer: Any,
    rows: Sequence[WriteRow],
    built: dict[int, _Built],
    results: list[Result | None],
    _sent_as_id: set[str],
    object_type: str,
) -> None:
    """Each result confirms its own row, by trace id or by the unique value; each error refuses one."""
    by_value = {rows[i].key.value: i for i in built}
    for found in answer.get("results") or []:
        trace = found.get("objectWriteTraceId")
        properties = found.get("properties") or {}
        if trace is not None and str(trace).isdigit():
            i = int(trace)
        else:
            value = str(properties.get("email") or properties.get(DOMAIN_PROPERTY) or "").lower()
            if value not in by_value:
                continue
            i = by_value[value]
        if i not in built:
            continue
        aliases: list[Key] = []
        if object_type == "contacts":
            if properties.get("email"):
                aliases.append(Key("contact", "email", str(properties["email"]).lower()))
            if rows[i].profile:
                aliases.append(Key("contact", "profile", str(rows[i].profile)))
        made = built[i]
        results[i] = Confirmed(str(found["id"]), tuple(aliases), tuple(made.notes), frozenset(made.dropped))
    for error in answer.get("errors") or []:
        refusal = classify(400, error)
        for trace in refusal.traces:
            if trace.isdigit() and int(trace) in built:
                if refusal.failure is Failure.NOT_FOUND:
                    results[int(trace)] = Gone(refusal.message)
                else:
                    results[int(trace)] = row_result(refusal)


async def _read(
    portal: Portal, object_type: str, id_property: str, values: list[str], send: Send
) -> dict[str, str]:
    """Which of these unique values exist: value → record id."""
    if not values or (
        id_property not in portal.schema.properties.get(object_type, {}) and id_property != "email"
    ):
        return {}
    inputs = [{"id": v} for v in values]
    request = portal.operations.batch(
        object_type, "read", inputs, idProperty=id_property, properties=[id_property, "hs_additional_emails"]
    )
    try:
        answer = await send(request)
    except HubSpotError as error:
        if error.refusal.failure is Failure.NOT_FOUND:
            return {}
        raise
    found = {}
    for record in answer.get("results") or []:
        value = (record.get("properties") or {}).get(id_property)
        if value:
            found[str(value).lower()] = str(record["id"])
    return found


async def _search_domains(portal: Portal, domains: list[str], send: Send) -> tuple[dict[str, str], set[str]]:
    """Companies that already have these domains: domain → the oldest one's id; and which had several."""
    found: dict[str, list[int]] = {}
    some: list[str] = []
    for domain in [*domains, ""]:
        # HubSpot takes search bodies of at most 3,000 characters.
        if some and (not domain or sum(len(d) + 3 for d in [*some, domain]) > 2600 or len(some) >= 100):
            body = {
                "filterGroups": [{"filters": [{"propertyName": "domain", "operator": "IN", "values": some}]}],
                "properties": ["domain"],
                "limit": 200,
            }
            answer = await send(portal.operations.search("companies", body))
            for record in answer.get("results") or []:
                domain_of = str((record.get("properties") or {}).get("domain") or "").lower()
                found.setdefault(domain_of, []).append(int(record["id"]))
            some = []
        if domain:
            some.append(domain)
    wanted = {d: ids for d, ids in found.items() if d in set(domains)}
    return {d: str(min(ids)) for d, ids in wanted.items()}, {d for d, ids in wanted.items() if len(ids) > 1}
