"""Rows as HubSpot's inputs (text goes as it is, all else through `convert`), and its answers as rows' results."""

from __future__ import annotations

from types import SimpleNamespace
from zoneinfo import ZoneInfo

import msgspec

from millstream.delivery.operation import Key
from millstream.delivery.sink import Confirmed, Gone, WriteRow
from millstream.delivery.statement import Statement
from millstream.destinations.hubspot.calls.rows import Built, settle
from millstream.destinations.hubspot.values import LONGEST
from millstream.hubspot_api.client import Answer
from millstream.hubspot_api.requests import Operations
from millstream.hubspot_api.schema import PortalSchema, Property
from millstream.hubspot_api.written import WrittenRecord


def built(values, policies=None):
    """A row of these values, built for a portal with a property of each kind."""
    listed = {
        "name": Property("name", "string"),
        "bio": Property("bio", "string"),
        "seats": Property("seats", "number"),
        "active": Property("active", "bool"),
        "since": Property("since", "date"),
    }
    portal = SimpleNamespace(
        schema=PortalSchema({"contacts": listed}),
        policies={"contacts": policies or {}},
        zone=ZoneInfo("UTC"),
        cache=SimpleNamespace(doubt=lambda: None),
    )
    row = WriteRow("contact", Key("contact", "id", "1"), Statement(values, (1, 1)), [])
    return Built(portal, "contacts", row)


def test_every_value_as_its_property_takes_it():
    """Text, text that is too long, a clearing, a number for text, and types of their own."""
    made = built(
        {"name": "Ann", "bio": "x" * (LONGEST + 1), "seats": "5", "active": "yes", "since": "2024-01-02"}
    )
    assert made.properties == {
        "name": "Ann",
        "bio": "x" * LONGEST,
        "seats": "5",
        "active": "true",
        "since": "2024-01-02",
    }
    assert (made.notes, made.dropped) == ([], set())
    assert built({"name": None, "bio": 7}).properties == {"name": "", "bio": "7"}


def test_a_new_record_gets_its_defaults_where_nothing_is_said():
    """An empty name is none: a company made with it would have no name at all."""
    row = WriteRow(
        "company", Key("company", "id", "1"), Statement(), [], extra={"defaults": {"name": "x.example"}}
    )
    for values, name in (({}, "x.example"), ({"name": ""}, "x.example"), ({"name": "Acme"}, "Acme")):
        made = built(values)
        made.fill(row)
        assert made.properties["name"] == name


def test_what_does_not_go_is_said():
    """A property that HubSpot lacks, a value that does not fit, a policy."""
    made = built({"name": "Ann", "seats": "many", "colour": "red"})
    assert made.properties == {"name": "Ann"}
    assert made.notes == ["value_not_convertible:seats", "unknown_property_dropped:colour"]
    assert made.dropped == {"seats", "colour"}
    kept = built({"name": "Ann", "bio": "b"}, {"name": "never"})
    assert (kept.properties, kept.notes) == ({"bio": "b"}, ["never_written:name"])


def answered(rows, **answer):
    """What HubSpot's answer to an upsert by `code` says of rows with these codes."""
    portal = SimpleNamespace(
        schema=PortalSchema({"deals": {"code": Property("code", "string")}}),
        policies={},
        zone=ZoneInfo("UTC"),
        cache=SimpleNamespace(doubt=lambda: None),
    )
    request = Operations().batch("deals", "upsert", [])
    rows = [WriteRow("object", Key("deals", "code", c), Statement({"code": c}, (1, 1)), []) for c in rows]
    results = [None] * len(rows)
    settle(
        portal,
        "deals",
        Answer(200, msgspec.json.encode(answer)).read(request.answer),
        rows,
        {i: Built(portal, "deals", row) for i, row in enumerate(rows)},
        results,
        "code",
    )
    return results


def test_an_answer_confirms_its_own_rows_in_whatever_shape_it_comes():
    """By trace, as text or as a number, else by the unique value, also in small letters; what is unknown is nobody's."""
    found = answered(
        ["a", "b", "c", "d"],
        status="COMPLETE",
        results=[
            {"id": "4", "properties": {"code": "D"}, "new": None, "archived": False},
            {"id": "2", "properties": None, "new": True, "objectWriteTraceId": "1"},
            {"id": 1, "objectWriteTraceId": 0, "properties": {"code": "z", "other": ["x"]}},
            {"id": "9", "properties": {"code": "nobody's"}},
            {"id": "9", "properties": None},
        ],
        errors=None,
    )
    assert [r and (r.id, r.created) for r in found] == [("1", False), ("2", True), None, ("4", False)]
    assert answered(["a"]) == answered(["a"], results=None) == [None]


def test_an_error_of_an_answer_refuses_its_own_row():
    """By trace; the others are confirmed."""
    gone = {"status": "error", "category": "OBJECT_NOT_FOUND", "message": "no", "context": {}}
    gone["context"]["objectWriteTraceId"] = ["1"]
    found = answered(
        ["a", "b"], results=[{"id": "1", "objectWriteTraceId": "0", "properties": {}}], errors=[gone]
    )
    assert [type(r) for r in found] == [Confirmed, Gone]


def test_a_contacts_address_is_read_out_of_all_that_is_repeated():
    """As HubSpot has it; nothing else of the properties is looked at, whatever it is."""
    read = msgspec.json.Decoder(WrittenRecord).decode
    assert read('{"id":"1","properties":{"a":[{}],"email":"Jane@x.co","b":null}}').email == "Jane@x.co"
    nobody = ('{"id":"1"}', '{"id":"1","properties":null}', '{"id":"1","properties":{"email":null}}')
    assert [read(text).email for text in nobody] == ["", "", ""]
