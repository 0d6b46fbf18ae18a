"""kill -9 at random moments and under faults: nothing acknowledged is lost, nothing doubled, nothing goes back."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request

import pytest

from millstream.delivery.outcome import FINAL
from millstream.sandbox.app import Sandbox
from millstream.sandbox.config import SandboxConfig
from millstream.storage.sqlite.state import SqliteState

CONFIG = """\
sources: [{{name: s, write_keys: [k]}}]
destinations:
  - name: hubspot
    preset: classic
    settings: {{portal_id: 20001, access_token: "${{TOKEN}}", api_url: "{url}", unknown_properties: create,
               in_doubt_s: 1.0, timeout_s: {timeout_s}}}
"""
# Longer than any machine takes for what is meant to happen.
PATIENCE_S = 240


class Process:
    """`millstream serve` in a process of its own, which can be killed.

    `timeout_s`: when an answer of HubSpot counts as missing. One that is merely slow to come must not.
    """

    def __init__(self, folder, sandbox_url, timeout_s=60):
        self.folder = folder
        (folder / "millstream.yaml").write_text(CONFIG.format(url=sandbox_url, timeout_s=timeout_s))
        # Bound and not listening: while the process is dead its port is nobody else's.
        self.reserved = socket.socket()
        self.reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.reserved.bind(("127.0.0.1", 0))
        self.port = self.reserved.getsockname()[1]
        self.process = None

    def start(self):
        """Start and wait until it accepts."""
        command = [
            sys.executable,
            "-m",
            "millstream",
            "serve",
            "--config",
            str(self.folder / "millstream.yaml"),
        ]
        command += [
            "--data-dir",
            str(self.folder / "data"),
            "--port",
            str(self.port),
            "--log-level",
            "warning",
        ]
        environment = {**os.environ, "TOKEN": "t"}
        with (self.folder / "stderr").open("ab") as errors:
            self.process = subprocess.Popen(command, env=environment, stderr=errors)
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{self.port}/healthz", timeout=10).read()
            except OSError:
                assert self.process.poll() is None, (self.folder / "stderr").read_text()[-2000:]
                time.sleep(0.05)
            else:
                return
        raise AssertionError("it does not start")

    def revive(self):
        """Start again if it is dead."""
        if self.process.poll() is not None:
            self.start()

    def kill(self, how=signal.SIGKILL):
        """End it."""
        self.process.send_signal(how)
        self.process.wait(PATIENCE_S)

    def send(self, events):
        """True when the events were acknowledged."""
        body = json.dumps({"writeKey": "k", "batch": events}).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}/v1/batch", body)
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
                return answer.status == 200
        except (OSError, urllib.error.URLError):
            return False


@pytest.fixture
def process(tmp_path):
    """Makes processes; none outlives its test."""
    made = []

    def make(sandbox, **given):
        made.append(Process(tmp_path, sandbox.url, **given))
        made[-1].start()
        return made[-1]

    yield make
    for found in made:
        if found.process.poll() is None:
            found.kill()
        found.reserved.close()


def load(process, rng, rounds, versions, acknowledged, kills):
    """Send traffic; kill in the middle of it. What is not acknowledged is sent again with the same messageIds."""
    kill_at = set(rng.sample(range(rounds), kills))
    for number in range(rounds):
        events = []
        for _ in range(20):
            who = rng.randrange(60)
            versions[who] = versions.get(who, 0) + 1
            at = f"2026-11-01T12:{versions[who] // 60:02d}:{versions[who] % 60:02d}.000Z"
            base = {"userId": f"u{who}", "timestamp": at, "messageId": f"{who}-{versions[who]}"}
            kind = rng.random()
            if kind < 0.5:
                traits = {"email": f"u{who}@x.example", "counter": versions[who]}
                events.append({**base, "type": "identify", "traits": traits})
            elif kind < 0.85:
                events.append({**base, "type": "track", "event": "Did", "properties": {"n": versions[who]}})
            else:
                website = {"website": f"https://c{who % 7}.example", "description": f"v{versions[who]}"}
                events.append({**base, "type": "group", "groupId": f"g{who % 7}", "traits": website})
        sender = None
        if number in kill_at:
            sender = threading.Timer(rng.random() * 0.3, process.kill)
            sender.start()
        while not process.send(events):
            time.sleep(0.05)
            process.revive()
        if sender is not None:
            sender.join()
            process.revive()
        acknowledged.extend(events)
        time.sleep(rng.random() * 0.05)


def settle(process, accepted):
    """Wait until each accepted event has an outcome; the tally."""
    end = time.monotonic() + PATIENCE_S
    while True:
        state = SqliteState(process.folder / "data" / "state.db", read_only=True)
        tally = state.deliveries.tally("hubspot")
        state.close()
        done = sum(n for (s, r), n in tally.items() if s in FINAL and r.value != "duplicate")
        waiting = sum(n for (s, _), n in tally.items() if s.name == "WAITING")
        if done + waiting >= accepted:
            return tally
        assert time.monotonic() < end, (tally, (process.folder / "stderr").read_text()[-3000:])
        time.sleep(0.2)


def judge(sandbox, acknowledged, tally):
    """The promises, from the portal's own history."""
    portal = sandbox.portal
    contacts = portal.records["contacts"].by_id.values()
    emails = [c.values["email"] for c in contacts if "email" in c.values]
    assert len(emails) == len(set(emails)), "a contact is there twice"
    domains = [c.values["millstream_domain"] for c in portal.records["companies"].by_id.values()]
    assert len(domains) == len(set(domains)), "a company is there twice"
    uuids = [o["uuid"] for o in portal.occurrences]
    assert len(uuids) == len(set(uuids)), "an occurrence is there twice"
    newest: dict[str, int] = {}
    identified = {e["userId"] for e in acknowledged if e["type"] == "identify"}
    for event in acknowledged:
        if event["type"] == "identify":
            email = event["traits"]["email"]
            newest[email] = max(newest.get(email, 0), event["traits"]["counter"])
    by_email = {c.values.get("email"): c for c in contacts}
    for email, counter in newest.items():
        contact = by_email[email]
        assert contact.values["counter"] == str(counter), "an acknowledged value is lost"
        history = [int(v) for v, _ in contact.history["counter"]]
        assert history == sorted(history), "an older value overwrote a newer one"
    tracked = [e for e in acknowledged if e["type"] == "track" and e["userId"] in identified]
    assert len(portal.occurrences) == len(tracked), "an acknowledged event is lost"
    assert not any(s.name == "DEAD_LETTERED" for s, _ in tally), tally


