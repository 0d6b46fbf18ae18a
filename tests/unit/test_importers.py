"""Exports of Segment and RudderStack become configurations that load; nothing of them is lost without a note."""

from __future__ import annotations

import copy
import json

import pytest
import yaml

from millstream.destinations.catalog import DestinationCatalog
from millstream.mapping.compile import compile_mapping
from millstream.mapping.trigger import parse_trigger
from millstream.workspace.importers import rudderstack, segment
from millstream.workspace.importers.checked import checked
from millstream.workspace.load import load

ENV = {"HUBSPOT_TOKEN": "t", "HUBSPOT_PORTAL_ID": "1", "SEGMENT_WRITE_KEY": "k"}
EVENT = {
    "type": "track",
    "event": "Order Completed",
    "timestamp": "2026-03-01T00:00:00Z",
    "properties": {"email": "p@example.com", "total": 7, "plan": "pro"},
    "context": {"traits": {"email": "c@example.com"}},
}


def path(text):
    """A @path."""
    return {"@path": text}


def subscription(slug, settings, **more):
    """A subscription as the Public API gives it."""
    return {
        "id": "eoeXaMeAYcB2XvEApJDrQs",
        "name": f"My {slug}",
        "actionId": "uD9jEQ4DxJZzhzVqppM7UD",
        "actionSlug": slug,
        "destinationId": "fP7qoQw2HTWt9WdMr718gn",
        "enabled": True,
        "trigger": 'type = "track"',
        "settings": settings,
    } | more


CONTACT = subscription(
    "upsertContact",
    {
        "email": path("$.traits.email"),
        "company": path("$.traits.company"),
        "firstname": {
            "@if": {
                "exists": path("$.traits.first_name"),
                "then": path("$.traits.first_name"),
                "else": path("$.traits.firstName"),
            }
        },
        "lifecyclestage": None,
        "properties": {"plan": path("$.traits.plan")},
        "enable_batching": True,
    },
    trigger='type = "identify"',
)
# What Segment sends nothing for when nobody mapped it.
UNMAPPED = {"email": None, "utk": None, "occurred_at": None}
COMPANY = subscription(
    "upsertCompany",
    {
        "groupid": path("$.groupId"),
        "createNewCompany": True,
        "associateContact": True,
        "name": path("$.traits.name"),
        "domain": path("$.traits.site"),
    },
    trigger='type = "group"',
)
EVENT_V1 = subscription(
    "sendCustomBehavioralEvent",
    {
        "eventName": "pe123_order_completed",
        "occurredAt": path("$.timestamp"),
        "email": path("$.properties.email"),
        "utk": path("$.properties.utk"),
        "properties": {"amount": path("$.properties.total")},
    },
)
EVENT_V2 = subscription(
    "customEvent",
    {
        "__segment_internal_sync_mode": "upsert",
        "event_name": path("$.event"),
        "record_details": {"object_type": "contact", "email": path("$.properties.email")},
        "properties": path("$.properties"),
        "occurred_at": path("$.timestamp"),
    },
)
SEGMENT = {
    "data": {
        "destination": {
            "id": "fP7qoQw2HTWt9WdMr718gn",
            "name": "HubSpot production",
            "enabled": True,
            "settings": {"portalId": "4711"},
            "metadata": {"slug": "actions-hubspot-cloud", "name": "HubSpot Cloud Mode (Actions)"},
            "sourceId": "rh5BDZp6QDHvXFCkibm1pR",
        },
        "subscriptions": [CONTACT, COMPANY, EVENT_V1, EVENT_V2],
        "filters": [
            {
                "title": "No tests",
                "if": 'traits.email != null and ends_with(traits.email, "@test.example")',
                "actions": [{"type": "DROP"}],
                "enabled": True,
            }
        ],
    }
}
RUDDERSTACK = {
    "workspaceId": "w1",
    "sources": [
        {
            "id": "s1",
            "name": "Web site",
            "writeKey": "wk1",
            "enabled": True,
            "destinations": [
                {
                    "id": "d1",
                    "name": "HubSpot EU",
                    "enabled": True,
                    "destinationDefinition": {"name": "HS", "displayName": "HubSpot"},
                    "config": {
                        "authorizationType": "newPrivateAppApi",
                        "apiVersion": "newApi",
                        "accessToken": "pat-secret",
                        "hubID": "4711",
                        "lookupField": "email",
                        "doAssociation": True,
                        "eventFilteringOption": "blacklistedEvents",
                        "blacklistedEvents": [{"eventName": "Internal Event"}, {"eventName": ""}],
                        "whitelistedEvents": [{"eventName": "Order Completed"}],
                        "hubspotEvents": [
                            {
                                "rsEventName": "Order Completed ",
                                "hubspotEventName": "pe4711_order",
                                "eventProperties": [
                                    {"from": "total", "to": "amount"},
                                    {"from": "properties.plan", "to": "plan"},
                                ],
                            },
                            {
                                "rsEventName": "Signed Up",
                                "hubspotEventName": "pe4711_signup",
                                "eventProperties": [],
                            },
                        ],
                    },
                },
                {"id": "d2", "name": "GA", "destinationDefinition": {"name": "GA4"}, "config": {}},
            ],
        },
        {"id": "s2", "name": "Server", "writeKey": "wk2", "enabled": True, "destinations": []},
    ],
}


