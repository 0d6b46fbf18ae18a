"""Every action against the sandbox: what the portal holds afterwards, and how many calls it took."""

from __future__ import annotations

import time
from collections import Counter

import pytest

from millstream.delivery.outcome import State


def paths(on):
    """How often each path was called, without ids."""
    return Counter(c["path"].split("?")[0] for c in on.calls)


def mappings(text):
    """Mappings of a destination without a preset."""
    return "    mappings:\n" + "\n".join(f"      {line}" for line in text.strip("\n").split("\n")) + "\n"


def records(on, object_type):
    """Values of all records of a type."""
    return [r.values for r in on.sandbox.portal.type(object_type).by_id.values() if not r.archived]


DEALS = """
- name: deals
  action: upsert_object
  trigger: type = "track" and event = "Deal"
  fields:
    object_type: deal
    id_field: {id_field}
    id_value: {{"@path": $.properties.id}}
    mode: {mode}
    properties: {{dealname: {{"@path": $.properties.name}}, {id_field}: {{"@path": $.properties.id}}, amount: {{"@path": $.properties.amount}}}}
"""


def deal(number, **more):
    """An event about a deal."""
    return {
        "type": "track",
        "userId": f"u{number}",
        "event": "Deal",
        "properties": {"id": f"D-{number}", "name": f"Deal {number}", **more},
    }


def unique_property(on, object_type, name):
    """A property that HubSpot finds records by."""
    group = {"deals": "dealinformation"}.get(object_type, f"{object_type}_information")
    on.hubspot(
        "POST",
        f"/crm/v3/properties/{object_type}",
        {
            "name": name,
            "label": name,
            "type": "string",
            "fieldType": "text",
            "groupName": group,
            "hasUniqueValue": True,
        },
    )


def test_a_thousand_objects_by_a_unique_property_take_ten_calls(pair):
    """`batch/upsert` by the unique property, never a search; numbers and names arrive as the portal's types want."""
    on = pair(preset="null", more=mappings(DEALS.format(id_field="crm_id", mode="upsert")))
    unique_property(on, "deals", "crm_id")
    on.restart()
    on.calls.clear()
    with on.gathered():
        on.batch([deal(i, amount="12.50") for i in range(1000)])
    on.settled(1000)
    assert len(records(on, "deals")) == 1000
    assert {r["amount"] for r in records(on, "deals")} == {"12.50"}
    assert paths(on)["/crm/objects/2026-09/deals/batch/upsert"] <= 11
    assert not [p for p in paths(on) if "search" in p]


def test_objects_by_a_property_that_is_not_unique_are_searched_in_bulk(pair):
    """`IN` with as many values as fit: found ones updated, missing ones made once, several hits nobody's guess."""
    on = pair(preset="null", more=mappings(DEALS.format(id_field="dealname", mode="upsert")), search_lag_ms=0)
    for name in ("D-1", "D-2", "D-2"):
        on.hubspot("POST", "/crm/v3/objects/deals", {"properties": {"dealname": name}})
    on.calls.clear()
    with on.gathered():
        on.batch([deal(i, amount=i) for i in range(300)])
    on.settled(300)
    found = Counter(r["dealname"] for r in records(on, "deals"))
    assert found == Counter({f"D-{i}": 1 for i in range(300)}) + Counter({"D-2": 1})
    assert {r["amount"] for r in records(on, "deals") if r["dealname"] == "D-1"} == {"1"}
    ambiguous = on.outcome(2)
    assert (ambiguous.state, ambiguous.reason) == (State.DEAD_LETTERED, "ambiguous")
    assert sum(n for p, n in paths(on).items() if p.endswith("search")) <= 6


