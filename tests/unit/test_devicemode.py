"""What browser and mobile SDKs fetch: documents per key, files, names against ad blockers (issue 5, SEMANTICS 30, 36, 42)."""

from __future__ import annotations

import base64
import gzip
import json
import re

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from millstream.delivery.outcome import Reason
from millstream.destinations.admission import Admission
from millstream.destinations.hubspot import settings as hubspot_settings
from millstream.destinations.hubspot import web
from millstream.devicemode.api import IMMUTABLE, DeviceMode, Edge, Prefixed
from millstream.devicemode.assets import Assets
from millstream.devicemode.filters import page_filters, routing_rules
from millstream.devicemode.language import needs_all
from millstream.hubspot_api.schema import Definition, PortalSchema
from millstream.ingest import answers, writekey
from millstream.mapping.compile import compile_mapping
from millstream.mapping.trigger import parse_trigger
from millstream.spec.events import Event
from millstream.workspace.model import Destination, Filter, Mapping, Source, Workspace

GOOD = "https://good.example"
SOURCES = (
    Source("web", ("WK", "WK2")),
    Source("shop", ("SHOP",), origins=(GOOD,)),
    Source("server", ("SK",)),
    Source("off", ("OFF",), enabled=False),
)
FILES = {
    "analytics.min.js": "analytics.0a.js",
    "hubspot-web.js": "hubspot-web.1b.js",
    "hubspot.dynamic.js": "hubspot.dynamic.2c.js",
    "rsa.min.js": "rsa.3d.js",
    "HubSpot.min.js": "HubSpot.4e.js",
    "amplitude.min.js": "amplitude.5f.js",
}
CHUNK = "tsub-middleware.bundle.89bf.js"
PLUGIN_URL = "https://cdp.example.com/next-integrations/actions/hubspot-web/hubspot-web.1b.js"


def device(**given):
    """A device destination; `given` replaces parts of it."""
    parts = {
        "connection": "device",
        "settings": {"portal_id": "123", "access_token": "t"},
        "sources": ("web", "shop"),
    }
    return Destination("crm", "hubspot", **parts | given)


class Site:
    """The routes over a folder of files, as runtime mounts them."""

    def __init__(self, folder, *destinations, events=None, sources=SOURCES, **settings):
        self.workspace = Workspace(
            sources, destinations, {"public_url": "https://cdp.example.com"} | settings
        )
        edge = Edge(answers.cors, answers.allow, writekey.from_header)
        mode = DeviceMode(lambda: self.workspace, Assets(folder), lambda _: events, edge)
        inner = Starlette(routes=mode.routes())
        app = Prefixed(lambda: self.workspace.settings.get("device_prefix") or "", inner, inner)
        self.client = TestClient(app, base_url="http://edge.local", follow_redirects=False)

    def get(self, path, **headers):
        """One request as a browser makes it."""
        return self.client.get(path, headers={k.replace("_", "-"): v for k, v in headers.items()})

    def segment(self, key="WK", **headers):
        """Segment's settings of a key."""
        return self.get(f"/v1/projects/{key}/settings", **headers).json()

    def rudder(self, key="WK", **headers):
        """RudderStack's source of a key."""
        return self.get(f"/sourceConfig/?p=npm&v=3.34.1&build=modern&writeKey={key}", **headers).json()[
            "source"
        ]


@pytest.fixture
def built(tmp_path):
    """A folder as `browser/build.mjs` leaves it; the contents are long enough to be worth packing."""
    folder = tmp_path / "static"
    folder.mkdir()
    for logical, name in FILES.items():
        (folder / name).write_text(f"/* {logical} */" + "var a;" * 500)
    (folder / CHUNK).write_text("/* chunk */")
    (folder / "manifest.json").write_text(json.dumps(FILES))
    (tmp_path / "secret.js").write_text("secret")
    return folder


