"""Decisions of docs/semantics.md that only show in the portal: addresses that move, lifecycle stages, names, limits."""

from __future__ import annotations

import time

import pytest

from millstream.delivery.outcome import State
from millstream.sandbox import faults
from millstream.sandbox.config import SCOPES
from millstream.sandbox.rules import Rules


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


def test_two_user_ids_on_one_mailbox(pair):
    """An old and a new account of one person: one contact, and what either does is delivered; nothing waits."""
    on = pair()
    moment = {"timestamp": "2026-11-01T12:00:09.000Z"}
    send(
        on,
        identify("old-1", 1, email="shared@x.example", plan="free"),
        identify("new-1", 2, email="Shared@x.example", plan="pro"),
        {"type": "track", "userId": "new-1", "event": "Bought", **moment},
        identify("new-1", 10, city="Ulm"),
        {"type": "group", "userId": "new-1", "groupId": "g", "traits": {"website": "acme.example"}, **moment},
        {"type": "track", "userId": "old-1", "event": "Bought", **moment},
    )
    assert {state for state, _ in on.tally()} == {State.DELIVERED}
    (contact,) = on.portal["contacts"]
    assert (contact["plan"], contact["city"]) == ("pro", "Ulm")
    assert [o["contact"] for o in on.portal["occurrences"]] == ["shared@x.example"] * 2
    assert {tuple(a[:4]) for a in on.portal["associations"]} == {
        ("companies", "acme.example", "contacts", "shared@x.example"),
        ("contacts", "shared@x.example", "companies", "acme.example"),
    }


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
    on.hubspot("POST", "/crm/v3/objects/contacts", {"properties": {"email": email, "lastname": lastname}})


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


def test_names_without_latin_letters_do_not_meet(pair):
    """Each key of a script without Latin letters is a property of its own, also of events and over events."""
    on = pair()
    track = {"type": "track", "userId": "u", "event": "注文", "properties": {"名前": "a", "住所": "b"}}
    send(
        on,
        identify("u", 1, email="a@x.example", 名前="Aiko"),
        identify("u", 2, 住所="Kyoto"),
        identify("u", 3, größe="L"),
        identify("u", 4, grüße="hi"),
        track,
    )
    labels = {name: on.hubspot("GET", f"/crm/v3/properties/contacts/{name}")["label"] for name in MADE}
    assert labels == {"p_28e959": "名前", "p_959c66": "住所", "gr__e": "größe"}
    (contact,) = on.portal["contacts"]
    assert {name: contact[name] for name in labels} == {
        "p_28e959": "Aiko",
        "p_959c66": "Kyoto",
        "gr__e": "hi",
    }
    assert [o.notes for i in (1, 2, 3) for o in outcomes(on, i)[:1]] == [(), (), ("name_collision:gr__e",)]
    assert on.portal["occurrences"][-1]["properties"] == {"p_28e959": "a", "p_959c66": "b"}


MADE = ("p_28e959", "p_959c66", "gr__e")


def test_empty_event_properties_make_nothing(pair):
    """Null, empty text, list and object are no property of an event; what is there is sent."""
    on = pair()
    empty = {"a": [], "b": {}, "c": "", "d": None, "e": {"f": "", "g": []}, "zero": 0, "no": False}
    send(
        on,
        identify("u", 1, email="a@x.example"),
        {"type": "track", "userId": "u", "event": "Empty", "properties": empty},
    )
    (definition,) = (made for _, made in on.sandbox.portal.definitions.items())
    own = [p["name"] for p in definition["properties"] if not p["name"].startswith("hs_")]
    assert own == ["zero", "no"]
    assert on.portal["occurrences"][-1]["properties"] == {"zero": "0", "no": "false"}


