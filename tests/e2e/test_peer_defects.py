"""What Segment's HubSpot actions and RudderStack's HubSpot destination get wrong, and that we do not.

Every docstring is a row of docs/defects.md (`docs/generate.py`): first what the peer does, then `Here:` what we do,
then `Seen:` where. The peers' behaviour was measured or read at Segment action-destinations 970a17ee (2026-08-21) and
rudder-transformer c98d160cf (2026-08-06); nothing of either is used.
"""

from __future__ import annotations

import asyncio
import json
import re
import socket
import threading
from collections import Counter

import pytest

from millstream.delivery.outcome import State
from millstream.delivery.sink import Cause
from millstream.destinations.hubspot.failures import call_failed
from millstream.hubspot_api.budget import Budget
from millstream.hubspot_api.client import Client
from millstream.hubspot_api.errors import Unreachable
from millstream.hubspot_api.object_types import canonical, names_of
from millstream.hubspot_api.requests import Operations
from millstream.mapping.trigger import TriggerError, parse_trigger
from millstream.sandbox import faults

DAY = "2025-03-01T12:00:{:02d}.000Z"


def identify(user, email, at=0, **traits):
    """An identify call at a second of one day."""
    return {
        "type": "identify",
        "userId": user,
        "timestamp": DAY.format(at),
        "traits": {"email": email, **traits},
    }


def track(user, event, at=0, **properties):
    """A track call."""
    return {
        "type": "track",
        "userId": user,
        "event": event,
        "timestamp": DAY.format(at),
        "properties": properties,
    }


def group(user, site, **traits):
    """A group call of a company with a website."""
    return {
        "type": "group",
        "userId": user,
        "groupId": site,
        "traits": {"website": f"https://{site}", **traits},
    }


def mappings(text):
    """Mappings of a destination without a preset."""
    return "    mappings:\n" + "\n".join(f"      {line}" for line in text.strip("\n").split("\n")) + "\n"


def contact(on, **properties):
    """A contact that somebody else makes; its id."""
    return on.hubspot("POST", "/crm/v3/objects/contacts", {"properties": properties})["id"]


def define(on, object_type, name, kind="string", field_type="text", options=(), **more):
    """A property that somebody else makes."""
    listed = [{"label": o.title(), "value": o} for o in options]
    body = {"name": name, "label": name, "type": kind, "fieldType": field_type, "options": listed, **more}
    on.hubspot("POST", f"/crm/v3/properties/{object_type}", {"groupName": "information", **body})


def found(on, object_type="contacts", by="email"):
    """Values of the records of a type by one of them."""
    live = (r for r in on.sandbox.portal.type(object_type).by_id.values() if not r.archived)
    return {r.values.get(by): r.values for r in live}


def send(on, *events):
    """One at a time: each settled before the next."""
    for event in events:
        before = sum(on.tally().values())
        on.batch([event])
        on.settled(before + 1)


def outcomes(on, offset):
    """The outcomes of one event by effect."""
    return {o.job.effect: o for o in on.server.server.parts._state.deliveries.outcomes("hubspot", offset)}


def notes(on, offset):
    """What is noted about one event."""
    return {n for o in outcomes(on, offset).values() for n in o.notes}


def reasons(on):
    """Events by reason."""
    return {r: n for (_, r), n in on.tally().items()}


def associated(on):
    """Associations from contacts: type, whose, type, whose, under which kinds."""
    return [a for a in on.portal["associations"] if a[0] == "contacts"]


def calls(on, ending):
    """The calls of paths that end so."""
    return [c for c in on.calls if c["path"].endswith(ending)]


def fault(on, **rule):
    """HubSpot misbehaves."""
    on.sandbox.hubspot.faults.append(faults.read(rule))


def meddle(on, path, change, times=1):
    """Answer calls of a path by `change(call, body)`; `call(body)` is what the portal itself does. Counts down."""
    hub = on.sandbox.hubspot
    original = hub._operate
    left = [times]

    def operate(route, params, request, asked, raw, hit):
        if not left[0] or not re.search(path, asked):
            return original(route, params, request, asked, raw, hit)
        left[0] -= 1

        def call(body):
            return original(route, params, request, asked, json.dumps(body).encode(), hit)

        return change(call, json.loads(raw))

    hub._operate = operate
    return left


# --- Segment: contacts -------------------------------------------------------------------------------------------------


def test_segment_duplicate_emails_in_a_batch_lose_earlier_traits(pair):
    """Of two payloads with one address in a batch the later replaces the earlier, whose traits are lost.

    Here: they fold into one row; each property has its newest value.
    Seen: `upsertContact`, batch.
    """
    on = pair()
    on.batch(
        [identify("u1", "a@x.example", 1, firstName="Ada"), identify("u2", "a@x.example", 2, lastName="L")]
    )
    on.settled(2)
    on.batch([identify("u1", "a@x.example", 3, phone="1"), identify("u2", "a@x.example", 4, website="w")])
    on.settled(4)
    (made,) = on.portal["contacts"]
    assert (made["firstname"], made["lastname"], made["phone"], made["website"]) == ("Ada", "L", "1", "w")


def test_segment_a_partial_failure_is_reported_as_success(pair):
    """HubSpot answers 207 with errors, and every event of the batch is reported as 200.

    Here: each row has its own outcome, with HubSpot's words.
    Seen: `upsertContact` and `upsertObject`, batch.
    """
    on = pair(property_lag_ms=0)
    define(on, "contacts", "crm_id", hasUniqueValue=True)
    contact(on, email="owner@x.example", crm_id="7")
    on.sandbox.portal.records["contacts"].blocked_emails.add("u3@x.example")
    on.batch([identify(f"u{i}", f"u{i}@x.example", crm_id="7" if i == 6 else f"n{i}") for i in range(10)])
    on.settled(10)
    assert reasons(on) == {"ok": 8, "gdpr_blocked": 1, "message_rejected": 1}
    refused = outcomes(on, 6)["contact"]
    assert refused.state is State.DEAD_LETTERED
    assert "already exists" in refused.detail
    assert len(on.portal["contacts"]) == 9


def test_segment_the_second_address_of_a_contact_is_dropped(pair):
    """A contact's first and second address in one batch: the second event is dropped and reported as 200.

    Here: both are written, to one contact.
    Seen: `upsertContact`, batch.
    """
    on = pair()
    first, second = contact(on, email="first@x.example"), contact(on, email="second@x.example")
    merge = {"primaryObjectId": first, "objectIdToMerge": second}
    on.hubspot("POST", "/crm/v3/objects/contacts/merge", merge)
    on.batch(
        [identify("u1", "first@x.example", firstName="A"), identify("u2", "second@x.example", lastName="B")]
    )
    assert on.settled(2) == {(State.DELIVERED, "ok"): 2}
    (made,) = on.portal["contacts"]
    assert (made["firstname"], made["lastname"]) == ("A", "B")


def test_segment_one_bad_property_fails_the_batch(pair):
    """HubSpot refuses one value with a 400, and all events of the batch fail.

    Here: the row is found by halving, the value is left out and noted, everything else is written.
    Seen: `upsertContact`, batch; no property is looked up or converted.
    """
    on = pair(property_lag_ms=0, switches={"trace_ids_on_upsert": "whole_400"})
    define(on, "contacts", "plan", "enumeration", "select", ("free", "gone"))
    send(on, identify("u", "u@x.example"))
    on.sandbox.portal.records["contacts"].definitions["plan"]["options"].pop()  # unknown to our schema
    people = [identify(f"u{i}", f"u{i}@x.example", plan="gone" if i == 17 else "free") for i in range(60)]
    people[17]["traits"]["firstName"] = "Ada"
    on.batch(people)
    assert on.settled(61) == {(State.DELIVERED, "ok"): 61}
    made = found(on)
    assert len(made) == 61
    assert "value_rejected:plan" in notes(on, 18)
    assert made["u17@x.example"]["firstname"] == "Ada"
    assert {n for n, v in made.items() if v.get("plan") != "free"} == {"u@x.example", "u17@x.example"}


def test_segment_values_differ_alone_and_in_a_batch(pair):
    """Text is trimmed when an event is sent alone and not in a batch; `phone: ""` says nothing alone and clears in a batch.

    Here: an event means the same however many travel with it; "" clears.
    Seen: `upsertContact`, `perform` against `performBatch`.
    """
    on = pair()
    for i in range(3):
        contact(on, email=f"u{i}@x.example", phone="1")
    events = [identify(f"u{i}", f"u{i}@x.example", firstName=" Ada ", phone="") for i in range(3)]
    send(on, events[0])
    on.batch(events[1:])
    on.settled(3)
    assert len({(v["firstname"], v.get("phone", "")) for v in found(on).values()}) == 1
    assert not any(v.get("phone") for v in found(on).values())