SEGMENT_IO = {
    "apiKey": "WK",
    "apiHost": "cdp.example.com/v1",
    "protocol": "https",
    "retryQueue": True,
    "unbundledIntegrations": [],
    "addBundledMetadata": True,
    "maybeBundledConfigIds": {},
    "versionSettings": {"version": "4.4.7", "componentTypes": ["browser"]},
}
MINIMAL = {
    "integrations": {"Segment.io": SEGMENT_IO},
    "edgeFunction": {},
    "analyticsNextEnabled": True,
    "middlewareSettings": {},
    "enabledMiddleware": {},
    "metrics": {"sampleRate": 0, "host": "cdp.example.com/v1"},
    "legacyVideoPluginsEnabled": False,
    "remotePlugins": [],
}
TRAITS = "$.traits"
ADDRESS = "$.traits.address"
PLUGIN = {
    "destination": "crm",
    "portalId": "123",
    "enableEuropeanDataCenter": False,
    "scriptUrl": "https://js.hs-scripts.com/123.js",
    "formsUrl": "https://js.hsforms.net/forms/v2.js",
    "flushIdentifyImmediately": False,
    "formatCustomBehavioralEventNames": True,
    "loadFormsSDK": False,
    "skipFirstPageView": True,
    "readyTimeoutMs": 3000,
    "consentCategories": [],
    "consentResolution": "and",
    "events": {"order completed": "pe123_order_completed"},
    "subscriptions": [
        {
            "name": "web upsert contact",
            "enabled": True,
            "partnerAction": "upsertContact",
            "subscribe": 'type = "identify"',
            "when": ["=", ["$", "type"], "identify"],
            "mapping": {
                "email": {"@path": f"{TRAITS}.email"},
                "id": {"@path": "$.userId"},
                "custom_properties": {"@path": TRAITS},
                "company": {"@path": f"{TRAITS}.company.name"},
                "country": {"@path": f"{ADDRESS}.country"},
                "state": {"@path": f"{ADDRESS}.state"},
                "city": {"@path": f"{ADDRESS}.city"},
                "address": {"@path": f"{ADDRESS}.street"},
                "zip": {
                    "@if": {
                        "exists": {"@path": f"{ADDRESS}.postalCode"},
                        "then": {"@path": f"{ADDRESS}.postalCode"},
                        "else": {"@path": f"{ADDRESS}.postal_code"},
                    }
                },
            },
        },
        {
            "name": "web track custom behavioral event",
            "enabled": True,
            "partnerAction": "trackCustomBehavioralEvent",
            "subscribe": 'type = "track"',
            "when": ["=", ["$", "type"], "track"],
            "mapping": {"name": {"@path": "$.event"}, "properties": {"@path": "$.properties"}},
        },
        {
            "name": "web track page view",
            "enabled": True,
            "partnerAction": "trackPageView",
            "subscribe": 'type = "page"',
            "when": ["=", ["$", "type"], "page"],
            "mapping": {},
        },
    ],
    "filters": [],
}


# --- documents -------------------------------------------------------------------------------------------------------


def test_segment_settings_of_a_device_destination(built):
    """The whole document, exactly: the minimal one and one remote plugin with Segment's presets."""
    found = Site(built, device(), events={"order completed": "pe123_order_completed"}).segment()
    remote = {
        "name": "HubSpot",
        "creationName": "HubSpot",
        "libraryName": "hubspot-webDestination",
        "url": PLUGIN_URL,
        "settings": PLUGIN,
    }
    assert found == MINIMAL | {"remotePlugins": [remote]}


def test_rudderstack_configuration_of_a_device_destination(built):
    """The whole document, exactly; the plugin's settings are the destination's config."""
    found = Site(built, device(), events={"order completed": "pe123_order_completed"}).rudder()
    assert found == {
        "id": "web",
        "name": "web",
        "writeKey": "WK",
        "enabled": True,
        "workspaceId": "millstream",
        "config": {"statsCollection": {"errors": {"enabled": False}, "metrics": {"enabled": False}}},
        "connections": [],
        "destinations": [
            {
                "id": "crm",
                "name": "crm",
                "enabled": True,
                "shouldApplyDeviceModeTransformation": False,
                "propagateEventsUntransformedOnError": False,
                "destinationDefinition": {"name": "HS", "displayName": "HubSpot"},
                "config": {
                    "hubID": "123",
                    "eventFilteringOption": "disable",
                    "whitelistedEvents": [],
                    "blacklistedEvents": [],
                    **PLUGIN,
                },
            }
        ],
    }


def test_rudderstack_key_in_the_header(built):
    """Without a query the key is the Basic user, and caches are told that the answer depends on it."""
    basic = base64.b64encode(b"WK:").decode()
    answer = Site(built, device()).get("/sourceConfig", authorization=f"Basic {basic}")
    assert answer.json()["source"]["id"] == "web"
    assert "Authorization" in answer.headers["vary"]


