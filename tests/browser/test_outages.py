"""Device mode when something is in the way: blocked scripts, a full or unreachable server, pages that end."""

from __future__ import annotations

import time

import pytest

DEVICE = ("segment", "rudderstack")
SDKS = (*DEVICE, "amplitude")
# What Amplitude's SDK says by itself.
STARTED = ["identify", "session_start", "[Amplitude] Page Viewed"]
ADA = "ada@example.com"
# With it the server has something to do with the page views that a page could not deliver.
PAGES_TOO = """\
    mappings:
      - name: page views
        action: custom_event
        trigger: type = "page"
        fields:
          name: page_seen
          email: {"@path": $.profile.email}
          properties: {path: {"@path": $.properties.path}}
"""
AT_THE_END = "addEventListener('pagehide', () => { amplitude.setTransport('beacon'); amplitude.flush() })"
BLOCKED = {
    "404": "{site}/nowhere",
    "empty": "{site}/empty",
    "hanging": "{site}/hanging",
    "refused by the policy": "{tracker}",
}


def by_server(events):
    """Whether the server delivered all of these."""
    return all(e["outcome"] == ("delivered", "ok") and not e["receipt"] for e in events)


@pytest.mark.parametrize("how", BLOCKED)
@pytest.mark.parametrize("sdk", DEVICE)
def test_blocked_script(site, sdk, how):
    """HubSpot's script does not come: calls and `ready` resolve within 5 s, and the server delivers everything, once."""
    here = site(scripts=BLOCKED[how], destination=PAGES_TOO, gives_up=True)
    here.define("Order Completed")
    if how == "refused by the policy":
        policy = here.install["csp"].replace(here.tracker, "")
        assert here.tracker not in policy
        here.policy(policy, "img-src data:")
    tab = here.visit(f"/{sdk}/home", until="domcontentloaded")
    tab.wait("window.analytics && analytics.initialized" if sdk == "segment" else "window.HubSpot_RS")
    assert tab.took_ms(f"new Promise((done) => {tab.object}.ready(done))") < 5000
    for what in (tab.words("identify"), tab.words("track", "Order Completed")):
        assert tab.took_ms(what) < 5000
    events = here.settled(["page", "identify", "Order Completed"])
    assert by_server(events), here.summary()
    assert here.occurrences() == [("order_completed", ADA), ("page_seen", ADA)], here.summary()
    assert here.views() == []
    assert here.contact()["email"] == ADA
    assert not here.calls("trackCustomBehavioralEvent", "trackPageView")


@pytest.mark.parametrize("sdk", DEVICE)
def test_script_that_comes_late(site, sdk):
    """Beyond the wait the server delivers; once the script has come the page does, for the same contact."""
    here = site(scripts="{site}/slow", gives_up=True)
    here.define("Early", "Late")
    here.pages.files["/slow/20001.js"] = here.script()
    let_it_come = here.pages.hold("/slow/20001.js")
    tab = here.visit(f"/{sdk}/home", until="commit")
    tab.ready(taken=False)
    tab.call("identify")
    here.settled(
        ["page", "identify"]
    )  # what the server delivers finds the contact: this SDK's events overtake each other
    tab.call("track", "Early")
    here.settled(["page", "identify", "Early"])
    let_it_come()
    tab.wait("window._hstc_ran === true")
    tab.call("track", "Late")
    events = here.settled(["page", "identify", "Early", "Late"])
    assert [e["what"] for e in events if e["receipt"]] == ["Late"], here.summary()
    assert here.occurrences() == [("early", ADA), ("late", ADA)], here.summary()
    assert here.views() == [f"/{sdk}/home"]


@pytest.mark.parametrize("sdk", SDKS)
def test_too_many_requests(site, sdk):
    """429 with `Retry-After`: the SDK comes back later, and each event arrives once."""
    here = site()
    here.define(*(f"Event {n}" for n in range(4)))
    tab = here.visit(f"/{sdk}/home")
    tab.ready()
    tab.call("identify")
    here.settled([*STARTED, "identify"] if sdk == "amplitude" else ["page", "identify"])
    names = [f"Event {n}" for n in range(4)]
    here.configure(source="    limits: {events_per_second: 0.5}")
    with here.used_up(sdk):
        for name in names:
            tab.call("track", name)
        here.wait(lambda: any(r.get("status") == 429 for r in here.requests), "a refusal")
    here.settled(names, exactly=False)
    sent = [e["what"] for e in here.arrived() if e["what"] in names]
    assert sorted(sent) == names, here.summary()
    assert here.occurrences() == [(f"event_{n}", ADA) for n in range(4)], here.summary()


@pytest.mark.parametrize("sdk", SDKS)
def test_offline_and_back(site, sdk):
    """Events of a visitor who is offline wait in the SDK, and are delivered once when the line is back."""
    here = site()
    here.define("Before", "Meanwhile", "After")
    tab = here.visit(f"/{sdk}/home")
    tab.ready()
    tab.call("identify")
    tab.call("track", "Before")
    own = [*STARTED, "identify"] if sdk == "amplitude" else ["page", "identify"]
    here.settled([*own, "Before"])
    here.offline(True)
    tab.call("track", "Meanwhile")
    time.sleep(0.5)
    here.offline(False)
    tab.call("track", "After")
    here.settled([*own, "Before", "Meanwhile", "After"])
    assert here.occurrences() == [(n, ADA) for n in ("after", "before", "meanwhile")], here.summary()
    assert here.views() == ([] if sdk == "amplitude" else [f"/{sdk}/home"])


