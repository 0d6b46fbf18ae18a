"""Imports larger than the window: live traffic is read past them, and nothing of them is lost or overtaken."""

from __future__ import annotations

from functools import partial

import pytest

from millstream.delivery.outcome import State
from millstream.delivery.works import DeliverySettings
from millstream.runtime import wire

IMPORTED = 3000


@pytest.fixture
def stalled(pair, monkeypatch):
    """A pair with a small window whose import stands still: half of the day's quota is used up by others."""
    monkeypatch.setattr(wire, "DeliverySettings", partial(DeliverySettings, window=400))
    on = pair()
    on.sandbox.hubspot.limits.today = 600_000
    on.batch([identify("first")])
    on.settled(1)  # its answer tells us
    on.post("/v1/import", {"writeKey": "e2e-key", "batch": [identify(f"p{n}") for n in range(IMPORTED)]})
    return on


def identify(user, plan="old"):
    """An identify call with an address and a value."""
    return {"type": "identify", "userId": user, "traits": {"email": f"{user}@x.example", "plan": plan}}


def contacts(on):
    """What HubSpot knows of each contact, by user."""
    return {c["email"].split("@")[0]: c for c in on.portal["contacts"]}


def goes_on(on):
    """The quota is there again, and an answer says so."""
    on.sandbox.hubspot.limits.today = 1000
    on.batch([identify("last")])


def test_live_events_pass_an_import(stalled):
    """Those of new persons, and those of persons whom the import named: with their part of it, in order."""
    on = stalled
    late = f"p{IMPORTED - 1}"
    live = [identify("new"), identify(late, "new"), {"type": "track", "userId": "p2000", "event": "Bought"}]
    on.batch(live)
    on.settled(6)  # these three, what the import says of two of them, and the first
    assert contacts(on).keys() == {"first", "new", late, "p2000"}
    assert (contacts(on)[late]["plan"], contacts(on)["p2000"]["plan"]) == ("new", "old")
    assert [o["contact"] for o in on.portal["occurrences"]] == ["p2000@x.example"]
    status = on.server.server.ready()["destinations"]["hubspot"]
    assert status["lag"] >= IMPORTED
    goes_on(on)
    assert on.settled(IMPORTED + 5) == {(State.DELIVERED, "ok"): IMPORTED + 5}
    assert len(contacts(on)) == IMPORTED + 3


def test_a_restart_in_the_middle(stalled):
    """What was left for later is read again; live events behind it have their outcome and keep it."""
    on = stalled
    on.batch([identify("new"), identify("p7", "new")])
    on.settled(4)
    on.restart()
    on.batch([identify("newer")])
    on.until(lambda: "newer" in contacts(on))
    goes_on(on)
    on.settled(IMPORTED + 5)
    assert on.tally() == {(State.DELIVERED, "ok"): IMPORTED + 5}
    assert len(contacts(on)) == IMPORTED + 4
    assert contacts(on)["p7"]["plan"] == "new"