def test_amplitude_configuration_is_empty(built):
    """Its SDK asks for a remote configuration by key."""
    for path in ("/config/WK?config_group=browser", "/config"):
        assert Site(built).get(path).json() == {"configs": {}}


@pytest.mark.parametrize("key", ["nobody", "OFF", "%F0%9F%92%A9", "a" * 5000])
def test_unknown_and_disabled_keys_are_answered_harmlessly(built, key):
    """200 and a whole document without destinations: Analytics.js would report an error to its vendor."""
    site = Site(built, device(sources=()))
    answer = site.get(f"/v1/projects/{key}/settings")
    assert answer.status_code == 200
    assert answer.json()["remotePlugins"] == []
    assert answer.json()["integrations"]["Segment.io"]["apiHost"] == "cdp.example.com/v1"
    source = site.rudder(key)
    assert source["enabled"] is False
    assert source["destinations"] == []


@pytest.mark.parametrize(
    "destination",
    [
        device(sources=("web",)),
        device(sources=(), enabled=False),
        device(sources=(), mode="shadow"),
        device(sources=(), mode="off"),
        device(sources=(), connection="cloud"),
    ],
)
def test_only_live_device_destinations_of_the_source_are_in_its_pages(built, destination):
    """Another source's, disabled, shadowed and cloud destinations stay the server's."""
    site = Site(built, destination)
    assert site.segment("SK")["remotePlugins"] == []
    assert site.rudder("SK")["destinations"] == []


def test_every_key_of_a_source_works(built):
    """Keys are equal."""
    site = Site(built, device())
    assert (
        site.segment("WK2")["remotePlugins"][0]["settings"]
        == site.segment("WK")["remotePlugins"][0]["settings"]
    )


@pytest.mark.parametrize(
    ("given", "european", "script", "forms"),
    [
        ({}, False, "https://js.hs-scripts.com/123.js", "https://js.hsforms.net/forms/v2.js"),
        (
            {"region": "eu1"},
            True,
            "https://js-eu1.hs-scripts.com/123.js",
            "https://js-eu1.hsforms.net/forms/v2.js",
        ),
        (
            {"access_token": "pat-eu1-x"},
            True,
            "https://js-eu1.hs-scripts.com/123.js",
            "https://js-eu1.hsforms.net/forms/v2.js",
        ),
        (
            {"scripts_url": "http://127.0.0.1:1/", "forms_url": "http://127.0.0.1:2"},
            False,
            "http://127.0.0.1:1/123.js",
            "http://127.0.0.1:2/forms/v2.js",
        ),
    ],
)
def test_hosts_follow_the_data_centre(given, european, script, forms):
    """By region, else by the token, unless hosts are given."""
    told = web.plugin_settings(device(settings={"portal_id": 123, "access_token": "t"} | given), None)
    assert (told["enableEuropeanDataCenter"], told["scriptUrl"], told["formsUrl"]) == (
        european,
        script,
        forms,
    )
    assert told["portalId"] == "123"
    assert told["events"] is None


def test_settings_of_pages_reach_the_plugin():
    """Each switch by its own name, and consent."""
    given = {
        "portal_id": "123",
        "access_token": "t",
        "flush_identify_immediately": True,
        "format_event_names": False,
        "load_forms_sdk": True,
        "skip_first_page_view": False,
    }
    told = web.plugin_settings(device(settings=given, consent_categories=("ads",)), {})
    switches = (
        "flushIdentifyImmediately",
        "formatCustomBehavioralEventNames",
        "loadFormsSDK",
        "skipFirstPageView",
    )
    assert [told[k] for k in switches] == [True, False, True, False]
    assert told["consentCategories"] == ["ads"]
    assert told["events"] == {}
    assert hubspot_settings.check(given | {"attribution_form": "guid"}) == []


def test_nothing_secret_is_in_the_documents(built):
    """The token stays here; the only foreign hosts are HubSpot's."""
    secret = {"portal_id": "123", "access_token": "pat-na1-secret"}
    site = Site(built, device(settings=secret))
    for found in (site.segment(), site.rudder()):
        text = json.dumps(found)
        assert "secret" not in text
        hosts = set(re.findall(r"https?://([^/\"]+)", text))
        assert hosts <= {"cdp.example.com", "js.hs-scripts.com", "js.hsforms.net"}