@pytest.mark.parametrize(
    ("mode", "made", "changed"), [("add", 1, False), ("update", 0, True), ("upsert", 1, True)]
)
def test_sync_modes(pair, mode, made, changed):
    """Add leaves what is there, update makes nothing, upsert does both; what did not apply says so."""
    on = pair(preset="null", more=mappings(DEALS.format(id_field="crm_id", mode=mode)), property_lag_ms=0)
    unique_property(on, "deals", "crm_id")
    on.hubspot("POST", "/crm/v3/objects/deals", {"properties": {"crm_id": "D-1", "amount": "1"}})
    on.restart()
    on.batch([deal(1, amount=5), deal(2, amount=6)])
    on.settled(2)
    found = {r["crm_id"]: r["amount"] for r in records(on, "deals")}
    assert len(found) == 1 + made
    assert found["D-1"] == ("5" if changed else "1")
    states = [on.outcome(i).reason for i in (0, 1)]
    assert (
        states
        == {
            "add": ["sync_mode", "ok"],
            "update": ["ok", "sync_mode"],
            "upsert": ["ok", "ok"],
        }[mode]
    )


MACHINES = """
- name: machines
  action: upsert_object
  trigger: type = "track" and event = "Machine"
  fields:
    object_type: machine
    id_field: serial
    id_value: {"@path": $.properties.serial}
    properties: {serial: {"@path": $.properties.serial}, power: {"@path": $.properties.power}, colour: {"@path": $.properties.colour}}
    associations:
      - object_type: contact
        label: {"@path": $.properties.label}
        id_field: email
        id_value: {"@path": $.properties.owner}
    dissociations:
      - object_type: contact
        label: {"@path": $.properties.label}
        id_field: email
        id_value: {"@path": $.properties.former}
"""


def custom_object(on):
    """A custom object type, and a label between it and contacts. Returns the label."""
    machine = {
        "name": "machine",
        "labels": {"singular": "Machine", "plural": "Machines"},
        "requiredProperties": [],
        "primaryDisplayProperty": "serial",
        "properties": [
            {
                "name": "serial",
                "label": "Serial",
                "type": "string",
                "fieldType": "text",
                "hasUniqueValue": True,
            },
            {"name": "power", "label": "Power", "type": "number", "fieldType": "number"},
        ],
        "associatedObjects": ["CONTACT"],
    }
    on.hubspot("POST", "/crm-object-schemas/v3/schemas", machine)
    made = on.hubspot(
        "POST", "/crm/v4/associations/machine/contact/labels", {"label": "Owner", "name": "owner"}
    )
    return f"{made['results'][0]['category']}:{made['results'][0]['typeId']}"


def test_custom_objects_with_labelled_associations(pair):
    """By any name of the type; contacts made on the way; labels put on and taken off, in the order of events."""
    on = pair(preset="null", more=mappings(MACHINES) + "", property_lag_ms=0)
    label = custom_object(on)
    on.restart()
    track = {"type": "track", "userId": "u", "event": "Machine"}
    first = {"serial": "M1", "power": 3.5, "owner": "A@x.example", "label": label, "colour": "red"}
    second = {"serial": "M1", "owner": "b@x.example", "former": "a@x.example", "label": label}
    on.batch([{**track, "properties": first}])
    on.settled(1)
    assert [a[:2] + a[2:4] for a in on.portal["associations"] if a[0] == "machine"] == [
        ["machine", on.portal["associations"][-1][1], "contacts", "a@x.example"]
    ]
    on.batch([{**track, "properties": second}])
    on.settled(2)
    assert [r["power"] for r in records(on, "machine")] == ["3.5"]
    assert {c["email"] for c in on.portal["contacts"]} == {"a@x.example", "b@x.example"}
    labelled = {a[3]: len(a[4]) for a in on.portal["associations"] if a[0] == "machine"}
    assert labelled == {"a@x.example": 1, "b@x.example": 2}  # HubSpot's unlabelled association stays
    assert [r["colour"] for r in records(on, "machine")] == ["red"]  # made: unknown_properties is create


