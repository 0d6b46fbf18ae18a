"""Webhooks of the sandbox: signatures as HubSpot's documentation computes them, deliveries, retries. And its address."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
import time
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from millstream.cli import parser
from millstream.sandbox import webhooks
from millstream.sandbox.app import Sandbox

GOLDEN = json.loads((Path(__file__).parents[1] / "golden/webhook_signatures.json").read_text())
SECRET = "sandbox-secret"


@pytest.mark.parametrize("vector", GOLDEN["vectors"], ids=lambda v: v["name"])
def test_signatures_are_those_of_the_documentation(vector):
    """v1 and v2 by HubSpot's own examples; v3 by the documented algorithm, for which it gives none."""
    body, secret = vector["body"].encode(), GOLDEN["secret"]
    made = {
        "v1": lambda: webhooks.signature_v1(secret, body),
        "v2": lambda: webhooks.signature_v2(secret, vector["method"], vector["url"], body),
        "v3": lambda: webhooks.signature_v3(
            secret, vector["method"], vector["url"], body, vector["timestamp"]
        ),
    }[vector["version"]]()
    assert made == vector["signature"]


def test_only_some_characters_of_an_address_are_decoded():
    """The twelve of HubSpot's table, in either case; `%20`, `%25` and `%26` stay."""
    kept = "https://x.example/%20%25%26%2B%3D%E2%82%AC?"
    coded, plain = (kept + "".join(part) for part in zip(*GOLDEN["decoded"].items(), strict=True))
    expected = base64.b64encode(
        hmac.new(b"s", b"POST" + plain.encode() + b"{}" + b"1", hashlib.sha256).digest()
    ).decode()
    for url in (coded, kept + "".join(GOLDEN["decoded"]).lower(), plain):
        assert webhooks.signature_v3("s", "POST", url, b"{}", "1") == expected


class Receiver(ThreadingHTTPServer):
    """A server of this machine that keeps what it gets and answers as told: the statuses in turn, then 204."""

    daemon_threads = True

    def __init__(self, statuses=()):
        self.statuses = list(statuses)
        self.got = []
        super().__init__(("127.0.0.1", 0), Hook)
        self.url = f"http://127.0.0.1:{self.server_port}/hook?to=a%40b.example&t=1%3A2"

    def wait(self, count):
        """The first so many requests."""
        end = time.monotonic() + 60
        while len(self.got) < count:
            assert time.monotonic() < end, self.got
            time.sleep(0.005)
        return self.got[:count]


