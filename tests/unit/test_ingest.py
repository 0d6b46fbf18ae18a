"""The tracking API over HTTP (SEMANTICS 30, 31)."""

from __future__ import annotations

import asyncio
import base64
import gzip
import json

import pytest
from starlette.testclient import TestClient

from millstream.eventlog.log import LogFull
from millstream.eventlog.record import Kind
from millstream.ingest.api import TrackingAPI
from millstream.spec import events
from millstream.storage.memory.log import MemoryLog
from millstream.workspace.model import Limits, Source, Workspace

NOW = 1_700_000_000_000
SOURCES = (
    Source("server", ("k1", "k2")),
    Source("web", ("w",), origins=("https://good.example",)),
    Source("off", ("off",), enabled=False),
    Source("slow", ("slow",), limits=Limits(events_per_second=0.001)),
    Source("small", ("small",), limits=Limits(event_bytes=400, request_bytes=2000)),
)


def packed(data):
    """Gzip without the time, so that every run collects the same tests."""
    return gzip.compress(data, mtime=0)


class Nobody:
    """An observer that counts."""

    def __init__(self):
        self.refused = []

    def accepted(self, source, kind, events):
        pass

    def rejected(self, _source, reason):
        self.refused.append(reason)

    def answered(self, dialect, status, seconds):
        pass


class Server:
    """The API on a memory log."""

    def __init__(self, log=None):
        self.log = log or MemoryLog()
        self.observer = Nobody()
        ids = iter(range(10**6))
        self.api = TrackingAPI(
            lambda: Workspace(SOURCES),
            self.log,
            self.observer,
            now_ms=lambda: NOW,
            new_id=lambda: f"g{next(ids)}",
        )
        self.http = TestClient(self.api.app(), raise_server_exceptions=False)

    @property
    def events(self):
        """What is in the log, as events."""
        blocks = self.log.read(0, 10**6)
        return [
            events.decode(b)
            for x in blocks
            for b, k in zip(x.bodies, x.kinds, strict=True)
            if k != Kind.REJECTED
        ]


@pytest.fixture
def server():
    """A fresh server."""
    return Server()


def basic(key):
    """A Basic header."""
    return {"Authorization": "Basic " + base64.b64encode(f"{key}:".encode()).decode()}


IDENTIFY = {"userId": "u", "traits": {"email": "a@b.co"}}


@pytest.mark.parametrize("path", ["/v1/identify", "/v1/i"])
@pytest.mark.parametrize(
    ("headers", "extra", "query"),
    [
        (basic("k1"), {}, ""),
        ({}, {"writeKey": "k2"}, ""),
        ({}, {}, "?writeKey=k1"),
        (basic("k1"), {"writeKey": "wrong"}, ""),
    ],
)
def test_keys_in_every_place(server, path, headers, extra, query):
    """Header, body, query; the header wins. Exactly 200 with success."""
    answer = server.http.post(path + query, json={**IDENTIFY, **extra}, headers=headers)
    assert (answer.status_code, answer.json()) == (200, {"success": True})
    assert server.events[0].user_id == "u"


@pytest.mark.parametrize("key", ["nope", "off", ""])
def test_unknown_and_disabled_keys(server, key):
    """401 with code and message, which keeps the Python SDKs from retrying."""
    answer = server.http.post("/v1/identify", json={**IDENTIFY, "writeKey": key})
    assert answer.status_code == 401
    assert set(answer.json()) >= {"code", "message"}