def test_an_association_that_only_reads(pair):
    """association_mode read: a record that is not there dead-letters its association and nothing else."""
    text = MACHINES.replace(
        "    object_type: machine\n", "    object_type: machine\n    association_mode: read\n"
    )
    on = pair(preset="null", more=mappings(text), property_lag_ms=0)
    custom_object(on)
    on.restart()
    properties = {"serial": "M1", "owner": "nobody@x.example"}
    on.batch([{"type": "track", "userId": "u", "event": "Machine", "properties": properties}])
    on.settled(1)
    assert len(records(on, "machine")) == 1
    assert on.portal["contacts"] == []
    assert on.outcome(0, "association:0").reason == "record_not_found"
    assert on.outcome(0, "object").reason == "ok"


AUDIENCE = """
- name: audience
  action: list_membership
  trigger: context.personas.computation_key != null
- name: identify
  action: upsert_contact
  trigger: type = "identify"
"""


def audience(number, member, at=0):
    """An Engage audience's identify."""
    return {
        "type": "identify",
        "userId": f"u{number}",
        "timestamp": f"2026-11-01T12:00:{at:02d}.000Z",
        "traits": {"email": f"p{number}@x.example", "vip": member},
        "context": {"personas": {"computation_class": "audience", "computation_key": "vip"}},
    }


def test_an_audience_becomes_a_static_list(pair):
    """The list is made once; 1,000 members join with one call or two; leaving and joining again keep their order."""
    on = pair(preset="null", more=mappings(AUDIENCE))
    with on.gathered():
        on.batch([audience(i, member=True) for i in range(1000)])
    on.settled(1000)
    portal = on.sandbox.portal
    (list_id,) = portal.lists
    assert portal.lists[list_id]["name"] == "vip"
    assert len(portal.members[list_id]) == 1000
    changes = sum(n for p, n in paths(on).items() if p.endswith("add-and-remove"))
    assert changes <= 11  # one for each batch of contacts at worst: members go when their contact is there
    assert len(on.calls) <= 30, paths(on)
    on.batch(
        [audience(1, member=False, at=5), audience(2, member=False, at=5), audience(2, member=True, at=6)]
    )
    on.settled(1003)
    contact = portal.type("contacts").find("p1@x.example", "email").id
    assert contact not in portal.members[list_id]
    assert len(portal.members[list_id]) == 999


def test_a_list_that_was_deleted_is_made_again(pair):
    """HubSpot says 404 for the list that we knew: forgotten, made anew, the member is on it."""
    on = pair(preset="null", more=mappings(AUDIENCE))
    on.batch([audience(1, member=True)])
    on.settled(1)
    (list_id,) = on.sandbox.portal.lists
    on.hubspot("DELETE", f"/crm/v3/lists/{list_id}")
    on.batch([audience(2, member=True, at=3)])
    on.settled(2)
    lists = [i for i, found in on.sandbox.portal.lists.items() if not found.get("deletedAt")]
    assert [len(on.sandbox.portal.members[i]) for i in lists] == [1]
    assert on.outcome(1, "membership").reason == "ok"


PRIVACY = """
- name: identify
  action: upsert_contact
  trigger: type = "identify"
- name: forget
  action: gdpr_delete
- name: mail
  action: subscription_preference
  trigger: event = "Unsubscribed"
  fields: {subscription_id: "1", subscribed: false, legal_basis: CONSENT_WITH_NOTICE, legal_basis_explanation: asked}
- name: pixel
  action: legacy_event
  trigger: event = "Legacy"
"""


