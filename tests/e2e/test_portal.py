"""The portal afterwards, under every variant of what nobody knows about HubSpot; shadow mode; dead letters; commands."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.request

import pytest

from millstream.delivery.outcome import State
from millstream.runtime import wire
from millstream.sandbox import faults
from millstream.sandbox.config import SWITCHES
from millstream.telemetry.metrics import Metric

VARIANTS = [(name, variant) for name, (variants, _) in SWITCHES.items() for variant in variants]


def traffic():
    """Identifies that change, events before and after login, groups, one bad value."""
    events = []
    for i in range(40):
        who = {"userId": f"u{i}", "anonymousId": f"a{i}"}
        at = "2026-11-01T12:00:0{}.000Z"
        events += [
            {
                "type": "track",
                "anonymousId": f"a{i}",
                "event": "Visited",
                "timestamp": at.format(0),
                "properties": {"n": i},
            },
            {
                "type": "identify",
                **who,
                "timestamp": at.format(1),
                "traits": {"email": f"U{i}@x.example", "firstName": "F", "lastName": "old", "annual": 5},
            },
            {
                "type": "track",
                **who,
                "event": "Bought",
                "timestamp": at.format(2),
                "properties": {"value": "20.5", "n": i},
            },
            {
                "type": "group",
                **who,
                "groupId": f"g{i % 4}",
                "timestamp": at.format(3),
                "traits": {"website": f"https://c{i % 4}.example", "employees": "12"},
            },
            {
                "type": "identify",
                **who,
                "timestamp": at.format(4),
                "traits": {"lastName": "new", "lifecycle_stage": "nonsense"},
            },
        ]
    for n, event in enumerate(events):
        event["messageId"] = f"m{n}"
    return events


@pytest.mark.parametrize(("switch", "variant"), VARIANTS, ids=str)
def test_every_variant_ends_the_same(pair, switch, variant):
    """Whatever HubSpot does there, the portal holds the same: every value, event, company and association once."""
    more = "      contact_lookup: read_first\n" if variant == "clears" else ""
    on = pair(more=more, switches={switch: variant})
    events = traffic()
    on.batch(events)
    on.batch(events)  # SDKs that did not hear the answer
    tally = on.settled(2 * len(events))
    assert sum(tally.values()) == 2 * len(events)
    assert not any(s is State.DEAD_LETTERED for s, _ in tally), tally
    portal = on.portal
    assert [c["email"] for c in portal["contacts"]] == sorted({f"u{i}@x.example" for i in range(40)})
    assert {(c["firstname"], c["lastname"], c["annual"]) for c in portal["contacts"]} == {("F", "new", "5")}
    assert len(portal["companies"]) == 4
    assert {c["numberofemployees"] for c in portal["companies"]} == {"12"}
    assert sum(1 for a in portal["associations"] if a[0] == "contacts") == 40
    assert len(portal["occurrences"]) == 80
    assert {o["properties"]["value"] for o in portal["occurrences"] if "bought" in o["event"]} == {"20.5"}


def test_nothing_is_written_in_shadow_mode(pair):
    """Everything but the writes: outcomes with a note, requests kept, the portal empty."""
    on = pair(more="    mode: shadow\n")
    on.batch(traffic())
    tally = on.settled(200)
    assert sum(n for (s, _), n in tally.items() if s is State.DELIVERED) > 0
    assert on.portal["contacts"] == []
    assert {c["method"] for c in on.calls} == {"GET"}
    kept = on.server.server.parts._state.deliveries.shadow_requests("hubspot")
    assert any(b"u1@x.example" in request for _, request in kept)


def test_one_bad_row_harms_nobody_else(pair):
    """A contact on the blocklist and one with a bad address in a batch of a hundred good ones."""
    on = pair(switches={"trace_ids_on_upsert": "whole_400"})
    on.sandbox.portal.records["contacts"].blocked_emails.add("u7@x.example")
    on.batch(
        [
            {
                "type": "identify",
                "userId": f"u{i}",
                "traits": {"email": f"u{i}@x.example" if i != 9 else "not-an-address"},
            }
            for i in range(100)
        ]
    )
    tally = on.settled(100)
    assert {r: n for (_, r), n in tally.items()} == {"ok": 98, "gdpr_blocked": 1, "invalid_email": 1}
    assert len(on.portal["contacts"]) == 98


def test_a_401_pauses_and_nothing_is_lost(pair):
    """A token that is not accepted: the log keeps everything until it is."""
    on = pair()
    on.sandbox.hubspot.config.token = "another"
    on.batch(traffic())
    on.until(lambda: on.state == "paused")
    assert on.tally() == {}
    on.sandbox.hubspot.config.token = "e2e-token"
    on.restart()
    on.settled(200)
    assert len(on.portal["contacts"]) == 40


@pytest.mark.parametrize("status", ["403", "400"])
def test_without_enterprise_the_rest_goes_on(pair, status):
    """No custom events: their effects are filtered visibly, contacts and companies are written."""
    on = pair(tier="starter", switches={"custom_events_without_enterprise": status})
    on.batch(traffic())
    tally = on.settled(200, waiting=True)
    assert tally[State.FILTERED, "custom_events_unavailable"] == 80
    assert (len(on.portal["contacts"]), len(on.portal["companies"])) == (40, 4)


def test_two_portals_in_one_process(pair):
    """A destination that is down delays nobody else."""
    from millstream.sandbox.app import Sandbox
    from millstream.sandbox.config import SandboxConfig

    with Sandbox(SandboxConfig(token="e2e-token")) as other:
        other.hubspot.faults.append(faults.read({"kind": "status", "status": 500}))
        second = (
            "  - name: second\n    preset: classic\n    settings: {portal_id: 20001, access_token: '${TOKEN}', "
            f"api_url: '{other.url}'}}\n"
        )
        on = pair(more=second)
        on.batch(traffic())
        on.settled(200)
        assert len(on.portal["contacts"]) == 40
        assert other.portal.canonical()["contacts"] == []
        other.hubspot.faults.clear()
        on.until(lambda: sum(on.server.server.parts.tally("second").values()) >= 200)
        assert len(other.portal.canonical()["contacts"]) == 40


def millstream(on, *arguments):
    """Run a command beside the running server."""
    command = [sys.executable, "-m", "millstream", *arguments]
    where = ["--config", str(on.settings.config), "--data-dir", str(on.settings.data_dir)]
    ran = subprocess.run(
        [*command, *where],
        capture_output=True,
        text=True,
        check=False,
        env={"TOKEN": "e2e-token", "PATH": ""},
    )
    assert ran.returncode == 0, ran.stderr
    return [json.loads(line) for line in ran.stdout.splitlines()]


def test_dead_letters_are_mended_by_command(pair):
    """Listed, shown with payload and request, redelivered once the cause is gone, or dropped."""
    on = pair()
    on.sandbox.hubspot.faults.append(
        faults.read({"kind": "status", "status": 400, "path": "/associate/default"})
    )
    on.batch(traffic())
    tally = on.settled(200)
    assert tally[State.DEAD_LETTERED, "message_rejected"] == 40
    letters = millstream(on, "deadletter", "list")
    assert len(letters) == 40
    shown = millstream(on, "deadletter", "show", str(letters[0]["id"]))[0]
    assert shown["event"]["type"] == "group"
    assert shown["request"]["call"] == "association.create"
    millstream(on, "deadletter", "drop", str(letters[0]["id"]))
    on.sandbox.hubspot.faults.clear()
    assert millstream(on, "deadletter", "redeliver", "--all")[0]["redelivering"] == 39
    assert millstream(on, "deadletter", "list") == []
    assert sum(1 for a in on.portal["associations"] if a[0] == "contacts") == 39
    assert State.DEAD_LETTERED not in {s for s, _ in on.tally()}


def test_commands_tell_the_story(pair, tmp_path):
    """tail, tail --event, tail --rejected, status, check --online --probe, backup, forget."""
    on = pair()
    on.batch(traffic())
    on.post("/v1/batch", {"writeKey": "e2e-key", "batch": [{"type": "nope", "userId": "u"}]})
    on.settled(201)
    rows = millstream(on, "tail", "-n", "300")
    assert len(rows) == 200
    assert {r["hubspot"].split(" ")[0] for r in rows} == {"delivered"}
    story = millstream(on, "tail", "--event", "m0")[0]
    assert story["event"]["event"] == "Visited"
    assert story["profile"]["external_ids"]["email"] == ["u0@x.example"]
    outcomes = {r["mapping"]: r["state"] for r in story["destination hubspot"]}
    assert outcomes["track to event"] == "delivered"
    assert "trigger does not hold" in json.dumps(story)
    assert millstream(on, "tail", "--rejected")[0]["reason"] == "unknown_type"
    assert millstream(on, "status")[0]["destinations"]["hubspot"]["state"] == "running"
    online = {r["what"]: r["finding"] for r in millstream(on, "check", "--online", "--probe")}
    assert online["portal"] == "20001"
    assert online["partial upsert by email"] == "works"
    target = tmp_path / "copy"
    assert millstream(on, "backup", str(target))[0]["files"] >= 2
    assert (target / "state.db").exists()
    assert len(millstream(on, "forget", "u0@x.example")[0]["forgotten"]) == 1
    assert millstream(on, "tail", "--event", "m0")[0]["profile"]["external_ids"] == {}


def test_logs_and_metrics_hold_no_personal_data(pair, capfd):
    """Neither addresses nor tokens nor payloads."""
    on = pair()
    on.batch([*traffic(), {"type": "nope", "userId": "u"}])
    on.settled(201)
    metrics = urllib.request.urlopen(on.url + "/metrics", timeout=60).read().decode()
    for metric in Metric:
        assert f"\n{metric.value.name}" in metrics, f"{metric} is declared and never emitted"
    assert 'millstream_ingest_events_total{source="server",type="track"} 80.0' in metrics
    said = metrics + "".join(capfd.readouterr())
    assert "@x.example" not in said
    assert "e2e-token" not in said


def test_what_lags_too_long_expires_visibly(pair, monkeypatch):
    """Beyond `max_lag_days` an event is closed with an outcome of its own; newer ones are delivered."""
    on = pair(more="settings:\n  max_lag_days: 2\n")
    on.sandbox.hubspot.config.token = "another"
    on.batch(traffic())
    on.until(lambda: on.state == "paused")
    monkeypatch.setattr(wire, "now_ms", lambda: time.time_ns() // 1_000_000 + 3 * 86_400_000)
    on.sandbox.hubspot.config.token = "e2e-token"
    on.restart()
    assert on.settled(200) == {(State.FILTERED, "expired"): 200}
    on.batch([{"type": "identify", "userId": "n", "traits": {"email": "n@x.example"}}])
    assert on.settled(201)[State.DELIVERED, "ok"] == 1


def test_waiting_is_bounded_per_person(pair):
    """A thousand events of somebody unknown wait; further ones end as no_identity; the others go out when known."""
    on = pair()
    on.batch(
        [{"type": "track", "anonymousId": "a", "event": "E", "properties": {"n": n}} for n in range(1000)]
    )
    on.settled(1000, waiting=True)
    on.batch(
        [{"type": "track", "anonymousId": "a", "event": "E", "properties": {"n": n}} for n in range(100)]
    )
    tally = on.settled(1100, waiting=True)
    assert tally == {(State.WAITING, "no_identity_yet"): 1000, (State.FILTERED, "no_identity"): 100}
    on.batch([{"type": "identify", "anonymousId": "a", "userId": "u", "traits": {"email": "u@x.example"}}])
    assert on.settled(1101)[State.DELIVERED, "ok"] == 1001
    assert len(on.portal["occurrences"]) == 1000
