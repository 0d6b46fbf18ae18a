"""The presets and the filters, through the whole path: what a portal holds of the same events under each."""

from __future__ import annotations

import pytest

from millstream.delivery.outcome import State


def test_segments_actions_write_only_what_is_mapped(pair):
    """A null says nothing; traits beside the mapped ones stay out, also on the first write of the whole profile."""
    on = pair(preset="segment")
    traits = {"email": "ann@x.example", "firstName": "Ann", "phone": "+18685550100", "secret": "s"}
    on.batch(
        [
            {"type": "identify", "userId": "u", "traits": {**traits, "address": {"postalCode": "04229"}}},
            {"type": "identify", "userId": "u", "traits": {"email": "ann@x.example", "phone": None}},
            {
                "type": "group",
                "userId": "u",
                "groupId": "g1",
                "traits": {"name": "Acme", "website": "https://www.acme.example", "employees": "12"},
            },
            {"type": "group", "userId": "u", "groupId": "g1", "traits": {"industry": "RETAIL"}},
        ]
    )
    on.settled(4)
    (contact,) = on.portal["contacts"]
    assert {k: contact[k] for k in ("firstname", "phone", "zip")} == {
        "firstname": "Ann",
        "phone": "+18685550100",
        "zip": "04229",
    }
    assert "secret" not in contact
    (company,) = on.portal["companies"]
    assert (company["name"], company["segment_group_id"], company["numberofemployees"]) == (
        "Acme",
        "g1",
        "12",
    )
    assert [a[:2] for a in on.portal["associations"] if a[0] == "contacts"] == [["contacts", "ann@x.example"]]
    assert not [p for p in on.portal["properties"] if p[1] in {"secret", "email"}]


def test_a_company_that_is_there_is_adopted_by_what_describes_it(pair):
    """With search fields: one hit is adopted, several are nobody's to choose from, none and create: false is said."""
    more = """    mappings:
      - name: upsert company
        action: upsert_company
        trigger: type = "group"
        fields:
          group_id: {"@path": $.groupId}
          search: {name: {"@path": $.traits.name}, domain: {"@path": $.traits.domain}}
          create: false
          properties: {industry: {"@path": $.traits.industry}}
      - {name: associate contact, action: associate, trigger: none}
"""
    on = pair(preset="segment", more=more, search_lag_ms=0)
    for name, domain in (("One", "one.example"), ("Two", "two.example"), ("Two", "two2.example")):
        on.hubspot("POST", "/crm/v3/objects/companies", {"properties": {"name": name, "domain": domain}})
    names = ("ONE", "Two", "Three")
    on.batch(
        [
            {
                "type": "group",
                "userId": "u",
                "groupId": f"g{i}",
                "traits": {"name": n, "industry": "RETAIL"},
            }
            for i, n in enumerate(names)
        ]
    )
    on.settled(3)
    assert [on.outcome(i, "company").reason for i in range(3)] == ["ok", "ambiguous", "sync_mode"]
    adopted = [c for c in on.portal["companies"] if c.get("segment_group_id")]
    assert [(c["name"], c["segment_group_id"], c["industry"]) for c in adopted] == [("One", "g0", "RETAIL")]
    assert len(on.portal["companies"]) == 3


AMPLITUDE = """      events:
        - event: Order Completed
          name: amp_order
          when: properties.total > 10
          properties: [total]
          user_properties: [plan, seats]
        - {event: Page Seen, properties: {seen_path: path}}
"""


def test_amplitude_streams_only_what_was_chosen(pair):
    """Its own internal name, the property filter, chosen properties alone, user properties as text, address alone."""
    on = pair(preset="amplitude", more=AMPLITUDE)
    events = [
        {
            "user_id": "user-1",
            "event_type": "$identify",
            "user_properties": {"$set": {"email": "amp@x.example", "plan": "pro", "seats": 5}},
        },
        {
            "user_id": "user-1",
            "event_type": "Order Completed",
            "event_properties": {"total": 20, "coupon": "X"},
        },
        {"user_id": "user-1", "event_type": "Order Completed", "event_properties": {"total": 5}},
        {"user_id": "user-1", "event_type": "Other", "event_properties": {"a": 1}},
        {"user_id": "user-1", "event_type": "Page Seen", "event_properties": {"path": "/a", "b": 1}},
    ]
    answer = on.post("/2/httpapi", {"api_key": "e2e-key", "events": events})
    assert answer["code"] == 200
    on.settled(5)
    found = {o["event"]: o["properties"] for o in on.portal["occurrences"]}
    assert found == {
        "pe20001_amp_order": {"total": "20", "plan": "pro", "seats": "5"},
        "pe20001_page_seen": {"seen_path": "/a"},
    }
    types = {d[0]: dict(d[2]) for d in on.portal["event_definitions"]}
    assert types["amp_order"] == {"total": "number", "plan": "string", "seats": "string"}
    assert {d[0]: d[1] for d in on.portal["event_definitions"]}["amp_order"] == "Order Completed"
    assert [set(c) & {"plan", "seats"} for c in on.portal["contacts"]] == [set()]
    reasons = [on.outcome(i).reason for i in (0, 2, 3)]
    assert reasons == ["no_matching_mapping"] * 3