def test_deletion_and_mail_and_the_pixel(pair):
    """GDPR deletion in order, the address blocked after; a subscription ended; a legacy event, noted unconfirmed."""
    on = pair(preset="null", more="      track_url: SANDBOX\n" + mappings(PRIVACY))
    text = (on.folder / "millstream.yaml").read_text().replace("SANDBOX", on.sandbox.url)
    (on.folder / "millstream.yaml").write_text(text)
    on.restart()
    who = {"userId": "u", "traits": {"email": "jane@x.example"}}
    track = {"type": "track", "userId": "u"}
    on.batch(
        [
            {"type": "identify", **who},
            {**track, "event": "Legacy", "properties": {"revenue": "9.5"}},
            {**track, "event": "Unsubscribed"},
        ]
    )
    on.settled(3)
    portal = on.sandbox.portal
    (legacy,) = portal.legacy_events
    assert (legacy["event"], legacy["email"], legacy["revenue"]) == ("Legacy", "jane@x.example", "9.5")
    assert "unconfirmed" in on.outcome(1).notes
    assert [s["state"] for s in portal.subscriptions.values()] == ["UNSUBSCRIBED"]
    assert len(on.portal["contacts"]) == 1, "a deletion without a trigger runs for its own event alone"
    on.batch([{**track, "event": "User Deletion Requested"}])
    on.settled(4)
    assert on.portal["contacts"] == []
    on.batch([{"type": "identify", "userId": "u", "traits": {"email": "jane@x.example", "firstName": "J"}}])
    on.settled(5)
    assert on.outcome(4).reason == "gdpr_blocked"
    assert not [c for c in on.calls if "Authorization" in str(c) and c["path"] == "/v1/event"]


EVENTS = """
- name: deal event
  action: custom_event
  trigger: event = "Stage Changed"
  fields:
    name: stage_changed
    label: Stage changed
    object_type: deals
    object_id: {"@path": $.properties.deal}
    properties: {stage: {"@path": $.properties.stage}}
    text_properties: {plan: {"@path": $.properties.plan}}
- name: visitor event
  action: custom_event
  trigger: event = "Visited"
  fields: {name: visited, utk: {"@path": $.context.hutk}, properties: {}}
- name: known event
  action: custom_event
  trigger: event = "Known"
  fields: {name: known_event, mode: update, email: jane@x.example}
"""


def test_events_of_other_objects_and_visitors(pair):
    """An event of a deal by its id; of a visitor by token alone; a mode that makes no definition says so."""
    on = pair(preset="null", more=mappings(EVENTS))
    made = on.hubspot("POST", "/crm/v3/objects/deals", {"properties": {"dealname": "D"}})
    track = {"type": "track", "userId": "u"}
    on.batch(
        [
            {
                **track,
                "event": "Stage Changed",
                "properties": {"deal": int(made["id"]), "stage": "won", "plan": 7},
            },
            {**track, "event": "Visited", "context": {"hutk": "a" * 32}},
            {**track, "event": "Known"},
            {**track, "event": "Stage Changed", "properties": {"stage": "won"}},
        ]
    )
    on.settled(4)
    by_event = {o["eventName"].partition("_")[2]: o for o in on.sandbox.portal.occurrences}
    assert by_event["stage_changed"]["objectId"] == made["id"]
    assert by_event["stage_changed"]["properties"] == {"stage": "won", "plan": "7"}
    assert by_event["visited"]["utk"] == "a" * 32
    definition = on.sandbox.portal.definition("stage_changed")
    assert (definition["primaryObject"], definition["label"]) == ("DEAL", "Stage changed")
    assert {p["name"]: p["type"] for p in definition["properties"]}["plan"] == "string"
    assert on.outcome(2).reason == "sync_mode"
    assert on.outcome(3).reason == "mapping_failed"


POLICY = """      write_policy:
        contacts: {city: if_empty, jobtitle: if_newer, phone: never}
"""