def test_one_bad_item_does_not_poison_the_batch(server):
    """The good ones are there, the bad ones are visible with their reason."""
    batch = [
        {"type": "identify", **IDENTIFY},
        {"type": "track", "userId": "u"},
        5,
        {"type": "nope", "userId": "u"},
    ]
    answer = server.http.post("/v1/batch", json={"batch": batch}, headers=basic("k1"))
    assert answer.status_code == 200
    assert len(server.events) == 1
    assert server.observer.refused == ["event_not_defined", "not_an_object", "unknown_type"]
    assert server.log.bounds().end == 4


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (packed(json.dumps({"batch": [{"type": "identify", **IDENTIFY}]}).encode()), {}),
        (
            packed(json.dumps({"batch": [{"type": "identify", **IDENTIFY}]}).encode()),
            {"Content-Encoding": "gzip", "Content-Type": "application/x-www-form-urlencoded"},
        ),
        (json.dumps({"batch": [{"type": "identify", **IDENTIFY}]}).encode(), {"Content-Type": "text/plain"}),
    ],
)
def test_bodies_are_read_by_content_not_by_type(server, body, headers):
    """Gzip is recognised by its first bytes."""
    assert server.http.post("/v1/batch", content=body, headers={**basic("k1"), **headers}).status_code == 200
    assert len(server.events) == 1


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b"[]", 400),
        (b'{"batch": []}', 400),
        (b'{"batch": 1}', 400),
        (b"\x1f\x8b\x08garbage", 400),
        (packed(b"x" * 10_000_000), 413),
        (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, 400),
        (b"\xff\xfe\x00", 400),
    ],
    ids=str.split("empty cut list no-items no-list bad-gzip bomb deep not-utf8"),
)
def test_hostile_bodies(server, body, status):
    """Each has its answer; a zip bomb is stopped at the limit; nothing is a 500."""
    answer = server.http.post("/v1/batch", content=body, headers=basic("k1"))
    assert answer.status_code == status
    assert set(answer.json()) >= {"code", "message"}
    assert server.log.bounds().end == 0


def test_too_large_an_event_is_rejected_alone(server):
    """200, and that item is a rejection."""
    batch = [
        {"type": "identify", "userId": "u", "traits": {"x": "y" * 500}},
        {"type": "identify", "userId": "u"},
    ]
    assert server.http.post("/v1/batch", json={"batch": batch}, headers=basic("small")).status_code == 200
    assert server.observer.refused == ["too_large"]
    assert len(server.events) == 1


def test_too_large_a_request(server):
    """413, nothing kept."""
    assert server.http.post("/v1/batch", content=b" " * 3000, headers=basic("small")).status_code == 413


def test_a_key_that_sends_too_fast(server):
    """429 with Retry-After for that key alone."""
    batch = {"batch": [{"type": "identify", **IDENTIFY}] * 2}
    assert server.http.post("/v1/batch", json=batch, headers=basic("slow")).status_code == 200
    answer = server.http.post("/v1/batch", json=batch, headers=basic("slow"))
    assert answer.status_code == 429
    assert int(answer.headers["Retry-After"]) >= 1
    assert server.http.post("/v1/batch", json=batch, headers=basic("k1")).status_code == 200


def test_a_full_disk_is_503():
    """`log_full` with Retry-After: SDKs keep the events."""

    class Full(MemoryLog):
        async def append(self, _records):
            raise LogFull("full")

    answer = Server(Full()).http.post("/v1/identify", json=IDENTIFY, headers=basic("k1"))
    assert (answer.status_code, answer.json()["code"]) == (503, "log_full")
    assert "Retry-After" in answer.headers


def test_cors(server):
    """The origin is echoed; a foreign one is refused."""
    asked = {
        "Origin": "https://good.example",
        "Access-Control-Request-Headers": "authorization, x-retry-count",
    }
    answer = server.http.options("/v1/t", headers=asked)
    assert answer.status_code == 204
    assert answer.headers["Access-Control-Allow-Origin"] == "https://good.example"
    assert answer.headers["Access-Control-Allow-Headers"] == "authorization, x-retry-count"
    assert answer.headers["Access-Control-Max-Age"] == "7200"
    bad = server.http.post("/v1/i", json=IDENTIFY, headers={**basic("w"), "Origin": "https://evil.example"})
    assert bad.status_code == 403


def test_pixels_always_show_a_picture(server):
    """Flat query, base64, nonsense."""
    data = base64.b64encode(json.dumps({"writeKey": "k1", "userId": "u", "event": "E"}).encode()).decode()
    for query in (f"data={data}", "writeKey=k1&userId=u&event=E&properties.a.b=1", "data=%00", ""):
        answer = server.http.get(f"/v1/pixel/track?{query}")
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "image/gif"
    assert [e.event for e in server.events] == ["E", "E"]
    assert server.events[1].properties == {"a": {"b": "1"}}


