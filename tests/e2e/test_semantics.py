"""Decisions of docs/semantics.md that only show in the portal: addresses that move, lifecycle stages, names, limits."""

from __future__ import annotations

import pytest

from millstream.delivery.outcome import State
from millstream.sandbox import faults


def identify(user, at=0, **traits):
    """An identify call at a second of one day."""
    return {
        "type": "identify",
        "userId": user,
        "timestamp": f"2026-11-01T12:00:{at:02d}.000Z",
        "traits": traits,
    }


def outcomes(on, offset):
    """The outcomes of one event."""
    return on.server.server.parts._state.deliveries.outcomes("hubspot", offset)


def send(on, *events):
    """One at a time: each settled before the next."""
    for event in events:
        before = sum(on.tally().values())
        on.batch([event])
        on.settled(before + 1)


@pytest.mark.parametrize("mode", ["new_contact", "move"])
def test_a_changed_email(pair, mode):
    """`new_contact`: a second contact, as Classic does. `move`: the known contact gets the address, events follow it."""
    on = pair(more=f"      email_change: {mode}\n")
    send(
        on,
        identify("u", 1, email="old@x.example", firstName="Ada"),
        identify("u", 2, email="new@x.example"),
        {"type": "track", "userId": "u", "event": "Bought", "timestamp": "2026-11-01T12:00:03.000Z"},
        identify("u", 4, lastName="Lovelace"),
    )
    found = {c["email"]: c for c in on.portal["contacts"]}
    if mode == "move":
        assert set(found) == {"new@x.example"}
    else:
        assert set(found) == {"old@x.example", "new@x.example"}
    assert (found["new@x.example"]["firstname"], found["new@x.example"]["lastname"]) == ("Ada", "Lovelace")
    assert [o["contact"] for o in on.portal["occurrences"]] == ["new@x.example"]


def test_an_address_that_belongs_to_another_contact_is_not_stolen(pair):
    """`move` to an address that HubSpot has on another contact: the values go there, noted `email_conflict`."""
    on = pair(more="      email_change: move\n")
    _create(on, "taken@x.example", "Hopper")
    send(
        on, identify("u", 1, email="old@x.example"), identify("u", 2, email="taken@x.example", firstName="G")
    )
    found = {c["email"]: c for c in on.portal["contacts"]}
    assert set(found) == {"old@x.example", "taken@x.example"}
    assert (found["taken@x.example"]["firstname"], found["taken@x.example"]["lastname"]) == ("G", "Hopper")
    assert "email_conflict" in outcomes(on, 1)[0].notes


def _create(on, email, lastname):
    """A contact made by somebody else."""
    import json
    import urllib.request

    request = urllib.request.Request(
        on.sandbox.url + "/crm/v3/objects/contacts",
        json.dumps({"properties": {"email": email, "lastname": lastname}}).encode(),
        {"Content-Type": "application/json", "Authorization": "Bearer e2e-token"},
    )
    urllib.request.urlopen(request, timeout=5).read()


@pytest.mark.parametrize(
    ("mode", "stage", "noted"),
    [("forward_only", "customer", True), ("allow_back", "lead", False), ("never", "lead", True)],
)
def test_lifecycle_stages(pair, mode, stage, noted):
    """Forward only: a backward wish costs no call and is noted; allow_back clears and sets; never writes none."""
    on = pair(more=f"      lifecycle: {mode}\n")
    send(on, identify("u", 1, email="a@x.example", lifecycle_stage="Customer"))
    before = len(on.calls)
    send(on, identify("u", 2, lifecycle_stage="lead"))
    assert on.portal["contacts"][0].get("lifecyclestage") == stage
    assert ("lifecycle_kept" in outcomes(on, 1)[0].notes) is noted
    assert len(on.calls) - before == {"forward_only": 0, "allow_back": 2, "never": 0}[mode]


