"""Calls per 1,000 events of each action: at what HubSpot's API makes possible, or below."""

from __future__ import annotations

import pytest


def settle(on, n):
    """Everything is decided; forget the calls before."""
    on.settled(n)
    on.calls.clear()


def written(on):
    """Calls since, the schema's reads apart."""
    return [
        c["path"]
        for c in on.calls
        if not (c["method"] == "GET" and ("/properties/" in c["path"] or "definitions" in c["path"]))
    ]


def identifies(n, start=0, **traits):
    """Identify calls of different persons."""
    return [
        {
            "type": "identify",
            "userId": f"u{i}",
            "traits": {"email": f"u{i}@x.example", "firstName": f"F{i}", **traits},
        }
        for i in range(start, start + n)
    ]


def contacts(on, n):
    """Contacts that are there, in batches."""
    for start in range(0, n, 100):
        rows = [{"properties": {"email": f"u{i}@x.example"}} for i in range(start, start + 100)]
        on.hubspot("POST", "/crm/v3/objects/contacts/batch/create", {"inputs": rows})


@pytest.mark.parametrize(("there", "most"), [(0, 12), (500, 12), (1000, 12)], ids=["new", "half", "known"])
def test_contacts(pair, there, most):
    """10 calls whether the contacts are there or not (and 2 for how batches fall); Segment needs 20 to 2,000."""
    on = pair()
    contacts(on, there)
    on.calls.clear()
    with on.gathered():
        on.batch(identifies(1000))
    assert sum(on.settled(1000).values()) == 1000
    assert len(written(on)) <= most, written(on)


def test_lifecycle_stages_that_go_back(pair):
    """`forward_only` says so without a call; `allow_back` clears and sets: 20 calls; Segment needs 40 to 3,000."""
    on = pair(more="      lifecycle: allow_back\n")
    on.batch(identifies(1000, lifecycle_stage="customer"))
    settle(on, 1000)
    with on.gathered():
        on.batch(identifies(1000, lifecycle_stage="lead"))
    on.settled(2000)
    assert len(written(on)) <= 30, written(on)
    assert {c["lifecyclestage"] for c in on.portal["contacts"]} == {"lead"}


def test_events(pair):
    """2 calls of 500 for a known event of known contacts; Segment and RudderStack need 1,000."""
    on = pair()
    on.batch(identifies(200))
    on.batch([{"type": "track", "userId": "u0", "event": "Bought"}])
    settle(on, 201)
    with on.gathered():
        on.batch([{"type": "track", "userId": f"u{i % 200}", "event": "Bought"} for i in range(1000)])
    on.settled(1201)
    assert len(written(on)) <= 4, written(on)


def test_companies_with_associations(pair):
    """20 calls or fewer for 1,000 groups of known contacts; Segment needs 2,000."""
    on = pair()
    groups = [
        {
            "type": "group",
            "userId": f"u{i}",
            "groupId": f"g{i}",
            "traits": {"website": f"https://c{i}.example", "name": f"C{i}"},
        }
        for i in range(1001)
    ]
    on.batch([*identifies(1001), groups.pop()])  # the schema is made with the first company
    settle(on, 1002)
    with on.gathered():
        on.batch(groups)
    on.settled(2002)
    found = written(on)
    # First sight of a domain costs a look by our key and one by domain, which no upsert can save.
    looks = [p for p in found if p.endswith(("/batch/read", "/search"))]
    assert len(found) - len(looks) <= 20, found
    assert len(looks) <= 24
    on.calls.clear()
    for group in groups:
        group["traits"]["name"] += "x"
    with on.gathered():
        on.batch(groups)
    on.settled(3002)
    assert len(written(on)) <= 12, written(on)


OBJECTS = """    mappings:
      - name: deals
        action: upsert_object
        trigger: type = "track"
        fields:
          object_type: deals
          id_field: crm_id
          id_value: {{"@path": $.properties.id}}
          mode: {mode}
          properties: {{dealname: {{"@path": $.properties.name}}}}
{more}"""
ASSOCIATED = """          associations:
            - {object_type: contacts, id_field: email, id_value: {"@path": $.properties.email}}
"""


@pytest.mark.parametrize(
    ("mode", "more", "most"),
    [("upsert", "", 11), ("update", "", 22), ("upsert", ASSOCIATED, 24)],
    ids=["upsert", "update", "upsert and associate"],
)
def test_objects(pair, mode, more, most):
    """10, 20 and 30 calls are Segment's in its best case; ours, whatever the case."""
    on = pair(preset="null", more=OBJECTS.format(mode=mode, more=more), property_lag_ms=0)
    made = {
        "name": "crm_id",
        "label": "ID",
        "type": "string",
        "fieldType": "text",
        "groupName": "dealinformation",
        "hasUniqueValue": True,
    }
    on.hubspot("POST", "/crm/v3/properties/deals", made)
    if mode == "update":
        for start in range(0, 1000, 100):
            rows = [{"properties": {"crm_id": f"D{i}"}} for i in range(start, start + 100)]
            on.hubspot("POST", "/crm/v3/objects/deals/batch/create", {"inputs": rows})
    on.restart()
    on.calls.clear()
    with on.gathered():
        on.batch(
            [
                {
                    "type": "track",
                    "userId": f"u{i}",
                    "event": "Deal",
                    "properties": {"id": f"D{i}", "name": f"N{i}", "email": f"u{i}@x.example"},
                }
                for i in range(1000)
            ]
        )
    on.settled(1000)
    assert len(written(on)) <= most, written(on)
    assert len(on.sandbox.portal.type("deals").by_id) == 1000


MAIL = """    mappings:
      - name: mail
        action: subscription_preference
        trigger: type = "track"
        fields: {email: {"@path": $.properties.email}, subscription_id: "1", subscribed: true}
"""


def test_subscriptions(pair):
    """10 calls of 100 addresses."""
    on = pair(preset="null", more=MAIL)
    with on.gathered():
        on.batch(
            [
                {"type": "track", "userId": f"u{i}", "event": "S", "properties": {"email": f"u{i}@x.example"}}
                for i in range(1000)
            ]
        )
    on.settled(1000)
    assert len(written(on)) <= 11, written(on)
    assert len(on.sandbox.portal.subscriptions) == 1000