def test_segment_an_address_is_not_encoded_in_the_path(pair):
    """`a#b@x.com` becomes `PATCH …/contacts/a`: another contact is written.

    Here: addresses travel in bodies only.
    Seen: `upsertContact`, single.
    """
    on = pair()
    contact(on, email="a@x.example", firstname="Nobody")
    odd = [f"a{sign}b@x.example" for sign in ("#", "?", "/", "%20", "+", "&", "=")]
    for i, address in enumerate(odd):
        send(on, identify(f"u{i}", address, firstName=f"N{i}"))
    made = found(on)
    assert {a: v["firstname"] for a, v in made.items() if a != "a@x.example"} == {
        a: f"N{i}" for i, a in enumerate(odd)
    }
    assert made["a@x.example"]["firstname"] == "Nobody"
    assert not [c for c in on.calls if "x.example" in c["path"]]


@pytest.mark.parametrize("lookup", ["upsert", "read_first"])
def test_segment_a_contact_made_between_look_up_and_create(pair, lookup):
    """Update says 404, somebody makes the contact, create says 409 "Contact already exists": the event fails.

    Here: what is not there is upserted; whoever comes between makes no difference.
    Seen: `upsertContact`; Segment's documentation lists it as a known problem (segment-docs #6244).
    """
    on = pair(more=f"      contact_lookup: {lookup}\n")

    def somebody_else(call, body):
        answer = call(body) if lookup == "read_first" else None
        contacts = on.sandbox.portal.records["contacts"]
        contacts.create({"email": "a@x.example", "city": "Rome"}, on.sandbox.portal.stamp())
        return answer or call(body)

    left = meddle(on, r"batch/(read|upsert)$", somebody_else)
    on.batch([identify("u", "a@x.example", firstName="Ada")])
    assert on.settled(1) == {(State.DELIVERED, "ok"): 1}
    assert left == [0]
    (made,) = on.portal["contacts"]
    assert (made["firstname"], made["city"]) == ("Ada", "Rome")


def test_segment_two_mappings_make_the_same_contact(pair):
    """Two mappings that match one event race: 404, 404, then "Contact already exists" for one of them.

    Here: both fold into one row of one call.
    Seen: `upsertContact` (segment-docs #6244).
    """
    two = """
- name: names
  action: upsert_contact
  trigger: type = "identify"
  fields: {properties: {firstname: {"@path": $.traits.firstName}}}
- name: places
  action: upsert_contact
  trigger: type = "identify"
  fields: {properties: {city: {"@path": $.traits.city}}}
"""
    on = pair(preset="null", more=mappings(two))
    on.batch([identify("u", "a@x.example", firstName="Ada", city="Rome")])
    assert on.settled(1) == {(State.DELIVERED, "ok"): 1}
    (made,) = on.portal["contacts"]
    assert (made["firstname"], made["city"]) == ("Ada", "Rome")
    assert [c["n"] for c in calls(on, "/contacts/batch/upsert")] == [1]


def test_segment_case_different_addresses_are_sent_twice(pair):
    """`A@x.com` and `a@x.com` go as two inputs, and HubSpot refuses the batch because of duplicates.

    Here: an address is one however it is spelt.
    Seen: `upsertObject`, batch; `upsertContact`, single.
    """
    on = pair()
    on.batch(
        [identify("u1", "Ada@X.example", 1, firstName="Ada"), identify("u2", "ada@x.EXAMPLE", 2, city="Rome")]
    )
    assert on.settled(2) == {(State.DELIVERED, "ok"): 2}
    assert [c["n"] for c in calls(on, "/contacts/batch/upsert")] == [1]
    assert [(c["email"], c["firstname"], c["city"]) for c in on.portal["contacts"]] == [
        ("ada@x.example", "Ada", "Rome")
    ]


def test_segment_a_batch_is_larger_than_hubspot_takes(pair):
    """Whatever arrives is one call, though HubSpot takes 100 inputs.

    Here: at most 100 a call.
    Seen: `upsertContact`, batch: the action has no size of its own.
    """
    on = pair()
    on.batch([identify(f"u{i}", f"u{i}@x.example") for i in range(250)])
    assert on.settled(250) == {(State.DELIVERED, "ok"): 250}
    sizes = [c["n"] for c in calls(on, "/contacts/batch/upsert")]
    assert max(sizes) <= 100
    assert sum(sizes) == 250


def test_segment_values_are_not_converted(pair):
    """Dates, numbers, booleans and options go as they came; HubSpot refuses the contact.

    Here: every value is converted to the property's own type.
    Seen: `upsertContact`: no property is looked up.
    """
    on = pair(property_lag_ms=0)
    define(on, "contacts", "born", "date", "date")
    define(on, "contacts", "seen", "datetime", "date")
    define(on, "contacts", "vip", "bool", "booleancheckbox", ("true", "false"))
    define(on, "contacts", "score", "number", "number")
    define(on, "contacts", "plan", "enumeration", "select", ("free", "paid"))
    given = {
        "born": "1990-05-06T10:00:00Z",
        "seen": 1740830400,
        "vip": "Yes",
        "score": " 12.5 ",
        "plan": "PAID",
    }
    send(on, identify("u", "a@x.example", **given))
    (made,) = on.portal["contacts"]
    assert {n: made[n] for n in given} == {
        "born": "1990-05-06",
        "seen": "2025-03-01T12:00:00.000Z",
        "vip": "true",
        "score": "12.5",
        "plan": "paid",
    }
    assert on.tally() == {(State.DELIVERED, "ok"): 1}


def test_segment_null_cannot_clear(pair):
    """A null is taken out of the payload: nothing can empty a property.

    Here: null clears it (`null_clears: false` for Segment's way).
    Seen: `upsertContact` and `upsertObject`.
    """
    on = pair()
    send(
        on,
        identify("u", "a@x.example", 1, phone="1", city="Rome"),
        identify("u", "a@x.example", 2, phone=None),
    )
    (made,) = on.portal["contacts"]
    assert not made.get("phone")
    assert made["city"] == "Rome"


# --- Segment: companies and associations -------------------------------------------------------------------------------


def test_segment_a_group_needs_an_identify_in_its_transaction(pair):
    """An error, "Missing Identity Call", unless the contact was written in the same transaction, which batches never are.

    Here: the contact is known, whenever and however it was written.
    Seen: `upsertCompany` (segment-docs #5364, action-destinations #1514).
    """
    on = pair()
    on.batch([identify(f"u{i}", f"u{i}@x.example") for i in range(30)])
    on.settled(30)
    on.batch([group(f"u{i}", f"c{i % 3}.example") for i in range(30)])
    on.settled(60)
    assert len(associated(on)) == 30
    assert set(reasons(on)) == {"ok"}


LINKED = """
- name: people
  action: upsert_object
  trigger: event = "Joined"
  fields:
    object_type: contacts
    id_field: email
    id_value: {"@path": $.properties.email}
    properties: {firstname: {"@path": $.properties.name}, crm_id: {"@path": $.properties.crm_id}}
    associations:
      - {object_type: companies, id_field: code, id_value: {"@path": $.properties.company}, label: {"@path": $.properties.label}}
      - {object_type: companies, id_field: code, id_value: {"@path": $.properties.company}, label: {"@path": $.properties.second}}
    dissociations:
      - {object_type: companies, id_field: code, id_value: {"@path": $.properties.left}}
"""


def linked(pair):
    """A portal with companies A, B, C by a code, contacts by a unique crm_id, and two labels between them."""
    on = pair(preset="null", more=mappings(LINKED), property_lag_ms=0)
    define(on, "companies", "code", hasUniqueValue=True)
    define(on, "contacts", "crm_id", hasUniqueValue=True)
    for code in "ABC":
        on.hubspot("POST", "/crm/v3/objects/companies", {"properties": {"name": code, "code": code}})
    labels = []
    for name in ("boss", "friend"):
        made = on.hubspot(
            "POST", "/crm/v4/associations/contacts/companies/labels", {"label": name, "name": name}
        )
        labels.append(f"{made['results'][0]['category']}:{made['results'][0]['typeId']}")
    return on, labels


