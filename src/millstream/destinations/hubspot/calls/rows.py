"""Rows as HubSpot's inputs, and its answers as rows' results: what every family of record calls shares."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

from millstream.delivery.note import Note
from millstream.delivery.operation import Key
from millstream.delivery.outcome import Reason
from millstream.delivery.plan import Records
from millstream.delivery.sink import Confirmed, Gone, Later, Rejected, Result, WriteRow
from millstream.destinations.hubspot.failures import row_result
from millstream.destinations.hubspot.portal import Portal
from millstream.destinations.hubspot.values import LONGEST, Unconvertible, convert
from millstream.hubspot_api.errors import Failure, HubSpotError, classify
from millstream.hubspot_api.requests import Request
from millstream.hubspot_api.written import Written, WrittenRecord

Send = Callable[[Request], Awaitable[Any]]
_NONE: Final[frozenset[str]] = frozenset()
_TYPES: Final = {"contact": "contacts", "company": "companies"}


def type_of(key: Key) -> str:
    """The canonical object type of a record's key."""
    return _TYPES.get(key.object, key.object)


def object_of(object_type: str) -> str:
    """What a key calls records of a canonical object type."""
    return {"contacts": "contact", "companies": "company"}.get(object_type, object_type)


def record_id(key: Key, records: Records) -> str | None:
    """The record's id in HubSpot, when we know it."""
    if (known := records.get(key)) is not None:
        return known.id
    return key.value if key.by == "id" else None


def missing(key: Key, records: Records) -> Rejected:
    """What needed this record cannot be done, and why, when we know."""
    why = records.refused(key)
    if why is not None:
        return Rejected(*why)
    return Rejected(Reason.RECORD_NOT_FOUND, f"no {key.object} with {key.by} {key.value} could be written")


class Built:
    """A row's properties in HubSpot's encoding, what was left out of them, and why."""

    __slots__ = ("dropped", "notes", "properties")

    def __init__(self, portal: Portal, object_type: str, row: WriteRow) -> None:
        self.notes: list[str] = []
        self.dropped: set[str] = set()
        policies = portal.policies.get(object_type, {})
        texts = portal.schema.texts.get(object_type, _NONE) if not policies else _NONE
        # Most values are text for text: they go as they are, and the rest one by one.
        self.properties: dict[str, str] = {
            name: value
            for name, value in row.said.values.items()
            if type(value) is str and name in texts and len(value) <= LONGEST
        }
        if len(self.properties) < len(row.said.values):
            self._convert(portal, object_type, row, policies)

    def _convert(self, portal: Portal, object_type: str, row: WriteRow, policies: Mapping[str, str]) -> None:
        """Values that are not there yet, as their properties' types take them."""
        schema = portal.schema.properties.get(object_type, {})
        for name, value in row.said.values.items():
            if name in self.properties:
                continue
            prop = schema.get(name)
            if prop is None:
                self.leave_out(name, Note.UNKNOWN_PROPERTY_DROPPED.of(name))
            elif policies and policies.get(name) == "never":
                self.leave_out(name, Note.NEVER_WRITTEN.of(name))
            else:
                try:
                    self.properties[name] = convert(prop, value, portal.zone)
                except Unconvertible:
                    portal.cache.doubt()
                    self.leave_out(name, Note.VALUE_NOT_CONVERTIBLE.of(name))

    def leave_out(self, name: str, note: str) -> None:
        """The value does not go, and why."""
        self.properties.pop(name, None)
        self.dropped.add(name)
        self.notes.append(note)

    def fill(self, row: WriteRow) -> None:
        """What a new record gets besides, where nothing else says it or says only that it is empty."""
        for name, value in dict(row.extra.get("defaults") or {}).items():
            self.properties[name] = self.properties.get(name) or value

    def confirmed(self, record: str, aliases: tuple[Key, ...] = (), *, created: bool = False) -> Confirmed:
        """What HubSpot's confirmation of the record says."""
        return Confirmed(record, aliases, tuple(self.notes), frozenset(self.dropped), created=created)