@pytest.mark.parametrize("seed", [1, 2])
def test_kill_nine_in_mid_load(process, seed):
    """Ten kills a run at random moments: 0 acknowledged events lost, 0 doubled, no older value over a newer one."""
    rng = random.Random(seed)
    with Sandbox(SandboxConfig(token="t", latency_ms=40)) as sandbox:
        server = process(sandbox)
        acknowledged: list[dict] = []
        load(server, rng, 60, {}, acknowledged, kills=10)
        tally = settle(server, len(acknowledged))
        judge(sandbox, acknowledged, tally)
        server.kill(signal.SIGTERM)
        assert server.process.returncode == 0


FAULTS = {
    "429": [{"kind": "status", "status": 429, "rate": 0.15, "seed": 1}],
    "500": [{"kind": "status", "status": 500, "rate": 0.15, "seed": 2}],
    "502": [{"kind": "status", "status": 502, "rate": 0.15, "seed": 3}],
    "resets": [{"kind": "reset", "rate": 0.1, "seed": 4}],
    "207": [{"kind": "207_partial", "rate": 0.2, "seed": 7}],
    "commit_then_reset": [{"kind": "commit_then_reset", "rate": 0.1, "seed": 5}],
    "commit_then_timeout": [{"kind": "commit_then_timeout", "ms": 4000, "rate": 0.05, "seed": 6}],
}


