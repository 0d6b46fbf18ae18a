"""A dry run shows exactly what a delivery sends, changes nothing, and tells old from new; users' own cases run too."""

from __future__ import annotations

import asyncio
import json
import random
import re
import subprocess
import sys
from collections import Counter

import pytest

from millstream.delivery.outcome import State
from millstream.destinations.hubspot.destination import expand
from millstream.runtime.trial import Trial, TrialFailed, as_events
from millstream.sandbox.app import Sandbox
from millstream.sandbox.config import SandboxConfig
from millstream.storage.memory.deliveries import MemoryDeliveryStore
from millstream.storage.memory.overlay import OverlayDeliveryStore, OverlayProcessorStore
from millstream.storage.memory.processor import MemoryProcessorStore
from millstream.workspace.model import Destination, Mapping

_READS = ("/batch/read", "/search")
_NEW = re.compile(rb"new-\d+")
_DEAL = Mapping(
    "deal",
    "upsert_object",
    'type = "track" and event = "Bought"',
    {
        "object_type": "deals",
        "id_field": "dealname",
        "id_value": {"@path": "$.messageId"},
        "properties": {"amount": {"@path": "$.properties.total"}},
        "associations": [
            {
                "object_type": "contact",
                "id_field": "email",
                "id_value": {"@path": "$.profile.email"},
                "label": "HUBSPOT_DEFINED:3",
            }
        ],
    },
)
_LIST = Mapping(
    "list",
    "list_membership",
    'type = "identify" and traits.vip != null',
    {"list_name": "vip", "member": {"@path": "$.traits.vip"}},
)


def some_events(rng, n):
    """A mix over few persons and companies, so that most events meet something that is there."""
    cities = ("Rome", "Paris", "", None)
    for i in range(n):
        user = i if i < 40 else rng.randrange(40)  # first everybody's address: nothing waits for one
        base = {
            "userId": f"u{user}",
            "messageId": f"m{i}",
            "timestamp": f"2026-01-01T00:{i // 60:02d}:{i % 60:02d}Z",
        }
        kind = rng.random() if i >= 40 else 0
        if kind < 0.5:
            traits = {"email": f"u{user}@x.example", "firstName": f"F{rng.randrange(3)}"}
            traits |= {"vip": rng.random() < 0.5} if rng.random() < 0.3 else {}
            yield {**base, "type": "identify", "traits": {**traits, "address": {"city": rng.choice(cities)}}}
        elif kind < 0.85:
            name = rng.choice(("Bought", "Viewed", "Left"))
            yield {
                **base,
                "type": "track",
                "event": name,
                "properties": {"total": rng.randrange(99), "n": "x"},
            }
        else:
            company = rng.randrange(8)
            traits = {"website": f"https://c{company}.example", "name": f"C{rng.randrange(3)}"}
            yield {**base, "type": "group", "groupId": f"g{company}", "traits": traits}


def destination(url):
    """Classic with a deal and a list besides."""
    settings = {
        "portal_id": "20001",
        "access_token": "sandbox-token",
        "api_url": url,
        "unknown_properties": "create",
        "budget_share": 100.0,  # this portal has no limit
    }
    return expand(
        Destination("hubspot", "hubspot", preset="classic", settings=settings, mappings=(_DEAL, _LIST))
    )


def by_path(requests):
    """Calls that do not wait for one another go in any order."""
    return sorted(requests, key=lambda r: (r.path, r.body))


async def rehearse_and_deliver(sandbox, items):
    """Each event rehearsed over what is known, then delivered: both sides' requests."""
    profiles, records = MemoryProcessorStore(), MemoryDeliveryStore()
    there = destination(sandbox.url)
    calls = sandbox.portal.calls
    async with Trial(there, profiles, records, "record") as real:
        for event in as_events(items, "server"):
            began, held = len(calls), json.dumps(sandbox.portal.canonical())
            below = OverlayProcessorStore(profiles, profiles.position()), OverlayDeliveryStore(records)
            async with Trial(there, *below, "rehearse") as rehearsal:
                shown = await rehearsal.run(event)
            asked = [(c["method"], c["path"]) for c in list(calls)[began:]]
            assert all(m == "GET" or p.endswith(_READS) for m, p in asked), asked
            assert json.dumps(sandbox.portal.canonical()) == held
            yield shown, await real.run(event)