def test_segment_two_contacts_of_one_company_keep_one_association(pair):
    """Two contacts that join one company under one label in one batch: one association is made.

    Here: an association is its two records and its label.
    Seen: `upsertObject`; mended in action-destinations #3969.
    """
    on, (boss, _) = linked(pair)
    on.batch([track(f"u{i}", "Joined", email=f"u{i}@x.example", company="C", label=boss) for i in range(5)])
    on.settled(5)
    assert [a[1] for a in associated(on)] == [f"u{i}@x.example" for i in range(5)]


def test_segment_two_labels_send_one_record_twice(pair):
    """A record that is associated under two labels goes twice into one batch, and HubSpot refuses the batch.

    Here: the record is one row, and both labels are there.
    Seen: `upsertObject` (action-destinations #3336, #3969).
    """
    on, (boss, friend) = linked(pair)
    on.batch([track("u", "Joined", email="u@x.example", company="C", label=boss, second=friend)])
    on.settled(1)
    (made,) = associated(on)
    assert len(made[4]) >= 2
    assert [c["n"] for c in calls(on, "/companies/batch/upsert")] == [1]
    assert set(reasons(on)) == {"ok"}


def test_segment_associations_of_failed_rows_vanish(pair):
    """A row that fails in a 207 loses its associations without a word; the event is reported as 200.

    Here: the record and each association have an outcome of their own.
    Seen: `upsertObject`, batch.
    """
    on, _ = linked(pair)
    contact(on, email="owner@x.example", crm_id="7")
    on.batch(
        [track(f"u{i}", "Joined", email=f"u{i}@x.example", company="C", crm_id=str(6 + i)) for i in range(3)]
    )
    on.settled(3)
    states = {i: {e: (o.state, o.reason) for e, o in outcomes(on, i).items()} for i in range(3)}
    assert states[0]["object"] == states[2]["association:0"] == (State.DELIVERED, "ok")
    assert states[1]["object"][0] is State.DEAD_LETTERED
    assert states[1]["association:0"] == (State.DEAD_LETTERED, "record_not_found")


def test_segment_dissociations_of_merged_events_are_lost(pair):
    """Events of one record are merged with their associations, but only one keeps its dissociations.

    Here: every association and dissociation of every event is done, in order.
    Seen: `upsertObject`, batch.
    """
    on, _ = linked(pair)
    on.batch([track("u", "Joined", i, email="u@x.example", company=c) for i, c in enumerate("ABC")])
    on.settled(3)
    assert len(associated(on)) == 3
    on.batch([track("u", "Joined", 5 + i, email="u@x.example", left=c) for i, c in enumerate("AB")])
    on.settled(5)
    assert len(associated(on)) == 1


# --- Segment: custom events --------------------------------------------------------------------------------------------


def test_segment_one_call_for_each_event(pair):
    """Custom events have no batch: 1,000 events are 1,000 calls.

    Here: up to 500 a call.
    Seen: `sendCustomBehavioralEvent`, `customEvent`.
    """
    on = pair()
    send(on, identify("u", "a@x.example"), track("u", "Viewed", n=1))
    on.calls.clear()
    with on.gathered():
        on.batch([track("u", "Viewed", n=i) for i in range(400)])
    on.settled(402)
    assert len(on.calls) <= 2
    assert len(on.portal["occurrences"]) == 401


def test_segment_events_need_a_definition_and_a_full_name(pair):
    """An event is refused unless a definition exists and its name is mapped as `pe20001_order_completed`.

    Here: the event's own name will do; a missing definition is made.
    Seen: `sendCustomBehavioralEvent`: `$.event` cannot be mapped.
    """
    on = pair()
    send(on, identify("u", "a@x.example"), track("u", "Order Completed", value=5))
    assert [(o["event"], o["properties"]) for o in on.portal["occurrences"]] == [
        ("pe20001_order_completed", {"value": "5"})
    ]


def test_segment_nothing_becomes_zero(pair):
    """Null and [] become 0, [5] becomes 5; "" was 0 too, and properties were made as numbers for it.

    Here: what is no number is none: left out of events, cleared on contacts; no property is made for "".
    Seen: `customEvent` (action-destinations #3755).
    """
    on = pair(property_lag_ms=0)
    define(on, "contacts", "score", "number", "number")
    send(on, identify("u", "a@x.example", score=7), track("u", "Viewed", n=1))
    nothing = [None, [], "", {}, [5]]
    send(on, *(track("u", "Viewed", i + 1, n=value, at_all=str(i)) for i, value in enumerate(nothing)))
    sent = [o["properties"] for o in on.portal["occurrences"]]
    assert len(sent) == 6
    assert [p["n"] for p in sent if "n" in p] == ["1"]
    for i, value in enumerate([None, [], ""]):
        send(on, identify("u", "a@x.example", 10 + 2 * i, score=value, brand_new=""))
        assert on.portal["contacts"][0].get("score", "") == ""
        send(on, identify("u", "a@x.example", 11 + 2 * i, score=7))
    assert not [p for p in on.portal["properties"] if p[1] == "brand_new"]


def test_segment_a_phone_number_loses_its_plus(pair):
    """`+1868…` was taken for a number and lost its sign.

    Here: text is text; it is never taken for a number.
    Seen: fixed by action-destinations #3799.
    """
    on = pair()
    number = "+18681234567"
    send(on, identify("u", "a@x.example", phone=number, fax=number), track("u", "Called", to=number))
    (made,) = on.portal["contacts"]
    assert (made["phone"], made["fax"]) == (number, number)
    assert [p[2] for p in on.portal["properties"] if p[1] == "fax"] == ["string"]
    assert on.portal["occurrences"][0]["properties"] == {"to": number}


def test_segment_text_is_rewritten_as_a_number(pair):
    """Text that reads as a number becomes one: `"1e3"` is 1000, `"0x10"` is 16.

    Here: text arrives as it was sent.
    Seen: `customEvent`.
    """
    on = pair()
    given = {"a": "1e3", "b": "0x10", "c": "007", "d": "true"}
    send(on, identify("u", "a@x.example"), track("u", "Viewed", **given))
    assert on.portal["occurrences"][0]["properties"] == given


def test_segment_a_date_after_plain_text_is_rejected(pair):
    """A property that was text once and looks like a date in the next event: the event is refused (or the other way round).

    Here: both events arrive.
    Seen: `customEvent`: inferred types are compared with a cache.
    """
    on = pair()
    at = "2026-01-02T03:04:05Z"
    send(on, identify("u", "a@x.example"), track("u", "Due", day="soon"), track("u", "Due", day=at))
    send(on, track("u", "Paid", day=at), track("u", "Paid", day="soon"))
    sent = Counter((o["event"].split("_")[1], o["properties"]["day"]) for o in on.portal["occurrences"])
    assert sent == Counter({("due", "soon"): 1, ("due", at): 1, ("paid", "soon"): 1, ("paid", at): 1})


def test_segment_text_in_a_number_property_loses_the_event(pair):
    """Text that is no number in a property that is one: the event is refused.

    Here: the value is left out and noted; the event arrives.
    Seen: `customEvent`.
    """
    on = pair()
    send(
        on, identify("u", "a@x.example"), track("u", "Viewed", n=1), track("u", "Viewed", n="many", page="p")
    )
    sent = {json.dumps(o["properties"], sort_keys=True) for o in on.portal["occurrences"]}
    assert sent == {'{"n": "1"}', '{"page": "p"}'}
    assert "value_not_convertible:n" in notes(on, 2)


def test_segment_more_than_fifty_properties_are_sent(pair):
    """HubSpot takes 50 properties of an event; nobody counts them, and the event is refused.

    Here: 50 go, those that the definition has first; the cut is noted.
    Seen: `sendCustomBehavioralEvent`, `customEvent`.
    """
    on = pair()
    many = {f"p_{i}": i for i in range(60)}
    send(on, identify("u", "a@x.example"), track("u", "Big", p_59=1), track("u", "Big", 1, **many))
    assert sorted(len(o["properties"]) for o in on.portal["occurrences"]) == [1, 50]
    assert "properties_cut:10" in notes(on, 2)


def test_segment_failures_of_new_properties_are_swallowed(pair):
    """Of several properties that are made for an event, failures after the first success are ignored and the cache says all exist.

    Here: the event waits until each property is there.
    Seen: `customEvent`.
    """
    on = pair()
    send(on, identify("u", "a@x.example"), track("u", "Viewed", a="1"))
    fault(on, kind="status", status=500, path="/property$", times=1)
    send(on, track("u", "Viewed", 1, b="2", c="3", d="4"))
    assert {"b": "2", "c": "3", "d": "4"} in [o["properties"] for o in on.portal["occurrences"]]
    (definition,) = on.portal["event_definitions"]
    assert [p[0] for p in definition[2]] == ["a", "b", "c", "d"]