def test_a_company_with_an_empty_name_is_called_by_its_domain(pair):
    """As one without a name."""
    on = pair()
    traits = {"website": "https://acme.example", "name": ""}
    send(
        on,
        identify("u", 1, email="a@x.example"),
        {"type": "group", "userId": "u", "groupId": "g", "traits": traits},
    )
    assert [c["name"] for c in on.portal["companies"]] == ["acme.example"]


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
    on.sandbox.portal.rules.by_type["contacts"] = Rules(required=("phone",))
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
    on.until(lambda: (State.RETRYING, "row_retry") in on.tally())
    assert "of 10 at 20" in outcomes(on, 0)[0].detail
    on.restart()
    time.sleep(1.0)
    parked = on.server.server.parts._state.deliveries.parked("hubspot")
    assert parked[0].tries >= 4
    on.sandbox.hubspot.faults.clear()
    on.restart()
    assert on.settled(1) == {(State.DELIVERED, "ok"): 1}
    assert on.server.server.parts._state.deliveries.parked("hubspot") == []


def test_a_new_contact_keeps_its_original_source(pair):
    """With `attribution_form` the visitor's cookie is submitted before the contact is written, once; without, nothing."""
    on = pair(more="      attribution_form: aaaa-bbbb\n      forms_api_url: SANDBOX\n")
    config = on.folder / "millstream.yaml"
    config.write_text(config.read_text().replace("SANDBOX", on.sandbox.url))
    on.restart()
    context = {"hubspotutk": "c" * 32, "page": {"url": "https://x.example/a", "title": "A"}}
    send(
        on,
        {**identify("u", 1, email="a@x.example", firstName="Ada"), "context": context},
        {**identify("u", 2, lastName="Lovelace"), "context": context},
        identify("v", 3, email="b@x.example"),
    )
    (submission,) = on.sandbox.portal.submissions
    assert (submission["hutk"], submission["pageUrl"]) == ("c" * 32, "https://x.example/a")
    assert [c["email"] for c in on.portal["contacts"]] == ["a@x.example", "b@x.example"]
    assert on.portal["contacts"][0]["lastname"] == "Lovelace"
    paths = [c["path"] for c in on.calls]
    assert paths.index(next(p for p in paths if "submissions" in p)) < paths.index(
        next(p for p in paths if p.endswith("contacts/batch/upsert"))
    )


def test_a_visitor_without_an_address_is_told_by_token(pair):
    """An event with nothing but the visitor's `hubspotutk` goes out by it, and waits for nobody."""
    on = pair()
    track = {"type": "track", "anonymousId": "x", "event": "Seen", "context": {"hubspotutk": "d" * 32}}
    send(on, track)
    (occurrence,) = on.sandbox.portal.occurrences
    assert (occurrence["utk"], occurrence["email"]) == ("d" * 32, None)


def _mode(on, mode):
    """The same configuration with the destination in another mode, after a restart."""
    config = on.folder / "millstream.yaml"
    text = config.read_text().replace("    mode: off\n", "")
    config.write_text(text.replace("    preset: classic\n", f"    mode: {mode}\n    preset: classic\n"))
    on.restart()


def test_what_is_pending_when_a_destination_is_disabled_is_delivered_later(pair):
    """Read but undecided events are kept while it is off; what arrives meanwhile is filtered; then all goes out."""
    on = pair()
    on.sandbox.hubspot.faults.append(faults.read({"kind": "status", "status": 503, "path": "/contacts/"}))
    on.batch([identify(f"u{i}", email=f"u{i}@x.example") for i in range(20)])
    on.until(lambda: on.sandbox.hubspot.faults[0].struck)
    _mode(on, "off")
    on.sandbox.hubspot.faults.clear()
    on.batch([identify("late", email="late@x.example")])
    assert on.settled(1) == {(State.FILTERED, "destination_disabled"): 1}
    assert on.portal["contacts"] == []
    config = on.folder / "millstream.yaml"
    config.write_text(config.read_text().replace("    mode: off\n", ""))
    on.restart()
    assert on.settled(21) == {(State.FILTERED, "destination_disabled"): 1, (State.DELIVERED, "ok"): 20}
    assert len(on.portal["contacts"]) == 20