def loaded(imported, env=ENV):
    """The configuration read back from YAML."""
    return load(yaml.safe_dump(imported.config, allow_unicode=True), env, DestinationCatalog())


def said(imported, severity=None):
    """The notes as text, of one severity or of all."""
    return [f"{n.where}: {n.message}" for n in imported.notes if severity in {None, n.severity}]


def mappings(imported):
    """The mappings of the first destination, by name."""
    return {m["name"]: m for m in imported.config["destinations"][0]["mappings"]}


def one(item):
    """The first mapping of one subscription, and its import."""
    imported = segment.read([item])
    return imported.config["destinations"][0]["mappings"][0], imported


def run(mapping, event=EVENT):
    """What its fields give."""
    return compile_mapping(mapping["fields"]).evaluate(event)


def test_a_segment_destination_loads():
    """A whole destination becomes a configuration without a single problem."""
    imported = segment.read(SEGMENT)
    read = loaded(imported)
    assert [str(p) for p in read.problems] == []
    destination = read.workspace.destinations[0]
    assert destination.name == "HubSpot-production"
    assert destination.settings == {"portal_id": "4711", "access_token": "t"}
    assert [(m.action, m.enabled, m.compat) for m in destination.mappings] == [
        ("upsert_contact", True, None),
        ("upsert_company", True, None),
        ("associate", True, None),
        ("custom_event", True, None),
        ("custom_event", True, None),
    ]
    assert destination.filters[0].kind == "drop"
    assert destination.filters[0].enabled
    assert said(imported, "error") == []


def test_contact_fields_become_properties():
    """Email stays; every other field is a property of its name; a null is not given; batching is ours."""
    mapping, imported = one(CONTACT)
    event = {"traits": {"email": "a@b.co", "firstName": "Ann", "plan": "pro", "company": "Acme"}}
    assert run(mapping, event) == {
        "email": "a@b.co",
        "properties": {"company": "Acme", "firstname": "Ann", "plan": "pro"},
        "null_clears": False,
    }
    assert any("enable_batching" in note for note in said(imported, "info"))


def test_properties_win_over_fields_of_their_own():
    """As at Segment, whether `properties` is an object or a directive."""
    for properties in ({"city": path("$.traits.town")}, path("$.traits.all")):
        mapping, _ = one(
            subscription("upsertContact", {"city": path("$.traits.city"), "properties": properties})
        )
        event = {"traits": {"city": "A", "town": "B", "all": {"city": "B"}}}
        assert run(mapping, event)["properties"] == {"city": "B"}
        assert run(mapping, {"traits": {"city": "A"}})["properties"] == {"city": "A"}


def test_nothing_that_was_not_mapped_is_sent():
    """Without `properties` there are none: our default would send all."""
    assert (
        one(subscription("upsertContact", {"email": path("$.traits.email")}))[0]["fields"]["properties"] == {}
    )
    assert one(subscription("customEvent", {"event_name": "x"}))[0]["fields"]["properties"] == {}


def test_company_is_found_by_its_group_id_and_associated():
    """`groupid`, search fields and whether one is made go over; the association is a mapping of its own."""
    company, association = mappings(segment.read([COMPANY])).values()
    assert company["fields"]["group_id"] == association["fields"]["group_id"] == path("$.groupId")
    assert company["fields"]["properties"] == {"name": path("$.traits.name"), "domain": path("$.traits.site")}
    assert (company["fields"]["create"], company["fields"]["null_clears"]) == (True, False)
    assert (association["action"], association["trigger"]) == ("associate", 'type = "group"')
    alone = segment.read([COMPANY | {"settings": {"associateContact": False}}])
    assert [m["action"] for m in mappings(alone).values()] == ["upsert_company"]
    kept, _ = one(COMPANY | {"settings": {"createNewCompany": False, "companysearchfields": {"name": "x"}}})
    assert (kept["enabled"], kept["fields"]["create"], kept["fields"]["search"]) == (
        True,
        False,
        {"name": "x"},
    )


def test_events_of_both_versions():
    """Fields by our names; the old action never makes a definition; events may belong to other objects."""
    first, _ = one(EVENT_V1)
    assert run(first) == {
        "name": "pe123_order_completed",
        "email": "p@example.com",
        "occurred_at": "2026-03-01T00:00:00Z",
        "properties": {"amount": 7},
        "mode": "none",
    }
    assert first["fields"]["utk"] == path("$.properties.utk")
    second, imported = one(EVENT_V2)
    assert run(second)["name"] == "Order Completed"
    assert (run(second)["email"], run(second)["mode"]) == ("p@example.com", "upsert")
    assert said(imported, "warning") == ["settings.portalId: no Hub ID is given: set HUBSPOT_PORTAL_ID"]
    deal, _ = one(
        subscription(
            "customEvent", {"event_name": "x", "record_details": {"object_type": "deal", "object_id": 5}}
        )
    )
    assert deal["enabled"] is True
    assert run(deal) == UNMAPPED | {
        "name": "x",
        "object_type": "deal",
        "object_id": 5,
        "properties": {},
        "mode": "update",
    }