def test_five_hundred_rehearsals_are_byte_identical_to_what_is_sent():
    """The same requests, byte for byte (ids that HubSpot has yet to give apart); HubSpot is only read."""
    seen: Counter[str] = Counter()

    async def work():
        config = SandboxConfig(rate_limits=False, search_lag_ms=0, property_lag_ms=0)
        with Sandbox(config) as sandbox:
            items = list(some_events(random.Random(7), 500))
            async for shown, sent in rehearse_and_deliver(sandbox, items):
                mine_all, theirs_all = by_path(shown.requests), by_path(sent.requests)
                assert len(mine_all) == len(theirs_all)
                for mine, theirs in zip(mine_all, theirs_all, strict=True):
                    for one, other in ((mine.path.encode(), theirs.path.encode()), (mine.body, theirs.body)):
                        pattern = _NEW.sub(rb"\\d+", re.escape(one).replace(rb"new\-", b"new-"))
                        assert re.fullmatch(pattern, other), (one, other)
                    seen[mine.path.rsplit("/", 2)[1] + "/" + mine.path.rsplit("/", 1)[1]] += 1
                assert [(o.job, o.state, o.reason, o.notes) for o in shown.outcomes] == [
                    (o.job, o.state, o.reason, o.notes) for o in sent.outcomes
                ]

    asyncio.run(work())
    assert seen["batch/upsert"] > 20
    assert seen["batch/update"] > 50
    assert seen["send/batch"] > 100
    assert seen["memberships/add-and-remove"] > 20
    assert seen["batch/create"] > 20  # deals and their associations


def test_a_rehearsal_tells_old_from_new():
    """Each property that would change, with its value in HubSpot now; what stays is not mentioned."""

    async def work():
        with Sandbox(SandboxConfig(rate_limits=False, property_lag_ms=0)) as sandbox:
            portal = sandbox.portal
            portal.type("contacts").create(
                {"email": "ann@x.example", "firstname": "Ann", "city": "Rome"}, portal.stamp()
            )
            items = [
                {
                    "type": "identify",
                    "userId": "a",
                    "traits": {"email": "ANN@x.example", "firstName": "Ann", "address": {"city": "Paris"}},
                }
            ]
            stores = MemoryProcessorStore(), MemoryDeliveryStore()
            async with Trial(destination(sandbox.url), *stores, "rehearse") as trial:
                return await trial.run(as_events(items, "server")[0])

    tried = asyncio.run(work())
    assert [(c.property, c.old, c.new) for c in tried.changes] == [("city", "Rome", "Paris")]
    assert [o.state for o in tried.outcomes] == [State.DELIVERED]


def millstream(folder, *arguments, stdin="", env=None):
    """The command in a folder with a configuration."""
    ran = subprocess.run(
        [sys.executable, "-m", "millstream", *arguments],
        capture_output=True,
        text=True,
        cwd=folder,
        input=stdin,
        env={"PATH": "", "TOKEN": "e2e-token", **(env or {})},
        check=False,
    )
    return ran.returncode, ran.stdout, ran.stderr


def test_the_command_beside_a_running_server(pair):
    """An event of the log, or a pasted one, against what the server knows by now: unchanged is unchanged."""
    on = pair()
    on.batch([{"type": "identify", "userId": "u", "messageId": "m1", "traits": {"email": "u@x.example"}}])
    on.settled(1)
    before = json.dumps(on.portal)
    args = ("dryrun", "--data-dir", str(on.folder / "data"))
    code, out, err = millstream(on.folder, *args, "--event", "m1")
    assert code == 0, err
    assert [o["reason"] for o in json.loads(out)["outcomes"]] == ["unchanged"]
    pasted = json.dumps(
        {"type": "identify", "userId": "u", "traits": {"firstName": "U", "email": "u@x.example"}}
    )
    code, out, err = millstream(on.folder, *args, stdin=pasted)
    assert code == 0, err
    told = json.loads(out)
    assert [(c["property"], c["old"], c["new"]) for c in told["changes"]] == [("firstname", None, "U")]
    assert told["requests"][0]["request"].endswith("/contacts/batch/update")
    assert json.dumps(on.portal) == before
    assert sum(on.tally().values()) == 1
    for stdin, words in (
        ("{", "line 1"),
        ('{"type": "nope", "userId": "u"}', "unknown_type"),
        ("[]", "no call"),
        ('{"type": "track", "userId": "u", "event": "E", "timestamp": [], "properties": []}', "not_object"),
        ('{"type": "track", "userId": [], "event": "\\ud83d"}', "id_not_string"),
        ('{"type": "page", "userId": "u"}\n{"type": }', "line 2"),
    ):
        code, _, err = millstream(on.folder, *args, stdin=stdin)
        assert code == 1
        assert words in err
        assert "Traceback" not in err
    odd = '{"type":"track","userId":"u","event":"E","timestamp":[],"properties":{"a":"\\ud83d","b":1e999,"c":NaN}}'
    code, out, err = millstream(on.folder, *args, stdin=odd)
    assert code == 0, err
    request = json.loads(out)["requests"][-1]
    assert request["body"]["inputs"][0]["properties"] == {"a": "\ufffd", "b": "1e999"}
    code, _, err = millstream(on.folder, *args, "--event", "nobody")
    assert (code, "no event 'nobody'" in err) == (1, True)


