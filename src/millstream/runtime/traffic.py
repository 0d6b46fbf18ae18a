"""The demo's traffic: requests shaped as the SDKs of Segment, RudderStack and Amplitude send them. Deterministic."""

from __future__ import annotations

import base64
import gzip
import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

FIRST = (
    "Ada",
    "Grace",
    "Alan",
    "Edsger",
    "Barbara",
    "Donald",
    "Frances",
    "John",
    "Radia",
    "Ken",
    "Lynn",
    "Tim",
)
LAST = (
    "Lovelace",
    "Hopper",
    "Turing",
    "Dijkstra",
    "Liskov",
    "Knuth",
    "Allen",
    "Backus",
    "Perlman",
    "Thompson",
)
COMPANIES = (
    "analytical.example",
    "harvard-mark.example",
    "bletchley.example",
    "thinking.example",
    "parc.example",
)
PLANS = ("free", "team", "business")


@dataclass(frozen=True, slots=True)
class Post:
    """One request of an SDK; `events` is how many it carries."""

    path: str
    headers: dict[str, str]
    body: bytes
    events: int


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who uses the product that the demo pretends to be."""

    number: int
    first: str
    last: str
    domain: str

    @property
    def email(self) -> str:
        """A mailbox nobody has: `.example` is reserved."""
        return f"{self.first}.{self.last}.{self.number}@{self.domain}".lower()


def people(count: int, rng: random.Random) -> list[Person]:
    """So many persons."""
    return [Person(i, rng.choice(FIRST), rng.choice(LAST), rng.choice(COMPANIES)) for i in range(count)]


def posts(write_key: str, count: int, now: datetime, seed: int = 1) -> Iterator[Post]:
    """What `count` persons make the three families of SDKs send, in batches as those SDKs form them."""
    rng = random.Random(seed)
    everybody = people(count, rng)
    for i in range(0, count, 20):
        group = everybody[i : i + 20]
        start = now - timedelta(seconds=count - i)
        third = (i // 20) % 3
        if third == 0:
            yield _segment(write_key, group, start, rng)
        elif third == 1:
            yield _rudderstack(write_key, group, start, rng)
        else:
            yield _amplitude(write_key, group, start, rng)


def _iso(when: datetime) -> str:
    return when.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _basic(write_key: str) -> str:
    return "Basic " + base64.b64encode(f"{write_key}:".encode()).decode()


def _traits(person: Person, rng: random.Random) -> dict[str, Any]:
    return {
        "email": person.email,
        "firstName": person.first,
        "lastName": person.last,
        "plan": rng.choice(PLANS),
        "seats": rng.randrange(1, 50),
    }


def _order(rng: random.Random) -> dict[str, Any]:
    return {
        "revenue": round(rng.uniform(5, 500), 1),
        "currency": "EUR",
        "coupon": rng.choice(("SPRING", "NONE")),
    }


def _calls(person: Person, at: datetime, rng: random.Random) -> list[dict[str, Any]]:
    """What one person does: sign up, join a company, order twice, change the plan."""
    user = {"userId": f"user-{person.number}"}
    website = {"website": f"https://www.{person.domain}/", "name": person.domain.split(".")[0].title()}
    calls: list[dict[str, Any]] = [
        {"type": "identify", **user, "traits": _traits(person, rng)},
        {"type": "group", **user, "groupId": person.domain, "traits": website},
        {"type": "track", **user, "event": "Order Completed", "properties": _order(rng)},
        {"type": "track", **user, "event": "Order Completed", "properties": _order(rng)},
        {"type": "identify", **user, "traits": {"plan": "business"}},
    ]
    for n, call in enumerate(calls):
        call["timestamp"] = _iso(at + timedelta(milliseconds=200 * n))
        call["messageId"] = f"demo-{person.number}-{n}-{rng.getrandbits(48):012x}"
    return calls


def _segment(write_key: str, group: list[Person], at: datetime, rng: random.Random) -> Post:
    """segment-analytics-python: plain JSON, `anonymousId: null`, key in header and body."""
    library = {"library": {"name": "analytics-python", "version": "2.3.4"}}
    batch = [
        {"anonymousId": None, "context": library, "integrations": {}, **call}
        for person in group
        for call in _calls(person, at, rng)
    ]
    sent = {"batch": batch, "writeKey": write_key, "sentAt": _iso(at + timedelta(seconds=2))}
    headers = {"Content-Type": "application/json", "Authorization": _basic(write_key)}
    return Post("/v1/batch", headers, json.dumps(sent).encode(), len(batch))


def _rudderstack(write_key: str, group: list[Person], at: datetime, rng: random.Random) -> Post:
    """The RudderStack SDKs: gzip under a form's content type, traits only in the context."""
    batch = []
    for person in group:
        for call in _calls(person, at, rng):
            context: dict[str, Any] = {"library": {"name": "rudder-sdk-python", "version": "2.1.9"}}
            if call["type"] == "identify":
                context["traits"] = call.pop("traits")
            batch.append({"channel": "server", "context": context, "integrations": {"All": True}, **call})
    sent = {"batch": batch, "sentAt": _iso(at + timedelta(seconds=2))}
    headers = {
        "Content-Type": "application/x-www-form-urlencoded",
        "Content-Encoding": "gzip",
        "Authorization": _basic(write_key),
    }
    return Post("/v1/batch", headers, gzip.compress(json.dumps(sent).encode(), mtime=0), len(batch))


def _amplitude(write_key: str, group: list[Person], at: datetime, rng: random.Random) -> Post:
    """amplitude-analytics: epoch milliseconds, `$identify` with operations, the key in the body."""
    events: list[dict[str, Any]] = []
    for person in group:
        base = {"user_id": f"user-{person.number}", "device_id": f"device-{person.number}", "platform": "Web"}
        time = int(at.timestamp() * 1000)
        traits = _traits(person, rng)
        operations = {"$set": traits, "$setOnce": {"first_seen": _iso(at)}, "$add": {"logins": 1}}
        events.append({**base, "event_type": "$identify", "time": time, "user_properties": operations})
        order = {**base, "event_type": "Order Completed", "time": time + 500, "event_properties": _order(rng)}
        events.append(order)
    for n, event in enumerate(events):
        event["insert_id"] = f"demo-{event['user_id']}-{n}-{rng.getrandbits(48):012x}"
    body = json.dumps({"api_key": write_key, "events": events}).encode()
    return Post("/2/httpapi", {"Content-Type": "application/json"}, body, len(events))