def test_own_web_mappings_replace_the_presets():
    """Enabled ones with the defaults of their action under them; a trigger comes as text and compiled."""
    own = (
        Mapping("to contact", "upsert_contact", 'type = "identify"'),
        Mapping(
            "orders",
            "web.track_custom_behavioral_event",
            'event = "Order Completed"',
            {"properties": {"total": {"@path": "$.properties.total"}}},
        ),
        Mapping("pages", "web.track_page_view", 'type = "page"', enabled=False),
    )
    assert web.plugin_settings(device(mappings=own), None)["subscriptions"] == [
        {
            "name": "orders",
            "enabled": True,
            "partnerAction": "trackCustomBehavioralEvent",
            "subscribe": 'event = "Order Completed"',
            "when": ["=", ["$", "event"], "Order Completed"],
            "mapping": {
                "name": {"@path": "$.event"},
                "properties": {"total": {"@path": "$.properties.total"}},
            },
        }
    ]


def test_web_actions_are_sound_and_plan_nothing_here():
    """Defaults compile, default triggers parse, every action has a name that the plugin knows."""
    assert set(web.WEB_ACTIONS) == set(web.PARTNER_ACTIONS)
    for action in web.WEB_ACTIONS.values():
        compile_mapping(action.mapping({}))
        parse_trigger(action.default_trigger)
        assert action.plan(None, {}) is None


def test_what_pages_cannot_do_is_named():
    """Liquid and the root directive, wherever they hide."""
    fields = {
        "path": {"@if": {"then": [{"@liquid": "{{x}}"}]}},
        "__segment_internal_directive": {"@transform": {}},
    }
    found = web.problems("mappings[0]", Mapping("m", "web.track_page_view", "", fields))
    assert [p.path for p in found] == [
        "mappings[0].fields.path",
        "mappings[0].fields.__segment_internal_directive",
    ]
    assert web.problems("m", Mapping("m", "web.track_page_view", "", {"path": {"@path": "$.name"}})) == []


def test_known_events_are_those_of_contacts_by_each_of_their_names():
    """Label and short name, trimmed and in lower case; under the full name its properties."""
    totals = {"total": "number", "coupon": "string"}
    schema = PortalSchema(
        definitions={
            "a": Definition("order_completed", "pe123_order_completed", " Order Completed ", totals),
            "b": Definition("seat_added", "pe123_seat_added", "Seat added", primary_object="COMPANY"),
            "c": Definition("nameless", "", "Nameless"),
        }
    )
    full = "pe123_order_completed"
    assert web.known_events(schema) == {
        "order completed": full,
        "order_completed": full,
        full: ["coupon", "total"],
    }


def test_batching_is_one_switch_for_all_pages(built):
    """The settings turn it on; no page changes."""
    found = Site(built, device_batching=True).segment()
    assert found["integrations"]["Segment.io"]["deliveryStrategy"]["strategy"] == "batching"


# --- filters ---------------------------------------------------------------------------------------------------------


def test_filters_run_in_the_page_where_it_can_apply_them():
    """What a page cannot apply exactly it leaves to the server: those events are not delivered by it."""
    always = ["and"]
    secret = ["=", ["$", "event"], "Secret"]
    given = (
        Filter("a", 'event = "Secret"'),
        Filter("b", 'event = "Secret"', "only"),
        Filter("c", 'event = "Secret"', "sample", percent=10),
        Filter("d", 'event = "Secret"', "drop_properties", fields={"properties": ("x",)}),
        Filter("e", 'profile.traits.plan = "internal"'),
        Filter("f", 'type = "track" and not contains(lowercase(context.ip), "10.")', "only"),
        Filter("g", "all", enabled=False),
    )
    assert page_filters(given) == [
        {"kind": "drop", "when": secret},
        {"kind": "only", "when": secret},
        {"kind": "drop", "when": secret},
        {"kind": "drop", "when": secret},
        {"kind": "drop", "when": always},
        {"kind": "drop", "when": always},
    ]


