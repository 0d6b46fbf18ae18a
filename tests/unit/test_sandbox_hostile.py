"""Bad requests of every kind to every route: always a refusal in HubSpot's shape or a success, never Python's words."""

from __future__ import annotations

import asyncio
import http.client
import json
import re
from urllib.parse import quote, unquote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from millstream.sandbox import routes
from millstream.sandbox.app import HubSpot, Sandbox
from millstream.sandbox.config import SandboxConfig

TABLE = routes.table().routes
TOKEN = b"Bearer sandbox-token"
PYTHON = re.compile(
    r"(Key|Type|Value|Attribute|Index|Overflow|Recursion|Decode|Encode)Error|Traceback|has no attribute|NoneType|"
    r"unhashable|subscriptable|iterable|Expecting |codec|surrogates|invalid literal|<class|object at 0x|'(dict|list|str)'|"
    r"\b(None|True|False)\b"
)
SECOND = {"id": "102", "properties": {"city": "x"}, "objectWriteTraceId": "1"}
PAIR = {"from": {"id": "101"}, "to": {"id": "50001"}}
KIND = {"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 279}
PROPERTY = {"name": "n", "label": "N", "type": "enumeration", "fieldType": "select", "groupName": "g"}
PROPERTY |= {"options": [{"label": "A", "value": "a", "displayOrder": 0, "hidden": False}], "displayOrder": 1}
EVENT = {"eventName": "seen", "email": "a@x.example", "properties": {"prop": "1"}, "occurredAt": "2026-11-01"}
EVENT |= {"uuid": "u", "utk": "k", "objectId": "101"}
STATUS = {
    "subscriberIdString": "a@x.example",
    "subscriptionId": 1,
    "statusState": "SUBSCRIBED",
    "channel": "EMAIL",
}
V1 = {"email": "v@x.example", "properties": [{"property": "city", "value": "x"}]}
STAGE = {"label": "S", "displayOrder": 1, "metadata": {"probability": "0.5"}}
FORM = b"client_id=sandbox-client&client_secret=sandbox-secret&grant_type=client_credentials"
# Bodies that the operations of a fresh portal take; `{}` of one with a list of ids is not an object.
GOOD = {
    "objects.read_batch": {"inputs": [{"id": "101"}], "properties": ["city"], "idProperty": "hs_object_id"},
    "objects.archive_batch": {"inputs": [{"id": "101"}]},
    "objects.write_batch": {"inputs": [{**SECOND, "id": "a@x.example", "idProperty": "email"}]},
    "objects.merge": {"primaryObjectId": "101", "objectIdToMerge": "102"},
    "objects.gdpr_delete": {"objectId": "a@x.example", "idProperty": "email"},
    "objects.create": {"properties": {"email": "c@x.example"}, "associations": [{"to": {"id": "50001"}, "types": [KIND]}]},
    "objects.update": {"properties": {"city": "x"}},
    "search.search": {
        "filterGroups": [{"filters": [{"propertyName": "city", "operator": "BETWEEN", "value": "1", "highValue": "2"}]}],
        "sorts": [{"propertyName": "city", "direction": "DESCENDING"}],
        "query": "x",
        "properties": ["city"],
        "limit": 1,
        "after": 0,
    },
    "associations.create_batch": {"inputs": [{**PAIR, "types": [KIND]}]},
    "associations.archive_batch": {"inputs": [{"from": {"id": "101"}, "to": [{"id": "50001"}], "types": [KIND]}]},
    "associations.read_batch": {"inputs": [{"id": "101"}]},
    "associations.put": [KIND],
    "associations.create_label": {"label": "L", "name": "l", "inverseLabel": "K"},
    "associations.change_label": {"associationTypeId": 101, "label": "L"},
    "schema.create": PROPERTY,
    "schema.create_batch": {"inputs": [PROPERTY]},
    "schema.read_batch": {"inputs": [{"name": "p"}], "archived": False},
    "schema.archive_batch": {"inputs": [{"name": "p"}]},
    "schema.create_group": {"name": "h", "label": "H", "displayOrder": 1},
    "schema.change_group": {"label": "H", "displayOrder": 1},
    "schema.change": {k: v for k, v in PROPERTY.items() if k != "name"},
    "custom.create": {
        "name": "ship",
        "labels": {"singular": "Ship", "plural": "Ships"},
        "description": "d",
        "properties": [PROPERTY],
        "requiredProperties": ["n"],
        "searchableProperties": ["n"],
        "secondaryDisplayProperties": ["n"],
        "primaryDisplayProperty": "n",
        "associatedObjects": ["CONTACT"],
    },
    "custom.change": {"labels": {"singular": "B", "plural": "Bs"}, "requiredProperties": ["n"], "description": "d"},
    "custom.associate": {"fromObjectTypeId": "2-2001", "toObjectTypeId": "0-1", "name": "x"},
    "lists.create": {
        "name": "M",
        "objectTypeId": "0-1",
        "processingType": "DYNAMIC",
        "filterBranch": {"filterBranches": [{"filters": [{"property": "city"}]}], "filters": []},
    },
    "lists.search": {"query": "l", "processingTypes": ["MANUAL"], "listIds": ["1"], "offset": 0, "count": 5},
    "lists.id_mapping": ["1"],
    "lists.of_records": {"inputs": [{"objectTypeId": "0-1", "recordId": "101"}]},
    "lists.add": ["101"],
    "lists.remove": ["101"],
    "lists.add_and_remove": {"recordIdsToAdd": ["101"], "recordIdsToRemove": ["102"]},
    "pipelines.create": {"label": "P", "displayOrder": 1, "stages": [STAGE]},
    "pipelines.change": {"label": "P", "displayOrder": 1, "stages": [STAGE], "archived": False},
    "pipelines.create_stage": STAGE,
    "pipelines.change_stage": {**STAGE, "archived": False},
    "definitions.create": {"label": "E", "name": "e", "description": "d", "primaryObject": "CONTACT"}
    | {"propertyDefinitions": [{"name": "p", "label": "P", "type": "enumeration", "options": [{"value": "a"}]}]},
    "definitions.change": {"label": "E", "description": "d"},
    "definitions.add_property": {"name": "q", "label": "Q", "type": "string", "description": "d"},
    "definitions.change_property": {"label": "Q", "description": "d", "options": [{"value": "a"}]},
    "occurrences.send": EVENT,
    "occurrences.send_batch": {"inputs": [EVENT]},
    "oauth.private_app": {"tokenKey": "sandbox-token"},
    "subscriptions.change": {"emailAddress": "a@x.example", "subscriptionId": "1", "legalBasis": "x"},
    "subscriptions.batch": {"inputs": [STATUS]},
    "subscriptions.batch_unsubscribe_all": {"inputs": ["a@x.example"]},
    "subscriptions.write_status": {**STATUS, "legalBasis": "x", "legalBasisExplanation": "y"},
    "forms.submit": {
        "fields": [{"objectTypeId": "0-1", "name": "email", "value": "f@x.example"}],
        "context": {"hutk": "k", "pageUri": "https://x.example/"},
    },
    "webhooks.settings": {"targetUrl": "http://127.0.0.1:9/", "throttling": {"maxConcurrentRequests": 1}},
    "webhooks.subscribe": {"eventType": "contact.propertyChange", "propertyName": "city", "active": False},
    "webhooks.activate": {"inputs": [{"id": "1", "active": False}]},
    "webhooks.one": {"active": False},
    "legacy.create": V1,
    "legacy.batch": [V1],
    "legacy.create_or_update": V1,
}  # fmt: skip
BODILESS = {
    "associations.put_default",
    "associations.put_named",
    "lists.restore",
    "lists.rename",
    "lists.add_from",
}
BODILESS |= {"oauth.token", "oauth.introspect", "oauth.revoke", "subscriptions.unsubscribed_from_all"}
PARAMETERS = {
    "objectType": "contacts", "objectId": "101", "fromObjectType": "contacts", "toObjectType": "companies",
    "fromObjectId": "101", "toObjectId": "50001", "associationType": "contact_to_company", "associationTypeId": "101",
    "propertyName": "p", "groupName": "g", "associationIdentifier": "103", "listId": "1", "sourceListId": "2",
    "listName": "L", "objectTypeId": "0-1", "recordId": "101", "ownerId": "1001", "pipelineId": "default",
    "stageId": "closedwon", "eventName": "seen", "portalId": "20001", "formGuid": "f", "formId": "f", "emailId": "9001",
    "campaignGuid": "11111111-0000-4000-8000-000000000001", "assetType": "MARKETING_EMAIL", "appId": "1",
    "subscriptionId": "1", "emailAddress": "a@x.example", "subscriberIdString": "a@x.example", "email": "a@x.example",
    "token": "t", "hubId": "20001", "cacheBuster": "1",
}  # fmt: skip
OTHER_TYPE = {"pipelines": "deals", "custom": "boat"}
NOT_JSON = (
    b"{", b"}", b"[1,", b'{"a":', b'{"a"', b'{"inputs":[{]}', b"{'a': 1}", b"nope", b"NaN", b'{"inputs": -Infinity}',
    b"\x00", b"\xff\xfe\x00", b'"\xed\xa0\x80"', b"\xef\xbb\xbf", b'{"a": "\x00"}', b'{"a": "\\x"}', b'{"a": 1e999}',
    b'{"a": ' + b"7" * 6000 + b"}", b"[" * 100_000, b'{"a":' * 100_000, b"[" * 2000 + b"]" * 2000, b"a=b&c=d",
)  # fmt: skip
WRONG_BODIES = (
    b"",
    b" ",
    b"null",
    b"[]",
    b"{}",
    b'"x"',
    b"5",
    b"true",
    b"[null]",
    b'["\\ud800"]',
    b'{"inputs": {}}',
)
DEEP = json.loads("[" * 400 + "]" * 400)
WRONG = (
    None, True, False, 0, -1, 1.5, 1e300, 2**70, "", " ", "x", "-1", "1e5", "\ud800", "\x00", "💩", "9" * 5000, "a" * 70_000,
    [], [None], ["x"], [[]], [5], [{}], {}, {"x": {}}, {"id": []}, DEEP,
)  # fmt: skip
RUBBISH = (
    "%00", "%ff%fe", "%zz", "%", "%2F..%2F", "%F0%9F%92%A9", "%ED%A0%80", "%D9%A1%D9%A2", "%C2%B2", "a" * 5000, "-1",
    "0", "9" * 5000, "%7B%7D", "'", "%0d%0aX:1", "%25s", "..", "1e5", "nan", "hs_object_id",
)  # fmt: skip
QUERIES = (
    *(
        f"{name}={value}"
        for name in ("limit", "after")
        for value in ("", "abc", "-5", "0", "1e9", "%00", "%ff", "9" * 5000, "%D9%A1", "[]", "1&limit=2")
    ),
    *(
        f"{name}={value}"
        for name in ("idProperty", "properties", "propertiesWithHistory", "associations", "archived", "sort")
        for value in ("", "abc", "%00", "%ff", ",,", "email")
    ),
    "=", "&&&", "%", "limit", "listIds=,x,9", "listName=", "legacyListId=9", "occurredAfter=1", "a=%zz&_a=20001&_n=x",
)  # fmt: skip
AUTHORIZATIONS = (
    None, b"", b"Bearer", b"Bearer ", b"Bearer wrong", b"Basic sandbox-token", b"sandbox-token", b"\xff\xfe", b"Bearer \x00",
    b"Bearer " + b"x" * 50_000, b"Bearer sandbox-token, Bearer x", b"Bearer Bearer sandbox-token",
)  # fmt: skip


def name_of(route):
    """`objects.create`: the operation."""
    return f"{route.work.__module__.rpartition('.')[2]}.{route.work.__name__}"


OPERATIONS = {}
for _route in TABLE:
    OPERATIONS.setdefault(name_of(_route), []).append(_route)


def template(route, **replaced):
    """The route's path with parameters that exist, or those given."""
    kind = OTHER_TYPE.get(name_of(route).partition(".")[0])
    known = PARAMETERS | ({"objectType": kind} if kind else {})
    if name_of(route).startswith("definitions."):
        known = known | {"propertyName": "prop"}
    known |= replaced
    return re.sub(r"\{(\w+)\}", lambda m: known[m[1]], route.template)


class Wire:
    """A seeded portal without rate limits, asked in this thread."""

    def __init__(self):
        self._loop = asyncio.new_event_loop()
        self.fresh()

    def close(self):
        """The end."""
        self._loop.close()

    def fresh(self):
        """Another portal that holds one of everything."""
        self.hubspot = HubSpot(SandboxConfig(rate_limits=False, property_lag_ms=0, search_lag_ms=-1000))
        self._app = self.hubspot.app()
        for path, body in (
            ("/crm/v3/objects/contacts", {"properties": {"email": "a@x.example", "city": "Rome"}}),
            ("/crm/v3/objects/contacts", {"properties": {"email": "b@x.example"}}),
            ("/crm/v3/objects/companies", {"properties": {"name": "c"}}),
            ("/crm/v3/properties/contacts", {**PROPERTY, "name": "p"}),
            ("/crm/v3/properties/contacts/groups", {"name": "g", "label": "G"}),
            ("/crm/v4/associations/contacts/companies/labels", {"name": "l0", "label": "L0"}),
            ("/crm-object-schemas/v3/schemas", {**GOOD["custom.create"], "name": "boat"}),
            ("/crm/v4/associations/contacts/companies/batch/create", {"inputs": [{**PAIR, "types": [KIND]}]}),
            ("/crm/v3/lists", {"name": "L", "objectTypeId": "0-1", "processingType": "MANUAL"}),
            ("/crm/v3/lists", {"name": "L2", "objectTypeId": "0-1", "processingType": "SNAPSHOT"}),
            ("/events/v3/event-definitions", {"label": "Seen", "name": "seen"}),
            ("/events/v3/event-definitions/seen/property", {"name": "prop", "type": "string"}),
            ("/webhooks/v3/1/subscriptions", GOOD["webhooks.subscribe"]),
        ):
            status, _, answer = self.ask("POST", path, json.dumps(body).encode())
            assert status < 300, answer
        assert self.ask("GET", "/crm/v3/pipelines/deals")[0] == 200

    def ask(self, method, path, body=b"", query="", token=TOKEN, kind=b"application/json"):
        """(status, headers, body) of one request."""
        scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "scheme": "http",
            "path": unquote(path), "raw_path": path.encode(), "query_string": query.encode(), "root_path": "",
            "headers": [(b"content-type", kind), *([(b"authorization", token)] if token is not None else [])],
            "client": None, "server": ("127.0.0.1", 80),
        }  # fmt: skip
        sent = []

        async def receive():
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message):
            sent.append(message)

        self._loop.run_until_complete(self._app(scope, receive, send))
        headers = {k.decode(): v.decode("latin-1") for k, v in sent[0]["headers"]}
        return sent[0]["status"], headers, b"".join(m.get("body", b"") for m in sent[1:])


