"""HubSpot's recorded refusals, word for word, provoked over HTTP; and what our own client makes of each."""

from __future__ import annotations

import json
import re
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from millstream.hubspot_api.errors import classify
from millstream.sandbox.app import Sandbox
from millstream.sandbox.config import SandboxConfig

GOLDEN = {
    e["name"]: e for e in json.loads((Path(__file__).parents[1] / "golden/hubspot_errors.json").read_text())
}
PLACEHOLDERS = {
    "<uuid>": r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}",
    "<n>": r"\d+",
    "<iso>": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z",
    "<text>": r"(?s:.+)",
}
CONTACTS = "/crm/v3/objects/contacts"
ADA = {"email": "ada@x.example"}


class Caller:
    """A started portal and requests to it with its token. The answer is (status, body, headers)."""

    def __init__(self, sandbox):
        self.sandbox = sandbox
        self.portal = sandbox.portal

    def __call__(self, method, path, body=None, token="sandbox-token", kind="application/json"):
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        headers = {"Content-Type": kind} | ({"Authorization": f"Bearer {token}"} if token else {})
        request = urllib.request.Request(self.sandbox.url + path, data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, json.loads(answer.read() or b"null"), answer.headers
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.loads(error.read()), error.headers

    def create(self, properties, kind="contacts"):
        """A record through the API."""
        return self("POST", f"/crm/v3/objects/{kind}", {"properties": properties})

    def batch(self, action, inputs, kind="contacts", **more):
        """A batch call."""
        return self("POST", f"/crm/v3/objects/{kind}/batch/{action}", {"inputs": inputs, **more})

    def property(self, name, type_="string", field_type="text", kind="contacts", **more):
        """Make a property."""
        body = {"name": name, "label": name, "type": type_, "fieldType": field_type, "groupName": "g", **more}
        return self("POST", f"/crm/v3/properties/{kind}", body)


def expired_token(call):
    """Half an hour and a bit later."""
    grant = b"grant_type=client_credentials&client_id=sandbox-client&client_secret=sandbox-secret"
    _, made, _ = call("POST", "/oauth/v3/token", grant, None, "application/x-www-form-urlencoded")
    call("POST", "/_sandbox/clock", {"advance_s": 1900})
    return call("GET", CONTACTS, token=made["access_token"])


def missing_scopes(call):
    """A token without any scope."""
    call.sandbox.hubspot.config.scopes = ()
    return call.create(ADA)


def missing_scopes_old(call):
    """The same of an older operation."""
    call.sandbox.hubspot.config.scopes = ()
    return call("POST", "/contacts/v1/contact", {"properties": []})


def rate_ten_secondly(call):
    """The 101st call of a small plan."""
    call.sandbox.hubspot.config.tier = "starter"
    for _ in range(100):
        assert call("GET", "/crm/v3/owners/1001")[0] == 200
    return call("GET", "/crm/v3/owners/1001")


def rate_secondly(call):
    """The sixth search of a second."""
    for _ in range(5):
        assert call("POST", f"{CONTACTS}/search", {})[0] == 200
    return call("POST", f"{CONTACTS}/search", {})


def rate_daily(call):
    """A million calls today."""
    call.sandbox.hubspot.limits.today = 1_000_000
    return call("GET", CONTACTS)


def date_property(call, value):
    """A date that is none."""
    assert call.property("date_prop", "date", "date")[0] == 201
    return call.create({"date_prop": value})


def invalid_option(call):
    """A choice that an own property does not have."""
    options = [{"label": v.upper(), "value": v} for v in "ab"]
    assert call.property("p", "enumeration", "select", options=options)[0] == 201
    return call.create({"p": "X"})


def invalid_integer(call):
    """HubSpot's example does not say whether it names the property or the value: here both are the same."""
    assert call.property("discount", "number", "number")[0] == 201
    return call.create({"discount": "discount"})


def missing_required(call):
    """A custom object without the property that its type requires."""
    schema = {
        "name": "boat",
        "labels": {"singular": "Boat", "plural": "Boats"},
        "properties": [{"name": n, "label": n, "type": "string", "fieldType": "text"} for n in "xy"],
        "requiredProperties": ["x"],
    }
    assert call("POST", "/crm-object-schemas/v3/schemas", schema)[0] == 201
    return call.create({"y": "1"}, "boat")


def known(call):
    """Contact 777 has the address; the first contact of a portal is 101."""
    call("POST", "/_sandbox/seed", {"contacts": 676})
    assert call.create(ADA)[1]["id"] == "777"
    return call


def of_batch(answer):
    """The only error of a 207."""
    status, body, headers = answer
    assert body["status"] == "COMPLETE"
    assert body["numErrors"] == 1
    (error,) = body["errors"]
    return status, error, headers


def assoc_to_missing(call):
    """A company and a contact that is not there."""
    company = call.create({"name": "c"}, "companies")[1]["id"]
    return call("PUT", f"/crm/v4/objects/company/{company}/associations/default/contact/42")


def assoc_invalid_identifier(call):
    """The same, and the id is no number."""
    company = call.create({"name": "c"}, "companies")[1]["id"]
    return call("PUT", f"/crm/v4/objects/company/{company}/associations/default/contact/x")


def property_in_use(call):
    """A list of companies filters by it."""
    assert call.property("p", kind="companies")[0] == 201
    made = {
        "name": "Filtered",
        "objectTypeId": "0-2",
        "processingType": "DYNAMIC",
        "filterBranch": {
            "filterBranchType": "OR",
            "filterBranches": [
                {"filterBranchType": "AND", "filters": [{"filterType": "PROPERTY", "property": "p"}]}
            ],
        },
    }
    assert call("POST", "/crm/v3/lists", made)[0] == 200
    return call("DELETE", "/crm/v3/properties/companies/p")


def twice(call, path, body, first):
    """The same is made again."""
    assert call("POST", path, body)[0] == first
    return call("POST", path, body)


def fault(call, status, **more):
    """What only a fault brings about."""
    call("POST", "/_sandbox/faults", {"kind": "status", "status": status, **more})
    return call("GET", CONTACTS)


REFRESH = b"grant_type=refresh_token&client_id=sandbox-client&client_secret=sandbox-secret&refresh_token=x"
LIST = {"name": "X", "objectTypeId": "0-2", "processingType": "MANUAL"}
PROVOKED = {
    "missing_token": lambda c: c("GET", CONTACTS, token=None),
    "expired_token": expired_token,
    "missing_scopes": missing_scopes,
    "missing_scopes_old": missing_scopes_old,
    "rate_ten_secondly": rate_ten_secondly,
    "rate_secondly": rate_secondly,
    "rate_daily": rate_daily,
    "object_404": lambda c: c("GET", f"{CONTACTS}/999999"),
    "object_404_non_numeric": lambda c: c("GET", f"{CONTACTS}/abc"),
    "unknown_object_type": lambda c: c("GET", "/crm/v3/objects/butterflies"),
    "malformed_json": lambda c: c("POST", CONTACTS, b'{\n"properties":\n{"city":["Berlin"]}}'),
    "property_doesnt_exist": lambda c: c.create({**ADA, "foo": "1"}),
    "invalid_email": lambda c: c.create({"email": "x@"}),
    "invalid_long": lambda c: date_property(c, "1/1/1"),
    "invalid_date": lambda c: date_property(c, "1521225089103"),
    "invalid_option": invalid_option,
    "invalid_option_of_hubspot": lambda c: c.create({"numemployees": "X"}),
    "invalid_dealstage": lambda c: c.create({"dealname": "d", "dealstage": "registered"}, "deals"),
    "invalid_integer": invalid_integer,
    "read_only_value": lambda c: c.create({**ADA, "hs_object_id": "1"}),
    "missing_required_property": missing_required,
    "conflict_single": lambda c: known(c).create(ADA),
    "conflict_batch_create_no_trace": lambda c: known(c).batch("create", [{"properties": ADA}]),
    "conflict_batch_item": lambda c: of_batch(
        known(c).batch("create", [{"properties": ADA, "objectWriteTraceId": "0"}])
    ),
    "duplicate_inputs": lambda c: c.batch("update", [{"id": "123456", "properties": {}}] * 2),
    "upsert_non_unique": lambda c: c.batch(
        "upsert", [{"id": "d", "idProperty": "dealname", "properties": {}}], "deals"
    ),
    "batch_update_missing": lambda c: of_batch(c.batch("update", [{"id": "42", "properties": {}}])),
    "batch_read_missing": lambda c: of_batch(c.batch("read", [{"id": "42"}], properties=["email"])),
    "assoc_read_none": lambda c: of_batch(
        c("POST", "/crm/v4/associations/contact/company/batch/read", {"inputs": [{"id": "42"}]})
    ),
    "assoc_to_missing": assoc_to_missing,
    "assoc_invalid_identifier": assoc_invalid_identifier,
    "property_404": lambda c: c("GET", "/crm/v3/properties/contacts/foo"),
    "property_exists": lambda c: (c.property("x"), c.property("x"))[1],
    "property_in_use": property_in_use,
    "event_definition_exists": lambda c: twice(
        c, "/events/v3/event-definitions", {"label": "Seen", "name": "seen"}, 201
    ),
    "oauth_bad_refresh": lambda c: c(
        "POST", "/oauth/v1/token", REFRESH, None, "application/x-www-form-urlencoded"
    ),
    "list_missing_by_name": lambda c: c("GET", "/crm/v3/lists/object-type-id/0-2/name/X"),
    "list_duplicate_name": lambda c: twice(c, "/crm/v3/lists", LIST, 200),
    "migrating": lambda c: fault(c, 477, retry_after_s=30),
    "locked": lambda c: fault(c, 423),
}


def expected(golden):
    """The whole body of an entry: of a 207's errors without correlation id."""
    if "plain" in golden:
        return golden["plain"]
    body = {"status": "error", **({"correlationId": "<uuid>"} if golden["http"] != 207 else {})}
    body |= {k: golden[k] for k in ("message", "category", "subCategory", "context") if k in golden}
    if "errors" in golden:
        body["errors"] = [
            {"message": m, "code": code, "context": {"propertyName": [name]}}
            for m, code, name in golden["errors"]
        ]
    return body | golden.get("more", {})


def fits(wanted, found):
    """Equal, placeholders apart."""
    if isinstance(wanted, dict):
        return (
            isinstance(found, dict)
            and wanted.keys() == found.keys()
            and all(fits(v, found[k]) for k, v in wanted.items())
        )
    if isinstance(wanted, list):
        return isinstance(found, list) and len(wanted) == len(found) and all(map(fits, wanted, found))
    if isinstance(wanted, str) and isinstance(found, str):
        parts = re.split("(" + "|".join(PLACEHOLDERS) + ")", wanted)
        return re.fullmatch("".join(PLACEHOLDERS.get(p) or re.escape(p) for p in parts), found) is not None
    return wanted == found


@pytest.fixture
def call():
    """A fresh portal 123, whose properties are ready at once."""
    with Sandbox(SandboxConfig(portal_id=123, property_lag_ms=0)) as sandbox:
        yield Caller(sandbox)


@pytest.mark.parametrize("name", GOLDEN)
def test_a_refusal_is_worded_as_recorded(call, name):
    """Status, headers and the whole body; and the product's client understands it."""
    golden = GOLDEN[name]
    status, body, headers = PROVOKED[name](call)
    assert (status, fits(expected(golden), body)) == (golden["http"], True), body
    for header, value in golden.get("headers", {}).items():
        assert fits(value, headers[header])
    assert headers["X-HubSpot-Correlation-Id"]
    refusal = classify(400 if status == 207 else status, body)
    assert refusal.failure.value == golden["failure"]


def test_a_batch_without_trace_ids_leaves_nothing_behind(call):
    """Two new rows with one address, or a row that takes another's: the whole batch is refused, nothing is written."""
    rows = [{"properties": ADA}, {"properties": {"email": "ADA@x.example "}}]
    assert call.batch("create", rows)[0] == 409
    assert call.portal.records["contacts"].by_id == {}
    ids = [call.create({"email": f"{n}@x.example"})[1]["id"] for n in "ab"]
    changes = [
        {"id": ids[0], "properties": {"firstname": "new"}},
        {"id": ids[1], "properties": {"email": "a@x.example"}},
    ]
    assert call.batch("update", changes)[0] == 409
    assert "firstname" not in call.portal.records["contacts"].by_id[ids[0]].values


def test_an_update_writes_the_rows_that_exist(call):
    """Unknown ids are one error of a 207, also without trace ids; the others are written."""
    known_id = call.create(ADA)[1]["id"]
    rows = [{"id": i, "properties": {"city": "Berlin"}} for i in (known_id, "42", "43")]
    status, body, _ = call.batch("update", rows)
    assert status == 207
    assert [r["id"] for r in body["results"]] == [known_id]
    assert [e["context"] for e in body["errors"]] == [{"ids": ["42", "43"]}]


@pytest.mark.parametrize(
    ("raw", "place", "why"),
    [
        (b"", (1, 0), "No content to map due to end-of-input"),
        (b"null", (1, 1), "`java.util.Map` from Null value (token `JsonToken.VALUE_NULL`)"),
        (b"\n  [1]", (2, 3), "`java.util.Map` from Array value (token `JsonToken.START_ARRAY`)"),
        (
            b'{"properties": 5}',
            (1, 16),
            "`java.util.Map` from Integer value (token `JsonToken.VALUE_NUMBER_INT`)",
        ),
        (
            b'{"associations": [\n  {"to": {"id": "1"}, "types": [{"associationTypeId": "x"}]}]}',
            (2, 55),
            "`long` from String value (token `JsonToken.VALUE_STRING`)",
        ),
        (b'{\n "properties": {"city" "Berlin"}}', (2, 24), "Unexpected character ('\"' (code 34))"),
        (b'{"properties": {"city": Berlin}}', (1, 25), "Unrecognized token 'Berlin'"),
        (
            b'{"properties": \n{"city": "Berlin',
            (2, 17),
            "Unexpected end-of-input: was expecting closing quote",
        ),
        (b'{"properties":', (1, 15), "Unexpected end-of-input"),
        (b'{"properties": {"city": "a\x00b"}}', (1, 27), "Illegal unquoted character ((CTRL-CHAR, code 0))"),
        (b'{"properties": {"city": NaN}}', (1, 25), "Non-standard token 'NaN'"),
        (b'{"a": 1e999}', (1, 7), "Numeric value (1e999) out of range"),
        (b'{"a": ' + b"9" * 5000 + b"}", (1, 7), "Number value length exceeds"),
        (b'{"a": "\xff"}', (1, 8), "Invalid UTF-8 start byte 0xff"),
        (
            b'{"a":\n' + b"[" * 1000,
            (2, 500),
            "Document nesting depth (501) exceeds the maximum allowed (500)",
        ),
        (b'{"a": {"a": 1}, "a": 2, "properties": 5}', (1, 1), "Cannot deserialize"),
    ],
    ids=[
        "empty",
        "null",
        "list",
        "number",
        "deep",
        "comma",
        "word",
        "unfinished-text",
        "unfinished",
        "control",
        "nan",
        "infinite",
        "long",
        "utf8",
        "nested",
        "twice",
    ],
)
def test_the_place_of_what_cannot_be_read(call, raw, place, why):
    """Line and column are the real ones, of syntax and of values alike."""
    status, body, _ = call("POST", CONTACTS, raw)
    assert status == 400
    assert body["message"].startswith(f"Invalid input JSON on line {place[0]}, column {place[1]}: ")
    assert why in body["message"]
    assert "category" not in body