@pytest.mark.parametrize("how", ["goes on", "closes"])
@pytest.mark.parametrize("sdk", SDKS)
def test_the_page_ends(site, sdk, how):
    """A click that tracks and leaves: with beacons (RudderStack, Amplitude) and keep-alive batches the event is there."""
    here = site(top="  device_batching: true" if sdk == "segment" else "")
    page = here.pages.html
    # As their documentation says how.
    if sdk == "rudderstack":
        page[sdk] = page[sdk].replace("{configUrl", "{useBeacon:true,configUrl")
        assert "useBeacon" in page[sdk]
    elif sdk == "amplitude":
        page[sdk] = page[sdk].replace("</head>", f"<script>{AT_THE_END}</script></head>")
        # What it sends once a second would be lost when the page ends in that moment; it waits for another page.
        page[sdk] = page[sdk].replace("{ serverUrl", "{ flushIntervalMillis: 600000, serverUrl")
        assert "flushInterval" in page[sdk]
    here.define("Left")
    here.pages.html["bye"] = "<!doctype html><title>Bye</title>"
    tab = here.visit(f"/{sdk}/home")
    tab.ready()
    tab.call("identify")
    if sdk == "segment":
        tab.run(tab.words("track", "Left"))  # into the batch, which waits for five seconds
    else:
        tab.call("track", "Left")
    if sdk in DEVICE:
        here.wait(here.occurrences, "what the page delivers by itself, which no SDK can save")
    if how == "goes on":
        tab.run("void (location.href = '/bye')")
    else:
        tab.leave()
    own = [*STARTED, "identify"] if sdk == "amplitude" else ["page", "identify"]
    views = [] if sdk == "amplitude" else [f"/{sdk}/home"]
    here.settled([*own, "Left"])
    assert here.occurrences() == [("left", ADA)], here.summary()
    assert here.views() == views
    if sdk != "segment":
        path = "/beacon/v1/batch" if sdk == "rudderstack" else "/2/httpapi"
        beacons = here.visit("/bye").run("JSON.parse(localStorage.beacons)")
        assert beacons
        assert all(u.startswith(here.public + path) for u in beacons), beacons


@pytest.mark.parametrize("sdk", DEVICE)
def test_unknown_definition(site, sdk):
    """An event that HubSpot does not have: the server delivers it and makes it; the next page load delivers by itself."""
    here = site()
    here.teach()
    tab = here.visit(f"/{sdk}/home")
    tab.ready()
    tab.call("identify")
    here.settled(
        ["page", "identify"]
    )  # what the server delivers finds the contact: this SDK's events overtake each other
    tab.call("track", "Brand New")
    events = here.settled(["page", "identify", "Brand New"])
    assert [e["receipt"] for e in events if e["what"] == "Brand New"] == [False], here.summary()
    here.wait(lambda: "brand new" in here.known())
    assert not here.calls("trackCustomBehavioralEvent")
    tab.expire()
    next_tab = here.visit(f"/{sdk}/again")
    next_tab.ready()
    next_tab.call("identify")
    next_tab.call("track", "Brand New")
    events = here.settled(["page", "page", "identify", "identify", "Brand New", "Brand New"])
    assert [e["receipt"] for e in events if e["what"] == "Brand New"] == [False, True], here.summary()
    assert here.occurrences() == [("brand_new", ADA)] * 2, here.summary()
    assert here.views() == [f"/{sdk}/again", f"/{sdk}/home"]


@pytest.mark.parametrize("sdk", DEVICE)
def test_unknown_property(site, sdk):
    """A property that HubSpot's definition does not have costs no event: the server makes it, and the next page load knows it."""
    here = site()
    here.define("Order Completed", properties=())
    tab = here.visit(f"/{sdk}/home")
    tab.ready()
    tab.call("identify")
    here.settled(
        ["page", "identify"]
    )  # what the server delivers finds the contact: this SDK's events overtake each other
    tab.call("track", "Order Completed")
    events = here.settled(["page", "identify", "Order Completed"])
    assert [e["receipt"] for e in events if e["what"] == "Order Completed"] == [False], here.summary()
    assert here.occurrences() == [("order_completed", ADA)], here.summary()
    tab.expire()
    here.wait(lambda: "total" in here.known()["pe20001_order_completed"])
    next_tab = here.visit(f"/{sdk}/again")
    next_tab.ready()
    next_tab.call("track", "Order Completed")
    events = here.settled(["page", "page", "identify", "Order Completed", "Order Completed"])
    assert [e["receipt"] for e in events if e["what"] == "Order Completed"] == [False, True], here.summary()
    assert [name for name, _ in here.occurrences()] == ["order_completed"] * 2, here.summary()