def test_objects_keep_their_fields():
    """`upsertObject` has the same fields here; the older action is written in them."""
    details = {"object_type": "deal", "id_field_name": "order_id", "id_field_value": path("$.properties.id")}
    given = {
        "__segment_internal_sync_mode": "upsert",
        "object_details": details,
        "properties": {"a": 1},
        "batch_size": 100,
    }
    mapping, imported = one(subscription("upsertObject", given))
    assert (mapping["action"], mapping["enabled"]) == ("upsert_object", True)
    named = {"object_type": "deal", "id_field": "order_id", "id_value": path("$.properties.id")}
    written = {**named, "properties": {"a": 1}, "mode": "upsert", "null_clears": False}
    assert mapping["fields"] == {**written, "association_mode": "upsert"}
    older, _ = one(
        subscription(
            "upsertCustomObjectRecord",
            {
                "objectType": "deal",
                "customObjectSearchFields": {"order_id": path("$.properties.id")},
                "properties": {"a": 1},
            },
        )
    )
    assert older["fields"] == written
    related = {"object_type": "contact", "association_label": "HUBSPOT_DEFINED:4", "id_field_name": "email"}
    more = {"associations": [related | {"id_field_value": "a@b.co"}], "list_details": {"list_name": "vip"}}
    made = segment.read([subscription("upsertObject", given | more)])
    objects, listed = mappings(made).values()
    assert objects["fields"]["associations"] == [
        {"object_type": "contact", "label": "HUBSPOT_DEFINED:4", "id_field": "email", "id_value": "a@b.co"}
    ]
    assert listed["action"] == "list_membership"
    assert listed["fields"] == {**named, "list_name": "vip"}
    mirrored, _ = one(subscription("upsertObject", given | {"__segment_internal_sync_mode": "mirror"}))
    assert mirrored["enabled"] is False
    several, imported = one(
        subscription(
            "upsertCustomObjectRecord", {"objectType": "deal", "customObjectSearchFields": {"a": 1, "b": 2}}
        )
    )
    assert several["enabled"] is False
    assert any('{"a": 1, "b": 2}' in note for note in said(imported))


@pytest.mark.parametrize(
    "details",
    [
        {"object_type": path("$.properties.type"), "id_field_name": "order_id", "id_field_value": "5"},
        {"object_type": "deal", "id_field_name": "order_id"},
        {"object_type": {"@template": "deal"}, "id_field_name": "order_id", "id_field_value": "5"},
    ],
    ids=["the event chooses the type", "nothing to find it by", "a type that is worked out"],
)
def test_what_check_would_refuse_is_disabled_and_told(details):
    """An importer reads one document and knows no action of ours; whatever it makes of it, the server starts."""
    given = {"object_details": details, "list_details": {"list_name": "vip"}}
    imported = checked(segment.read([subscription("upsertObject", given), CONTACT]), DestinationCatalog())
    *_, contact = mappings(imported).values()
    objects = mappings(imported)["My-upsertObject"]
    assert (objects["enabled"], contact["enabled"]) == (False, True)
    assert objects["fields"]["object_type"] == details["object_type"]
    assert any(".mappings[0].fields" in note for note in said(imported, "warning"))
    assert loaded(imported).ok


def test_a_filter_that_check_would_refuse_is_disabled_and_told():
    """A sample by a path that no event can have."""
    sample = {"type": "SAMPLE", "percent": 0.5, "path": ".".join("a" * 70)}
    imported = segment.read({"filters": [{"title": "deep", "if": "all", "actions": [sample]}]})
    assert not loaded(imported).ok
    imported = checked(imported, DestinationCatalog())
    assert imported.config["destinations"][0]["filters"][0]["enabled"] is False
    assert any("filters[0].path: has more than 64 steps" in note for note in said(imported, "warning"))


def test_a_configuration_that_check_takes_is_left_as_it_is():
    """Variables that nobody has set yet are no reason to disable anything."""
    for made in (segment.read(SEGMENT), rudderstack.read(RUDDERSTACK)):
        assert checked(made, DestinationCatalog()) == made


@pytest.mark.parametrize(
    ("details", "actions"),
    [
        ({"connected_to_engage_audience": False}, ["upsert_object"]),
        ({"should_create_list": True}, ["upsert_object"]),
        ({}, ["upsert_object"]),
        ({"connected_to_engage_audience": True}, ["upsert_object", "list_membership"]),
        (
            {"connected_to_engage_audience": False, "list_name": "vip"},
            ["upsert_object", "list_membership"],
        ),
    ],
)
def test_only_an_object_that_names_a_list_joins_one(details, actions):
    """An audience's own event names it; without either there is no mapping, and what was said of the list is told."""
    record = {"object_type": "deal", "id_field_name": "order_id", "id_field_value": "5"}
    imported = segment.read(
        [subscription("upsertObject", {"object_details": record, "list_details": details})]
    )
    assert [m["action"] for m in mappings(imported).values()] == actions
    assert any("no list is named" in note for note in said(imported)) is ("should_create_list" in details)