def test_rudderstack_paths(server):
    """beacon, merge, the AnonymousId header; text OK."""
    answer = server.http.post(
        "/beacon/v1/batch?writeKey=k1", content=json.dumps({"batch": [{"type": "page", "anonymousId": "a"}]})
    )
    assert (answer.status_code, answer.text) == (200, "OK")
    headers = {**basic("k1"), "AnonymousId": base64.b64encode(b"anon").decode()}
    assert server.http.post("/v1/track", json={"event": "E"}, headers=headers).status_code == 200
    assert server.events[1].anonymous_id == "anon"
    pairs = [{"type": "userId", "value": "u"}, {"type": "anonymousId", "value": "a"}]
    assert server.http.post("/v1/merge", json={"mergeProperties": pairs}, headers=basic("k1")).text == "OK"
    assert (server.events[2].type, server.events[2].previous_id) == ("alias", "a")


def test_amplitude(server):
    """Events, identify with operations, group identify; the body's code is what its SDKs believe."""
    sent = {
        "api_key": "k1",
        "events": [
            {
                "event_type": "E",
                "user_id": "user1",
                "time": NOW,
                "event_properties": {"a": 1},
                "revenue": 2,
                "insert_id": "x",
            },
            {
                "event_type": "$identify",
                "user_id": "user1",
                "user_properties": {"$set": {"a": 1}, "$add": {"n": 1}},
            },
            {
                "event_type": "$groupidentify",
                "groups": {"company": "c"},
                "group_properties": {"$set": {"w": 1}},
            },
            {"event_type": "E", "user_id": "anonymous"},
            {"event_type": "E", "user_id": "user1", "time": "2023"},
        ],
    }
    answer = server.http.post("/2/httpapi", json=sent)
    assert (answer.status_code, answer.json()["code"], answer.json()["events_ingested"]) == (200, 200, 5)
    track, identify, group = server.events
    assert (track.event, track.properties, track.message_id) == ("E", {"a": 1, "$revenue": 2}, ":x")
    assert (identify.traits, identify.operations[0].op) == ({"a": 1}, "add")
    assert (group.group_id, group.traits) == ("company:c", {"w": 1})
    assert server.observer.refused == ["invalid_id_lengths", "invalid_time"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"api_key": "nope", "events": [1]}, 400),
        ({"events": []}, 400),
        ({"api_key": "k1"}, 400),
        ({"api_key": "k1", "events": [{}] * 2000}, 413),
    ],
)
def test_amplitudes_refusals(server, body, status):
    """`code` equals the status, so that its SDKs do not resend for ever."""
    answer = server.http.post("/2/httpapi", json=body)
    assert (answer.status_code, answer.json()["code"]) == (status, status)


def test_amplitude_identify_as_a_form(server):
    """`identification` in a form body or a query."""
    one = json.dumps({"user_id": "user1", "user_properties": {"a": 1}})
    assert server.http.post("/identify", data={"api_key": "k1", "identification": one}).status_code == 200
    assert (
        server.http.get("/identify", params={"api_key": "k1", "identification": f"[{one}]"}).status_code
        == 200
    )
    assert [e.type for e in server.events] == ["identify", "identify"]


async def raw_call(app, messages, headers=(), query=b""):
    """One identify call as ASGI, the body in the given messages; status and body of the answer."""
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/v1/identify",
        "query_string": query,
        "headers": [(k.encode(), v.encode()) for k, v in headers],
    }
    given, said = iter(messages), []

    async def receive():
        return next(given)

    async def send(message):
        said.append(message)

    await app(scope, receive, send)
    return said[0]["status"], json.loads(said[1]["body"])


def chunks(*parts):
    """A body in parts."""
    last = len(parts) - 1
    return [{"type": "http.request", "body": p, "more_body": i < last} for i, p in enumerate(parts)]