def test_write_policies(pair):
    """What people keep by hand stays: if_empty, if_newer by HubSpot's own history, never; the rest is overwritten."""
    on = pair(more=POLICY)
    kept = {"email": "a@x.example", "city": "Rome", "jobtitle": "Boss", "phone": "1", "state": "x"}
    on.hubspot("POST", "/crm/v3/objects/contacts", {"properties": kept})
    on.hubspot("POST", "/crm/v3/objects/contacts", {"properties": {"email": "b@x.example"}})
    old = "2020-01-01T00:00:00.000Z"
    traits = {"address": {"city": "Paris", "state": "y"}, "title": "Clerk", "phone": "2"}
    on.batch(
        [
            {
                "type": "identify",
                "userId": n,
                "timestamp": old,
                "traits": {"email": f"{n}@x.example", **traits},
            }
            for n in ("a", "b", "c")
        ]
    )
    on.settled(3)
    found = {c["email"][0]: c for c in on.portal["contacts"]}
    assert (found["a"]["city"], found["a"]["jobtitle"], found["a"]["phone"], found["a"]["state"]) == (
        "Rome",
        "Boss",
        "1",
        "y",
    )
    assert (found["b"]["city"], found["c"]["city"], found["c"]["jobtitle"]) == ("Paris", "Paris", "Clerk")
    assert "phone" not in found["c"]
    assert {"kept_by_policy:city", "kept_by_policy:jobtitle", "never_written:phone"} <= set(
        on.outcome(0).notes
    )
    later = {"email": "a@x.example", "title": "Chief"}
    on.batch([{"type": "identify", "userId": "a", "timestamp": "2030-01-01T00:00:00.000Z", "traits": later}])
    on.settled(4)
    assert next(c for c in on.portal["contacts"] if c["email"] == "a@x.example")["jobtitle"] == "Chief"


