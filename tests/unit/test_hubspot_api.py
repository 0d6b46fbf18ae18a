"""HubSpot's refusals and the request budget."""

from __future__ import annotations

import json
from collections import deque

import pytest

from millstream.destinations.hubspot.failures import call_failed
from millstream.hubspot_api.budget import Budget
from millstream.hubspot_api.errors import Failure, HubSpotError, classify
from millstream.hubspot_api.requests import Operations


def complaint(name, code, message):
    """A property's complaint as HubSpot words it."""
    one = {
        "isValid": False,
        "message": message,
        "error": code,
        "name": name,
        "localizedErrorMessage": message,
    }
    return {
        "status": "error",
        "category": "VALIDATION_ERROR",
        "message": f"Property values were not valid: {json.dumps([one])}",
    }


@pytest.mark.parametrize(
    ("status", "body", "failure", "properties"),
    [
        (401, {"category": "INVALID_AUTHENTICATION"}, Failure.UNAUTHORIZED, ()),
        (403, {"category": "MISSING_SCOPES"}, Failure.FORBIDDEN, ()),
        (
            400,
            complaint("x", "PROPERTY_DOESNT_EXIST", 'Property "x" does not exist'),
            Failure.UNKNOWN_PROPERTY,
            ("x",),
        ),
        (
            400,
            complaint("d", "INVALID_DATE", "1 is at 00:00:00.001 UTC, not midnight!"),
            Failure.INVALID_VALUE,
            ("d",),
        ),
        (400, complaint("d", "INVALID_LONG", "1/1/1 was not a valid long."), Failure.INVALID_VALUE, ("d",)),
        (
            400,
            complaint("e", "INVALID_OPTION", "X was not one of the allowed options: [a]"),
            Failure.INVALID_VALUE,
            ("e",),
        ),
        (
            400,
            complaint("email", "INVALID_EMAIL", "Email address x@ is invalid"),
            Failure.INVALID_EMAIL,
            ("email",),
        ),
        (
            400,
            complaint("p", "READ_ONLY_VALUE", '"p" is a read only property; its value cannot be set.'),
            Failure.READ_ONLY,
            ("p",),
        ),
        (
            409,
            {"category": "CONFLICT", "message": "Contact already exists. Existing ID: 777"},
            Failure.CONFLICT,
            (),
        ),
        (
            400,
            {"message": "Duplicate IDs found in batch input: [1]. IDs must be unique"},
            Failure.DUPLICATE_IN_BATCH,
            (),
        ),
        (
            400,
            {"message": "Unable to perform update/upsert by non-unique 0-3 property dealname"},
            Failure.NON_UNIQUE,
            (),
        ),
        (
            409,
            {"category": "OBJECT_ALREADY_EXISTS", "message": "A property named 'x' already exists."},
            Failure.EXISTS,
            (),
        ),
        (404, {"message": "resource not found"}, Failure.NOT_FOUND, ()),
        (429, {"policyName": "TEN_SECONDLY_ROLLING"}, Failure.LIMITED, ()),
        (429, {"policyName": "DAILY"}, Failure.DAILY, ()),
        (477, {}, Failure.LIMITED, ()),
        (423, {}, Failure.LOCKED, ()),
        (500, {}, Failure.DOWN, ()),
        (502, {}, Failure.DOWN, ()),
        (
            400,
            {"message": "Invalid input JSON on line 3, column 9: Cannot deserialize"},
            Failure.MALFORMED,
            (),
        ),
    ],
)
def test_every_refusal_has_its_class(status, body, failure, properties):
    """One table, by code before text."""
    found = classify(status, json.dumps(body).encode())
    assert found.failure is failure
    assert found.properties == properties


def test_a_failed_call_names_what_hubspots_support_asks_for():
    """The correlation id is in the detail that status and log show; none is invented."""
    body = {"message": "internal", "correlationId": "c-1"}
    assert call_failed(HubSpotError(classify(500, body))).detail == "500: internal (correlationId c-1)"
    assert call_failed(HubSpotError(classify(500, {"message": "internal"}))).detail == "500: internal"


@pytest.mark.parametrize("body", [b"", b"<html>", b"[1]", b'"x"', b"\xff\xfe"])
def test_bodies_that_are_not_hubspots(body):
    """Proxies answer in their own words."""
    assert classify(502, body).failure is Failure.DOWN


def window(kind, limit):
    """A portal's limiter: sliding, fixed or bucket, since nobody knows which HubSpot has."""
    calls: deque[float] = deque()
    state = {"start": 0.0, "n": 0, "tokens": float(limit), "at": 0.0}

    def allow(now):
        if kind == "sliding":
            while calls and now - calls[0] >= 10:
                calls.popleft()
            if len(calls) >= limit:
                return False
            calls.append(now)
        elif kind == "fixed":
            if now - state["start"] >= 10:
                state["start"], state["n"] = now - now % 10, 0
            if state["n"] >= limit:
                return False
            state["n"] += 1
        else:
            state["tokens"] = min(limit, state["tokens"] + (now - state["at"]) * limit / 10)
            state["at"] = now
            if state["tokens"] < 1:
                return False
            state["tokens"] -= 1
        return True

    return allow


@pytest.mark.parametrize("kind", ["sliding", "fixed", "bucket"])
def test_the_budget_is_used_and_never_exceeded(kind):
    """Five minutes with work always ready: no 429 and at least 96 % of the limit."""
    budget, allow, now, sent = Budget(limit=190), window(kind, 190), 0.0, 0
    while now < 300:
        delay = budget.delay_s("general", now)
        if delay:
            now += delay
            continue
        assert allow(now)
        budget.take("general", now)
        sent += 1
    assert sent >= 0.96 * 190 * 30


def test_others_on_the_same_token_are_left_room():
    """What other apps use is read from the headers and subtracted."""
    budget = Budget(limit=100)
    budget.take("general", 0.0)
    budget.observe({"X-HubSpot-RateLimit-Max": "100", "X-HubSpot-RateLimit-Remaining": "49"}, "general", 0.1)
    sent = 1
    now = 0.2
    while now < 10:
        delay = budget.delay_s("general", now)
        if delay:
            now += delay
            continue
        budget.take("general", now)
        sent += 1
    assert 40 <= sent <= 52


def test_retry_after_wins():
    """A 429 with Retry-After waits exactly that."""
    budget = Budget()
    assert budget.limited("general", "SECONDLY", 7.0, 0.0) == 7.0
    assert budget.delay_s("general", 1.0) == pytest.approx(6.0)


@pytest.mark.parametrize("version", ["2026-09", "2026-03", "v3"])
def test_paths_of_every_version(version):
    """Dated paths put the version behind the family, old ones in front."""
    operations = Operations(version)
    path = operations.batch("contacts", "upsert", []).path
    assert path == (
        "/crm/v3/objects/contacts/batch/upsert"
        if version == "v3"
        else f"/crm/objects/{version}/contacts/batch/upsert"
    )
    assert operations.send_events([]).path.endswith("/send/batch")
