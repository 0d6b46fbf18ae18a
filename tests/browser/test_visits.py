"""Device mode in Chromium: what HubSpot's code is told, what arrives here, and what the portal then holds."""

from __future__ import annotations

import pytest

DEVICE = ("segment", "rudderstack")
SDKS = (*DEVICE, "amplitude")
# What Amplitude's SDK says by itself.
STARTED = ["identify", "session_start", "[Amplitude] Page Viewed"]
ADA = "ada@example.com"


def receipts(events):
    """The names of the events that the page delivered, in order."""
    return sorted(e["what"] for e in events if e["receipt"])


def a_visit(here, tab, sdk):
    """Identify → track → page, and everything about it asserted."""
    tab.ready()
    tab.call("identify")
    tab.call("track", "Order Completed")
    if sdk == "amplitude":
        events = here.settled([*STARTED, "identify", "Order Completed"])
        assert not here.told
        assert not receipts(events)
        assert here.views() == []
    else:
        home = tab.run("location.pathname")
        tab.virtual("/next")
        events = here.settled(["page", "identify", "Order Completed", "page"])
        assert here.views() == sorted([home, "/next"]), here.summary()
        # RudderStack's SDK sends its first page call before it loads the plugin: HubSpot's own count stands alone.
        assert receipts(events) == sorted(["Order Completed", "page"] + ["page"] * (sdk == "segment")), (
            here.summary()
        )
        told = here.calls("identify", "trackCustomBehavioralEvent", "trackPageView")
        assert [c[0] for c in told] == ["identify", "trackCustomBehavioralEvent", "trackPageView"], told
        assert told[0][1]["email"] == ADA
        assert told[1][1] == {"name": "pe20001_order_completed", "properties": {"total": 5}}
        outcomes = {(e["what"], e["outcome"]) for e in events if e["receipt"] or e["what"] != "page"}
        by_page = ("filtered", "message_sent_client_side")
        assert outcomes == {
            ("identify", ("delivered", "ok")),
            ("Order Completed", by_page),
            ("page", by_page),
        }, here.summary()
    assert here.occurrences() == [("order_completed", ADA)], here.summary()
    assert here.contact()["firstname"] == "Ada"
    assert here.contacts() == [ADA, "reader@example.com"]


@pytest.mark.parametrize("https", [False, True], ids=["http", "https"])
@pytest.mark.parametrize("sdk", SDKS)
def test_snippet(site, sdk, https):
    """The printed snippet over http and https: each page view, identify and event reaches HubSpot once."""
    here = site(https=https)
    here.define("Order Completed")
    a_visit(here, here.visit(f"/{sdk}/home"), sdk)


def test_what_a_page_needs_is_asked_for_at_once(site):
    """Settings with the SDK, then plugin and HubSpot's script together; what was asked for early is used, not repeated."""
    here = site()
    tab = here.visit("/segment/home")
    tab.ready()
    here.settled(["page"])
    script = "performance.getEntriesByType('resource').map((r) => [r.name, r.startTime, r.responseEnd])"
    seen = tab.run(script)
    parts = ("/settings", "/analytics.min.js", "/hubspot-web.", "/20001.js")
    settings, sdk, plugin, hubspots = (next(r for r in seen if part in r[0]) for part in parts)
    assert settings[1] < sdk[2]
    assert hubspots[1] < plugin[2]
    for part in parts:
        assert sum(part in r["url"] for r in here.requests) == 1, (part, here.requests)


@pytest.mark.parametrize("sdk", SDKS)
def test_npm(site, sdk):
    """The printed npm code, bundled with the package as it is: the same."""
    here = site()
    here.define("Order Completed")
    here.bundle(sdk)
    a_visit(here, here.visit(f"/{sdk}-npm/home"), sdk)


@pytest.mark.parametrize("sdk", SDKS)
def test_single_page_application(site, sdk):
    """Three virtual pages behind the first one: each counted once under its own path, the first not twice."""
    here = site()
    tab = here.visit(f"/{sdk}/home?a=1")
    tab.ready()
    if sdk == "amplitude":
        # This SDK counts by itself when the address changes.
        tab.call("identify")
        for name in ("one", "two", "three"):
            tab.run(f"history.pushState({{}}, '', '/{sdk}/{name}?b=2')")
        here.settled([*STARTED, "identify", *["[Amplitude] Page Viewed"] * 3])
        assert not here.told
        return
    for name in ("one", "two", "three"):
        tab.virtual(f"/{sdk}/{name}?b=2")
    here.settled(["page"] * 4)
    assert here.views() == sorted(f"/{sdk}/{name}" for name in ("home", "one", "two", "three"))
    assert len(here.calls("trackPageView")) == 3, here.told
    urls = sorted(v["url"] for v in here.sandbox.portal.page_views)
    assert [u.split("?")[1] for u in urls] == ["a=1", "b=2", "b=2", "b=2"]