def check(status, headers, body, what):
    """A success, or a refusal as HubSpot's."""
    assert 200 <= status < 500, what
    assert headers.get("x-hubspot-correlation-id"), what
    kind = headers.get("content-type", "")
    found = json.loads(body) if body and kind.startswith("application/json") else None
    if status < 400:
        errors = found.get("errors", []) if isinstance(found, dict) else []
    else:
        assert isinstance(found, dict), what
        assert found["message"], what
        if "error_description" not in found:
            assert found["status"] == "error", what
            assert re.fullmatch(r"[0-9a-f-]{36}", found["correlationId"]), what
        errors = [found]
    for error in errors:
        words = PYTHON.search(json.dumps(error, ensure_ascii=False)[:3000].replace("JsonToken.VALUE_", ""))
        assert not words, (what, words)


def mutations(value):
    """The same body with each of its fields, and each list's first entry, replaced by everything that does not fit."""
    yield from WRONG
    if isinstance(value, dict):
        for key, inner in value.items():
            for changed in mutations(inner):
                yield {**value, key: changed}
            yield {k: v for k, v in value.items() if k != key}
    elif isinstance(value, list) and value:
        for changed in mutations(value[0]):
            yield [changed, *value[1:]]
        yield value * 2


def healthy(wire):
    """What was done before spoilt nothing: everything can be read, and a contact can be made."""
    for path in ("/_sandbox/state", "/_sandbox/portal"):
        status, _, body = wire.ask("GET", path)
        assert status == 200
        assert json.loads(body)
    for listed in OPERATIONS.values():
        if listed[0].method == "GET":
            check(*wire.ask("GET", template(listed[0])), f"afterwards: GET {listed[0].template}")
    made = wire.ask("POST", "/crm/v3/objects/contacts", b'{"properties": {"firstname": "last"}}')
    assert made[0] in {201, 400 if any_required(wire) else 201}, made