def test_segment_first_events_at_once_each_make_the_definition(pair):
    """Concurrent first events of a name each look for the definition and each make it; the losers are retried.

    Here: it is made once, and all wait for it.
    Seen: `customEvent`.
    """
    on = pair()
    on.batch([identify(f"u{i}", f"u{i}@x.example") for i in range(50)])
    on.batch([track(f"u{i}", "Brand New", n=i) for i in range(50)])
    on.settled(100)
    made = [c for c in calls(on, "/event-definitions") if c["method"] == "POST"]
    assert [c["status"] for c in made] == [201]
    assert len(on.portal["occurrences"]) == 50


def test_segment_a_name_that_starts_with_a_digit_fails(pair):
    """A property whose name does not start with a letter fails the event, and with objects the whole batch.

    Here: it gets a prefix.
    Seen: `customEvent`, `upsertObject`.
    """
    on = pair()
    on.batch([identify("u1", "a@x.example", **{"1st": "x"}), identify("u2", "b@x.example", city="Rome")])
    on.settled(2)
    send(on, track("u1", "Viewed", **{"2nd": "y", " 3rd ": "z"}))
    assert found(on)["a@x.example"]["p_1st"] == "x"
    assert on.portal["occurrences"][0]["properties"] == {"p_2nd": "y", "p_3rd": "z"}
    assert set(reasons(on)) == {"ok"}


# --- Segment: objects --------------------------------------------------------------------------------------------------

PAIRS = [
    ("string", "text"),
    ("string", "textarea"),
    ("string", "html"),
    ("string", "phonenumber"),
    ("string", "file"),
    ("phone_number", "phonenumber"),
    ("enumeration", "select"),
    ("enumeration", "radio"),
    ("enumeration", "checkbox"),
    ("enumeration", "booleancheckbox"),
    ("bool", "booleancheckbox"),
    ("number", "number"),
    ("number", "text"),
    ("date", "date"),
    ("datetime", "date"),
]


def test_segment_properties_of_unknown_kinds_count_as_missing(pair):
    """Six pairs of type and field type are known; a phone number, radio, select or HTML property "is missing" and to be made.

    Here: a property that HubSpot has is used, whatever its kind.
    Seen: `upsertObject`: `lifecyclestage`, `phone` and others fail the batch.
    """
    on = pair(property_lag_ms=0)
    values = {"number": 5, "date": "2026-01-02", "datetime": "2026-01-02T03:04:05.000Z", "bool": True}
    wanted = {"lifecyclestage": "customer", "phone": "+1"}
    for i, (kind, field_type) in enumerate(PAIRS):
        options = (
            ("true", "false") if "boolean" in field_type else ("one", "two") if kind == "enumeration" else ()
        )
        define(on, "contacts", f"kind_{i}", kind, field_type, options)
        wanted[f"kind_{i}"] = values.get(kind, options[0] if options else "text")
    before = len(on.portal["properties"])
    send(on, identify("u", "a@x.example", **wanted))
    (made,) = on.portal["contacts"]
    assert {n: made.get(n) for n in wanted} == {n: "true" if v is True else str(v) for n, v in wanted.items()}
    assert len(on.portal["properties"]) == before
    assert not [c for c in on.calls if "/properties/" in c["path"] and c["path"].endswith("create")]


DEALS = """
- name: deals
  action: upsert_object
  trigger: event = "Deal"
  fields:
    object_type: deal
    id_field: %s
    id_value: {"@path": $.properties.id}
    mode: %s
    properties: {dealname: {"@path": $.properties.name}, amount: {"@path": $.properties.amount}, closedate: {"@path": $.properties.close}}
"""


def deals(pair, by="crm_id", mode="upsert", **config):
    """A portal whose deals are written from events."""
    on = pair(preset="null", more=mappings(DEALS % (by, mode)), property_lag_ms=0, **config)
    define(on, "deals", "crm_id", hasUniqueValue=True)
    return on


def test_segment_a_type_mismatch_of_one_row_fails_the_batch(pair):
    """One row with text in a number property fails all rows of its batch.

    Here: that value is left out and noted; that row and all others are written.
    Seen: `upsertObject`, batch.
    """
    on = deals(pair)
    on.batch(
        [track(f"u{i}", "Deal", id=f"D{i}", name=f"N{i}", amount="a lot" if i == 4 else i) for i in range(10)]
    )
    assert on.settled(10) == {(State.DELIVERED, "ok"): 10}
    made = found(on, "deals", "crm_id")
    assert {n: v.get("amount") for n, v in made.items()} == {
        f"D{i}": None if i == 4 else str(i) for i in range(10)
    }
    assert made["D4"]["dealname"] == "N4"
    assert "value_not_convertible:amount" in notes(on, 4)


def test_segment_duplicate_ids_in_a_batch_reject_it(pair):
    """Two events about one record go as two inputs, and HubSpot refuses the batch.

    Here: events of one record fold.
    Seen: `upsertObject` (action-destinations #2924, #3336).
    """
    on = deals(pair)
    on.batch([track("u", "Deal", i, id=f"D{i % 2}", name=f"N{i}") for i in range(6)])
    assert on.settled(6) == {(State.DELIVERED, "ok"): 6}
    assert {n: v["dealname"] for n, v in found(on, "deals", "crm_id").items()} == {"D0": "N4", "D1": "N5"}


def test_segment_add_with_nothing_to_add_sends_an_empty_batch(pair):
    """With sync mode `add` and all records there already, `batch/create` is sent with no inputs.

    Here: no call is made; the outcome says why.
    Seen: `upsertObject`.
    """
    on = deals(pair, mode="add")
    for i in range(3):
        on.hubspot("POST", "/crm/v3/objects/deals", {"properties": {"crm_id": f"D{i}", "dealname": "old"}})
    on.calls.clear()
    on.batch([track(f"u{i}", "Deal", id=f"D{i}", name="new") for i in range(3)])
    assert on.settled(3) == {(State.FILTERED, "sync_mode"): 3}
    assert {v["dealname"] for v in found(on, "deals", "crm_id").values()} == {"old"}
    assert {c["path"].rsplit("/", 1)[1] for c in on.calls if "/objects/" in c["path"]} == {"read"}


def test_segment_records_cannot_be_named_by_hs_object_id(pair):
    """With `hs_object_id` as the id field every update is refused: "non-unique property".

    Here: an id is an id; numbers and text will do.
    Seen: `upsertObject` (action-destinations #3957).
    """
    on = deals(pair, by="hs_object_id", mode="update")
    ids = [on.hubspot("POST", "/crm/v3/objects/deals", {"properties": {"dealname": n}})["id"] for n in "ab"]
    on.batch([track("u", "Deal", id=int(ids[0]), name="A"), track("u", "Deal", id=ids[1], name="B")])
    assert on.settled(2) == {(State.DELIVERED, "ok"): 2}
    assert set(found(on, "deals", "dealname")) == {"A", "B"}


def test_segment_epoch_text_is_no_datetime(pair):
    """Text of epoch seconds or milliseconds, as warehouses send it, is refused for datetime properties.

    Here: it is a moment.
    Seen: `upsertObject` (action-destinations #3827).
    """
    on = deals(pair)
    given = ["1740830400", "1740830400000", 1740830400, "2025-03-01T13:00:00+01:00", "2025-03-01T12:00:00"]
    on.batch([track("u", "Deal", id=f"D{i}", close=value) for i, value in enumerate(given)])
    assert on.settled(5) == {(State.DELIVERED, "ok"): 5}
    assert {v["closedate"] for v in found(on, "deals", "crm_id").values()} == {"2025-03-01T12:00:00.000Z"}


def test_segment_a_date_and_a_moment_are_not_interchangeable(pair):
    """A moment in a date property, or a date in a datetime property, is an "Invalid Date Error".

    Here: each becomes what the property wants.
    Seen: reported to Segment's documentation.
    """
    on = pair(property_lag_ms=0)
    define(on, "contacts", "day", "date", "date")
    define(on, "contacts", "moment", "datetime", "date")
    send(on, identify("u", "a@x.example", day="2026-01-02T23:00:00Z", moment="2026-01-02"))
    (made,) = on.portal["contacts"]
    assert (made["day"], made["moment"]) == ("2026-01-02", "2026-01-02T00:00:00.000Z")