def test_two_portals_have_a_token_each():
    """One variable for each destination, named in the notes; the first has no number."""
    two = copy.deepcopy(RUDDERSTACK)
    first = two["sources"][0]["destinations"][0]
    second = copy.deepcopy(first) | {"id": "d3"}
    second["config"]["hubID"] = "4712"
    two["sources"][0]["destinations"].append(second)
    whole = {"metadata": {"slug": "actions-hubspot-cloud"}, "subscriptions": [CONTACT]}
    for imported in (rudderstack.read(two), segment.read({"destinations": [whole, whole]})):
        tokens = [d["settings"]["access_token"] for d in imported.config["destinations"]]
        assert tokens == ["${HUBSPOT_TOKEN}", "${HUBSPOT_TOKEN_2}"]
        assert sum("set HUBSPOT_TOKEN_2" in note for note in said(imported)) == 1
    assert [d["settings"]["portal_id"] for d in imported.config["destinations"]] == [
        "${HUBSPOT_PORTAL_ID}",
        "${HUBSPOT_PORTAL_ID_2}",
    ]


def test_an_unknown_action_stays_disabled():
    """With its fields as they were, and a warning."""
    mapping, imported = one(subscription("sendFax", {"number": path("$.traits.fax")}))
    assert mapping["enabled"] is False
    assert mapping["action"] == "sendFax"
    assert mapping["fields"] == {"number": path("$.traits.fax")}
    assert any("sendFax" in note for note in said(imported, "warning"))


@pytest.mark.parametrize(
    ("trigger", "compat", "part"),
    [
        ('type = "track" and event = "Order Completed"', None, ""),
        ('type = "track" and event = "A" or event = "B"', "segment", 'type = "track" or event = "A"'),
        ('!(type = "track")', "segment", "Segment reads this as"),
        ('type = "track" and messageId = "x"', "segment", 'type = "track"'),
        ("type = 'track'", "segment", "Segment reads this as"),
        ('type = "track" and (', "segment", "never matches"),
        ("", "segment", "never matches"),
    ],
)
def test_compat_only_where_the_readings_differ(trigger, compat, part):
    """And then with the reading in a warning."""
    mapping, imported = one(EVENT_V2 | {"trigger": trigger})
    assert mapping.get("compat") == compat
    assert mapping["trigger"] == trigger
    notes = [n for n in imported.notes if n.where.endswith(".trigger")]
    assert bool(notes) == (compat is not None)
    assert all(n.severity == "warning" and part in n.message for n in notes)


def test_a_mapping_that_does_not_compile_is_kept_disabled():
    """Each problem is a warning with its path."""
    broken = {"event_name": {"@nope": 1}, "properties": {"a": {"@case": {"operator": 5}}}}
    mapping, imported = one(subscription("customEvent", broken))
    assert mapping["enabled"] is False
    assert mapping["fields"] == UNMAPPED | {
        "name": {"@nope": 1},
        "properties": broken["properties"],
        "mode": "update",
    }
    assert len([n for n in imported.notes if n.message.endswith(": disabled")]) == 2


def test_a_root_transform_is_carried_by_each_field():
    """The result is the same; another root directive disables the mapping."""
    settings = {
        "__segment_internal_directive": {"@transform": {"apply": {"mail": path("$.properties.email")}}},
        "event_name": "x",
        "record_details": {"email": path("$.mail")},
    }
    mapping, _ = one(subscription("customEvent", settings))
    assert run(mapping) == UNMAPPED | {
        "name": "x",
        "email": "p@example.com",
        "properties": {},
        "mode": "update",
    }
    other = settings | {"__segment_internal_directive": {"@flatten": {"separator": "."}}}
    mapping, imported = one(subscription("customEvent", other))
    assert mapping["enabled"] is False
    assert any("@flatten" in note for note in said(imported, "warning"))


def test_every_shape_gives_the_same():
    """One destination, wrapped or not; a bare list; fields as JSON text or under `mapping`."""
    inner = SEGMENT["data"]
    whole = inner["destination"] | {"subscriptions": inner["subscriptions"], "filters": inner["filters"]}
    expected = segment.read(SEGMENT).config
    for shape in (whole, [whole], {"data": SEGMENT}, {"data": {"destinations": [whole]}}):
        assert segment.read(shape).config == expected
    bare = expected["destinations"][0]["mappings"]
    as_text = [s | {"settings": json.dumps(s["settings"])} for s in inner["subscriptions"]]
    moved = [{**s, "mapping": s["settings"], "settings": {}} for s in inner["subscriptions"]]
    for shape in (inner["subscriptions"], {"subscriptions": as_text}, {"data": {"subscriptions": moved}}):
        assert segment.read(shape).config["destinations"][0]["mappings"] == bare
    assert segment.read({"data": {"subscription": CONTACT}}).config == segment.read(CONTACT).config