def any_required(wire):
    """Whether contacts have required properties."""
    return any(d.get("required") for d in wire.hubspot.portal.records["contacts"].definitions.values())


@pytest.fixture
def wire(caplog):
    """A portal; whatever an operation did not foresee is in its log, and there must be nothing."""
    made = Wire()
    yield made
    made.close()
    unforeseen = [
        r.getMessage() + "\n" + str(r.exc_text) for r in caplog.records if "did not foresee" in r.message
    ]
    assert not unforeseen, unforeseen[0]


def test_every_operation_with_a_body_is_here():
    """A new operation has to say here which body it takes."""
    written = {
        n for n, listed in OPERATIONS.items() if any(r.method in {"POST", "PUT", "PATCH"} for r in listed)
    }
    assert written == set(GOOD) | BODILESS


@pytest.mark.parametrize("operation", [n for n in OPERATIONS if n in GOOD])
def test_bodies_that_do_not_fit(wire, operation):
    """What is no JSON, what is another JSON, and every field of a good body replaced by everything that is wrong."""
    for at, route in enumerate(OPERATIONS[operation]):
        if route.method in {"GET", "DELETE"}:
            continue
        path, good = template(route), GOOD[operation]
        if path.endswith("/batch/create") and operation == "objects.write_batch":
            good = {"inputs": [{"properties": {"email": "n@x.example"}, "objectWriteTraceId": "1"}]}
        elif path.endswith("/batch/update") and operation == "objects.write_batch":
            good = {"inputs": [SECOND]}
        wire.fresh()
        answer = wire.ask(route.method, path, json.dumps(good).encode())
        assert answer[0] < 300, (path, answer)
        for body in (*NOT_JSON[:: 1 if at == 0 else 3], *WRONG_BODIES):
            check(*wire.ask(route.method, path, body), (path, body[:80]))
        changed = list(mutations(good))
        if "inputs" in good:
            changed.append({"inputs": good["inputs"] * 2001})
        for body in changed[:: 1 if at == 0 else 61]:
            raw = json.dumps(body).encode()
            check(*wire.ask(route.method, path, raw), (path, raw[:300]))
    healthy(wire)