def test_rudderstacks_stored_traits_do_not_come_back(pair):
    """Its browser SDK repeats all stored traits: an old one on a track call does not go over a newer value."""
    on = pair(preset="rudderstack")
    old = {"email": "r@x.example", "plan": "free"}
    send(on, identify("r", 1, email="r@x.example", plan="pro"))
    on.post(
        "/v1/track",
        {
            "writeKey": "e2e-key",
            "type": "track",
            "userId": "r",
            "event": "Seen",
            "originalTimestamp": "2026-11-01T12:00:05.000Z",
            "sentAt": "2026-11-01T12:00:05.000Z",
            "channel": "web",
            "context": {"library": {"name": "RudderLabs JavaScript SDK"}, "traits": {**old, "seat": "12"}},
        },
        {"AnonymousId": "YQ=="},
    )
    on.settled(2)
    (contact,) = on.portal["contacts"]
    assert contact["plan"] == "pro"


def test_user_properties_on_an_amplitude_event_reach_the_contact(pair):
    """Also when the contact is there already; operations by their results; other group types make no company."""
    on = pair()

    def amplitude(**event):
        on.post("/2/httpapi", {"api_key": "e2e-key", "events": [{"user_id": "user-1", **event}]})

    amplitude(event_type="$identify", user_properties={"$set": {"email": "a@x.example", "plan": "free"}})
    on.settled(1)
    amplitude(event_type="Seen", user_properties={"$set": {"plan": "pro"}, "$add": {"visits": 2}})
    on.settled(2)
    (contact,) = on.portal["contacts"]
    assert (contact["plan"], contact["visits"]) == ("pro", "2")
    amplitude(
        event_type="$groupidentify",
        groups={"league": "red"},
        group_properties={"$set": {"website": "https://l.example"}},
    )
    assert on.settled(3)[State.FILTERED, "unsupported_event_type"] == 1
    assert on.portal["companies"] == []


def test_a_portal_that_refuses_everything_is_paused(pair):
    """403 on the schema of contacts, or on every family of calls: paused, nothing asked in a loop, nothing lost."""
    on = pair()
    on.sandbox.hubspot.faults.append(
        faults.read({"kind": "status", "status": 403, "path": "/crm/properties/.*/contacts"})
    )
    on.batch([identify("u", email="u@x.example")])
    on.until(lambda: on.state == "paused")
    time.sleep(1.0)  # what is asked in a loop would be asked by then
    assert len(on.calls) < 6
    on.sandbox.hubspot.faults.clear()
    on.restart()
    assert on.settled(1) == {(State.DELIVERED, "ok"): 1}


def test_small_print_of_names(pair):
    """Nested `{}` changes nothing; `hs_*` only as HubSpot has them; only the two session events are automatic."""
    on = pair()
    send(
        on,
        identify("u", 1, email="u@x.example", address={"city": "Rome", "extra": {}}, deep={"empty": {}}),
        {
            "type": "track",
            "userId": "u",
            "event": "session_started",
            "properties": {"hs_page_url": "https://x.example", "hs_made_up": "1"},
        },
        {"type": "track", "userId": "u", "event": "session_start"},
    )
    assert not [p for p in on.portal["properties"] if p[1].startswith(("deep", "address"))]
    (occurrence,) = on.portal["occurrences"]
    assert occurrence["properties"] == {"hs_page_url": "https://x.example"}
    assert "unknown_property_dropped:hs_made_up" in outcomes(on, 1)[0].notes
    assert outcomes(on, 2)[0].reason == "no_matching_mapping"