def test_filters_of_every_kind():
    """Sampling and what takes properties away have kinds of their own; a filter that cannot be read is an error."""
    pii = {"type": "DROP_PROPERTIES", "fields": {"traits": ["ssn"], "context": {"fields": ["ip"]}}}
    imported = segment.read(
        {
            "filters": [
                {"title": "pii", "if": "all", "actions": [pii, {"type": "sample_event", "percent": 0.25}]},
                {
                    "title": "users",
                    "if": "all",
                    "actions": [{"type": "SAMPLE", "percent": 0.1, "path": "userId"}],
                },
                {
                    "title": "few",
                    "if": "all",
                    "actions": [{"type": "ALLOW_PROPERTIES", "fields": {"": ["x"]}}],
                },
                {"title": "bad", "if": "type = ", "actions": [{"type": "DROP"}]},
                {"title": "ok", "if": 'event = "x"', "actions": [{"type": "drop"}], "enabled": False},
                {"title": "odd", "if": "all", "actions": [{"type": "MANGLE"}]},
            ]
        }
    )
    filters = imported.config["destinations"][0]["filters"]
    assert [(f["name"], f["kind"], f["enabled"]) for f in filters] == [
        ("pii", "drop_properties", True),
        ("pii 2", "sample", True),
        ("users", "sample", True),
        ("few", "allow_properties", True),
        ("bad", "drop", False),
        ("ok", "drop", False),
    ]
    assert filters[0]["fields"] == {"traits": ["ssn"], "context": ["ip"]}
    assert (filters[1]["percent"], "path" in filters[1]) == (25, False)
    assert (filters[2]["percent"], filters[2]["path"]) == (10, "userId")
    assert any('values of "userId"' in note for note in said(imported, "info"))
    assert any("MANGLE" in note for note in said(imported, "warning"))
    assert [n.where for n in imported.notes if n.severity == "error"] == ["filters[3].if"]


def test_names_fit_and_differ():
    """Our names are short and plain, and each is there once."""
    odd = [CONTACT | {"name": n} for n in ("Käufe → HubSpot", "a b", "a_b", "a b", "…", "x" * 90, "x" * 90)]
    imported = segment.read(odd)
    names = [m["name"] for m in imported.config["destinations"][0]["mappings"]]
    assert names == ["K-ufe-HubSpot", "a-b", "a_b", "a-b-2", "mapping", "x" * 64, "x" * 62 + "-2"]
    assert loaded(imported).ok


@pytest.mark.parametrize(
    ("metadata", "enabled", "part"),
    [
        ({"slug": "actions-braze-cloud"}, False, "not HubSpot"),
        ({"slug": "actions-hubspot-web"}, True, "run in the page"),
        ({"slug": "hubspot"}, True, "preset: classic"),
    ],
)
def test_other_destinations_are_told(metadata, enabled, part):
    """Another vendor's is disabled; HubSpot Web's run in the page; Classic has a preset."""
    imported = segment.read({"metadata": metadata, "subscriptions": [CONTACT]})
    assert imported.config["destinations"][0]["enabled"] is enabled
    assert any(part in note for note in said(imported))
    action = mappings(imported)["My-upsertContact"]["action"]
    assert action == ("web.upsert_contact" if "web" in metadata["slug"] else "upsert_contact")


def test_hubspot_web_becomes_device_mode():
    """Its settings and its three actions, field by field; the file loads."""
    web = {
        "settings": {"portalId": "4711", "enableEuropeanDataCenter": True, "loadFormsSDK": True},
        "metadata": {"slug": "actions-hubspot-web"},
        "subscriptions": [
            subscription("upsertContact", {"email": path("$.traits.email")}, trigger='type = "identify"'),
            subscription("trackCustomBehavioralEvent", {"name": path("$.event"), "properties": {}}),
            subscription("trackPageView", {"path": path("$.properties.path")}, trigger='type = "page"'),
        ],
    }
    imported = segment.read(web)
    (destination,) = imported.config["destinations"]
    assert destination["connection"] == "device"
    assert destination["settings"] | {"region": "eu1", "load_forms_sdk": True} == destination["settings"]
    assert [m["action"] for m in destination["mappings"]] == [
        "web.upsert_contact",
        "web.track_custom_behavioral_event",
        "web.track_page_view",
    ]
    assert all(m["enabled"] for m in destination["mappings"])
    assert [str(p) for p in loaded(imported).problems] == []


def test_variables_in_a_document_stay_text():
    """An export cannot read our environment, and gets its text back."""
    imported = segment.read(
        [subscription("customEvent", {"event_name": "${HUBSPOT_TOKEN} ${", "properties": {}})]
    )
    fields = loaded(imported).workspace.destinations[0].mappings[0].fields
    assert fields["name"] == "${HUBSPOT_TOKEN} ${"