@pytest.mark.parametrize(
    ("kind", "trigger", "ir"),
    [
        ("drop", 'event = "Secret"', '["=","event",{"value":"Secret"}]'),
        ("only", 'event = "Secret"', '["!",["=","event",{"value":"Secret"}]]'),
        (
            "drop",
            'type = "track" and (event != "a" or not event = "b")',
            '["and",["=","type",{"value":"track"}],["or",["!=","event",{"value":"a"}],["!",["=","event",{"value":"b"}]]]]',
        ),
        ("drop", 'event in ["a", "b"]', '["or",["=","event",{"value":"a"}],["=","event",{"value":"b"}]]'),
        ("drop", 'event = "2026-01-01"', None),
        ("drop", 'event = "a" and properties.total > 5', None),
        ("drop", 'not context.page.path = "/"', None),
        ("drop", 'snakecase(event) = "a"', None),
        ("drop", "all", None),
        ("drop", 'profile.id = "a"', None),
        ("sample", 'event = "a"', None),
    ],
)
def test_routing_rules_say_what_segments_language_can(kind, trigger, ir):
    """Only what both read alike: a rule that drops what the plugin gave a receipt would lose it."""
    found = routing_rules((Filter("f", trigger, kind),), "HubSpot")
    assert [r["matchers"][0]["ir"] for r in found] == ([ir] if ir else [])
    for rule in found:
        assert rule["destinationName"] == "HubSpot"
        assert rule["transformers"] == [[{"type": "drop"}]]


def test_routing_rules_only_where_the_plugins_name_is_clear(built):
    """With two portals in a page a rule would hit both: each plugin then applies its own filters."""
    filtered = (Filter("f", 'event = "Secret"'),)
    one = Site(built, device(filters=filtered)).segment()
    assert len(one["middlewareSettings"]["routingRules"]) == 1
    other = Destination(
        "two", "hubspot", connection="device", settings={"portal_id": "2", "access_token": "t"}
    )
    both = Site(built, device(filters=filtered), other).segment()
    assert both["middlewareSettings"] == {}
    assert [p["settings"]["destination"] for p in both["remotePlugins"]] == ["crm", "two"]


# --- addresses -------------------------------------------------------------------------------------------------------


def test_without_a_public_url_addresses_are_the_requests(built):
    """Scheme and host of the request; a proxy's word counts only from a trusted address."""
    site = Site(built, device(), public_url="")
    assert site.segment()["remotePlugins"][0]["url"].startswith("http://edge.local/next-integrations/")
    proxied = {"x_forwarded_proto": "https", "x_forwarded_host": "cdp.public"}
    assert site.segment(**proxied)["integrations"]["Segment.io"]["protocol"] == "http"
    trusting = Site(built, device(), public_url="", trusted_proxies=["testclient"])
    ours = trusting.segment(**proxied)["integrations"]["Segment.io"]
    assert (ours["protocol"], ours["apiHost"]) == ("https", "cdp.public/v1")


def test_a_strange_host_goes_nowhere(built):
    """What is no host name does not come back in addresses."""
    site = Site(built, device(), public_url="")
    assert "evil" not in json.dumps(site.segment(host='x"/evil'))


def test_prefix_and_names_against_ad_blockers(built):
    """Everything is under the prefix as well; renamed files answer to both names."""
    names = {"hubspot-web.js": "ui.js", "analytics.min.js": "shop.js"}
    site = Site(built, device(), device_prefix="/t/x", device_names=names)
    found = site.get("/t/x/v1/projects/WK/settings").json()
    assert found == site.segment()
    assert found["integrations"]["Segment.io"]["apiHost"] == "cdp.example.com/t/x/v1"
    url = found["remotePlugins"][0]["url"]
    assert url.startswith("https://cdp.example.com/t/x/files/ui.js?v=")
    plugin = site.get(url.removeprefix("https://cdp.example.com"))
    assert plugin.text.startswith("/* hubspot-web.js */")
    assert plugin.headers["cache-control"] == IMMUTABLE
    assert site.get("/files/ui.js").headers["cache-control"] == "public, max-age=300"
    assert site.get("/files/shop.js").text.startswith("/* analytics.min.js */")
    assert site.get("/analytics.js/v1/WK/analytics.min.js").status_code == 200
    assert site.get("/files/hubspot-web.js").status_code == 404
    assert site.get("/txx/v1/projects/WK/settings").status_code == 404


# --- what pages ask for ahead of time --------------------------------------------------------------------------------


def hinted(site, key="WK", **headers):
    """The addresses in front of Analytics.js; None when nothing is."""
    answer = site.get(f"/analytics.js/v1/{key}/analytics.min.js", **headers)
    head, found, rest = answer.text.partition("/* analytics.min.js */")
    assert found
    assert rest == "var a;" * 500
    assert answer.headers["etag"]
    return json.loads(head.partition(".forEach")[0]) if head else None