@pytest.mark.parametrize("family", sorted({n.partition(".")[0] for n in OPERATIONS}))
def test_paths_that_name_nothing(wire, family):
    """Every parameter of every path replaced by rubbish: unknown ids, broken percent signs, control characters."""
    for operation, listed in OPERATIONS.items():
        if operation.partition(".")[0] != family:
            continue
        raw = json.dumps(GOOD.get(operation, {})).encode()
        for at, route in enumerate(listed):
            for name in re.findall(r"\{(\w+)\}", route.template):
                for rubbish in RUBBISH[:: 1 if at == 0 else 4]:
                    path = template(route, **{name: rubbish})
                    check(*wire.ask(route.method, path, raw if route.method != "GET" else b""), path[:200])
    healthy(wire)


@pytest.mark.parametrize("family", sorted({n.partition(".")[0] for n in OPERATIONS}))
def test_queries_that_say_nothing(wire, family):
    """`limit`, `after` and the other parameters with rubbish, on every route that is read; and bodies where none belong."""
    for operation, listed in OPERATIONS.items():
        if operation.partition(".")[0] != family:
            continue
        for at, route in enumerate(listed):
            raw = b"" if route.method == "GET" else json.dumps(GOOD.get(operation, {})).encode()
            for query in QUERIES[:: 1 if at == 0 and route.method == "GET" else 9]:
                check(*wire.ask(route.method, template(route), raw, query), (route.template, query[:80]))
            if operation not in GOOD and at == 0:
                for body in (*NOT_JSON[::3], *WRONG_BODIES):
                    check(*wire.ask(route.method, template(route), body), (route.template, body[:80]))
    healthy(wire)