def test_a_rudderstack_workspace_loads():
    """Sources with their keys, the HubSpot destination with preset, events and filter; no secret is copied."""
    imported = rudderstack.read(RUDDERSTACK)
    read = loaded(imported)
    assert [str(p) for p in read.problems] == []
    assert [(s.name, s.write_keys) for s in read.workspace.sources] == [
        ("Web-site", ("wk1",)),
        ("Server", ("wk2",)),
    ]
    (destination,) = read.workspace.destinations
    assert (destination.name, destination.preset, destination.sources) == (
        "HubSpot-EU",
        "rudderstack",
        ("Web-site",),
    )
    assert [m.name for m in destination.mappings][-2:] == ["Order-Completed", "Signed-Up"]
    assert "pat-secret" not in json.dumps(imported.config) + "".join(said(imported))
    assert not any(m.enabled for m in destination.mappings if m.name == "track to event")
    assert any("no track event but" in note for note in said(imported, "info"))
    assert any("GA4" in note for note in said(imported, "info"))
    assert said(imported, "error") == []


def test_rudderstack_events_pick_their_properties():
    """The name matches whatever its case; only the configured properties go; the email is the context's first."""
    mapping = mappings(rudderstack.read(RUDDERSTACK))["Order-Completed"]
    trigger = parse_trigger(mapping["trigger"])
    assert trigger.matches(EVENT | {"event": "ORDER completed"})
    assert not trigger.matches(EVENT | {"event": "Order"})
    assert not trigger.matches(EVENT | {"type": "page"})
    assert run(mapping) == {
        "name": "pe4711_order",
        "email": "c@example.com",
        "occurred_at": "2026-03-01T00:00:00Z",
        "properties": {"amount": 7, "plan": "pro"},
    }
    assert run(mappings(rudderstack.read(RUDDERSTACK))["Signed-Up"])["properties"] == {}


def changed(**config):
    """The RudderStack workspace with other settings."""
    document = copy.deepcopy(RUDDERSTACK)
    document["sources"][0]["destinations"][0]["config"] |= config
    return document


def filters(imported):
    """The filters of the first destination."""
    return imported.config["destinations"][0]["filters"]


def test_rudderstack_lists_become_filters():
    """Denied events are dropped; under an allow list track calls that are not on it are, and nothing else."""
    (denied,) = filters(rudderstack.read(RUDDERSTACK))
    test = parse_trigger(denied["trigger"])
    assert denied["kind"] == "drop"
    assert test.matches({"type": "track", "event": "Internal Event"})
    assert not test.matches({"type": "identify"})
    (allowed,) = filters(rudderstack.read(changed(eventFilteringOption="whitelistedEvents")))
    test = parse_trigger(allowed["trigger"])
    assert allowed["kind"] == "only"
    assert test.matches({"type": "identify"})
    assert test.matches({"type": "track", "event": "Order Completed"})
    assert not test.matches({"type": "track", "event": "Other"})
    assert filters(rudderstack.read(changed(eventFilteringOption="disable"))) == []
    (empty,) = filters(
        rudderstack.read(changed(eventFilteringOption="whitelistedEvents", whitelistedEvents=[]))
    )
    assert not parse_trigger(empty["trigger"]).matches({"type": "track", "event": "Other"})
    many = [{"eventName": f"Event number {i}"} for i in range(2000)]
    imported = rudderstack.read(changed(blacklistedEvents=many))
    assert filters(imported)[0]["enabled"] is False
    assert any("too long" in note for note in said(imported, "error"))


def test_event_names_cannot_leave_their_quotes():
    """A name with quotes, backslashes, line ends is matched as it is."""
    name = 'a" or type != "\\ \n${HUBSPOT_TOKEN} é'
    imported = rudderstack.read(
        changed(
            hubspotEvents=[{"rsEventName": name, "hubspotEventName": "x"}],
            blacklistedEvents=[{"eventName": name}],
        )
    )
    destination = loaded(imported).workspace.destinations[0]
    for trigger in (destination.mappings[-1].trigger, destination.filters[0].trigger):
        assert parse_trigger(trigger).matches({"type": "track", "event": name})
        assert not parse_trigger(trigger).matches({"type": "track", "event": "b"})


@pytest.mark.parametrize(
    ("config", "part"),
    [
        ({"authorizationType": "legacyApiKey", "apiKey": "k"}, "API keys"),
        ({"apiVersion": "legacyApi"}, "old tracking API"),
        ({"hubID": "abc"}, "HUBSPOT_PORTAL_ID"),
        ({"connectionMode": {"web": "device"}}, "device mode"),
        ({"useNativeSDK": {"web": True}}, "device mode"),
    ],
)
def test_rudderstack_settings_without_counterpart_are_told(config, part):
    """Each with a warning; the configuration still loads."""
    imported = rudderstack.read(changed(**config))
    assert any(part in note for note in said(imported, "warning"))
    assert loaded(imported).ok


def asks(*ids, provider="custom", **more):
    """One provider's part of `consentManagement`; the form keeps an empty row."""
    return {"provider": provider, "consents": [{"consent": i} for i in (*ids, "")], **more}