def test_segment_a_record_without_a_value_to_find_it_is_always_made(pair):
    """Search fields that come out empty are skipped: every event makes another record.

    Here: a record that nothing names is nobody's; the event is dead-lettered, and can be sent again.
    Seen: `upsertCustomObjectRecord`.
    """
    on = deals(pair)
    on.batch([track("u", "Deal", name="N"), track("u", "Deal", id="", name="N"), track("u", "Deal", id=None)])
    assert on.settled(3) == {(State.DEAD_LETTERED, "mapping_failed"): 3}
    assert found(on, "deals") == {}


def test_segment_the_event_fails_after_its_record_was_written(pair):
    """Several records fit as the target of an association: the event fails, though its own record was written before.

    Here: the record is delivered, the association dead-lettered: each has an outcome of its own.
    Seen: `upsertCustomObjectRecord`.
    """
    text = LINKED.replace("id_field: code", "id_field: name")
    on = pair(preset="null", more=mappings(text), property_lag_ms=0, search_lag_ms=0)
    for _ in range(2):
        on.hubspot("POST", "/crm/v3/objects/companies", {"properties": {"name": "Twin"}})
    send(on, track("u", "Joined", email="u@x.example", company="Twin"))
    told = outcomes(on, 0)
    assert (told["object"].state, told["association:0"].reason) == (State.DELIVERED, "ambiguous")
    assert list(found(on)) == ["u@x.example"]


@pytest.mark.parametrize("name", ["p20001_machine", "machine", "Machine", "2-7"])
def test_segment_custom_objects_need_their_full_name(name):
    """A custom object is known by its fully qualified name only, since HubSpot changed its answers.

    Here: by any of its names, or its type id.
    Seen: `upsertCustomObjectRecord` (action-destinations #7578).
    """
    listed = names_of([{"name": "machine", "fullyQualifiedName": "p20001_machine", "objectTypeId": "2-7"}])
    assert canonical(name, listed) == "p20001_machine"


# --- Segment: lists, calls, triggers -----------------------------------------------------------------------------------

AUDIENCE = """
- name: audience
  action: list_membership
  trigger: context.personas.computation_key != null
"""


def audience(user, name):
    """Somebody enters an Engage audience."""
    made = identify(user, f"{user}@x.example", **{name: True})
    return {**made, "context": {"personas": {"computation_class": "audience", "computation_key": name}}}


def test_segment_a_failed_look_up_makes_another_list(pair):
    """Any failure of the look-up of a list counts as "it is not there", and the list is made.

    Here: only HubSpot's word that there is none does.
    Seen: `upsertObject`, lists.
    """
    on = pair(preset="null", more=mappings(AUDIENCE))
    made = on.hubspot(
        "POST", "/crm/v3/lists", {"name": "vip", "objectTypeId": "0-1", "processingType": "MANUAL"}
    )
    on.calls.clear()
    fault(on, kind="status", status=500, path="/name/vip$", times=1)
    on.batch([audience("u", "vip")])
    on.settled(1)
    assert list(on.sandbox.portal.lists) == [made["list"]["listId"]]
    assert not [c for c in on.calls if c["method"] == "POST" and "/lists" in c["path"]]
    assert len(on.sandbox.portal.members[made["list"]["listId"]]) == 1


def test_segment_two_lists_in_a_batch_are_an_error(pair):
    """A batch that names more than one list, or mixes audiences with other events, fails.

    Here: each event joins its own list.
    Seen: `upsertObject`, lists.
    """
    on = pair(preset="null", more=mappings(AUDIENCE))
    on.batch(
        [audience("u1", "vip"), audience("u2", "new"), audience("u3", "vip"), identify("u4", "d@x.example")]
    )
    on.settled(4)
    portal = on.sandbox.portal
    assert {found["name"]: len(portal.members[i]) for i, found in portal.lists.items()} == {
        "vip": 2,
        "new": 1,
    }


@pytest.mark.parametrize("policy", ["TEN_SECONDLY_ROLLING", "SECONDLY"])
def test_segment_a_429_is_nobodys_business(pair, policy):
    """Neither `Retry-After` nor the rate-limit headers are read, and nothing paces calls.

    Here: a 429 stops the calls of its pool for as long as its policy means, or as `Retry-After` says; nothing is lost.
    Seen: the HTTP client of all actions; "incomplete data transmission" in the documentation.
    """
    on = pair(preset="rudderstack")
    send(on, identify("u", "warm@x.example"))
    on.calls.clear()
    fault(on, kind="status", status=429, policy=policy, path="batch/upsert", times=2)
    on.batch([identify(f"u{i}", f"u{i}@x.example") for i in range(10)])
    assert on.settled(11) == {(State.DELIVERED, "ok"): 11}
    assert [c["status"] for c in calls(on, "batch/upsert")] == [429, 429, 200]
    budget = Budget()
    budget.limited("general", policy, 7.0, now=100.0)
    assert budget.delay_s("general", 100.0) == 7.0


def test_segment_a_connection_for_every_call(pair):
    """`Connection: close`: every call to HubSpot makes a TCP and TLS connection of its own.

    Here: connections are kept.
    Seen: the HTTP client of all actions.
    """
    on = pair()
    ports = []
    admit = on.sandbox.hubspot._admit

    def noted(request, path):
        ports.append(request.client.port)
        return admit(request, path)

    on.sandbox.hubspot._admit = noted
    send(on, *(identify(f"u{i}", f"u{i}@x.example") for i in range(6)))
    assert len(ports) >= 9
    assert len(set(ports)) <= 2


def test_segment_a_large_schema_drops_events(pair):
    """A portal with many definitions or properties answers with more than the client takes: events are dropped.

    Here: schemas of any usual size are read, once.
    Seen: `customEvent`, `upsertObject` (segment-docs #7266).
    """
    on = pair(rate_limits=False)
    contacts = on.sandbox.portal.records["contacts"]
    pattern = contacts.definitions["city"]
    for i in range(1500):
        contacts.definitions[f"many_{i}"] = {**pattern, "name": f"many_{i}", "description": "x" * 1000}
    for i in range(250):
        on.hubspot("POST", "/events/v3/event-definitions", {"label": f"E {i}", "name": f"e_{i}"})
    on.calls.clear()
    on.batch([identify("u", "a@x.example", many_1499="v"), track("u", "E 249")])
    on.settled(2)
    assert on.portal["contacts"][0]["many_1499"] == "v"
    assert [o["event"] for o in on.portal["occurrences"]] == ["pe20001_e_249"]
    assert len(calls(on, "/contacts")) == 1


@pytest.mark.parametrize(
    ("trigger", "event", "holds"),
    [
        ('type = "track" and event = "A" or event = "B"', {"type": "track", "event": "C"}, False),
        (
            'type = "identify" or type = "track" and event = "A"',
            {"type": "identify", "traits": {}},
            True,
        ),
        (
            'type = "track" and (contains(event, "zzz") or userId = "nobody")',
            {"type": "track", "event": "A", "userId": "u"},
            False,
        ),
        ('!(type = "track")', {"type": "track"}, False),
        ('not type = "track"', {"type": "track"}, False),
        ('type = "track" and anonymousId = "x"', {"type": "track", "anonymousId": "y"}, False),
        ('event != null and type = "page"', {"type": "page"}, False),
        ('match(event, "*mid*")', {"type": "track", "event": "a mid b"}, True),
        ('match(event, "Product Added")', {"type": "track", "event": "A Xroduct Added"}, False),
        ('type = "track" or(type = "page")', {"type": "page"}, True),
        ('type = "track"\r\nand event = "A"', {"type": "track", "event": "B"}, False),
    ],
)
def test_segment_triggers_say_one_thing_and_do_another(trigger, event, holds):
    """No precedence of `and` over `or`; groups end at their first bracket; negation, unknown fields and what follows a line end are ignored.

    Here: a grammar reads what is written, or says what it cannot read; `compat: segment` keeps Segment's reading and warns.
    Seen: FQL; measured in 6,780 cases.
    """
    try:
        read = parse_trigger(trigger)
    except TriggerError:
        read = None
    assert read is None or read.matches(event) is holds
    segments = parse_trigger(trigger, "segment")
    assert segments.matches(event) is not holds or segments.warnings


# --- RudderStack: mapping and values -----------------------------------------------------------------------------------