def test_analytics_js_begins_with_what_its_pages_will_need(built):
    """The plugin as the settings name it, HubSpot's script, the chunk for routing rules: each once."""
    site = Site(built, device())
    assert hinted(site) == [PLUGIN_URL, "https://js.hs-scripts.com/123.js"]
    assert hinted(site)[0] == site.segment()["remotePlugins"][0]["url"]
    rules = device(filters=(Filter("f", 'type = "page"'),))
    chunk = f"https://cdp.example.com/analytics-next/bundles/{CHUNK}"
    assert hinted(Site(built, rules))[2:] == [chunk]
    assert len(hinted(Site(built, device(), device()))) == 2
    prefixed = Site(built, device(), device_prefix="/t", device_names={"hubspot-web.js": "ui.js"})
    assert hinted(prefixed)[0] == prefixed.segment()["remotePlugins"][0]["url"]


def test_nothing_of_hubspot_is_asked_for_before_the_visitor_agrees(built):
    """The plugin asks nobody but us."""
    assert hinted(Site(built, device(consent_categories=("ads",)))) == [PLUGIN_URL]


def test_pages_without_a_plugin_get_the_script_as_it_is(built):
    """No destination in the page: neither for this key, nor for one that is unknown or off, nor for another origin."""
    for site, key in ((Site(built), "WK"), (Site(built, device()), "OFF"), (Site(built, device()), "NOPE")):
        assert hinted(site, key) is None
    assert hinted(Site(built, device()), "SHOP", origin="https://evil.example") is None


def test_the_script_with_hints_is_packed_and_cached_like_any(built):
    """Gzip gives the same text, the tag belongs to the text, and unchanged content is 304."""
    site = Site(built, device())
    path = "/analytics.js/v1/WK/analytics.min.js"
    plain, packed = site.get(path, accept_encoding="identity"), site.get(path, accept_encoding="gzip")
    assert packed.headers["content-encoding"] == "gzip"
    assert packed.text == plain.text
    assert site.get(path, accept_encoding="gzip", if_none_match=packed.headers["etag"]).status_code == 304
    other = Site(built, device(settings={"portal_id": "9", "access_token": "t"}))
    assert other.get(path, accept_encoding="gzip").headers["etag"] != packed.headers["etag"]


# --- CORS and caches -------------------------------------------------------------------------------------------------


def test_cors_is_the_tracking_apis(built):
    """The origin is echoed, preflights are answered, and what no page asked has no such headers."""
    site = Site(built, device())
    for path in ("/v1/projects/WK/settings", "/sourceConfig/", "/v3/modern/rsa.min.js"):
        headers = {"Origin": GOOD, "Access-Control-Request-Headers": "authorization"}
        preflight = site.client.options(path, headers=headers)
        assert preflight.status_code == 204
        assert preflight.headers["access-control-allow-headers"] == "authorization"
        answer = site.get(path, origin=GOOD)
        assert answer.headers["access-control-allow-origin"] == GOOD
        assert {"Origin", "Accept-Encoding"} <= set(answer.headers["vary"].split(", "))
        plain = site.get(path)
        assert "access-control-allow-origin" not in plain.headers
        assert "Origin" in plain.headers["vary"]


def test_other_origins_get_no_destinations(built):
    """A source that names its origins: elsewhere its key is like an unknown one, and as harmless."""
    site = Site(built, device())
    assert len(site.segment("SHOP", origin=GOOD)["remotePlugins"]) == 1
    assert len(site.segment("SHOP")["remotePlugins"]) == 1
    assert site.segment("SHOP", origin="https://evil.example")["remotePlugins"] == []
    assert site.rudder("SHOP", origin="https://evil.example")["enabled"] is False


@pytest.mark.parametrize(
    ("path", "cache"),
    [
        ("/v1/projects/WK/settings", "public, max-age=60"),
        ("/sourceConfig/?writeKey=WK", "public, max-age=60"),
        ("/config/WK", "public, max-age=60"),
        ("/analytics.js/v1/WK/analytics.min.js", "public, max-age=300"),
        (f"/analytics-next/bundles/{CHUNK}", IMMUTABLE),
        ("/next-integrations/actions/hubspot-web/hubspot-web.1b.js", IMMUTABLE),
        ("/next-integrations/actions/aHVic3BvdC13ZWI/hubspot-web.1b.js", IMMUTABLE),
        ("/next-integrations/actions/hubspot-web/hubspot-web.old.js", "public, max-age=300"),
        ("/next-integrations/integrations/hubspot/3.0.0/hubspot.dynamic.js.gz", "public, max-age=300"),
        ("/v3/modern/rsa.min.js", "public, max-age=300"),
        ("/3.34.1/legacy/js-integrations/HubSpot.min.js", "public, max-age=300"),
        ("/libs/analytics-browser-2.47.0-min.js.gz", "public, max-age=300"),
        ("/libs/amplitude.min.js", "public, max-age=300"),
    ],
)
def test_caches_are_told_what_may_change(built, path, cache):
    """Settings for a minute, files by hash for ever, others for five; unchanged content is 304."""
    site = Site(built, device())
    answer = site.get(path)
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == cache
    assert site.get(path, if_none_match=answer.headers["etag"]).status_code == 304
    assert site.get(path, if_none_match=f'"x", W/{answer.headers["etag"]}').status_code == 304
    assert site.client.head(path).status_code == 200


