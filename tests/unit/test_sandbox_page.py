"""The sandbox's pages: what they show, that they escape it, and that they leave the API alone."""

from __future__ import annotations

import json
import re
import urllib.error
import urllib.parse
import urllib.request

import pytest

from millstream.sandbox import page_views
from millstream.sandbox.app import Sandbox
from millstream.sandbox.config import SWITCHES

NASTY = "<script>alert('x')</script>"
PAGES = "/_sandbox/pages"


class Browser:
    """Asks one sandbox, as a browser or as an API client."""

    def __init__(self, sandbox):
        self.sandbox = sandbox
        self.portal = sandbox.portal

    def ask(self, path, headers=None, method="GET", body=None):
        """Status, headers and text of an answer."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.sandbox.url + path, data, headers or {}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, answer.headers, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.headers, error.read().decode()

    def api(self, method, path, body=None):
        """A call with the token; its JSON."""
        headers = {"Authorization": "Bearer sandbox-token", "Content-Type": "application/json"}
        status, _, text = self.ask(path, headers, method, body)
        assert status < 300, text
        return json.loads(text) if text else None

    def see(self, path):
        """The text of a page that is there."""
        status, headers, text = self.ask(path)
        assert status == 200, text
        assert headers["Content-Type"] == "text/html; charset=utf-8"
        return text


@pytest.fixture
def browser():
    with Sandbox() as sandbox:
        yield Browser(sandbox)


def contact(browser, **values):
    return browser.api("POST", "/crm/v3/objects/contacts", {"properties": values})["id"]


def rows(text):
    return re.findall(rf'<td><a href="{PAGES}/[^"]+">([^<]+)</a>', text)


def order_event(browser):
    browser.api(
        "POST",
        "/events/v3/event-definitions",
        {
            "label": "Order Completed",
            "name": "order_completed",
            "propertyDefinitions": [{"name": "coupon", "type": "string"}],
        },
    )


def order(browser, coupon, **who):
    body = {"eventName": "order_completed", "properties": {"coupon": coupon}, **who}
    browser.api("POST", "/events/v3/send", body)


def test_overview_counts_what_the_portal_holds(browser):
    """Types that have records, definitions, lists, calls of today, limits and the last calls are on `/`."""
    browser.ask("/_sandbox/seed", method="POST", body={"contacts": 30, "companies": 4})
    order_event(browser)
    text = browser.see("/")
    assert "Portal 20001" in text
    assert "enterprise tier" in text
    assert f'<a href="{PAGES}/contacts"><b>30</b><span>contacts</span>' in text
    assert f'<a href="{PAGES}/companies"><b>4</b><span>companies</span>' in text
    assert f"{PAGES}/deals" not in text
    assert "<b>1</b><span>event definitions</span>" in text
    assert "<b>1</b><span>calls today</span>" in text
    assert re.search(r'<progress class="calm" value="1" max="190"', text)
    assert "/events/v3/event-definitions" in text
    assert 'class="status good">201' in text


def test_empty_portal_has_all_its_pages(browser):
    """Nothing is there yet, and every page says so."""
    assert "no records yet" in browser.see("/")
    assert "Nothing has happened" in browser.see(f"{PAGES}/events")
    assert "no lists" in browser.see(f"{PAGES}/lists")
    assert "Nobody has called" in browser.see(f"{PAGES}/calls")
    assert "There are no line items" in browser.see(f"{PAGES}/line_items")


def test_front_page_is_for_browsers_only(browser):
    """With a token `/` is an API address as ever; looking at pages is no API call."""
    browser.see("/")
    browser.see(f"{PAGES}/contacts")
    assert browser.portal.calls == []
    status, headers, _ = browser.ask("/", {"Authorization": "Bearer sandbox-token"})
    assert status == 404
    assert headers["Content-Type"].startswith("application/json")
    assert [c["path"] for c in browser.portal.calls] == ["/"]
    assert browser.ask("/", method="POST", body={})[1]["Content-Type"].startswith("application/json")
    assert browser.ask(f"{PAGES}/contacts", method="POST", body={})[0] == 404


def test_nothing_comes_from_elsewhere_and_nothing_is_inline(browser):
    """A strict policy that the pages keep: no scripts, no inline styles, no address of another host."""
    record = contact(browser, email="a@x.example")
    for path in (
        "/",
        *(f"{PAGES}/{p}" for p in ("contacts", f"contacts/{record}", "events", "lists", "calls")),
    ):
        _, headers, text = browser.ask(path)
        assert headers["Content-Security-Policy"] == (
            "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'"
        )
        assert not re.search(r"<script|<style|\sstyle=|\son\w+=", text)
        assert not re.search(r'(?:href|src|action)="(?!/)', text)
    assert browser.ask("/_sandbox/page.css")[1]["Content-Type"].startswith("text/css")
    assert browser.ask("/_sandbox/page.svg")[1]["Content-Type"].startswith("image/svg+xml")


def test_values_are_escaped_everywhere(browser):
    """Markup in names, searches, labels, lists and addresses is shown, never run."""
    first = contact(browser, email="a@x.example", firstname=NASTY)
    contact(browser, email="b@x.example", firstname='"><img src=x>')
    order_event(browser)
    order(browser, NASTY, objectId=first)
    made = browser.api(
        "POST", "/crm/v3/lists", {"name": NASTY, "objectTypeId": "0-1", "processingType": "MANUAL"}
    )
    list_id = made["list"]["listId"]
    browser.api("PUT", f"/crm/v3/lists/{list_id}/memberships/add", [first])
    sought = urllib.parse.quote(NASTY)
    shown = [
        browser.see(f"{PAGES}/{path}")
        for path in (
            "contacts",
            f"contacts?q={sought}",
            f"contacts/{first}",
            "events",
            "lists",
            f"lists/{list_id}",
            f"calls?path={sought}&status={sought}",
        )
    ]
    shown += [
        browser.ask(f"{PAGES}/{p}")[2] for p in (sought, f"contacts/{sought}", f"events?event={sought}")
    ]
    for text in shown:
        assert "<script" not in text
        assert "<img" not in text
        assert "&lt;script&gt;" in text


def test_records_are_paged_and_found(browser):
    """50 a page, then on; text is found in any value, an id or an address exactly; the column is named."""
    browser.ask("/_sandbox/seed", method="POST", body={"contacts": 120})
    browser.api("PATCH", "/crm/v3/objects/contacts/190", {"properties": {"phone": "+49 555 0100"}})
    text, seen = browser.see(f"{PAGES}/contacts"), []
    while True:
        some = re.findall(rf'<td><a href="{PAGES}/contacts/(\d+)"', text)
        seen.append(some)
        following = re.search(r'class="on" href="([^"]+)"', text)
        if not following:
            break
        text = browser.see(following[1].replace("&amp;", "&"))
    assert [len(some) for some in seen] == [50, 50, 20]
    assert [i for some in seen for i in some] == [str(i) for i in range(101, 221)]

    by_id = re.findall(rf'<td><a href="{PAGES}/contacts/(\d+)"', browser.see(f"{PAGES}/contacts?q=111"))
    assert by_id[0] == "111"
    found = browser.see(f"{PAGES}/contacts?q=555+01")
    assert len(rows(found)) == 1
    assert "phone: +49 555 0100" in found
    email = browser.portal.records["contacts"].by_id["150"].values["email"]
    assert f"{PAGES}/contacts/150" in browser.see(f"{PAGES}/contacts?q={email.upper()}")
    assert "No record here contains" in browser.see(f"{PAGES}/contacts?q=nowhere")
    assert len(rows(browser.see(f"{PAGES}/contacts?after=nonsense"))) == 50


def test_search_stops_while_it_is_quick(browser, monkeypatch):
    """A look ends after so many records, says so, and goes on behind them; exact finds need no look."""
    monkeypatch.setattr(page_views, "SCAN", 40)
    browser.ask("/_sandbox/seed", method="POST", body={"contacts": 100})
    browser.api("PATCH", "/crm/v3/objects/contacts/190", {"properties": {"phone": "555"}})
    text = browser.see(f"{PAGES}/contacts?q=555")
    assert "stopped here" in text
    assert rows(text) == []
    assert "after=140" in text
    assert len(rows(browser.see(f"{PAGES}/contacts?q=555&after=180"))) == 1
    assert len(rows(browser.see(f"{PAGES}/contacts?q=190"))) == 1


def test_archived_and_merged_records_are_marked(browser):
    """Archived records stay in the table with a mark; a merged id leads to the record that it became."""
    kept, gone, other = (contact(browser, email=f"{n}@x.example", firstname=n) for n in ("Kim", "Lee", "Max"))
    order_event(browser)
    order(browser, "before the merge", objectId=other)
    browser.api("DELETE", f"/crm/v3/objects/contacts/{gone}")
    browser.api("POST", "/crm/v3/objects/contacts/merge", {"primaryObjectId": kept, "objectIdToMerge": other})
    text = browser.see(f"{PAGES}/contacts")
    assert '<span class="mark">archived</span>' in text
    assert f'<span class="mark">merged into {kept}</span>' in text
    assert "<small>2 archived</small>" in browser.see("/")
    merged = browser.see(f"{PAGES}/contacts/{other}")
    assert "<h1>Kim</h1>" in merged
    assert f"Record {other} was merged into this one" in merged
    assert "before the merge" in merged
    assert '<span class="mark">archived</span>' in browser.see(f"{PAGES}/contacts/{gone}")


def test_record_shows_history_associations_and_timeline(browser):
    """Values with what they were, labelled links to other records, lists, and the events in order."""
    one = contact(browser, email="kim@x.example", firstname="Kim", phone="1")
    browser.api("PATCH", f"/crm/v3/objects/contacts/{one}", {"properties": {"phone": "22"}})
    browser.api("PATCH", f"/crm/v3/objects/contacts/{one}", {"properties": {"phone": ""}})
    made = browser.api("POST", "/crm/v3/objects/companies", {"properties": {"name": "Acme"}})
    browser.api(
        "PUT",
        f"/crm/v4/objects/contacts/{one}/associations/companies/{made['id']}",
        [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 1}],
    )
    order_event(browser)
    order(browser, "older", objectId=one, occurredAt="2026-01-01T10:00:00.000Z")
    order(browser, "newer", objectId=one, occurredAt="2026-01-02T10:00:00.000Z")
    text = browser.see(f"{PAGES}/contacts/{one}")
    phone = re.search(r'id="history-phone">(.*?)</ol>', text, re.DOTALL)[1]
    assert re.findall(r'"value">(.*?)</span>', phone) == ['<i class="quiet">cleared</i>', "22", "1"]
    assert phone.count("INTEGRATION") == 3
    assert f'<a href="{PAGES}/companies/{made["id"]}">Acme</a>' in text
    assert '<span class="mark">Primary</span>' in text
    assert text.index("newer") < text.index("older")
    assert "Kim" in browser.see(f"{PAGES}/companies/{made['id']}")


def test_events_show_definitions_and_the_latest(browser):
    """All of them, or those of one definition; one without a contact is shown too."""
    browser.ask("/_sandbox/switches", method="POST", body={"unknown_email_on_event": "dangles"})
    order_event(browser)
    browser.api("POST", "/events/v3/event-definitions", {"label": "Trial Started", "name": "trial_started"})
    for i in range(60):
        order(browser, f"coupon-{i}.", email="nobody@x.example")
    text = browser.see(f"{PAGES}/events")
    assert "coupon-59." in text
    assert "coupon-10." in text
    assert "coupon-9." not in text
    assert "nobody@x.example, no contact" in text
    assert "<dt>coupon</dt><dd>string</dd>" in text
    assert '<span class="changes">60' in text
    other = browser.see(f"{PAGES}/events?event=trial_started")
    assert "Nothing has happened" in other
    assert "coupon-59." not in other


def test_lists_show_their_members(browser):
    """Sizes, members 50 a page, and deleted lists with a mark."""
    browser.ask("/_sandbox/seed", method="POST", body={"contacts": 60})
    for name in ("Newsletter", "Old"):
        body = {"name": name, "objectTypeId": "0-1", "processingType": "MANUAL"}
        browser.api("POST", "/crm/v3/lists", body)
    browser.api("PUT", "/crm/v3/lists/1/memberships/add", [str(i) for i in range(101, 161)])
    browser.api("DELETE", "/crm/v3/lists/2")
    text = browser.see(f"{PAGES}/lists")
    assert f'<a href="{PAGES}/lists/1">Newsletter</a>' in text
    assert '<td class="figure">60</td>' in text
    assert '<span class="mark">deleted</span>' in text
    first = browser.see(f"{PAGES}/lists/1")
    assert len(rows(first)) == 50
    assert len(rows(browser.see(re.search(r'class="on" href="([^"]+)"', first)[1]))) == 10
    assert "Newsletter" in browser.see(f"{PAGES}/contacts/101")


def test_calls_are_filtered_and_coloured(browser):
    """Newest first, 200 a page, by status or its first digit and by part of the path."""
    one = contact(browser, email="a@x.example")
    browser.ask("/crm/v3/objects/contacts/999", {"Authorization": "Bearer sandbox-token"})
    browser.ask("/crm/v3/objects/contacts/1", {"Authorization": "Bearer wrong"})
    text = browser.see(f"{PAGES}/calls")
    assert re.findall(r'class="status (\w+)">(\d+)', text) == [
        ("refused", "401"),
        ("refused", "404"),
        ("good", "201"),
    ]
    assert re.findall(r'"status \w+">(\d+)', browser.see(f"{PAGES}/calls?status=4xx")) == ["401", "404"]
    assert re.findall(r'"status \w+">(\d+)', browser.see(f"{PAGES}/calls?status=404")) == ["404"]
    assert re.findall(r'"status \w+">(\d+)', browser.see(f"{PAGES}/calls?path=CONTACTS/9")) == ["404"]
    for status in (0, 207, 429, 503):
        browser.portal.calls.append({**browser.portal.calls[0], "status": status})
    tones = re.findall(r'"status (\w+)">(\w+)', browser.see(f"{PAGES}/calls"))[:4]
    assert tones == [("failed", "503"), ("limited", "429"), ("part", "207"), ("broken", "broken")]
    for _ in range(300):
        browser.portal.calls.append(dict(browser.portal.calls[0]))
    first = browser.see(f"{PAGES}/calls")
    assert first.count('class="status') == 200
    following = re.search(r'class="on" href="([^"]+)"', first)[1].replace("&amp;", "&")
    assert browser.see(following).count('class="status') == 107
    assert browser.portal.records["contacts"].by_id[one]


def test_limits_cool_down_by_themselves(browser):
    """A pool's bar follows its window, also when nobody has called since."""
    hubspot = browser.sandbox.hubspot
    for _ in range(5):
        hubspot.limits.count("/crm/v3/objects/contacts/search", 1000.0)
    pools = {p["name"]: p for p in page_views.pools(browser.portal, hubspot.limits, 1000.5)}
    assert (pools["search"]["used"], pools["search"]["tone"]) == (5, "hot")
    pools = {p["name"]: p for p in page_views.pools(browser.portal, hubspot.limits, 1001.5)}
    assert (pools["search"]["used"], pools["search"]["tone"]) == (0, "calm")