def test_every_route_asks_for_the_token(wire):
    """Without a token, with a garbled one, or with another's: 401, and nothing is done."""
    for route in TABLE:
        if route.open:
            continue
        for token in AUTHORIZATIONS:
            status, headers, body = wire.ask(route.method, template(route), b"{}", token=token)
            check(status, headers, body, (route.template, token))
            assert status == 401, (route.template, token)
    for token in (b"bearer sandbox-token", b"Bearer   sandbox-token "):
        assert wire.ask("GET", "/crm/v3/owners", token=token)[0] == 200


@pytest.mark.parametrize("operation", [n for n in OPERATIONS if n in GOOD])
def test_ten_megabytes(wire, operation):
    """A text of ten megabytes, as one of a body's fields and as the body."""
    text = "a" * 10_000_000
    route = next(r for r in OPERATIONS[operation] if r.method not in {"GET", "DELETE"})
    good = json.dumps(GOOD[operation])
    field = re.search(r'(?<=[:\[] )"[^"]*"|(?<=\[)"[^"]*"', good)
    bodies = [f'{good[: field.start()]}"{text}"{good[field.end() :]}'] if field else []
    if operation in {"objects.create", "lists.add"}:
        bodies.append(f'"{text}"')
    for raw in bodies:
        status, headers, body = wire.ask(route.method, template(route), raw.encode())
        assert 200 <= status < 500
        check(status, headers, body.replace(text.encode(), b"a"), route.template)