def test_rudderstack_postal_code_is_lost(pair):
    """`address.postalCode`, as both specifications spell it, is not mapped; only `address.postalcode` is.

    Here: every spelling becomes `zip`.
    Seen: identify.
    """
    on = pair(preset="rudderstack")
    spelt = ["postalCode", "postalcode", "postal_code", "zip"]
    on.batch([identify(f"u{i}", f"u{i}@x.example", address={name: "N1"}) for i, name in enumerate(spelt)])
    on.settled(4)
    assert [v.get("zip") for v in found(on).values()] == ["N1"] * 4


def test_rudderstack_names_with_a_dash_are_dropped(pair):
    """A dash stays in the name, no property has such a name, and the trait is dropped.

    Here: what HubSpot does not take in names becomes `_`.
    Seen: identify.
    """
    on = pair(preset="rudderstack")
    send(on, identify("u", "a@x.example", **{"sign-up plan": "free"}))
    assert on.portal["contacts"][0]["sign_up_plan"] == "free"


def test_rudderstack_unknown_properties_vanish(pair):
    """A trait that HubSpot has no property for is dropped without a word.

    Here: made, dropped with a note, or dead-lettered, as you choose.
    Seen: identify.
    """
    on = pair(preset="rudderstack", more="      create_deny: [shoe]\n")
    send(on, identify("u", "a@x.example", shoe="42", hat="M"))
    assert on.portal["contacts"][0]["hat"] == "M"
    assert "unknown_property_dropped:shoe" in notes(on, 0)


def test_rudderstack_epoch_seconds_become_1970(pair):
    """Epoch seconds in a date property are taken for milliseconds: 1970-01-21.

    Here: both are told apart by their size.
    Seen: identify; rudder-transformer #5175 for unreadable dates.
    """
    on = pair(preset="rudderstack", property_lag_ms=0)
    define(on, "contacts", "renewal", "date", "date")
    given = [1782864000, 1782864000000, "1782864000", "2026-07-01", "2026-07-01T02:00:00+02:00"]
    on.batch([identify(f"u{i}", f"u{i}@x.example", renewal=value) for i, value in enumerate(given)])
    on.settled(5)
    assert {v["renewal"] for v in found(on).values()} == {"2026-07-01"}


def test_rudderstack_what_is_no_date_is_sent_as_it_is(pair):
    """`30/06/2026`, true and other values pass through to date properties; HubSpot refuses the record.

    Here: the value is left out and noted, the record is written.
    Seen: identify.
    """
    on = pair(preset="rudderstack", property_lag_ms=0)
    define(on, "contacts", "renewal", "date", "date")
    given = ["30/06/2026", True, "soon", {"a": 1}, -1e18]
    on.batch([identify(f"u{i}", f"u{i}@x.example", renewal=value) for i, value in enumerate(given)])
    assert on.settled(5) == {(State.DELIVERED, "ok"): 5}
    assert not any(v.get("renewal") for v in found(on).values())
    assert all("value_not_convertible:renewal" in notes(on, i) for i in range(5))


def test_rudderstack_an_array_into_an_enumeration(pair):
    """A list for a multi-select goes as a JSON array, which HubSpot does not take.

    Here: options by value or label, joined by `;`.
    Seen: identify.
    """
    on = pair(preset="rudderstack", property_lag_ms=0)
    define(on, "contacts", "likes", "enumeration", "checkbox", ("tea", "milk", "rum"))
    send(on, identify("u", "a@x.example", likes=["tea", "MILK", "tea"]))
    assert on.portal["contacts"][0]["likes"] == "tea;milk"


def test_rudderstack_a_numeric_string_aborts_the_event(pair):
    """`"5"` for a number property aborts the whole event.

    Here: it is 5; text that is no number is left out and noted.
    Seen: identify.
    """
    on = pair(preset="rudderstack", property_lag_ms=0)
    define(on, "contacts", "score", "number", "number")
    on.batch(
        [identify("u0", "u0@x.example", score="5"), identify("u1", "u1@x.example", score="five", city="Rome")]
    )
    assert on.settled(2) == {(State.DELIVERED, "ok"): 2}
    made = found(on)
    assert (made["u0@x.example"]["score"], made["u1@x.example"]["city"]) == ("5", "Rome")
    assert "value_not_convertible:score" in notes(on, 1)


def test_rudderstack_yes_is_sent_to_a_boolean(pair):
    """Anything but an object passes for a boolean, and HubSpot refuses the record.

    Here: yes and no, 1 and 0 are converted; what is neither is left out and noted.
    Seen: identify.
    """
    on = pair(preset="rudderstack", property_lag_ms=0)
    define(on, "contacts", "vip", "bool", "booleancheckbox", ("true", "false"))
    given = ["yes", "No", 1, 0, False, "perhaps"]
    on.batch([identify(f"u{i}", f"u{i}@x.example", vip=value) for i, value in enumerate(given)])
    assert on.settled(6) == {(State.DELIVERED, "ok"): 6}
    assert [v.get("vip") for v in found(on).values()] == ["true", "false", "true", "false", "false", None]
    assert "value_not_convertible:vip" in notes(on, 5)


def test_rudderstack_objects_are_sent_as_json(pair):
    """An address without a street, or a company without a name, goes as JSON text into `address` or `company`.

    Here: address and company are read part by part.
    Seen: identify.
    """
    on = pair(preset="rudderstack")
    send(on, identify("u", "a@x.example", address={"city": "London"}, company={"plan": "free"}))
    (made,) = on.portal["contacts"]
    assert made["city"] == "London"
    assert not made.get("address")
    assert not made.get("company")


def test_rudderstack_zero_and_false_are_dropped(pair):
    """0 and false were taken for "no value".

    Here: they are values.
    Seen: rudder-transformer #4859, by its title.
    """
    on = pair(preset="rudderstack")
    send(on, identify("u", "a@x.example", visits=0, vip=False), track("u", "Viewed", n=0, first=False))
    (made,) = on.portal["contacts"]
    assert (made["visits"], made["vip"]) == ("0", "false")
    assert on.portal["occurrences"][0]["properties"] == {"first": "false", "n": "0"}


def test_rudderstack_system_fields_are_sent(pair):
    """A trait named like a system field went to HubSpot, which refuses it.

    Here: what only HubSpot writes is left out.
    Seen: rudder-transformer #4193, by its title.
    """
    on = pair(preset="rudderstack")
    send(
        on,
        identify(
            "u", "a@x.example", hs_object_id="5", createdate="2026-01-02", lastmodifieddate=1, city="Rome"
        ),
    )
    assert on.tally() == {(State.DELIVERED, "ok"): 1}
    assert on.portal["contacts"][0]["city"] == "Rome"
    assert [c["status"] for c in calls(on, "/contacts/batch/upsert")] == [200]


# --- RudderStack: calls that become nothing ----------------------------------------------------------------------------


def test_rudderstack_screen_group_page_and_alias_are_errors(pair):
    """page, screen, group and alias calls are refused: "Message type is not supported".

    Here: screen is an event, group a company and its association, alias joins persons; page ends filtered and says so.
    Seen: all four types.
    """
    on = pair(preset="rudderstack")
    on.batch(
        [
            identify("u", "a@x.example"),
            {"type": "screen", "userId": "u", "name": "Home"},
            group("u", "c.example"),
            {"type": "page", "userId": "u", "name": "Home"},
            {"type": "alias", "userId": "u", "previousId": "before"},
        ]
    )
    tally = on.settled(5)
    assert not [s for s, _ in tally if s is State.DEAD_LETTERED], tally
    assert [o["event"] for o in on.portal["occurrences"]] == ["pe20001_screen_viewed"]
    assert [a[1:4:2] for a in associated(on)] == [["a@x.example", "c.example"]]
    assert outcomes(on, 3)[""].reason == "unsupported_event_type"


def test_rudderstack_traits_hubspot_is_ignored(pair):
    """`traits.hubspot.objects`, RudderStack's own way to associate, does nothing.

    Here: the associations are made.
    Seen: identify.
    """
    on = pair(preset="rudderstack")
    deal = on.hubspot("POST", "/crm/v3/objects/deals", {"properties": {"dealname": "D"}})["id"]
    send(on, identify("u", "a@x.example", hubspot={"objects": [{"objectId": deal, "objectType": "deal"}]}))
    assert outcomes(on, 0)["association:0"].state is State.DELIVERED
    assert on.sandbox.portal.associations.of("contacts", contact_id(on), "deals")