def test_pages_before_the_script(site):
    """A visitor who goes on before HubSpot's script has come: the first view is the first page's, none is lost."""
    here = site(scripts="{site}/slow")
    here.pages.files["/slow/20001.js"] = here.script()
    let_it_come = here.pages.hold("/slow/20001.js")
    tab = here.visit("/segment/home", until="commit")
    tab.ready(taken=False)
    for name in ("one", "two"):
        tab.virtual(f"/segment/{name}")
    let_it_come()
    here.settled(["page"] * 3)
    assert here.views() == ["/segment/home", "/segment/one", "/segment/two"], here.summary()


@pytest.mark.parametrize("sdk", DEVICE)
def test_identify_counts_at_once_when_told_so(site, sdk):
    """`flush_identify_immediately`: the contact is there without another page view or event of the page."""
    here = site(settings="      flush_identify_immediately: true")
    tab = here.visit(f"/{sdk}/home")
    tab.ready()
    tab.call("identify")
    here.settled(["page", "identify"])
    assert here.contact()["email"] == ADA
    assert [c[0] for c in here.told if c[0] != "setPath"] == ["identify", "trackPageView"]


@pytest.mark.parametrize("sdk", DEVICE)
def test_forms(site, sdk):
    """`load_forms_sdk`: `hbspt.forms` is there, the SDK's `ready` fires, and a form of the page keeps the visitor."""
    here = site(settings="      load_forms_sdk: true")
    tab = here.visit(f"/{sdk}/home")
    tab.ready()
    tab.wait("window.hbspt && typeof hbspt.forms.create === 'function'")
    if sdk == "segment":
        assert tab.took_ms("new Promise((done) => analytics.ready(done))") < 5000
        assert tab.run("typeof hbspt.forms.create") == "function"
    here.settled(["page"])
    assert here.views() == [f"/{sdk}/home"]
    assert any(r["url"] == f"{here.tracker}/forms/v2.js" for r in here.requests)


@pytest.mark.parametrize("sdk", DEVICE)
@pytest.mark.parametrize("how", ["region", "token"])
def test_european_data_centre(site, sdk, how):
    """A European portal's script and forms come from the European hosts, by the setting or by the token."""
    more = "\n      region: eu1" if how == "region" else ""
    here = site(
        hosts="",
        settings=f"      load_forms_sdk: true{more}",
        token="pat-eu1-abc" if how == "token" else "any",
    )
    scripts, forms = "https://js-eu1.hs-scripts.com/20001.js", "https://js-eu1.hsforms.net/forms/v2.js"
    here.do("answer", url=scripts, status=200, body=here.script(), type="text/javascript")
    here.do("answer", url=forms, status=200, body=here.get("/forms/v2.js"), type="text/javascript")
    here.allowed |= {"js-eu1.hs-scripts.com", "js-eu1.hsforms.net"}
    tab = here.visit(f"/{sdk}/home")
    tab.ready()
    tab.virtual(f"/{sdk}/next")
    here.settled(["page"] * 2)
    asked = [r["url"] for r in here.requests]
    assert asked.count(scripts) == 1
    assert asked.count(forms) == 1
    assert not [u for u in asked if "//js.hs" in u]
    assert here.views() == [f"/{sdk}/home", f"/{sdk}/next"]


@pytest.mark.parametrize("sdk", SDKS)
def test_content_security_policy(site, sdk):
    """A strict policy with what `millstream snippet` prints, no `unsafe-eval`: everything works, nothing is refused."""
    here = site()
    here.define("Order Completed")
    here.policy(here.install["csp"], f"img-src {here.tracker} data:")
    a_visit(here, here.visit(f"/{sdk}/home"), sdk)
    assert not [e for e in here.errors if "Content Security Policy" in e], here.errors
    # The policy does hold: a script of a page cannot use eval.
    script = "try { eval('1') } catch (e) { window.__refused = e.name }"
    here.pages.html["eval"] = f'<!doctype html><script nonce="{here.pages.nonce}">{script}</script>'
    assert here.visit("/eval").run("window.__refused") == "EvalError"