@pytest.mark.parametrize("method", ["HEAD", "TRACE", "PROPFIND", "GET", "POST", "PUT", "PATCH", "DELETE"])
def test_methods_and_paths_that_nobody_has(wire, method):
    """405 where another method would do, 404 where nothing is."""
    for path in (
        "/crm/v3/objects/contacts/batch/read/x/y",
        "//",
        "/crm//objects",
        "/%00",
        "/..%2f",
        "/crm/v9/x",
    ):
        status, headers, body = wire.ask(method, path)
        check(status, headers, body, path)
        assert status in {404, 405}
    other = next(p for m, p in (("PUT", "/crm/v3/owners"), ("GET", "/events/v3/send")) if m != method)
    check(*wire.ask(method, other), other)


def test_forms_instead_of_json(wire):
    """A form where JSON belongs and the other way round; the OAuth endpoints' own refusals."""
    for route in TABLE:
        if route.method != "GET":
            for kind in (b"application/x-www-form-urlencoded", b"text/plain", b"\xff"):
                for body in (FORM, b"\xff\x00&&==", b"{}"):
                    check(*wire.ask(route.method, template(route), body, kind=kind), (route.template, body))
    healthy(wire)


@pytest.mark.parametrize("path", ["faults", "clock", "switches", "seed"])
def test_the_control_api_minds_its_input(wire, path):
    """The same for the sandbox's own API."""
    good = {
        "faults": {"kind": "slow", "path": "x", "rate": 0.5, "times": 1, "status": 500, "ms": 1, "seed": 1},
        "clock": {"advance_s": 1},
        "switches": {"repeated_uuid": "400"},
        "seed": {"contacts": 1, "companies": 1, "seed": 1},
    }[path]
    for raw in (*NOT_JSON, *WRONG_BODIES, *(json.dumps(b).encode() for b in mutations(good))):
        status, headers, body = wire.ask("POST", f"/_sandbox/{path}", raw)
        assert 200 <= status < 500, raw[:200]
        if status >= 400:
            check(status, {**headers, "x-hubspot-correlation-id": "-"}, body, raw[:200])
    assert wire.ask("GET", "/_sandbox/clock")[0] == 200