def test_classics_seven_scopes_are_enough(pair):
    """Without the right to make properties, companies are found by domain or made once, and contacts associated."""
    scopes = tuple(
        s for s in SCOPES if s not in {"crm.schemas.companies.write", "crm.schemas.contacts.write"}
    )
    on = pair(scopes=scopes, search_lag_ms=0)
    group = {"type": "group", "userId": "u", "groupId": "g", "traits": {"website": "https://a.example"}}
    send(on, identify("u", 1, email="u@x.example"), group)
    on.restart()
    send(on, {**group, "groupId": "h", "traits": {**group["traits"], "industry": "RETAIL"}})
    (company,) = on.portal["companies"]
    assert (company["domain"], company["industry"]) == ("a.example", "RETAIL")
    assert sum(1 for a in on.portal["associations"] if a[0] == "contacts") == 1


def test_shadow_mode_learns_nothing(pair):
    """What shadow mode kept is not taken for written: once live, the same values, properties and events all arrive."""
    on = pair()
    _mode(on, "shadow")
    said = [
        identify("u", 1, email="u@x.example", plan="pro"),
        {"type": "track", "userId": "u", "event": "Seen", "properties": {"n": 1}},
        {"type": "group", "userId": "u", "groupId": "g", "traits": {"website": "https://g.example"}},
    ]
    send(on, *said)
    assert on.portal["contacts"] == []
    config = on.folder / "millstream.yaml"
    config.write_text(config.read_text().replace("    mode: shadow\n", ""))
    on.restart()
    send(on, *said)
    assert [c["plan"] for c in on.portal["contacts"]] == ["pro"]
    assert [o["properties"] for o in on.portal["occurrences"]] == [{"n": "1"}]
    assert sum(1 for a in on.portal["associations"] if a[0] == "contacts") == 1


def test_a_plan_below_enterprise_is_believed(pair):
    """With `tier: professional` definitions are not asked for; custom events end as unavailable, the rest goes."""
    on = pair(more="      tier: professional\n")
    send(on, identify("u", 1, email="u@x.example"), {"type": "track", "userId": "u", "event": "Seen"})
    assert on.tally()[State.FILTERED, "custom_events_unavailable"] == 1
    assert not [c for c in on.calls if "event-definitions" in c["path"]]


@pytest.mark.parametrize(
    ("preset", "made", "bought"),
    [
        ("classic", {"prefs_news": "true", "tags": "a;b", "city": "Ulm"}, {"cart_n": "2", "ids": "1;2"}),
        (
            "rudderstack",
            {"prefs": '{"news":true}', "tags": '["a","b"]', "city": "Ulm"},
            {"cart": '{"n":2}', "ids": "[1,2]"},
        ),
    ],
)
def test_nested_values(pair, preset, made, bought):
    """Flattened, or under `preset: rudderstack` the JSON text that RudderStack sent: with an event, and without one."""
    on = pair(preset=preset)
    traits = {"prefs": {"news": True}, "tags": ["a", "b"], "address": {"city": "Ulm"}}
    cart = {
        "type": "track",
        "userId": "u",
        "event": "Bought",
        "properties": {"cart": {"n": 2}, "ids": [1, 2]},
    }
    send(on, identify("u", 1, email="u@x.example", **traits), cart)
    (contact,) = on.portal["contacts"]
    assert {k: contact.get(k) for k in made} == made
    assert on.portal["occurrences"][0]["properties"] == bought


def test_json_text_is_as_old_as_what_was_said(pair):
    """A contact that is made for an event gets the profile's lists with their own times: a later word still counts."""
    on = pair(preset="rudderstack")
    send(on, {**identify("u", 1, tags=["a"]), "messageId": "m1"})
    track = {"type": "track", "userId": "u", "event": "Bought", "timestamp": "2026-11-01T12:00:30.000Z"}
    on.batch([track])
    on.settled(2, waiting=True)
    send(on, identify("u", 2, email="u@x.example"))
    assert [c["tags"] for c in on.portal["contacts"]] == ['["a"]']
    send(on, identify("u", 20, tags=["b"]))
    assert [c["tags"] for c in on.portal["contacts"]] == ['["b"]']