def test_probe_of_ad_blockers(built):
    """RudderStack's SDK asks whether an address with `ad` gets through; no redirect, no content."""
    answer = Site(built).client.head("/sourceConfig/?view=ad", headers={"Origin": GOOD})
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == GOOD
    assert answer.headers["cache-control"] == "no-store"


# --- files -----------------------------------------------------------------------------------------------------------


def test_files_are_packed_for_those_who_take_it(built):
    """Gzip with its own ETag; plain bytes otherwise, also under a name that ends in `.gz`."""
    site = Site(built)
    for path in ("/v3/modern/rsa.min.js", "/next-integrations/integrations/hubspot/1/hubspot.dynamic.js.gz"):
        packed, plain = (
            site.get(path, accept_encoding="br, gzip"),
            site.get(path, accept_encoding="br, gzip;q=0"),
        )
        assert packed.headers["content-encoding"] == "gzip"
        assert "content-encoding" not in plain.headers
        assert packed.text == plain.text
        assert packed.headers["etag"] != plain.headers["etag"]
        assert packed.headers["content-type"] == "text/javascript; charset=utf-8"
        assert int(packed.headers["content-length"]) < int(plain.headers["content-length"])


def test_a_packed_file_beside_is_used(built):
    """What the build packed is served as it is."""
    (built / f"{FILES['rsa.min.js']}.gz").write_bytes(gzip.compress(b"packed by the build", mtime=0))
    assert Site(built).get("/v3/modern/rsa.min.js", accept_encoding="gzip").text == "packed by the build"


def test_settings_are_packed_when_it_pays(built):
    """A document with a plugin is; an empty one is not."""
    site = Site(built, device())
    assert site.get("/v1/projects/WK/settings", accept_encoding="gzip").headers["content-encoding"] == "gzip"
    assert "content-encoding" not in site.get("/config/WK", accept_encoding="gzip").headers


@pytest.mark.parametrize(
    "path",
    [
        "/analytics-next/bundles/..%2fsecret.js",
        "/analytics-next/bundles/%2e%2e%2fsecret.js",
        "/analytics-next/bundles/..%5csecret.js",
        "/analytics-next/bundles/secret.js",
        "/analytics-next/bundles/manifest.json",
        "/analytics-next/bundles/%00",
        "/files/..%2fsecret.js",
        "/next-integrations/actions/other/hubspot-web.1b.js",
        "/next-integrations/actions/hubspot-web/..%2f..%2fsecret.js",
        "/v3/..%2f/rsa.min.js",
        "/latest/modern/rsa.min.js",
        "/libs/other.js",
    ],
)
def test_nothing_else_is_served(built, path):
    """Names are looked up among the files that are there: no path leads out of the folder."""
    answer = Site(built).get(path)
    assert answer.status_code == 404
    assert "secret" not in answer.text.replace("secret.js", "")


@pytest.mark.parametrize("manifest", [None, "{", "[]"])
def test_without_files_the_server_delivers(tmp_path, manifest):
    """503 with the command to run; settings name no plugin, so pages leave everything to the server."""
    if manifest is not None:
        (tmp_path / "manifest.json").write_text(manifest)
    site = Site(tmp_path, device())
    assert site.segment() == MINIMAL
    assert site.rudder()["destinations"] == []
    if manifest == "[]":
        return
    for path in (
        "/analytics.js/v1/WK/analytics.min.js",
        "/analytics-next/bundles/a.js",
        "/v3/modern/rsa.min.js",
    ):
        answer = site.get(path, origin=GOOD)
        assert answer.status_code == 503
        assert answer.json()["code"] == "assets_missing"
        assert "make browser" in answer.json()["message"]
        assert answer.headers["cache-control"] == "no-store"