@pytest.mark.parametrize("sdk", DEVICE)
def test_consent_refused(site, sdk):
    """A visitor who refuses: nothing of HubSpot is loaded, nothing told; the server filters the events."""
    here = site(destination="    consent_categories: [Advertising]")
    here.define("Order Completed")
    tab = here.consenting(sdk, Advertising=False)
    tab.ready(taken=False)
    here.with_consent(tab, "track", "Order Completed")
    events = here.settled(["page", "Order Completed"])
    assert {e["outcome"] for e in events} == {("filtered", "filtered_by_end_user_consent")}, here.summary()
    assert not here.told
    assert not [r for r in here.requests if r["url"].startswith(here.tracker)]
    assert here.views() == here.occurrences() == []


@pytest.mark.parametrize("sdk", DEVICE)
def test_consent_given(site, sdk):
    """A visitor who agrees is delivered, once, by the page as soon as it can."""
    here = site(destination="    consent_categories: [Advertising]")
    here.define("Order Completed")
    tab = here.consenting(sdk, Advertising=True)
    tab.ready(taken=sdk == "segment")
    here.with_consent(tab, "identify")
    tab.wait("window._hstc_ran === true")
    here.with_consent(tab, "track", "Order Completed")
    here.settled(["page", "identify", "Order Completed"])
    assert here.views() == [f"/{sdk}-consent/home"], here.summary()
    assert here.occurrences() == [("order_completed", ADA)], here.summary()


@pytest.mark.parametrize("agrees", [True, False], ids=["given", "refused"])
def test_consent_as_rudderstacks_sdk_manages_it(site, agrees):
    """Its own object, on every event: the page and the server read the same in it."""
    here = site(destination="    consent_categories: [ads, analytics]")
    here.define("Order Completed")
    tab = here.managed(["ads", "analytics"] if agrees else ["ads"], [] if agrees else ["analytics"])
    tab.ready(taken=False)
    tab.call("identify")
    if agrees:
        tab.wait("window._hstc_ran === true")
    tab.call("track", "Order Completed")
    events = here.settled(["page", "identify", "Order Completed"])
    if agrees:
        assert here.views() == ["/rudderstack-managed/home"], here.summary()
        assert events[2]["outcome"] == ("filtered", "message_sent_client_side"), here.summary()
    else:
        assert {e["outcome"] for e in events} == {("filtered", "filtered_by_end_user_consent")}, (
            here.summary()
        )
        assert not [r for r in here.requests if r["url"].startswith(here.tracker)]


@pytest.mark.parametrize("sdk", SDKS)
def test_two_tabs(site, sdk):
    """Two tabs of one visitor at once: one visitor token, every view and event once."""
    here = site()
    here.define("Left", "Right")
    tabs = []
    for name in ("left", "right"):
        tabs.append(here.visit(f"/{sdk}/{name}"))
        tabs[-1].ready()  # who the visitor is has been decided when the second tab asks
    tabs[0].call("identify")
    for tab, name in zip(tabs, ("Left", "Right"), strict=True):
        tab.call("track", name)
    if sdk == "amplitude":
        # One session for both tabs: the second one starts none.
        events = here.settled(["identify", "Left", "Right"], exactly=False)
        assert [e["what"] for e in events].count("session_start") == 1
    else:
        events = here.settled(["page", "page", "identify", "Left", "Right"])
        assert here.views() == [f"/{sdk}/left", f"/{sdk}/right"], here.summary()
        assert len({v["utk"] for v in here.sandbox.portal.page_views}) == 1
        assert {o["utk"] for o in here.sandbox.portal.occurrences} == {
            here.sandbox.portal.page_views[0]["utk"]
        }
    assert [name for name, _ in here.occurrences()] == ["left", "right"], here.summary()


@pytest.mark.parametrize("sdk", SDKS)
def test_prefix_and_names_against_ad_blockers(site, sdk):
    """`device_prefix` and `device_names`: everything, events too, is under the prefix, and files have other names."""
    names = "{analytics.min.js: shop.js, hubspot-web.js: ui.js, rsa.min.js: r.js, amplitude.min.js: m.js}"
    here = site(top=f"  device_prefix: /t\n  device_names: {names}")
    here.define("Order Completed")
    a_visit(here, here.visit(f"/{sdk}/home"), sdk)
    ours = [r["url"].removeprefix(here.public) for r in here.requests if r["url"].startswith(here.public)]
    assert ours
    assert all(u.startswith("/t/") for u in ours), ours
    assert not [u for u in ours if "analytics.min" in u or "hubspot-web" in u], ours