def test_a_late_event_of_ours_does_not_keep_out_what_is_newer_than_it(pair):
    """if_newer: our own write is as old as its event, whatever its type and length; somebody's change as old as it is."""
    policy = "{city: if_newer, numemployees: if_newer, zip: if_newer, state: if_newer}"
    on = pair(more=f"      write_policy: {{contacts: {policy}}}\n")
    minute = 60_000

    def say(minutes_ago, **address):
        at = (time.time_ns() // 1_000_000) - minutes_ago * minute
        traits = {"email": "a@x.example", "address": address}
        on.batch([{"type": "identify", "userId": "a", "timestamp": at, "traits": traits}])

    def held(name):
        return next(iter(on.portal["contacts"])).get(name)

    long = "Llanfairpwllgwyngyllgogerychwyrndrobwllllantysiliogogogoch"
    say(10, city=long, zip=10115.5, state=True)
    on.settled(1)
    say(9, city="Bonn", zip=53111.5, state=False)
    on.settled(2)
    assert (held("city"), held("zip"), held("state")) == ("Bonn", "53111.5", "false")
    assert on.outcome(1, "contact").notes == ()
    contact = on.sandbox.portal.type("contacts").find("a@x.example", "email")
    on.hubspot("PATCH", f"/crm/v3/objects/contacts/{contact.id}", {"properties": {"city": "Rome"}})
    say(8, city="Ulm", zip=89073)
    on.settled(3)
    assert (held("city"), held("zip")) == ("Rome", "89073")
    assert on.outcome(2, "contact").notes == ("kept_by_policy:city",)


RELATED = """
- name: identify
  action: upsert_contact
- name: orders
  action: upsert_object
  trigger: event = "Order"
  fields:
    object_type: contacts
    id_field: email
    id_value: {"@path": $.properties.email}
    associations:
      - {object_type: deals, id_field: order_id, id_value: {"@path": $.properties.order_id}}
      - {object_type: deals, id_field: ext_ref, id_value: {"@path": $.properties.ext_ref}}
"""


@pytest.mark.parametrize("together", [False, True])
def test_two_records_that_a_same_value_finds_are_two(pair, together):
    """Deals by one property and by another, each with the value 5: both are associated with the contact."""
    on = pair(preset="null", more=mappings(RELATED), property_lag_ms=0)
    for name in ("order_id", "ext_ref"):
        unique_property(on, "deals", name)
        on.hubspot("POST", "/crm/v3/objects/deals", {"properties": {name: "5"}})
    on.restart()
    orders = [{"order_id": "5", "ext_ref": "5"}] if together else [{"order_id": "5"}, {"ext_ref": "5"}]
    for i, order in enumerate(orders):
        properties = {"email": "a@x.example", **order}
        on.batch([{"type": "track", "userId": "a", "event": "Order", "properties": properties}])
        on.settled(i + 1)
    last = len(orders) - 1
    assert [on.outcome(at, f"association:{i}").reason for i, at in enumerate((0, last))] == ["ok", "ok"]
    assert associated(on, "contacts", "deals") == 2


def associated(on, from_type, to_type):
    """How many records the one record of the first type is associated with."""
    record = next(r for r in on.sandbox.portal.type(from_type).by_id.values() if not r.archived)
    answer = on.hubspot("GET", f"/crm/v4/objects/{from_type}/{record.id}/associations/{to_type}")
    return len(answer["results"])


def test_a_contact_that_is_made_anew_is_associated_anew(pair):
    """What was true of the contact that is gone is nothing that the new one has: company and list membership go again."""
    on = pair(more=mappings(AUDIENCE))
    person = {"userId": "u", "context": {"traits": {"email": "p1@x.example"}}}
    group = {"type": "group", "groupId": "g", "traits": {"website": "acme.example"}, **person}
    on.batch([audience(1, member=True), {**group, "userId": "u1"}])
    on.settled(2)
    contact = on.sandbox.portal.type("contacts").find("p1@x.example", "email")
    on.hubspot("DELETE", f"/crm/v3/objects/contacts/{contact.id}")
    on.batch(
        [audience(1, member=True, at=5) | {"traits": {"email": "p1@x.example", "city": "Ulm", "vip": True}}]
    )
    on.settled(3)
    on.restart()
    on.batch([{**group, "userId": "u1"}])
    on.settled(4)
    assert on.outcome(3, "association").reason == "ok"
    assert associated(on, "contacts", "companies") == 1
    assert on.outcome(2, "membership").reason == "ok"
    made = on.sandbox.portal.type("contacts").find("p1@x.example", "email")
    ((_, members),) = on.sandbox.portal.members.items()
    assert made.id != contact.id
    assert made.id in members


MANY = """
- name: orders
  action: upsert_object
  trigger: event = "Order"
  fields:
    object_type: deals
    id_field: dealname
    id_value: "1"
    associations: {"@path": $.properties.associations}
"""


def test_each_of_many_associations_has_an_outcome(pair):
    """130 in one event: none is dropped without a word."""
    on = pair(preset="null", more=mappings(MANY))
    ends = [
        {"object_type": "contacts", "id_field": "email", "id_value": f"{i}@x.example"} for i in range(130)
    ]
    on.batch([{"type": "track", "userId": "a", "event": "Order", "properties": {"associations": ends}}])
    on.settled(1)
    assert {on.outcome(0, f"association:{i}").reason for i in range(130)} == {"ok"}
    assert associated(on, "deals", "contacts") == 130


MEMBERS = """
- name: members
  action: list_membership
  trigger: event = "Member"
  fields:
    list_name: vip
    member: {"@path": $.properties.member}
    email: {"@path": $.properties.email}
    id_value: {"@path": $.properties.id}
"""


def member(joins, at=0, **who):
    """A word about somebody on the list."""
    return {
        "type": "track",
        "userId": "a",
        "event": "Member",
        "timestamp": f"2026-11-01T12:00:{at:02d}.000Z",
        "properties": {"member": joins, **who},
    }


@pytest.mark.parametrize("together", [False, True])
def test_the_newest_word_about_a_member_wins_by_whatever_name(pair, together):
    """On by address, off by id, on by address: on the list, whether the words come one by one or all at once."""
    on = pair(preset="null", more=mappings(MEMBERS))
    answer = on.hubspot("POST", "/crm/v3/objects/contacts", {"properties": {"email": "a@x.example"}})
    words = [
        member(True, at=1, email="a@x.example"),
        member(False, at=2, id=answer["id"]),
        member(True, at=3, email="a@x.example"),
    ]
    for i in range(3) if not together else ():
        on.batch([words[i]])
        on.settled(i + 1)
        (members,) = on.sandbox.portal.members.values()
        assert bool(members) is (i != 1)
    if together:
        with on.gathered():
            on.batch(words)
        on.settled(3)
    (members,) = on.sandbox.portal.members.values()
    assert set(members) == {answer["id"]}


def test_nothing_is_made_to_take_somebody_off_a_list(pair):
    """Neither list nor person: nothing to do. A person and a list that others made are found, and the person leaves."""
    on = pair(preset="null", more=mappings(MEMBERS))
    on.batch([member(False, email="nobody@x.example")])
    on.settled(1)
    assert (on.outcome(0).state, on.outcome(0).reason) == (State.FILTERED, "unchanged")
    assert "nothing to remove" in on.outcome(0).detail
    assert (on.portal["contacts"], dict(on.sandbox.portal.lists)) == ([], {})
    made = on.hubspot("POST", "/crm/v3/objects/contacts", {"properties": {"email": "b@x.example"}})
    listed = {"name": "vip", "objectTypeId": "0-1", "processingType": "MANUAL"}
    list_id = on.hubspot("POST", "/crm/v3/lists", listed)["list"]["listId"]
    on.hubspot("PUT", f"/crm/v3/lists/{list_id}/memberships/add", [made["id"]])
    on.batch([member(False, email="nobody@x.example"), member(False, email="b@x.example")])
    on.settled(3)
    assert [on.outcome(i).reason for i in (1, 2)] == ["unchanged", "ok"]
    assert len(on.portal["contacts"]) == 1
    assert not on.sandbox.portal.members[list_id]


AMBIGUOUS = """
- name: deals
  action: upsert_object
  trigger: event = "Deal"
  fields:
    object_type: deals
    id_field: dealname
    id_value: {"@path": $.properties.id}
    associations: [{object_type: companies, id_field: name, id_value: Twin}]
"""


def test_an_association_says_why_its_target_is_not_there(pair):
    """Several companies fit: the association ends with that reason, not with a record that was not found."""
    on = pair(preset="null", more=mappings(AMBIGUOUS), search_lag_ms=0)
    for _ in range(2):
        on.hubspot("POST", "/crm/v3/objects/companies", {"properties": {"name": "Twin"}})
    on.batch([deal(1)])
    on.settled(1)
    assert on.outcome(0, "object").reason == "ok"
    assert on.outcome(0, "association:0").reason == "ambiguous"


LOOKED_FOR = """
- name: identify
  action: upsert_contact
  trigger: type = "identify"
- name: groups
  action: associate
  trigger: type = "group"
"""


def test_an_association_alone_finds_the_company_by_its_domain(pair):
    """Without a mapping that writes companies: one that HubSpot has is found, one that it lacks is not made."""
    on = pair(preset="null", more=mappings(LOOKED_FOR), search_lag_ms=0)
    on.hubspot("POST", "/crm/v3/objects/companies", {"properties": {"name": "A", "domain": "a.example"}})
    who = {"type": "identify", "userId": "u", "traits": {"email": "u@x.example"}}
    groups = [
        {"type": "group", "userId": "u", "groupId": d, "traits": {"website": f"https://{d}.example"}}
        for d in ("a", "b")
    ]
    on.batch([who, *groups])
    on.settled(3)
    assert [on.outcome(i, "association").reason for i in (1, 2)] == ["ok", "record_not_found"]
    assert len(on.portal["companies"]) == 1