def test_files_made_later_are_found(built, tmp_path):
    """`make browser` beside a running server needs no restart."""
    later = tmp_path / "later"
    site = Site(later, device())
    assert site.get("/v3/modern/rsa.min.js").status_code == 503
    built.rename(later)
    assert site.get("/v3/modern/rsa.min.js").status_code == 200


# --- the receipt -----------------------------------------------------------------------------------------------------


AJS = {"name": "analytics.js", "version": "npm:next-1.84.3"}


def judged(kind="track", library=AJS, receipt=("crm",), destination=None, **more):
    """What admission says of an event with this receipt."""
    millstream = {"delivered": list(receipt)} if isinstance(receipt, tuple) else receipt
    event = Event(
        type=kind,
        message_id="m",
        timestamp="2026-01-01T00:00:00.000Z",
        received_at="2026-01-01T00:00:00.000Z",
        source="web",
        event="E",
        context={"library": library, "millstream": millstream},
        **more,
    )
    stopped = Admission(destination or device(), frozenset({"hubspot"})).judge(event, event.view())
    return stopped and stopped.reason


@pytest.mark.parametrize("kind", ["page", "identify", "track"])
@pytest.mark.parametrize("library", [AJS, {"name": "RudderLabs JavaScript SDK"}])
def test_a_receipt_ends_what_the_page_delivered(kind, library):
    """Visible as filtered, with the reason; without it the server delivers."""
    assert judged(kind, library) is Reason.MESSAGE_SENT_CLIENT_SIDE
    assert judged(kind, library, ("other", "crm")) is Reason.MESSAGE_SENT_CLIENT_SIDE
    assert judged(kind, library, ("other",)) is None
    assert judged(kind, library, ()) is None


@pytest.mark.parametrize("kind", ["group", "screen", "alias"])
def test_what_pages_do_not_deliver_needs_no_receipt(kind):
    """group, screen and alias are the server's whatever the event says."""
    assert judged(kind) is None


def test_a_receipt_counts_only_for_device_destinations():
    """In cloud mode nothing in a page delivers."""
    assert judged(destination=device(connection="cloud")) is None


@pytest.mark.parametrize("library", [{"name": "analytics-python"}, {"name": 1}, {}, None, "analytics.js", []])
def test_a_receipt_counts_only_from_browsers(library):
    """A server that passes a page's context on names its own library: its event is delivered."""
    assert judged(library=library) is None


@pytest.mark.parametrize(
    "receipt",
    [
        None,
        "crm",
        [],
        {},
        {"delivered": "crm"},
        {"delivered": {"crm": True}},
        {"delivered": [["crm"], 1, None]},
    ],
)
def test_receipts_of_any_other_shape_say_nothing(receipt):
    """They come with a public key: whatever they hold, nothing breaks and the server delivers."""
    assert judged(receipt=receipt) is None


def test_a_receipt_is_judged_before_consent_and_filters():
    """What was delivered was delivered; and a source that is not connected stays so."""
    filtered = device(filters=(Filter("f", "all"),), consent_categories=("ads",))
    assert judged(destination=filtered) is Reason.MESSAGE_SENT_CLIENT_SIDE
    assert judged(destination=device(sources=("server",))) is Reason.SOURCE_NOT_CONNECTED


@pytest.mark.parametrize(
    ("fields", "trigger", "whole"),
    [
        ({"name": {"@path": "$.event"}}, 'type = "track"', False),
        ({"name": {"@replace": {"value": {"@path": "$.event"}, "pattern": "a"}}}, 'type = "track"', True),
        (
            {"properties": {"a": [{"@json": {"mode": "encode", "value": {"@path": "$.a"}}}]}},
            'type = "track"',
            True,
        ),
        ({}, 'match(event, "Order*")', True),
        ({}, "properties.match = 1", False),
    ],
    ids=["paths", "replace", "json in a list", "match", "a property named match"],
)
def test_a_page_gets_the_plugin_that_its_mappings_need(fields, trigger, whole):
    """The small one unless a directive or function is used that only the other has."""
    told = {"filters": [], "subscriptions": [{"when": parse_trigger(trigger).tree(), "mapping": fields}]}
    assert needs_all(told) is whole
    assert needs_all({"filters": [{"when": ["match", ["$", "event"], "x*"]}], "subscriptions": []}) is True
