"""What we may do in a portal: things made in its schema, by whom; its daily quota. Restarts change nothing of it."""

from __future__ import annotations

import time

import pytest

from millstream.delivery.outcome import State
from millstream.destinations.hubspot import portal
from millstream.runtime.remote import command
from millstream.sandbox import faults


def identify(user, **traits):
    """An identify call."""
    return {"type": "identify", "userId": user, "traits": {"email": f"{user}@x.example", **traits}}


def track(user, event):
    """A track call of somebody with an address."""
    return {
        "type": "track",
        "userId": user,
        "event": event,
        "context": {"traits": {"email": f"{user}@x.example"}},
    }


def notes(on, offset, prefix):
    """The notes of an event that begin so."""
    return [n for n in on.outcome(offset).notes if n.startswith(prefix)]


def status(on):
    """How the destination stands."""
    return command(on.settings, {"TOKEN": "e2e-token"}, "status", {})["destinations"]["hubspot"]


def limited(on):
    """Wait until the destination is left alone; how it stands."""
    on.until(lambda: status(on)["state"] == "limited")
    return status(on)


def fault(on, **rule):
    """HubSpot misbehaves."""
    on.sandbox.hubspot.faults.append(faults.read(rule))


def test_a_restart_forgets_and_doubles_no_property(pair, monkeypatch):
    """6 before it, 4 behind it; those of before need no room."""
    monkeypatch.setattr(portal, "MAX_PROPERTIES_A_DAY", 10)
    on = pair()
    on.batch([identify("a", **{f"t{n}": "x" for n in range(6)})])
    on.settled(1)
    on.restart()
    on.batch([identify("b", **{f"t{n}": "x" for n in range(14)})])
    on.settled(2)
    assert sorted(notes(on, 1, "property_limit:")) == [f"property_limit:t{n}" for n in range(10, 14)]
    mine = [p for p in on.sandbox.portal.type("contacts").definitions if p.startswith("t")]
    assert len([p for p in mine if p[1:].isdigit()]) == 10


def test_definitions_are_counted_for_good(pair, monkeypatch):
    """Also those that are planned at the same moment; what is there goes on."""
    monkeypatch.setattr(portal, "MAX_DEFINITIONS", 3)
    on = pair()
    on.batch([track("a", f"Event {n}") for n in range(5)])
    on.settled(5)
    reasons = [on.outcome(offset, "event").reason for offset in range(5)]
    assert sorted(reasons) == ["definition_limit"] * 2 + ["ok"] * 3
    on.restart()
    on.batch([track("a", "Another"), track("a", "Event 0")])
    on.settled(7)
    assert on.outcome(5, "event").reason == "definition_limit"
    assert on.outcome(6, "event").state is State.DELIVERED


@pytest.mark.parametrize(
    ("source", "made"),
    [
        ("", True),
        ("    browser: true\n", False),
        ("    origins: ['https://shop.example']\n", False),
        ("    origins: ['https://shop.example']\n    browser: false\n", True),
    ],
)
def test_who_sends_from_a_browser_is_known_by_the_source(pair, source, made):
    """A visitor who leaves `context.library` out makes no property, and a server that says it is a page does."""
    on = pair()
    config = on.settings.config
    config.write_text(config.read_text().replace("destinations:", f"{source}destinations:", 1))
    on.restart()
    page = {"library": {"name": "analytics.js"}} if "false" in source else {}
    on.batch([{**identify("a", plan="pro"), "context": page}])
    on.settled(1)
    assert ("plan" in on.sandbox.portal.type("contacts").definitions) is made
    assert notes(on, 0, "not_created") == ([] if made else ["not_created_from_browser:plan"])


def test_a_reload_may_call_a_source_a_browser(pair):
    """The next event is judged by the new configuration, though the destination itself stays as it is."""
    on = pair()
    on.batch([identify("a", plan="pro")])
    on.settled(1)
    config = on.settings.config
    config.write_text(config.read_text().replace("destinations:", "    browser: true\ndestinations:", 1))
    command(on.settings, {"TOKEN": "e2e-token"}, "reload", {})
    on.batch([identify("a", size="xl")])
    on.settled(2)
    assert notes(on, 1, "not_created") == ["not_created_from_browser:size"]


def test_a_used_up_day_waits_for_the_portals_midnight(pair):
    """It shows until when, asks once after a restart, and goes on when somebody says so."""
    on = pair(time_zone="Asia/Tokyo")
    on.batch([identify("a")])
    on.settled(1)
    fault(on, kind="status", status=429, policy="DAILY", path="/contacts/", times=1)
    on.batch([identify("b")])
    assert_until(limited(on), "15:00:00")
    fault(on, kind="status", status=429, policy="DAILY", times=1)
    before = len(on.calls)
    on.restart()
    stands = limited(on)  # account-info was refused as well: the zone is not known
    assert stands["until"][14:19] == "00:00"
    assert [c["status"] for c in list(on.calls)[before:]] == [429]
    command(on.settings, {"TOKEN": "e2e-token"}, "resume", {})
    assert on.settled(2) == {(State.DELIVERED, "ok"): 2}
    assert status(on)["until"] is None


def assert_until(stands, clock):
    """The time of day in UTC, unless the portal's day has just begun: then it is asked again after 5 minutes."""
    hour = time.gmtime().tm_hour
    assert stands["detail"].startswith("429")
    assert stands["until"][11:19] == clock or f"{hour:02d}" == clock[:2], stands


def test_retry_after_of_a_daily_429_wins(pair):
    """It goes on by itself, long before midnight."""
    on = pair()
    on.batch([identify("a")])
    on.settled(1)
    fault(on, kind="status", status=429, policy="DAILY", path="/contacts/", times=1, retry_after_s=1)
    on.batch([identify("b")])
    assert on.settled(2) == {(State.DELIVERED, "ok"): 2}


def test_live_traffic_leaves_a_fifth_of_the_day(pair):
    """At 80 % of the account's quota no call goes out any more; what others leave us is theirs."""
    on = pair()
    on.batch([identify("a")])
    on.settled(1)
    on.sandbox.hubspot.limits.today = 800_000
    on.batch([identify("b")])
    on.settled(2)  # its answer tells us
    before = len(on.calls)
    on.batch([identify("c")])
    assert "share" in limited(on)["detail"]
    assert len(on.calls) == before


def test_imports_leave_half_of_the_day(pair):
    """Above 50 % of the account's quota history waits, by its path or by its age, and live traffic goes on."""
    on = pair()
    on.sandbox.hubspot.limits.today = 600_000
    on.batch([identify("a")])
    on.settled(1)  # its answer tells us
    on.post("/v1/import", {"writeKey": "e2e-key", "batch": [identify("b")]})
    on.batch([{**identify("c"), "timestamp": "2026-01-01T00:00:00Z"}, identify("d")])
    assert on.settled(2) == {(State.DELIVERED, "ok"): 2}
    time.sleep(1)
    assert {c["email"] for c in on.portal["contacts"]} == {"a@x.example", "d@x.example"}
    assert status(on)["state"] == "running"
    on.sandbox.hubspot.limits.today = 1000
    on.batch([identify("e")])
    assert on.settled(5) == {(State.DELIVERED, "ok"): 5}