def contact_id(on):
    """The id of the only contact."""
    (made,) = on.sandbox.portal.records["contacts"].by_id
    return made


def test_rudderstack_any_external_id_is_taken_for_an_address(pair):
    """A track call without an address is sent with the first `externalId` as email, whatever that is.

    Here: only an address is one; the event waits until the person has one.
    Seen: track.
    """
    on = pair(preset="rudderstack")
    context = {"externalId": [{"type": "someId", "id": "12345"}]}
    on.batch([{**track("u", "Viewed"), "context": context}])
    assert on.settled(1, waiting=True) == {(State.WAITING, "no_identity_yet"): 1}
    send(on, identify("u", "a@x.example"))
    on.settled(2)
    assert [o["contact"] for o in on.portal["occurrences"]] == ["a@x.example"]
    assert list(found(on)) == ["a@x.example"]


def test_rudderstack_events_and_properties_must_be_listed(pair):
    """An event that the configuration does not list is refused; properties that it does not list are dropped.

    Here: any event and all its properties; definitions are made.
    Seen: track.
    """
    on = pair(preset="rudderstack")
    send(on, identify("u", "a@x.example"), track("u", "Never Heard Of", colour="red", size=5))
    assert [o["properties"] for o in on.portal["occurrences"]] == [{"colour": "red", "size": "5"}]


def test_rudderstack_events_can_only_name_contacts(pair):
    """An event cannot name its record otherwise than by the contact's address or the visitor's token.

    Here: any record by its id, also of other types, as a number or as text.
    Seen: rudder-transformer #5058, closed; Segment refuses an id as text (action-destinations #1369).
    """
    staged = """
- name: stage
  action: custom_event
  trigger: event = "Staged"
  fields: {name: staged, object_type: deals, object_id: {"@path": $.properties.deal}, properties: {}}
"""
    on = pair(preset="null", more=mappings(staged))
    deal = on.hubspot("POST", "/crm/v3/objects/deals", {"properties": {"dealname": "D"}})["id"]
    on.batch([track("u", "Staged", deal=int(deal)), track("u", "Staged", deal=deal)])
    assert on.settled(2) == {(State.DELIVERED, "ok"): 2}
    assert [o["objectId"] for o in on.sandbox.portal.occurrences] == [deal, deal]


def test_rudderstack_numeric_ids(pair):
    """Ids that are numbers and not text failed.

    Here: a number is its text.
    Seen: rudder-transformer #5416, by its title.
    """
    on = pair(preset="rudderstack")
    on.batch(
        [identify(12345, "a@x.example", 1, firstName="A"), identify("12345", "a@x.example", 2, lastName="B")]
    )
    on.batch([{"type": "track", "userId": 12345, "event": "Viewed", "properties": {}}])
    on.settled(3)
    (made,) = on.portal["contacts"]
    assert (made["firstname"], made["lastname"]) == ("A", "B")
    assert [o["contact"] for o in on.portal["occurrences"]] == ["a@x.example"]


# --- RudderStack: order and calls --------------------------------------------------------------------------------------


def test_rudderstack_the_older_value_wins_in_a_batch(pair):
    """Rows are taken in the order in which look-ups answer: of two identifies of one user the older value wins in up to half the trials.

    Here: by event time, property by property, whatever the order of arrival.
    Seen: router batches; 289 of 600 with a look-up, 194 of 400 with a cold cache.
    """
    on = pair(preset="rudderstack", latency_ms=5)
    events = [
        identify(f"u{i}", f"u{i}@x.example", at, lastName=f"{at}") for at in range(10) for i in range(30)
    ]
    events[::2], events[1::2] = events[1::2], events[::2]
    on.batch(events[:150])
    on.batch(events[150:])
    on.settled(300)
    on.batch([identify(f"u{i}", f"u{i}@x.example", 0, lastName="late") for i in range(30)])
    on.settled(330)
    assert {v["lastname"] for v in found(on).values()} == {"9"}


def test_rudderstack_order_is_given_up_for_a_busy_user(pair):
    """Above 200 concurrent events of one user their order is switched off for 20 minutes.

    Here: a record's writes are in order, however many there are.
    Seen: rudder-server, router.
    """
    on = pair(preset="rudderstack", latency_ms=5)
    on.batch(
        [{**identify("u", "a@x.example", i % 60, lastName=str(i)), "timestamp": None} for i in range(1000)]
    )
    on.settled(1000)
    assert on.portal["contacts"][0]["lastname"] == "999"


def test_rudderstack_the_older_value_wins_after_a_search(pair):
    """The same with a look-up field that is not unique: one search for each event, each answering in its own time.

    Here: one search for all, and one row for each record.
    Seen: router batches, 289 of 600 trials.
    """
    on = deals(pair, by="dealname", latency_ms=5, search_lag_ms=0)
    for i in range(20):
        on.hubspot("POST", "/crm/v3/objects/deals", {"properties": {"dealname": f"D{i}"}})
    on.calls.clear()
    with on.gathered():
        on.batch([track("u", "Deal", at, id=f"D{i}", amount=at) for at in (1, 4, 3, 2) for i in range(20)])
    on.settled(80)
    on.batch([track("u", "Deal", 0, id=f"D{i}", amount=0) for i in range(20)])
    on.settled(100)
    assert {v["amount"] for v in found(on, "deals", "dealname").values()} == {"4"}
    assert len(calls(on, "/deals/search")) <= 2