@pytest.mark.parametrize("name", FAULTS)
def test_faults_of_hubspot(process, name):
    """Refusals, broken connections, and calls that are executed but never answered: the same promises."""
    from millstream.sandbox import faults

    with Sandbox(SandboxConfig(token="t", latency_ms=10)) as sandbox:
        server = process(sandbox, **({"timeout_s": 1.5} if name == "commit_then_timeout" else {}))
        sandbox.hubspot.faults.extend(faults.read(f) for f in FAULTS[name])
        acknowledged: list[dict] = []
        load(server, random.Random(7), 30, {}, acknowledged, kills=1)
        tally = settle(server, len(acknowledged))
        judge(sandbox, acknowledged, tally)
        assert any(f.struck for f in sandbox.hubspot.faults)
        server.kill(signal.SIGTERM)


SPOTS = {
    "upsert": r"/contacts/batch/upsert",
    "event send": r"/send/batch",
    "association": r"/associate/default",
    "property creation": r"/properties/.*/batch/create",
    "definition creation": r"/event-definitions/?$",
}


@pytest.mark.parametrize("spot", SPOTS)
def test_killed_between_commit_and_outcome(process, spot):
    """HubSpot has executed the call, we die before we know: afterwards everything is there exactly once."""
    from millstream.sandbox import faults

    with Sandbox(SandboxConfig(token="t")) as sandbox:
        server = process(sandbox)
        method = "POST"
        held = faults.read(
            {"kind": "commit_then_timeout", "ms": 3000, "path": SPOTS[spot], "method": method, "times": 1}
        )
        sandbox.hubspot.faults.append(held)
        events = []
        for i in range(30):
            base = {"userId": f"u{i}", "timestamp": "2026-11-01T12:00:01.000Z"}
            events += [
                {
                    **base,
                    "type": "identify",
                    "messageId": f"i{i}",
                    "traits": {"email": f"u{i}@x.example", "counter": 1},
                },
                {**base, "type": "track", "messageId": f"t{i}", "event": "Did", "properties": {"n": i}},
                {
                    **base,
                    "type": "group",
                    "messageId": f"g{i}",
                    "groupId": f"g{i % 3}",
                    "traits": {"website": f"https://c{i % 3}.example"},
                },
            ]
        assert server.send(events)
        end = time.monotonic() + PATIENCE_S
        while not held.struck and time.monotonic() < end:
            time.sleep(0.01)
        assert held.struck == 1
        time.sleep(0.05)
        server.kill()
        server.start()
        tally = settle(server, len(events))
        judge(sandbox, events, tally)
        server.kill(signal.SIGTERM)


def test_sighup_takes_a_right_configuration_and_refuses_a_wrong_one(process):
    """A new write key counts at once; a file with errors changes nothing; events flow on."""
    with Sandbox(SandboxConfig(token="t")) as sandbox:
        running = process(sandbox)
        config = running.folder / "millstream.yaml"
        right = config.read_text()

        def answers(key):
            body = json.dumps({"writeKey": key, "userId": "u", "traits": {"email": "a@x.example"}}).encode()
            request = urllib.request.Request(f"http://127.0.0.1:{running.port}/v1/identify", body)
            try:
                with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
                    return answer.status
            except urllib.error.HTTPError as error:
                return error.code

        def until(key, status):
            end = time.monotonic() + PATIENCE_S
            while answers(key) != status:
                assert time.monotonic() < end
                time.sleep(0.1)

        assert answers("second") == 401
        config.write_text(right.replace("write_keys: [k]", "write_keys: [k, second]"))
        assert config.read_text() != right
        running.process.send_signal(signal.SIGHUP)
        until("second", 200)
        config.write_text("sources: nonsense")
        running.process.send_signal(signal.SIGHUP)
        time.sleep(1.0)
        assert answers("second") == 200
        config.write_text(right)
        running.process.send_signal(signal.SIGHUP)
        until("second", 401)
        assert answers("k") == 200
