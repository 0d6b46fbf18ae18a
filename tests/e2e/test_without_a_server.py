"""Commands in a data folder that no server runs with: they read and erase; none of them asks HubSpot anything."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
import yaml

from millstream.delivery.outcome import State
from millstream.sandbox import faults

KEY = "e2e-key"


def millstream(on, *arguments):
    """The command, its JSON lines, and what it says."""
    ran = subprocess.run(
        [sys.executable, "-m", "millstream", *arguments, "--data-dir", str(on.settings.data_dir), "--json"],
        capture_output=True,
        text=True,
        cwd=on.folder,
        env={**os.environ, "TOKEN": "e2e-token"},
        check=False,
    )
    assert "Traceback" not in ran.stderr
    assert "never retrieved" not in ran.stderr
    return ran.returncode, [json.loads(line) for line in ran.stdout.splitlines()], ran.stderr


@pytest.fixture
def stopped(pair):
    """A server that has ended with work left: 30 events accepted and not delivered, and dead letters."""
    on = pair()
    on.batch(
        [
            {"type": "identify", "userId": f"u{i}", "traits": {"email": f"u{i}@x.example" if i else "none"}}
            for i in range(3)
        ]
    )
    assert on.settled(3)[State.DEAD_LETTERED, "invalid_email"] == 1
    on.sandbox.hubspot.faults.append(faults.read({"kind": "status", "status": 503}))
    on.batch([{"type": "track", "userId": f"u{i % 3}", "event": "Late"} for i in range(30)])
    on.server.stop()
    on.sandbox.hubspot.faults.clear()
    on.calls.clear()
    return on


def test_no_command_sends_anything(stopped, tmp_path):
    """Status, tail, letters, backup, forget, drop, counting: what was pending stays so, and HubSpot hears nothing."""
    portal = json.dumps(stopped.portal)
    code, (told,), _ = millstream(stopped, "status")
    assert (code, told["server"]) == (0, None)
    there = told["destinations"]["hubspot"]
    assert (there["state"], there["mode"], there["dead_letters"]) == ("stopped", "live", 1)
    assert told["log"]["end"] == 33
    assert there["lag"] + told["processor_lag"] >= 29  # the first may wait for an address
    (letter,) = millstream(stopped, "deadletter", "list")[1]
    for arguments in (
        ("tail",),
        ("replay", "--since", "7d"),
        ("backup", str(tmp_path / "copy")),
        ("forget", "u1@x.example"),
        ("deadletter", "drop", str(letter["id"])),
    ):
        code, _, err = millstream(stopped, *arguments)
        assert code == 0, err
    for arguments in (
        ("deadletter", "redeliver", "--all"),
        ("replay", "--since", "7d", "--go"),
        ("resume",),
    ):
        code, answer, err = millstream(stopped, *arguments)
        assert (code, answer) == (1, []), arguments
        assert "only a server sends to HubSpot" in err.replace("\n", " ")
    assert list(stopped.calls) == []
    assert json.dumps(stopped.portal) == portal


def test_what_was_done_without_a_server_holds(stopped):
    """The forgotten are gone and the dropped is filtered once a server runs again; everything has one outcome."""
    (letter,) = millstream(stopped, "deadletter", "list")[1]
    code, (dropped), _ = millstream(stopped, "deadletter", "drop", str(letter["id"]))
    assert (code, dropped) == (0, [{"destination": "hubspot", "dropped": 1}])
    code, (forgotten,), _ = millstream(stopped, "forget", "u1@x.example")
    assert (code, len(forgotten["forgotten"])) == (0, 1)
    code, answer, err = millstream(stopped, "forget", "u1@x.example")
    assert (code, answer) == (1, [])
    assert "nobody here is known by u1@x.example" in err
    code, answer, err = millstream(stopped, "deadletter", "drop", str(letter["id"]))
    assert (code, answer) == (1, [])
    assert f"no dead letter {letter['id']}" in err
    stopped.restart()
    tally = stopped.settled(33, waiting=True)
    assert tally[State.FILTERED, "dropped"] == 1
    assert sum(tally.values()) == 33


def test_a_second_backup_is_refused_in_a_sentence(stopped, tmp_path):
    """Beside a server and without one; the first copy is left as it is."""
    target = tmp_path / "copy"
    assert millstream(stopped, "backup", str(target))[0] == 0
    held = sorted(p.name for p in target.rglob("*"))
    for _ in range(2):
        code, answer, err = millstream(stopped, "backup", str(target))
        assert (code, answer) == (1, [])
        assert "is there already: a backup goes into a new folder" in err.replace("\n", " ")
        stopped.restart()
    assert sorted(p.name for p in target.rglob("*")) == held


def test_commands_make_no_data_folder(pair, tmp_path):
    """Where no server has run there is nothing to see, and nothing is made; the flag that names another is told."""
    on = pair()
    nowhere = tmp_path / "nowhere"
    for arguments in (
        ("status",),
        ("tail",),
        ("backup", str(tmp_path / "b")),
        ("forget", "u"),
        ("deadletter", "list"),
    ):
        ran = subprocess.run(
            [sys.executable, "-m", "millstream", *arguments, "--data-dir", str(nowhere)],
            capture_output=True,
            text=True,
            cwd=on.folder,
            env={**os.environ, "TOKEN": "e2e-token", "COLUMNS": "200"},
            check=False,
        )
        assert ran.returncode == 1
        assert "is not there" in ran.stderr
        assert "--data-dir" in ran.stderr
        assert not nowhere.exists()
        assert not (tmp_path / "b").exists()


def test_numbers_of_dead_letters_are_enough(pair):
    """Two destinations: a number belongs to one letter of one of them, beside a server too."""
    on = pair()
    config = yaml.safe_load(on.settings.config.read_text())
    config["destinations"].append({**config["destinations"][0], "name": "second"})
    on.settings.config.write_text(yaml.safe_dump(config))
    on.restart()
    on.batch([{"type": "identify", "userId": "u", "traits": {"email": "none"}}])
    on.until(lambda: len(millstream(on, "deadletter", "list")[1]) == 2)
    letters = {x["destination"]: str(x["id"]) for x in millstream(on, "deadletter", "list")[1]}
    code, answer, err = millstream(on, "deadletter", "drop", letters["second"])
    assert (code, answer) == (0, [{"destination": "second", "dropped": 1}]), err
    code, _, err = millstream(on, "deadletter", "redeliver", "--all")
    assert code == 1
    assert "--destination: hubspot, second" in err
    on.server.stop()
    code, answer, err = millstream(on, "deadletter", "drop", letters["hubspot"])
    assert (code, answer) == (0, [{"destination": "hubspot", "dropped": 1}]), err


def test_an_event_is_found_by_amplitudes_insert_id(pair):
    """By the messageId that we make of device and insert_id, and by the insert_id alone; never by a part of one."""
    on = pair()
    event = {"event_type": "Bought", "user_id": "user-1", "device_id": "device-1", "insert_id": "a1"}
    other = {**event, "event_type": "ba1", "insert_id": "ba1"}
    on.post("/2/httpapi", {"api_key": KEY, "events": [event, other]})
    on.settled(2, waiting=True)
    for wanted in ("a1", "device-1:a1"):
        code, (story,), _ = millstream(on, "tail", "--event", wanted)
        assert (code, story["event"]["messageId"]) == (0, "device-1:a1")
    assert millstream(on, "tail", "--event", "1")[1][0]["event"]["offset"] == 1
    assert millstream(on, "tail", "--event", "evice-1:a1")[0] == 1