FIELDS = sorted(set(re.findall(r'"(\w+)":', json.dumps(GOOD))))
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=8)
ANYTHING = st.recursive(
    SCALARS | st.sampled_from(["101", "0-1", "email", "contacts", "a@x.example", "EQ", "SUBSCRIBED", "city"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(FIELDS), inner, max_size=4),
    max_leaves=12,
)
WRITTEN = [r for r in TABLE if r.method in {"POST", "PUT", "PATCH"}]


@pytest.fixture(scope="module")
def asked():
    """One portal for all that Hypothesis makes up."""
    made = Wire()
    yield made
    made.close()


@settings(max_examples=300)
@given(route=st.sampled_from(WRITTEN), body=ANYTHING)
def test_bodies_made_up(asked, route, body):
    """Any JSON in known fields, to any route that takes a body."""
    raw = json.dumps(body).encode()
    check(*asked.ask(route.method, template(route), raw), (route.template, raw))


@settings(max_examples=150)
@given(
    route=st.sampled_from(WRITTEN), raw=st.binary(max_size=40) | st.text('{}[]":,\\ue+-01 \n', max_size=30)
)
def test_bytes_made_up(asked, route, raw):
    """Any bytes, and texts that are almost JSON."""
    data = raw if isinstance(raw, bytes) else raw.encode()
    check(*asked.ask(route.method, template(route), data), (route.template, raw))


@pytest.fixture(scope="module")
def connection():
    """A connection to a started portal."""
    with Sandbox(SandboxConfig(rate_limits=False)) as sandbox:
        made = http.client.HTTPConnection(sandbox.url.removeprefix("http://"), timeout=60)
        yield made
        made.close()


SEGMENTS = st.lists(
    st.sampled_from(
        ["crm", "v3", "v4", "objects", "contacts", "batch", "read", "lists", "1", "2026-03", "events"]
    )
    | st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=5).map(
        lambda t: quote(t, safe="")
    ),
    max_size=8,
)
ROUGH = st.text(st.sampled_from("%0aF=&+;/?@"), max_size=12)


@settings(max_examples=150)
@given(
    method=st.sampled_from(["GET", "POST", "PUT", "PATCH", "DELETE"]),
    path=SEGMENTS,
    tail=ROUGH,
    authorization=st.just(TOKEN.decode())
    | st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_categories=["Cc"]), max_size=20),
    body=ANYTHING,
)
def test_requests_made_up(connection, method, path, tail, authorization, body):
    """The same over a socket, with any path, query and Authorization."""
    target = "/" + "/".join(path) + "?" + tail
    headers = {"Authorization": authorization.encode("latin-1"), "Content-Type": "application/json"}
    connection.request(method, target, json.dumps(body).encode(), headers)
    answer = connection.getresponse()
    found = answer.read()
    if path and path[0] != "_sandbox":
        check(answer.status, {k.lower(): v for k, v in answer.getheaders()}, found, target)