def test_a_body_in_parts(server):
    """Parts are joined; of two headers under one name the first counts, of two values in a query the last."""
    whole = json.dumps(IDENTIFY).encode()
    authorization = basic("k1")["Authorization"]
    twice = [("authorization", authorization), ("authorization", basic("nope")["Authorization"])]
    app = server.api.app()
    assert asyncio.run(raw_call(app, chunks(whole[:9], whole[9:], b""), twice))[0] == 200
    assert asyncio.run(raw_call(app, chunks(whole), query=b"writeKey=nope&writeKey=k1"))[0] == 200
    assert asyncio.run(raw_call(app, chunks(whole), twice[::-1]))[0] == 401
    assert [e.user_id for e in server.events] == ["u", "u"]


def test_a_body_without_end_is_not_kept(server):
    """413 as soon as it is too large: what would come after is not asked for."""
    endless = chunks(*[b" " * 1000] * 3, b"")[:3]
    headers = basic("small").items()
    status, said = asyncio.run(raw_call(server.api.app(), endless, [(k.lower(), v) for k, v in headers]))
    assert (status, said["code"]) == (413, "too_large")


def test_a_client_that_goes_away(server):
    """Nothing of half a body is kept, and it is no failure of ours."""
    cut = [*chunks(b'{"userId":', b"")[:1], {"type": "http.disconnect"}]
    headers = [(k.lower(), v) for k, v in basic("k1").items()]
    assert asyncio.run(raw_call(server.api.app(), cut, headers))[1]["code"] == "disconnected"
    assert server.log.bounds().end == 0


@pytest.mark.parametrize(("method", "path"), [("POST", "/v1/identify"), ("GET", "/v1/pixel/identify")])
def test_a_failure_of_ours_is_an_answer(method, path):
    """500 with `code` and Retry-After, wherever it happens: SDKs keep the events."""

    class Broken(MemoryLog):
        async def append(self, _records):
            raise RuntimeError("a defect")

    answer = Server(Broken()).http.request(method, f"{path}?writeKey=k1&userId=u", json=IDENTIFY)
    assert (answer.status_code, answer.json()["code"]) == (500, "internal")
    assert "Retry-After" in answer.headers


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/v1/track"), ("PUT", "/v1/batch"), ("POST", "/v1/pixel/track")]
)
def test_methods_that_a_path_does_not_take(server, method, path):
    """405: the address is right, so a 404 would lead astray."""
    assert server.http.request(method, path).status_code == 405


def test_preflights_and_own_statistics(server):
    """A 204 has no body and no length; what SDKs count of themselves is taken, whatever it is."""
    preflight = server.http.options("/v1/m", headers={"Origin": "https://any.example"})
    assert preflight.status_code == 204
    assert "content-length" not in preflight.headers
    answer = server.http.post("/v1/m", content=b"{", headers={"Origin": "https://any.example"})
    assert (answer.status_code, answer.json()) == (200, {"success": True})
    assert answer.headers["Access-Control-Allow-Origin"] == "https://any.example"


def test_bodies_wait_for_the_log_within_bounds(monkeypatch):
    """While more is being written than may be, requests are asked to come back; afterwards they are taken again."""
    monkeypatch.setattr("millstream.ingest.api.MAX_IN_FLIGHT_BYTES", 10)
    held = asyncio.Event()

    class Slow(MemoryLog):
        async def append(self, records):
            await held.wait()
            return await super().append(records)

    server = Server(Slow())
    app, headers = server.api.app(), [(k.lower(), v) for k, v in basic("k1").items()]

    async def scenario():
        body = json.dumps(IDENTIFY).encode()
        first = asyncio.create_task(raw_call(app, chunks(body), headers))
        await asyncio.sleep(0)
        refused = await raw_call(app, chunks(body), headers)
        held.set()
        return await first, refused, await raw_call(app, chunks(body), headers)

    (first, _), (refused, why), (after, _) = asyncio.run(scenario())
    assert (first, refused, after) == (200, 503, 200)
    assert why["code"] == "overloaded"