def test_event_names_that_meet(pair):
    """Names that differ in case and outer space share a definition; another name with the same short name gets its own."""
    on = pair()
    names = ["Order Completed", " order completed ", "ORDER COMPLETED", "Order-Completed"]
    send(
        on,
        identify("u", 1, email="a@x.example"),
        *({"type": "track", "userId": "u", "event": name} for name in [*names, *names]),
    )
    made = {label: name for name, label, _ in on.portal["event_definitions"]}
    assert set(made) == {"Order Completed", "Order-Completed"}
    assert made["Order Completed"] == "order_completed"
    assert made["Order-Completed"].startswith("order_completed_")
    assert len(made["Order-Completed"]) == len("order_completed_") + 4
    per = [o["event"] for o in on.portal["occurrences"]]
    assert sorted(per.count(e) for e in set(per)) == [2, 6]


def test_fifty_properties_of_an_event(pair):
    """HubSpot takes 50: those that the definition has come first, the rest in event order; the cut is noted."""
    on = pair()
    first = {"type": "track", "userId": "u", "event": "Big", "properties": {"p_59": 1}}
    second = {"type": "track", "userId": "u", "event": "Big", "properties": {f"p_{i}": i for i in range(60)}}
    send(on, identify("u", 1, email="a@x.example"), first, second)
    sent = on.portal["occurrences"][-1]["properties"]
    assert set(sent) == {"p_59", *(f"p_{i}" for i in range(49))}
    assert "properties_cut:10" in outcomes(on, 2)[0].notes


def test_a_hundred_new_properties_a_day(pair):
    """More than that are left out and noted; nothing is refused."""
    on = pair()
    send(on, identify("u", 1, email="a@x.example", **{f"t_{i}": str(i) for i in range(90)}))
    send(on, identify("u", 2, **{f"s_{i}": str(i) for i in range(30)}))
    made = [p for p in on.portal["properties"] if p[0] == "contacts"]
    assert len(made) == 100
    assert sum(n.startswith("property_limit:") for n in outcomes(on, 1)[0].notes) == 20


def test_a_property_that_the_portal_requires(pair):
    """MISSING_REQUIRED_PROPERTY is dead-lettered with the property's name; others of the batch are written."""
    on = pair()
    definition = on.sandbox.portal.records["contacts"].definitions["phone"]
    definition["required"] = True
    on.batch(
        [identify("u1", email="a@x.example", phone="1"), identify("u2", email="b@x.example")],
    )
    tally = on.settled(2)
    assert tally == {(State.DELIVERED, "ok"): 1, (State.DEAD_LETTERED, "missing_required_property"): 1}
    letter = on.server.server.parts._state.deliveries.dead_letters("hubspot")[0]
    assert "phone" in letter.detail
    assert [c["email"] for c in on.portal["contacts"]] == ["a@x.example"]


def test_rows_that_fail_for_the_moment_are_tried_again(pair):
    """A 207 that spares half of the rows, several times: each arrives once, and nothing is dead."""
    on = pair()
    on.sandbox.hubspot.faults.append(
        faults.read({"kind": "207_partial", "path": "batch/upsert", "times": 3, "seed": 5})
    )
    on.batch([identify(f"u{i}", email=f"u{i}@x.example") for i in range(40)])
    assert on.settled(40) == {(State.DELIVERED, "ok"): 40}
    assert len(on.portal["contacts"]) == 40


def test_a_row_that_keeps_failing_shows_as_retrying_also_after_a_restart(pair):
    """`retrying` with attempt, time and reason; a restart keeps the attempts; mended, it is delivered."""
    on = pair()
    fault = faults.read({"kind": "207_partial", "path": "batch/upsert", "share": 1.0})
    on.sandbox.hubspot.faults.append(fault)
    on.batch([identify("u", email="a@x.example")])
    import time

    end = time.monotonic() + 40
    while (State.RETRYING, "row_retry") not in on.tally():
        assert time.monotonic() < end, on.tally()
        time.sleep(0.05)
    assert "of 10 at 20" in outcomes(on, 0)[0].detail
    on.restart()
    time.sleep(1.0)
    parked = on.server.server.parts._state.deliveries.parked("hubspot")
    assert parked[0].tries >= 4
    on.sandbox.hubspot.faults.clear()
    on.restart()
    assert on.settled(1) == {(State.DELIVERED, "ok"): 1}
    assert on.server.server.parts._state.deliveries.parked("hubspot") == []