def test_rudderstack_finds_contacts_by_its_own_ids(pair):
    """`externalId` of type hsContactId names the contact, and events of that person follow it without an address."""
    on = pair(preset="rudderstack")
    made = on.hubspot("POST", "/crm/v3/objects/contacts", {"properties": {"email": "old@x.example"}})
    context = {"externalId": [{"type": "other", "id": "1"}, {"type": "hsContactId", "id": made["id"]}]}
    on.batch(
        [
            {"type": "identify", "userId": "r", "traits": {"firstname": "Ray"}, "context": context},
            {"type": "track", "userId": "r", "event": "Seen"},
        ]
    )
    on.settled(2)
    (contact,) = on.portal["contacts"]
    assert (contact["email"], contact["firstname"]) == ("old@x.example", "Ray")
    assert [(o["event"], o["contact"]) for o in on.portal["occurrences"]] == [
        ("pe20001_seen", "old@x.example")
    ]


LOOKUP = """    mappings:
      - name: identify to contact
        action: upsert_contact
        trigger: type = "identify"
        fields:
          email: {"@path": $.traits.email}
          properties: {"@path": $.traits}
          lookup_field: customer_no
          lookup_value: {"@path": $.traits.customer_no}
"""


@pytest.mark.parametrize("unique", [True, False])
def test_a_lookup_field_instead_of_the_address(pair, unique):
    """By a unique property one call, by another a search; the address may change without a second contact."""
    on = pair(preset="rudderstack", more=LOOKUP, property_lag_ms=0, search_lag_ms=0)
    made = {
        "name": "customer_no",
        "label": "No",
        "type": "string",
        "fieldType": "text",
        "groupName": "contactinformation",
        "hasUniqueValue": unique,
    }
    on.hubspot("POST", "/crm/v3/properties/contacts", made)
    on.restart()
    for i, email in enumerate(("first@x.example", "second@x.example")):
        on.batch([{"type": "identify", "userId": "c", "traits": {"customer_no": "C1", "email": email}}])
        on.settled(i + 1)
    (contact,) = on.portal["contacts"]
    assert (contact["customer_no"], contact["email"]) == ("C1", "second@x.example")
    searches = [c for c in on.calls if c["path"].endswith("/search")]
    assert bool(searches) is not unique


FILTERS = """    filters:
      - {name: half, kind: sample, percent: 50, trigger: event = "Sampled"}
      - {name: pii, kind: drop_properties, trigger: all, fields: {traits: [ssn, cards.number], properties: [items.price]}}
      - {name: few, kind: allow_properties, trigger: event = "Strict", fields: {properties: [kept, deep.kept]}}
      - {name: only paid, kind: only, trigger: event != "Free"}
    consent_categories: [marketing]
"""


def test_filters_keep_back_what_they_say(pair):
    """Samples decide by id, properties go before any mapping sees them, the profile's own too; each has its reason."""
    on = pair(more=FILTERS)
    on.batch(
        [
            {
                "type": "identify",
                "userId": "f",
                "traits": {
                    "email": "f@x.example",
                    "ssn": "123-45",
                    "cards": [{"number": "4", "kind": "v"}],
                    "city": "Rome",
                },
            },
            {
                "type": "track",
                "userId": "f",
                "event": "Strict",
                "properties": {"kept": 1, "gone": 2, "deep": {"kept": 3, "gone": 4}},
            },
            {"type": "track", "userId": "f", "event": "Free"},
            {
                "type": "track",
                "userId": "f",
                "event": "Denied",
                "context": {"consent": {"categoryPreferences": {"marketing": False}}},
            },
            *({"type": "track", "userId": "f", "event": "Sampled"} for _ in range(200)),
        ]
    )
    on.settled(204)
    (contact,) = on.portal["contacts"]
    assert "ssn" not in contact
    assert contact["city"] == "Rome"
    assert "4" not in str(contact["cards"]).replace("204", "")
    strict = next(o for o in on.portal["occurrences"] if o["event"].endswith("strict"))
    assert strict["properties"] == {"kept": "1", "deep_kept": "3"}
    assert on.outcome(2).reason == "filtered_by_rules"
    assert on.outcome(3).reason == "filtered_by_end_user_consent"
    tally = on.tally()
    assert 60 < tally[State.FILTERED, "filtered_by_sample"] < 140
    assert (
        len([o for o in on.portal["occurrences"] if o["event"].endswith("sampled")])
        == 200 - tally[State.FILTERED, "filtered_by_sample"]
    )