@pytest.mark.parametrize(
    ("config", "categories", "resolution"),
    [
        ({"consentManagement": [asks("b", " a")]}, ("a", "b"), "and"),
        ({"consentManagement": [asks("a", resolutionStrategy="or")]}, ("a",), "or"),
        ({"consentManagement": [asks("a", provider="ketch")]}, ("a",), "or"),
        ({"consentManagement": {"web": [asks("a", "b")], "cloud": [asks("b", "a")]}}, ("a", "b"), "and"),
        ({"consentManagement": {"web": [asks("${A}")], "cloud": [asks()]}}, ("${A}",), "and"),
        ({"oneTrustCookieCategories": [{"oneTrustCookieCategory": "Ads"}]}, ("Ads",), "and"),
        ({"ketchConsentPurposes": {"web": [{"purpose": "ads"}, {"purpose": ""}]}}, ("ads",), "or"),
        ({"consentManagement": [asks("a")], "ketchConsentPurposes": [{"purpose": "b"}]}, ("a",), "and"),
        ({"consentManagement": [asks()], "oneTrustCookieCategories": {"web": []}}, (), "and"),
    ],
)
def test_rudderstack_consent_is_taken_over(config, categories, resolution):
    """Ids and how they combine: the form's own strategy, else the provider's; empty rows ask for nothing."""
    imported = rudderstack.read(changed(**config))
    destination = loaded(imported).workspace.destinations[0]
    assert (destination.consent_categories, destination.consent_resolution) == (categories, resolution)
    assert any("of any provider" in note for note in said(imported, "info")) is bool(categories)


@pytest.mark.parametrize(
    "config",
    [
        {"consentManagement": [asks("a"), asks("b", provider="oneTrust")]},
        {"consentManagement": {"web": [asks("a")], "cloud": [asks("a", "b")]}},
        {"consentManagement": [asks("a"), asks("a", resolutionStrategy="or", provider="iubenda")]},
        {
            "oneTrustCookieCategories": [{"oneTrustCookieCategory": "a"}],
            "ketchConsentPurposes": [{"purpose": "a"}],
        },
    ],
)
def test_several_rudderstack_consents_are_told(config):
    """A destination has one list here: which one is for a person to say."""
    imported = rudderstack.read(changed(**config))
    assert loaded(imported).workspace.destinations[0].consent_categories == ()
    assert any("consent_categories" in note and '"a"' in note for note in said(imported, "warning"))


@pytest.mark.parametrize(
    "given",
    ["x", 7, [7], {"web": "x"}, [asks("a", resolutionStrategy=["or"])], [{"consents": [{"consent": 1}]}]],
)
def test_rudderstack_consent_that_cannot_be_read_is_an_error(given):
    """With its place; whatever it is, nothing raises."""
    assert said(rudderstack.read(changed(consentManagement=given)), "error")


def test_the_old_api_used_no_configured_events():
    """They are there, disabled: under it every track call was sent, as the preset does."""
    imported = rudderstack.read(changed(apiVersion="legacyApi"))
    assert [m["enabled"] for m in mappings(imported).values()] == [False, False]
    assert "create_definitions" not in imported.config["destinations"][0]["settings"]


def test_an_event_configured_twice_is_sent_once():
    """The second is disabled."""
    events = [{"rsEventName": n, "hubspotEventName": n} for n in ("A", "a ")]
    imported = rudderstack.read(changed(hubspotEvents=events))
    assert [m["enabled"] for n, m in mappings(imported).items() if n != "track to event"] == [True, False]


def test_a_lookup_field_replaces_the_address():
    """Contacts are found by that property; a value in the traits or beside them."""
    mapping = mappings(rudderstack.read(changed(lookupField="customer_id")))["identify to contact"]
    fields = run(mapping, {"type": "identify", "traits": {"customer_id": 7, "email": "a@b.co"}})
    assert (fields["lookup_field"], fields["lookup_value"], fields["email"]) == ("customer_id", 7, "a@b.co")


@pytest.mark.parametrize(
    ("given", "name", "warned"),
    [
        ("customer_id", "customer_id", False),
        ("customerId", "customerid", False),
        ("Customer ID", "customer_id", True),
    ],
)
def test_a_lookup_field_may_be_a_label(given, name, warned):
    """HubSpot knows the property by its internal name; the trait keeps the name that it has in events."""
    imported = rudderstack.read(changed(lookupField=given))
    fields = run(mappings(imported)["identify to contact"], {"type": "identify", "traits": {given: 7}})
    assert (fields["lookup_field"], fields["lookup_value"]) == (name, 7)
    assert any(n.severity == "warning" and n.where.endswith("lookupField") for n in imported.notes) is warned


def test_connections_name_the_sources():
    """Beside the destinations, as a list or by id; without any, all sources; without its own, disabled."""
    nested = copy.deepcopy(RUDDERSTACK)
    inner = [d for s in nested["sources"] for d in s.pop("destinations")]
    pair = {"sourceId": "s2", "destinationId": "d1", "enabled": True}
    beside = nested | {"destinations": inner}
    for connections in ([pair], {"c1": pair}):
        destination = rudderstack.read(beside | {"connections": connections}).config["destinations"][0]
        assert (destination["sources"], destination["enabled"]) == (["Server"], True)
    destination = rudderstack.read({"data": {"workspace": beside}}).config["destinations"][0]
    assert (destination["sources"], destination["enabled"]) == ([], True)
    other = rudderstack.read(beside | {"connections": [pair | {"destinationId": "d2"}]})
    assert other.config["destinations"][0]["enabled"] is False