def input_of(built: Built, record: str, trace: int, id_property: str | None = None) -> dict[str, Any]:
    """One input of a batch."""
    made: dict[str, Any] = {"id": record, "properties": built.properties, "objectWriteTraceId": str(trace)}
    if id_property:
        made["idProperty"] = id_property
    return made


def not_ready(portal: Portal, object_type: str) -> Later:
    """HubSpot lists a property and does not take it: nobody's failure just after it was made, else an attempt."""
    return Later(
        "HubSpot does not take a new property yet", 0.5, counts=not portal.made_any_lately(object_type)
    )


async def batch(
    portal: Portal, object_type: str, action: str, inputs: list[dict[str, Any]], send: Send
) -> Written | None:
    """One call; properties that HubSpot really lacks are left out and the rest is sent. None: try again shortly.

    HubSpot lists a new property before every part of it takes values (250 to 700 ms): what is listed is waited for.
    """
    for _ in range(3):
        try:
            answer: Written = await send(portal.operations.batch(object_type, action, inputs))
        except HubSpotError as error:
            refusal = error.refusal
            if refusal.failure is not Failure.UNKNOWN_PROPERTY or not refusal.properties:
                raise
            await portal.cache.refresh()
            listed = portal.schema.properties.get(object_type, {})
            if any(name in listed for name in refusal.properties):
                return None
            for name in refusal.properties:
                for item in inputs:
                    item["properties"].pop(name, None)
        else:
            refusals = (classify(400, e) for e in answer.errors or [])
            if any(r.failure is Failure.UNKNOWN_PROPERTY for r in refusals):
                await portal.cache.refresh()
            return answer
    return None


async def write_batch(
    portal: Portal,
    object_type: str,
    action: str,
    inputs: list[dict[str, Any]],
    rows: Sequence[WriteRow],
    built: Mapping[int, Built],
    results: list[Result | None],
    id_property: str,
    send: Send,
) -> Written | None:
    """One call and what its answer says of the rows; the answer, None when the rows must come again."""
    if not inputs:
        return None
    answer = await batch(portal, object_type, action, inputs, send)
    if answer is None:
        for i in built:
            results[i] = not_ready(portal, object_type)
    else:
        settle(portal, object_type, answer, rows, built, results, id_property)
    return answer


def settle(
    portal: Portal,
    object_type: str,
    answer: Written,
    rows: Sequence[WriteRow],
    built: Mapping[int, Built],
    results: list[Result | None],
    id_property: str,
) -> None:
    """Each result confirms its own row, by trace id or by the unique value; each error refuses one."""
    by_value = {rows[i].key.value: i for i in built}
    for found in answer.results or []:
        trace = found.trace
        if trace is not None and str(trace).isdigit():
            i = int(trace)
        else:
            value = found.value(id_property)
            i = by_value.get(value, by_value.get(value.lower(), -1))
        if i in built:
            names = _names(object_type, rows[i], found)
            results[i] = built[i].confirmed(str(found.id), names, created=found.new is True)
    for error in answer.errors or []:
        refusal = classify(400, error)
        listed = portal.schema.properties.get(object_type, {}).keys()
        if refusal.failure is Failure.INVALID_VALUE:
            portal.cache.doubt()
        for trace in refusal.traces:
            if trace.isdigit() and int(trace) in built:
                if refusal.failure is Failure.NOT_FOUND:
                    results[int(trace)] = Gone(refusal.message)
                elif refusal.failure is Failure.UNKNOWN_PROPERTY and listed >= set(refusal.properties):
                    results[int(trace)] = not_ready(portal, object_type)
                else:
                    results[int(trace)] = row_result(refusal)


def _names(object_type: str, row: WriteRow, written: WrittenRecord) -> tuple[Key, ...]:
    """Further names of a record that an answer teaches."""
    if object_type != "contacts":
        return ()
    found = []
    if address := written.email:
        found.append(Key("contact", "email", address.lower()))
    if row.profile and row.family == "contact":
        found.append(Key("contact", "profile", str(row.profile)))
    return tuple(found)