def test_switches_and_faults_are_shown(browser):
    """Each switch with all variants and the one in force; faults on the overview."""
    browser.ask("/_sandbox/switches", method="POST", body={"repeated_uuid": "400"})
    browser.ask("/_sandbox/faults", method="POST", body={"kind": "status", "status": 503, "path": "/crm"})
    text = browser.see(f"{PAGES}/switches")
    for name, (variants, _) in SWITCHES.items():
        row = re.search(rf"<code>{name}</code>(.*?)</tr>", text, re.DOTALL)[1]
        assert re.findall(r'class="variant[^"]*">(\w+)', row) == list(variants)
        chosen = "400" if name == "repeated_uuid" else variants[0]
        assert re.findall(r'class="variant chosen">(\w+)', row) == [chosen]
    assert "status 503" in browser.see("/")


def test_unknown_things_get_a_friendly_page(browser):
    """Types, records, lists, events and pages that are not there: 404, with a way back."""
    for path in ("nonsense", "contacts/999", "nonsense/1", "lists/9", "events?event=none", "a/b/c"):
        status, headers, text = browser.ask(f"{PAGES}/{path}")
        assert status == 404
        assert headers["Content-Type"].startswith("text/html")
        assert "Content-Security-Policy" in headers
        assert '<a href="/">' in text