def test_write_keys_are_unique_and_never_empty():
    """A missing or repeated key is a variable to set."""
    document = {"sources": [{"name": n, "writeKey": k} for n, k in (("a", "k"), ("b", "k"), ("c", None))]}
    imported = rudderstack.read(document)
    assert [s["write_keys"] for s in imported.config["sources"]] == [
        ["k"],
        ["${WRITE_KEY_2}"],
        ["${WRITE_KEY_3}"],
    ]
    assert any("no HubSpot destination" in note for note in said(imported, "error"))


DEEP = []
for _ in range(5000):
    DEEP = [DEEP]
LOOP = {}
LOOP["data"] = LOOP
WRONG = (
    None,
    True,
    0,
    -1.5,
    10**6000,
    "",
    "x",
    "\ud800",
    [],
    [None],
    [[]],
    {},
    {"@path": 1},
    {1: {2: 3}},
    object(),
    DEEP,
)


@pytest.mark.parametrize("read", [segment.read, rudderstack.read])
@pytest.mark.parametrize(
    "document", [*WRONG, LOOP, {"data": DEEP}, {"sources": 5, "destinations": "x"}], ids=type
)
def test_what_is_no_export_is_an_error(read, document):
    """Whatever it is."""
    imported = read(document)
    assert said(imported, "error")


def places(value, here=()):
    """Every place in a document."""
    yield here
    if isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from places(inner, (*here, key))


def with_wrong(document, place, wrong):
    """The document with something else at a place."""
    if not place:
        return wrong
    document = copy.deepcopy(document)
    inner = document
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = wrong
    return document


@pytest.mark.parametrize(("read", "document"), [(segment.read, SEGMENT), (rudderstack.read, RUDDERSTACK)])
def test_wrong_types_anywhere_never_raise(read, document):
    """Every value replaced by every wrong one: the result is always a configuration that YAML can hold."""
    for place in places(document):
        for wrong in (None, 7, "x", [[]], {"@path": 1}, object()):
            imported = read(with_wrong(document, place, wrong))
            yaml.safe_load(yaml.dump(imported.config, Dumper=yaml.CSafeDumper))
            assert all(isinstance(n.message, str) and n.message.encode() for n in imported.notes)


@pytest.mark.parametrize(
    ("read", "document", "place"),
    [
        (segment.read, SEGMENT, ("data", "destination", "name")),
        (segment.read, SEGMENT, ("data", "destination", "enabled")),
        (segment.read, SEGMENT, ("data", "destination", "settings")),
        (segment.read, SEGMENT, ("data", "destination", "metadata")),
        (segment.read, SEGMENT, ("data", "subscriptions")),
        (segment.read, SEGMENT, ("data", "subscriptions", 0)),
        (segment.read, SEGMENT, ("data", "subscriptions", 0, "actionSlug")),
        (segment.read, SEGMENT, ("data", "subscriptions", 0, "enabled")),
        (segment.read, SEGMENT, ("data", "subscriptions", 0, "trigger")),
        (segment.read, SEGMENT, ("data", "subscriptions", 0, "settings")),
        (segment.read, SEGMENT, ("data", "filters")),
        (segment.read, SEGMENT, ("data", "filters", 0, "if")),
        (segment.read, SEGMENT, ("data", "filters", 0, "actions")),
        (rudderstack.read, RUDDERSTACK, ("sources", 0)),
        (rudderstack.read, RUDDERSTACK, ("sources", 0, "writeKey")),
        (rudderstack.read, RUDDERSTACK, ("sources", 0, "enabled")),
        (rudderstack.read, RUDDERSTACK, ("sources", 0, "destinations")),
        (rudderstack.read, RUDDERSTACK, ("sources", 0, "destinations", 0)),
        (rudderstack.read, RUDDERSTACK, ("sources", 0, "destinations", 0, "config")),
        *(
            (rudderstack.read, RUDDERSTACK, ("sources", 0, "destinations", 0, "config", *rest))
            for rest in (
                ("authorizationType",),
                ("apiVersion",),
                ("eventFilteringOption",),
                ("blacklistedEvents",),
                ("blacklistedEvents", 0, "eventName"),
                ("hubspotEvents",),
                ("hubspotEvents", 0, "rsEventName"),
                ("hubspotEvents", 0, "eventProperties"),
                ("hubspotEvents", 0, "eventProperties", 0, "from"),
            )
        ),
    ],
)
def test_a_wrong_type_is_an_error_at_its_place(read, document, place):
    """And the rest is still taken over."""
    imported = read(with_wrong(document, place, 7))
    assert said(imported, "error")
    assert imported.config