def test_rudderstack_two_hundred_identifies_read_the_schema_two_hundred_times(pair):
    """A fresh process reads all properties once for each event of its first batch: 200 identifies are 200 calls.

    Here: once, however many wait.
    Seen: router, cold cache.
    """
    on = pair(preset="rudderstack", latency_ms=20)
    events = [{"writeKey": "e2e-key", **identify(f"u{i}", f"u{i}@x.example")} for i in range(200)]

    def post(some):
        for event in some:
            on.post("/v1/identify", event)

    threads = [threading.Thread(target=post, args=(events[i::8],)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    on.settled(200)
    assert len(calls(on, "/properties/2026-09/contacts")) == 1
    assert len(found(on)) == 200


def test_rudderstack_the_schema_is_read_for_every_batch(pair):
    """Every batch reads all contact properties, also one of track calls, which do not use them.

    Here: never again while it is fresh.
    Seen: router; `GET /properties/v1/contacts/properties`.
    """
    on = pair(preset="rudderstack")
    send(on, identify("u", "a@x.example"), track("u", "Viewed", n=1))
    on.calls.clear()
    send(on, *(track("u", "Viewed", i, n=i) for i in range(3)), identify("v", "b@x.example"))
    assert [c for c in on.calls if c["method"] == "GET"] == []


def test_rudderstack_one_call_for_each_event(pair):
    """Track calls go to `/events/v3/send` one by one.

    Here: up to 500 a call.
    Seen: track; "not implemented" in its own documentation.
    """
    on = pair(preset="rudderstack")
    on.batch([identify(f"u{i}", f"u{i}@x.example") for i in range(10)])
    on.batch([track("u0", "Viewed", n=0)])
    on.settled(11)
    on.calls.clear()
    with on.gathered():
        on.batch([track(f"u{i % 10}", "Viewed", n=i) for i in range(500)])
    on.settled(511)
    assert len(on.calls) <= 2


def test_rudderstack_an_event_is_sent_twice_after_a_timeout(pair):
    """Events carry no id: one that HubSpot took without being heard is there twice after the retry.

    Here: each has a uuid of its own, made of its message id.
    Seen: track.
    """
    on = pair(preset="rudderstack")
    send(on, identify("u", "a@x.example"), track("u", "Viewed", n=0))
    fault(on, kind="commit_then_reset", path="/send/batch", times=1)
    on.batch([track("u", "Viewed", n=i) for i in range(1, 6)])
    on.settled(7)
    assert len(calls(on, "/send/batch")) == 3
    assert sorted(o["properties"]["n"] for o in on.portal["occurrences"]) == list("012345")


def test_rudderstack_merged_updates_lose_earlier_properties(pair):
    """Of two events about one record in a create or update batch the last replaces the first.

    Here: they fold, property by property.
    Seen: `batch/update`, `batch/create`.
    """
    on = pair(preset="rudderstack")
    send(on, identify("u", "a@x.example"))
    on.batch(
        [identify("u", "a@x.example", 1, firstName="Ada"), identify("u", "a@x.example", 2, lastName="L")]
    )
    on.settled(3)
    (made,) = on.portal["contacts"]
    assert (made["firstname"], made["lastname"]) == ("Ada", "L")
    assert [c["n"] for c in calls(on, "/contacts/batch/update")] == [1]


def test_rudderstack_case_different_addresses_are_two_inputs(pair):
    """`A@b.co` and `a@B.co` go as two inputs of one upsert, which HubSpot refuses.

    Here: an address is one however it is spelt.
    Seen: `batch/upsert`.
    """
    on = pair(preset="rudderstack")
    on.batch([identify("u", f"{a}@x.example", i) for i, a in enumerate(("Ada", "ADA", "ada"))])
    on.settled(3)
    assert [c["n"] for c in calls(on, "/contacts/batch/upsert")] == [1]
    assert list(found(on)) == ["ada@x.example"]


def test_rudderstack_a_second_address_makes_another_contact(pair):
    """A contact known under an additional address was made again, or the batch failed with a conflict.

    Here: it is found by all of its addresses; with `read_first` its first address stays.
    Seen: fixed by rudder-transformer #3258 and #3277.
    """
    on = pair(preset="rudderstack", more="      contact_lookup: read_first\n")
    first, second = contact(on, email="first@x.example"), contact(on, email="second@x.example")
    merge = {"primaryObjectId": first, "objectIdToMerge": second}
    on.hubspot("POST", "/crm/v3/objects/contacts/merge", merge)
    on.batch([identify("u", "second@x.example", city="Rome")])
    assert on.settled(1) == {(State.DELIVERED, "ok"): 1}
    assert [(c["email"], c["city"]) for c in on.portal["contacts"]] == [("first@x.example", "Rome")]


def test_rudderstack_a_record_is_made_twice_while_the_search_lags(pair):
    """Each write by a property that is not unique searches first, and HubSpot's search sees a new record seconds later.

    Here: what we made is known by its id.
    Seen: look-up fields that are not unique; its own live tests wait for the search.
    """
    on = deals(pair, by="dealname", search_lag_ms=5000)
    send(on, track("u", "Deal", 1, id="D", amount=1), track("u", "Deal", 2, id="D", amount=2))
    assert [r.values["amount"] for r in on.sandbox.portal.type("deals").by_id.values()] == ["2"]


# --- RudderStack: what becomes of answers ------------------------------------------------------------------------------


def test_rudderstack_a_merged_duplicate_of_a_failed_row_is_delivered(pair):
    """Events that were merged into one row, which fails: the first is reported failed, the others delivered.

    Here: every event of the row has the row's outcome.
    Seen: 207 of `batch/upsert` (rudder-transformer #5407, review).
    """
    on = pair(preset="rudderstack")
    on.sandbox.portal.records["contacts"].blocked_emails.add("bad@x.example")
    on.batch(
        [identify("u", "bad@x.example", i, lastName=str(i)) for i in range(4)]
        + [identify("v", "v@x.example")]
    )
    on.settled(5)
    assert reasons(on) == {"gdpr_blocked": 4, "ok": 1}


def test_rudderstack_an_error_without_a_trace_id_is_a_delivery(pair):
    """An error of a 207 that names no trace id counts for nobody: all events are delivered.

    Here: a row that the answer does not mention is not delivered; it is sent again.
    Seen: 207 of `batch/upsert`.
    """
    on = pair(preset="rudderstack")
    on.sandbox.portal.records["contacts"].blocked_emails.add("u1@x.example")

    def without_traces(call, body):
        status, answer = call(body)
        assert status == 207
        answer["errors"] = [{**e, "context": {}} for e in answer["errors"]]
        return status, answer

    left = meddle(on, "batch/upsert$", without_traces)
    on.batch([identify(f"u{i}", f"u{i}@x.example") for i in range(3)])
    on.settled(3)
    assert left == [0]
    assert reasons(on) == {"gdpr_blocked": 1, "ok": 2}


def test_rudderstack_fewer_results_than_inputs_are_all_delivered(pair):
    """One result for two inputs and no error: both events are delivered.

    Here: only what the answer confirms is; the other is sent again.
    Seen: 200 of `batch/upsert`.
    """
    on = pair(preset="rudderstack")
    left = meddle(on, "batch/upsert$", lambda call, body: call({"inputs": body["inputs"][:1]}))
    on.batch([identify("u1", "a@x.example"), identify("u2", "b@x.example")])
    assert on.settled(2) == {(State.DELIVERED, "ok"): 2}
    assert left == [0]
    assert sorted(found(on)) == ["a@x.example", "b@x.example"]


def test_rudderstack_complete_with_nothing_written(pair):
    """HubSpot answers COMPLETE without results: counted as delivered once, aborted today.

    Here: what is not confirmed is sent again, and arrives.
    Seen: rudder-transformer #5147, #5167.
    """
    on = pair(preset="rudderstack")
    left = meddle(on, "batch/upsert$", lambda _call, _body: (200, {"status": "COMPLETE", "results": []}))
    on.batch([identify(f"u{i}", f"u{i}@x.example") for i in range(5)])
    assert on.settled(5) == {(State.DELIVERED, "ok"): 5}
    assert left == [0]
    assert len(found(on)) == 5


def test_rudderstack_momentary_failures_of_rows_are_aborted(pair):
    """Rows that a 207 refuses for the moment are aborted like those that it refuses for good.

    Here: they are tried again, with the others untouched.
    Seen: 207 of `batch/upsert`.
    """
    on = pair(preset="rudderstack")
    fault(on, kind="207_partial", path="batch/upsert", times=1, seed=3)
    on.batch([identify(f"u{i}", f"u{i}@x.example") for i in range(20)])
    assert on.settled(20) == {(State.DELIVERED, "ok"): 20}
    assert sum(c["n"] for c in calls(on, "/contacts/batch/upsert")) < 40


def test_rudderstack_a_refused_batch_is_sent_one_by_one(pair):
    """A 400 for a batch sends each of its events again in a call of its own: 100 calls for one bad row.

    Here: halves, until the bad row is alone: about 14 calls.
    Seen: `dontBatch` (rudder-transformer #3308); invalid addresses poisoned batches (#3972).
    """
    on = pair(preset="rudderstack", switches={"trace_ids_on_upsert": "whole_400"})
    send(on, identify("u", "warm@x.example"))
    on.sandbox.portal.records["contacts"].blocked_emails.add("u37@x.example")
    on.calls.clear()
    on.batch([identify(f"u{i}", f"u{i}@x.example") for i in range(100)])
    on.settled(101)
    assert reasons(on) == {"ok": 100, "gdpr_blocked": 1}
    assert len(on.calls) <= 17


@pytest.mark.parametrize("traces", ["207", "whole_400"])
def test_rudderstack_a_conflict_aborts_all_records_of_the_batch(pair, traces):
    """A 409 for one record of a batch aborts all of them, also when the look-up was merely overtaken.

    Here: the one record that conflicts ends with HubSpot's words; the others are written.
    Seen: `batch/create`, `batch/upsert`.
    """
    on = pair(preset="rudderstack", property_lag_ms=0, switches={"trace_ids_on_upsert": traces})
    define(on, "contacts", "crm_id", hasUniqueValue=True)
    contact(on, email="owner@x.example", crm_id="5")
    on.batch([identify(f"u{i}", f"u{i}@x.example", crm_id=str(i)) for i in range(10)])
    on.settled(10)
    assert reasons(on) == {"ok": 9, "message_rejected": 1}
    assert outcomes(on, 5)["contact"].state is State.DEAD_LETTERED
    assert len(found(on)) == 10


def test_rudderstack_a_broken_connection_aborts_events(pair, monkeypatch):
    """A name that does not resolve for a moment, or a broken pipe, aborts the events as if they were wrong.

    Here: nothing of theirs is wrong: they wait until HubSpot answers.
    Seen: ENOTFOUND and EPIPE count as 400.
    """
    on = pair(preset="rudderstack")
    fault(on, kind="reset", path="batch/upsert", times=2)
    on.batch([identify(f"u{i}", f"u{i}@x.example") for i in range(5)])
    assert on.settled(5) == {(State.DELIVERED, "ok"): 5}

    def unresolved(*_arguments, **_more):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unresolved)

    async def ask():
        client = Client("t", Budget(), base_url="http://api.hubspot.example")
        try:
            await client.send(Operations().account())
        finally:
            await client.close()

    with pytest.raises(Unreachable) as raised:
        asyncio.run(ask())
    assert call_failed(raised.value).cause is Cause.DOWN