def test_types_named_like_a_page_keep_their_own(browser):
    """HubSpot has an object type `calls`; its records are not hidden by the call log."""
    made = browser.api("POST", "/crm/v3/objects/calls", {"properties": {"hs_call_title": "Hello"}})
    assert f'<a href="{PAGES}/0-48"><b>1</b><span>calls</span>' in browser.see("/")
    assert f'href="{PAGES}/0-48/{made["id"]}"' in browser.see(f"{PAGES}/0-48")
    assert "Hello" in browser.see(f"{PAGES}/0-48/{made['id']}")


def test_looking_changes_nothing(browser):
    """Every page only reads: the portal is the same afterwards."""
    one = contact(browser, email="a@x.example")
    order_event(browser)
    order(browser, "c", objectId=one)
    before = browser.ask("/_sandbox/state?history=1")[2]
    for path in ("contacts", f"contacts/{one}", "events", "lists", "calls", "switches"):
        browser.see(f"{PAGES}/{path}")
    browser.see("/")
    assert browser.ask("/_sandbox/state?history=1")[2] == before


def test_call_pages_hold_while_old_calls_leave_the_log(browser):
    """Addresses of the log's pages count from the first call ever, so going on is right after old calls went."""
    for i in range(500):
        browser.portal.calls.append(
            {"method": "GET", "path": f"/c{i}.", "status": 200, "at": "", "n": 1, "bytes": 0}
        )
    following = re.search(r'class="on" href="([^"]+)"', browser.see(f"{PAGES}/calls"))[1]
    del browser.portal.calls[:250]
    text = browser.see(following)
    assert "/c299." in text
    assert "/c300." not in text
    assert text.count('class="status') == 50
