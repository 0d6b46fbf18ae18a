"""One event that cannot be handled is a dead letter, and stops no other; a destination that fails says so."""

from __future__ import annotations

import asyncio
import logging
import urllib.request

from millstream.delivery.intake import Intake
from millstream.delivery.outcome import State
from millstream.delivery.settlement import Settlement
from millstream.destinations.hubspot.actions import custom_event
from millstream.runtime import engine

SECRET = "hunter2"


def identify(user, **traits):
    """An identify call of somebody with an address."""
    return {"type": "identify", "userId": user, "traits": {"email": f"{user}@x.example", **traits}}


def track(user, event="Bought", **properties):
    """A track call."""
    return {"type": "track", "userId": user, "event": event, "properties": properties}


def metrics(on):
    """What `/metrics` says, by name and labels."""
    with urllib.request.urlopen(f"{on.url}/metrics", timeout=60) as answer:
        lines = answer.read().decode().splitlines()
    return dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))


def told(caplog, what):
    """What was logged under these words."""
    return [r for r in caplog.records if r.getMessage() == what]


def test_values_of_another_type_than_any_peer_sends(pair):
    """`objects: true` instead of a list, an object for a boolean: the event's own end, and nobody else's."""
    on = pair(
        more="    mappings:\n      - name: company\n        action: upsert_company\n"
        '        trigger: type = "group"\n        fields: {create: {"@path": $.traits.create}}\n'
    )
    group = {"type": "group", "userId": "z", "groupId": "g"}
    on.batch(
        [
            identify("z", hubspot={"objects": True}),
            {**group, "traits": {"website": "https://a.example", "create": {"a": 1}}},
            {**group, "traits": {"website": "https://a.example", "create": [[]]}},
            identify("after"),
        ]
    )
    on.settled(4)
    assert on.outcome(0, "contact").state is State.DELIVERED
    assert {o.reason for o in (on.outcome(1, "mapping"), on.outcome(2, "mapping"))} == {"mapping_failed"}
    assert on.outcome(3).state is State.DELIVERED
    assert on.server.server.ready()["destinations"]["hubspot"]["state"] == "running"


def test_an_event_that_cannot_be_planned_is_a_dead_letter(pair, monkeypatch, caplog):
    """Its other mappings and other events go on; where it failed is told, not what it said; mended, it goes."""
    on = pair()
    planned = custom_event._properties

    def broken(context, fields, wanted):
        if wanted == "Poison":
            raise KeyError(SECRET)
        return planned(context, fields, wanted)

    monkeypatch.setattr(custom_event, "_properties", broken)
    poison = track("p", "Poison", password=SECRET) | {"context": {"traits": {"email": "p@x.example"}}}
    with caplog.at_level(logging.INFO):
        on.batch([identify("a"), poison, track("a"), identify("b")])
        tally = on.settled(4)
    assert tally[State.DEAD_LETTERED, "quarantined"] == 1
    dead = on.outcome(1, "mapping")
    assert dead.reason == "quarantined"
    assert dead.detail.startswith("KeyError in ")
    assert "broken (test_quarantine.py:" in dead.detail
    assert SECRET not in dead.detail
    assert on.outcome(1, "contact").state is State.DELIVERED
    assert len(on.sandbox.portal.occurrences) == 1
    (said,) = told(caplog, "an effect was quarantined")
    assert (said.levelname, said.offset, said.destination) == ("ERROR", 1, "hubspot")
    assert SECRET not in caplog.text
    assert metrics(on)['millstream_quarantined_effects_total{destination="hubspot"}'] == "1.0"

    monkeypatch.undo()
    delivery, deliveries = (
        on.server.server.engine.deliveries["hubspot"],
        on.server.server.parts._state.deliveries,
    )
    letters = [x.id for x in deliveries.dead_letters("hubspot")]
    asyncio.run(on.server.server.engine.call(lambda: delivery.redeliver(letters)))
    assert on.settled(4) == {(State.DELIVERED, "ok"): 4}
    assert {o.job.effect: o.state for o in deliveries.outcomes("hubspot", 1)} == {
        "contact": State.DELIVERED,
        "event": State.DELIVERED,
    }
    assert [o["eventName"].partition("_")[2] for o in on.sandbox.portal.occurrences] == ["bought", "poison"]
    assert deliveries.dead_letter_count("hubspot") == 0


def test_a_row_whose_answer_cannot_be_handled_ends_alone(pair, monkeypatch, caplog):
    """Others of its batch are delivered, later writes of its record too, and the batch is not sent for ever."""
    on = pair()
    confirmed = Settlement._confirmed

    def broken(self, entry, result, now_ms):
        if entry.row.jobs and entry.row.jobs[0].offset == 1:
            raise KeyError(SECRET)
        confirmed(self, entry, result, now_ms)

    monkeypatch.setattr(Settlement, "_confirmed", broken)
    with on.gathered(), caplog.at_level(logging.INFO):
        on.batch([identify("a"), identify("b"), identify("c")])
    tally = on.settled(3)
    assert tally == {(State.DELIVERED, "ok"): 2, (State.DEAD_LETTERED, "quarantined"): 1}
    assert on.outcome(1).detail.startswith("KeyError in ")
    assert "broken (test_quarantine.py:" in on.outcome(1).detail
    assert SECRET not in caplog.text
    on.batch([identify("b", city="Ulm")])
    on.settled(4)
    assert on.outcome(3).state is State.DELIVERED


def test_a_row_that_cannot_be_compared_ends_alone(pair, monkeypatch):
    """Also before its call: what is left out because HubSpot has it is found out row by row."""
    on = pair()
    trim = Settlement.trim

    def broken(self, entry, now_ms):
        if entry.row.jobs and entry.row.jobs[0].offset == 1:
            raise KeyError(SECRET)
        return trim(self, entry, now_ms)

    monkeypatch.setattr(Settlement, "trim", broken)
    on.batch([identify("a"), identify("b"), identify("c")])
    assert on.settled(3) == {(State.DELIVERED, "ok"): 2, (State.DEAD_LETTERED, "quarantined"): 1}


def test_a_destination_that_fails_says_so_and_starts_anew(pair, monkeypatch, caplog):
    """What nobody foresaw: status, readyz and metrics tell it while it lasts; events wait, none is lost."""
    monkeypatch.setattr(engine, "_AGAIN_S", 0.1)
    on = pair()
    read = Intake.read

    async def broken(_self):
        raise RuntimeError(SECRET)

    monkeypatch.setattr(Intake, "read", broken)
    on.until(lambda: len(told(caplog, "delivery failed; it starts again in 5 s")) > 1)
    on.batch([identify("a"), track("a")])
    ready = on.server.server.ready()
    stands = ready["destinations"]["hubspot"]
    assert stands["state"] == "failing"
    assert " RuntimeError in " in stands["detail"]
    assert "broken (test_quarantine.py:" in stands["detail"]
    assert ready["problems"] == [f"hubspot: {stands['detail']}"]
    assert ready["ready"], "events are taken: the log keeps them"
    assert metrics(on)['millstream_delivery_failing{destination="hubspot"}'] == "1.0"
    assert SECRET not in f"{ready} {caplog.text}"
    monkeypatch.setattr(Intake, "read", read)
    assert on.settled(2) == {(State.DELIVERED, "ok"): 2}