CONFIG = """
sources: [{name: web, write_keys: [k]}]
destinations:
  - {name: hubspot, preset: classic, settings: {portal_id: "77", access_token: "${SECRET}", api_version: v3}}
"""
CASES = """
cases:
  - name: an order becomes an event of its contact
    hubspot:
      records: {contacts: [{email: jane@x.example}]}
      event_definitions: [{name: order_completed, label: Order Completed, propertyDefinitions: [{name: total, label: t, type: number}]}]
    before: [{type: identify, userId: u1, traits: {email: jane@x.example}}]
    event: {type: track, userId: u1, event: Order Completed, properties: {total: 12.5}}
    requests:
      - request: POST /events/v3/send/batch
        body:
          inputs:
            - eventName: pe77_order_completed
              objectId: "*"
              occurredAt: "2026-01-01T00:00:00.000Z"
              uuid: "*"
              properties: {total: "12.5"}
  - name: nobody is known
    events: [{type: track, userId: u2, event: Order Completed}]
    requests: []
    outcomes: {track to event/event: no_identity_yet}
"""


def test_cases_of_users_run_without_hubspot(tmp_path):
    """Every case against a portal of its own, no secret needed; a case that is wrong shows what differs."""
    (tmp_path / "millstream.yaml").write_text(CONFIG)
    (tmp_path / "millstream.tests.yaml").write_text(CASES)
    code, out, err = millstream(tmp_path, "test")
    assert code == 0, out + err
    assert [json.loads(line)["ok"] for line in out.splitlines()] == [True, True]
    (tmp_path / "millstream.tests.yaml").write_text(CASES.replace('total: "12.5"', 'total: "13"'))
    code, out, _ = millstream(tmp_path, "test")
    wrong = json.loads(out.splitlines()[0])
    assert (code, wrong["ok"]) == (1, False)
    assert "-        total: '13'" in wrong["problem"]
    assert "+        total: '12.5'" in wrong["problem"]


SEVERAL = """
cases:
  - name: several events
    hubspot: {event_definitions: [bought]}
    before: [{type: identify, userId: u1, traits: {email: jane@x.example}}]
    events:
      - {type: track, userId: u2, event: bought}
      - {type: track, userId: u1, event: bought}
    outcomes: OUTCOMES
"""


@pytest.mark.parametrize(
    ("outcomes", "ok"),
    [
        ("[{track to event/event: no_identity_yet}, {track to event/event: ok}]", True),
        ("[{track to event/event: ok}, {track to event/event: ok}]", False),
        ("[{track to event/event: no_identity_yet}]", False),
        ("[{}, {track to event/event: ok}]", True),
        ("{track to event/event: ok}", False),
        ("{track to event/event: no_identity_yet}", False),
        ("{}", True),
    ],
)
def test_no_event_of_a_case_hides_another(tmp_path, outcomes, ok):
    """A list of outcomes is one for each event; one mapping is what every such effect came to."""
    (tmp_path / "millstream.yaml").write_text(CONFIG)
    (tmp_path / "millstream.tests.yaml").write_text(SEVERAL.replace("OUTCOMES", outcomes))
    code, out, err = millstream(tmp_path, "test")
    ran = json.loads(out.splitlines()[0])
    assert (code, ran["ok"]) == (0 if ok else 1, ok), out + err
    assert [o["track to event/event"] for o in ran["got"]["outcomes"]] == ["no_identity_yet", "ok"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("cases: 5", "needs `cases`"),
        ("cases: [{event: {type: track}, outcomes: 5}]", "outcomes must be a dict or list"),
        ("cases: [{event: {type: track}, outcomes: [5]}]", "outcomes of an event must be a dict"),
        ("cases: [{name: x}]", "needs an event"),
        ("cases: [{event: {type: track}}]", "expects nothing"),
        ("cases: [{evnt: {}}]", "unknown key evnt"),
        ("cases: [{event: {type: track}, requests: 5}]", "requests must be a list"),
        ("cases: [{events: [{type: track, userId: u}], requests: []}]", "event_not_defined"),
        ("cases: [{event: {type: page, userId: u}, destination: x, requests: []}]", "say which destination"),
        (
            "cases: [{event: {type: page, userId: u}, requests: [], hubspot: {records: {contacts: [{nope: 1}]}}}]",
            "does not exist",
        ),
        ("{", "millstream.tests.yaml"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_wrong_case_says_what_is_wrong(tmp_path, text, words):
    """Never a traceback."""
    (tmp_path / "millstream.yaml").write_text(CONFIG)
    (tmp_path / "millstream.tests.yaml").write_text(text)
    code, out, err = millstream(tmp_path, "test")
    assert code == 1
    assert words in out + err
    assert "Traceback" not in out + err


def test_an_event_that_is_none_is_told():
    """The number of the item and the reason."""
    with pytest.raises(TrialFailed, match="event 2 is none: no_user_anon_id"):
        as_events([{"type": "page", "userId": "u"}, {"type": "page"}], "web")