class Hook(BaseHTTPRequestHandler):
    """One request."""

    def do_POST(self):
        """Keep it, answer. Status 0 is no answer at all."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.got.append((self.path, self.headers, body))
        status = self.server.statuses.pop(0) if self.server.statuses else 204
        if status:
            self.send_response(status)
            self.end_headers()
        self.close_connection = True

    def log_message(self, *_):
        """Quiet."""


@pytest.fixture
def receiver():
    """Starts receivers, stops them afterwards."""
    made = []

    def start(statuses=()):
        server = Receiver(statuses)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        made.append((server, thread))
        return server

    yield start
    for server, thread in made:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def sandbox():
    """A portal that is quick to try again."""
    with Sandbox() as made:
        made.hubspot.webhooks.pause_s = 0.002
        yield made


def call(sandbox, method, path, body=None):
    """One API call."""
    headers = {"Authorization": "Bearer sandbox-token", "Content-Type": "application/json"}
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(sandbox.url + path, data, headers, method=method)
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.loads(answer.read() or b"null")


def subscribe(sandbox, url, *kinds, **more):
    """The app 54321 listens."""
    call(sandbox, "PUT", "/webhooks/v3/54321/settings", {"targetUrl": url})
    for kind in kinds:
        body = {"eventType": kind, "active": True, **more}
        call(sandbox, "POST", "/webhooks/v3/54321/subscriptions", body)


def contact(sandbox, **properties):
    """Make a contact; its id."""
    made = call(sandbox, "POST", "/crm/v3/objects/contacts", {"properties": properties})
    return int(made["id"])


def test_a_change_is_delivered_and_signed(sandbox, receiver):
    """What the receiver computes over the request that it sees is what the headers say, v1 and v3."""
    server = receiver()
    subscribe(sandbox, server.url, "contact.creation")
    subscribe(sandbox, server.url, "contact.propertyChange", propertyName="city")
    made = contact(sandbox, email="a@x.example")
    ((path, headers, body),) = server.wait(1)
    (event,) = json.loads(body)
    assert event | {"eventId": 0, "subscriptionId": 0, "occurredAt": 0} == {
        "eventId": 0,
        "subscriptionId": 0,
        "portalId": 20001,
        "appId": 54321,
        "occurredAt": 0,
        "subscriptionType": "contact.creation",
        "attemptNumber": 0,
        "objectId": made,
        "changeSource": "INTEGRATION",
        "changeFlag": "NEW",
    }
    assert headers["Content-Type"] == "application/json"
    assert headers["X-HubSpot-Signature-Version"] == "v1"
    assert headers["X-HubSpot-Signature"] == hashlib.sha256(SECRET.encode() + body).hexdigest()
    stamp = headers["X-HubSpot-Request-Timestamp"]
    assert abs(int(stamp) / 1000 - time.time()) < 300
    seen = f"http://{headers['Host']}{path}".replace("%40", "@").replace("%3A", ":")
    mac = hmac.new(SECRET.encode(), b"POST" + seen.encode() + body + stamp.encode(), hashlib.sha256)
    assert headers["X-HubSpot-Signature-v3"] == base64.b64encode(mac.digest()).decode()

    call(
        sandbox,
        "PATCH",
        f"/crm/v3/objects/contacts/{made}",
        {"properties": {"city": "Rome", "state": "x"}},
    )
    (event,) = json.loads(server.wait(2)[1][2])
    assert (event["subscriptionType"], event["objectId"]) == ("contact.propertyChange", made)
    assert (event["propertyName"], event["propertyValue"]) == ("city", "Rome")


def test_only_active_subscriptions_of_the_type_are_told(sandbox, receiver):
    """Other actions, other types, other properties and sleeping subscriptions are silent; `object.*` goes by type id."""
    server = receiver()
    subscribe(sandbox, server.url, "contact.deletion", "company.creation")
    subscribe(sandbox, server.url, "contact.creation", active=False)
    subscribe(sandbox, server.url, "object.creation", objectTypeId="0-2")
    subscribe(sandbox, server.url, "object.creation", objectTypeId="0-1")
    contact(sandbox, email="a@x.example")
    (event,) = json.loads(server.wait(1)[0][2])
    assert (event["subscriptionType"], event["objectTypeId"]) == ("object.creation", "0-1")


def test_many_changes_are_few_requests(sandbox, receiver):
    """Fewer than a hundred events in each, every one once."""
    server = receiver()
    subscribe(sandbox, server.url, "contact.creation")
    for at in (0, 100, 200):
        inputs = [{"properties": {"email": f"u{at + i}@x.example"}} for i in range(100)]
        call(sandbox, "POST", "/crm/v3/objects/contacts/batch/create", {"inputs": inputs})
    end = time.monotonic() + 60
    events = []
    while len(events) < 300:
        assert time.monotonic() < end
        events = [e for _, _, body in list(server.got) for e in json.loads(body)]
        time.sleep(0.005)
    assert all(len(json.loads(body)) < 100 for _, _, body in server.got)
    assert len({e["eventId"] for e in events}) == 300


@pytest.mark.parametrize("statuses", [(500, 404, 302), (0, 0)], ids=["refused", "broken"])
def test_a_failed_delivery_is_tried_again(sandbox, receiver, statuses):
    """Any answer but 2xx, or none: the same events again with the next attempt number, newly signed, until it works."""
    server = receiver(statuses)
    subscribe(sandbox, server.url, "contact.creation")
    contact(sandbox, email="a@x.example")
    got = server.wait(len(statuses) + 1)
    bodies = [json.loads(body)[0] for _, _, body in got]
    assert [b["attemptNumber"] for b in bodies] == list(range(len(statuses) + 1))
    assert len({b["eventId"] for b in bodies}) == 1
    for _, headers, body in got:
        assert headers["X-HubSpot-Signature"] == hashlib.sha256(SECRET.encode() + body).hexdigest()
    contact(sandbox, email="b@x.example")
    assert len(server.wait(len(got) + 1)) == len(got) + 1


def test_ten_retries_and_no_more(sandbox, receiver):
    """Eleven attempts in all; then it is given up, and the next event goes out."""
    server = receiver([503] * 11)
    subscribe(sandbox, server.url, "contact.creation")
    first = contact(sandbox, email="a@x.example")
    server.wait(11)
    second = contact(sandbox, email="b@x.example")
    events = [json.loads(body)[0] for _, _, body in server.wait(12)]
    assert [e["objectId"] for e in events] == [first] * 11 + [second]
    assert [e["attemptNumber"] for e in events] == [*range(11), 0]


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/", "http://[", "http://x.invalid:99999/"], ids=str)
def test_a_target_that_cannot_be_reached_harms_nothing(sandbox, receiver, url):
    """Eleven failures are noted, the portal answers on, and a new target gets the next event."""
    subscribe(sandbox, url, "contact.creation")
    contact(sandbox, email="a@x.example")
    end = time.monotonic() + 60
    while len(sandbox.portal.webhooks.get("deliveries", [])) < 11:
        assert time.monotonic() < end
        time.sleep(0.005)
    assert {d["status"] for d in sandbox.portal.webhooks["deliveries"]} == {0}
    server = receiver()
    subscribe(sandbox, server.url)
    contact(sandbox, email="b@x.example")
    assert server.wait(1)


def test_the_sandbox_is_reached_from_this_machine_only():
    """The command listens on loopback unless told otherwise, and so does the portal of tests and of the demo."""
    assert parser().parse_args(["sandbox"]).host == "127.0.0.1"
    assert parser().parse_args(["sandbox", "--host", "0.0.0.0"]).host == "0.0.0.0"
    sandbox = Sandbox()
    try:
        assert sandbox._socket.getsockname()[0] == "127.0.0.1"
    finally:
        sandbox._socket.close()
