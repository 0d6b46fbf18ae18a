"""Replays: counted first, then a range of the log goes through chosen mappings again without changing what is there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time

import yaml

from millstream.delivery.outcome import State

SINCE = ("--since", "2020-01-01")


def millstream(on, *arguments):
    """The command beside the server; its JSON answer."""
    ran = subprocess.run(
        [sys.executable, "-m", "millstream", *arguments, "--data-dir", str(on.folder / "data"), "--json"],
        capture_output=True,
        text=True,
        cwd=on.folder,
        env={**os.environ, "TOKEN": "e2e-token"},
        check=False,
    )
    return ran.returncode, json.loads(ran.stdout) if ran.stdout.strip() else None, ran.stderr


def bought(n):
    """Orders of known persons."""
    who = [{"type": "identify", "userId": f"u{i}", "traits": {"email": f"u{i}@x.example"}} for i in range(5)]
    return who + [
        {"type": "track", "userId": f"u{i % 5}", "event": "Bought" if i % 2 else "Seen", "messageId": f"o{i}"}
        for i in range(n)
    ]


def test_a_replay_changes_nothing_that_is_there(pair):
    """Counting sends nothing; --go sends the same uuids, which HubSpot knows; outcomes and Σ stay one per event."""
    on = pair()
    on.batch(bought(40))
    on.settled(45)
    before = json.dumps(on.portal)
    calls = len(on.calls)
    code, figures, _ = millstream(on, "replay", *SINCE, "--trigger", 'event = "Bought"')
    assert code == 0
    assert (figures["events_in_range"], figures["events_matching"]) == (45, 20)
    assert figures["effects"] == {"track to event": 20}
    assert figures["calls_at_most"] == 1
    assert len(on.calls) == calls
    code, done, err = millstream(on, "replay", *SINCE, "--trigger", 'event = "Bought"', "--go")
    assert code == 0, err
    assert (done["done"], done["events"], done["effects"]) == (True, 20, 20)
    assert sum(c["path"].endswith("/send/batch") for c in list(on.calls)[calls:]) == 1
    assert json.dumps(on.portal) == before
    assert sum(on.tally().values()) == 45
    code, done, _ = millstream(on, "replay", *SINCE, "--mapping", "track to event", "--as-new", "--go")
    assert (code, done["effects"]) == (0, 40)
    assert len(on.portal["occurrences"]) == 80
    assert sum(on.tally().values()) == 45


def test_a_new_mapping_gets_the_old_events(pair):
    """Events that nothing applied to go through a mapping that came later; their outcome becomes its."""
    on = pair(preset="null")
    on.batch(bought(10))
    tally = on.settled(15)
    assert tally == {(State.FILTERED, "no_matching_mapping"): 15}
    config = yaml.safe_load((on.folder / "millstream.yaml").read_text())
    config["destinations"][0]["mappings"] = [
        {"name": "people", "action": "upsert_contact", "trigger": 'type = "identify"'},
        {"name": "orders", "action": "custom_event", "trigger": 'event = "Bought"'},
    ]
    (on.folder / "millstream.yaml").write_text(yaml.safe_dump(config))
    on.restart()
    code, done, err = millstream(on, "replay", *SINCE, "--go")
    assert code == 0, err
    assert done["effects"] == 10
    assert {c["email"] for c in on.portal["contacts"]} == {f"u{i}@x.example" for i in range(5)}
    assert len(on.portal["occurrences"]) == 5
    assert on.tally() == {(State.DELIVERED, "ok"): 10, (State.FILTERED, "no_matching_mapping"): 5}


def test_a_replay_from_before_a_destinations_first_event(pair):
    """What came before a destination was there gets an outcome by the replay alone, each event one and counted once."""
    on = pair()
    on.batch(bought(40))
    on.settled(45)
    path = on.folder / "millstream.yaml"
    config = yaml.safe_load(path.read_text())
    config["destinations"].append({**config["destinations"][0], "name": "later"})
    path.write_text(yaml.safe_dump(config))
    on.restart()
    parts = on.server.server.parts
    store = parts._state.deliveries

    def counted():
        """Events by the tally, and by the states on disk before and behind the destination's first offset."""
        position = store.position("later")
        before = store.states("later", 0, position.start)
        own = store.states("later", position.start, position.decided)
        return sum(parts.tally("later").values()), sum(map(bool, before)), sum(map(bool, own)), len(own)

    assert counted() == (0, 0, 0, 0)
    on.batch([{**e, "messageId": f"n{i}"} for i, e in enumerate(bought(5))])
    on.settled(55)
    on.until(lambda: counted() == (10, 0, 10, 10))
    replay = ("replay", *SINCE, "--destination", "later", "--trigger", 'event = "Bought"', "--go")
    for effects in (22, 22):
        code, done, err = millstream(on, *replay)
        assert (code, done["effects"]) == (0, effects), err
        assert counted() == (30, 20, 10, 10)
    status = millstream(on, "status")[1]["destinations"]["later"]
    assert sum(status["events"].values()) == 30
    assert status["lag"] == 0
    on.restart()
    parts = on.server.server.parts
    store = parts._state.deliveries
    assert counted() == (30, 20, 10, 10)


def test_a_replay_is_as_of_now(pair):
    """An older value of a trait does not come back over a newer one, however often the old event is replayed."""
    on = pair(more="      resend_after_hours: 0\n")
    for second, city in ((1, "Rome"), (2, "Oslo")):
        traits = {"email": "u@x.example", "address": {"city": city}}
        stamp = f"2026-11-01T12:00:0{second}Z"
        on.batch([{"type": "identify", "userId": "u", "timestamp": stamp, "traits": traits}])
        on.settled(second)
    code, done, err = millstream(on, "replay", *SINCE, "--go")
    assert (code, done["effects"]) == (0, 2), err
    time.sleep(0.2)
    assert [c["city"] for c in on.portal["contacts"]] == ["Oslo"]
    history = on.sandbox.portal.type("contacts").find("u@x.example", "email").json(history=["city"])
    values = [h["value"] for h in history["propertiesWithHistory"]["city"]]
    assert values[-1] == "Rome"
    assert set(values[:-1]) == {"Oslo"}


def test_wrong_orders_are_told(pair):
    """A mapping, trigger or destination that is not there; nothing is begun."""
    on = pair()
    for wrong, words in (
        (("--mapping", "nope"), "no enabled mapping 'nope'"),
        (("--trigger", "type ="), "cannot be read"),
        (("--destination", "x"), "say which destination"),
        (("--since", "yesterday"), "as in 2026-11-01 or 2026-11-01T10:00Z, or as in 7d"),
    ):
        code, _, err = millstream(on, "replay", *SINCE, *wrong)
        assert code != 0
        assert words in err, err


def test_nothing_is_replayed_to_a_destination_that_is_off(pair):
    """The order is refused with the reason; HubSpot is asked nothing."""
    on = pair()
    on.batch(bought(4))
    on.settled(9)
    config = on.folder / "millstream.yaml"
    config.write_text(
        config.read_text().replace("    preset: classic\n", "    preset: classic\n    mode: off\n")
    )
    on.restart()
    on.calls.clear()
    code, _, err = millstream(on, "replay", *SINCE, "--as-new", "--go")
    assert (code, "hubspot is disabled" in err) == (1, True)
    assert [c["path"] for c in on.calls] == []
