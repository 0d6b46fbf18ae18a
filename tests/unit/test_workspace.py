"""millstream.yaml: every problem with its line and a hint (SEMANTICS 36, 39)."""

from __future__ import annotations

import pytest

from millstream.cli.init import TEMPLATE
from millstream.destinations.catalog import DestinationCatalog
from millstream.workspace.load import load

ENV = {"HUBSPOT_PORTAL_ID": "1", "HUBSPOT_TOKEN": "t"}


def problems(text, env=ENV):
    """Problems as (line, path, message)."""
    return [
        (p.line, p.problem.path, p.problem.message) for p in load(text, env, DestinationCatalog()).problems
    ]


def test_what_init_writes_is_right():
    """The example has no problems and the preset's mappings."""
    loaded = load(TEMPLATE.format(server_key="a", web_key="b"), ENV, DestinationCatalog())
    assert loaded.problems == []
    assert [m.name for m in loaded.workspace.destinations[0].mappings][:2] == [
        "identify to contact",
        "identify to associations",
    ]


@pytest.mark.parametrize(
    ("text", "line", "path", "part"),
    [
        ("sources: [", 1, "millstream.yaml", ""),
        ("- a", 0, "millstream.yaml", "mapping"),
        ("", 0, "millstream.yaml", "mapping"),
        ("sorces: []\nsources: [{name: a, write_key: k}]", 1, "sorces", "unknown key"),
        ("sources:\n  - name: a\n", 2, "sources[0].write_keys", "at least one"),
        (
            "sources:\n  - name: a\n    write_key: k\n    enabled: maybe",
            4,
            "sources[0].enabled",
            "true or false",
        ),
        (
            "sources:\n  - {name: a, write_key: k}\n  - {name: b, write_key: k}",
            3,
            "sources[1].write_keys",
            "already",
        ),
        (
            "sources: [{name: a, write_key: k}]\ndestinations:\n  - name: h\n    mode: fast\n    settings: {portal_id: 1, access_token: x}",
            4,
            "destinations[0].mode",
            "one of",
        ),
        (
            "sources: [{name: a, write_key: k}]\ndestinations:\n  - name: h\n    sources: [z]\n    settings: {portal_id: 1, access_token: x}",
            4,
            "destinations[0].sources",
            "no source",
        ),
        (
            "sources: [{name: a, write_key: k}]\ndestinations:\n  - name: h\n    settings: {portal_id: 1, access_token: x}\n"
            "    mappings:\n      - {name: m, action: upsert_contact, trigger: 'type ='}",
            6,
            "destinations[0].mappings[0].trigger",
            "expected",
        ),
        (
            "sources: [{name: a, write_key: k}]\ndestinations:\n  - name: h\n    kind: salesforce",
            4,
            "destinations[0].kind",
            "no such kind",
        ),
        ("sources: [{name: a, write_key: '${NOPE}'}]", 1, "sources[0].write_key", "not set"),
        (
            "sources:\n  - {name: a, write_key: k, browser: 1}",
            2,
            "sources[0].browser",
            "must be true or false",
        ),
    ],
)
def test_problems_have_line_and_path(text, line, path, part):
    """Where, and what."""
    found = problems(text)
    assert any(at == line and where == path and part in what for at, where, what in found), found


def test_a_literal_token_is_warned_about():
    """A warning, no error."""
    text = "sources: [{name: a, write_key: k}]\ndestinations: [{name: h, settings: {portal_id: 1, access_token: pat-x}}]"
    loaded = load(text, {}, DestinationCatalog())
    assert loaded.ok
    assert loaded.problems[0].problem.severity == "warning"


@pytest.mark.parametrize(
    ("source", "destination", "browser"),
    [
        ("", "", None),
        ("browser: true", "", True),
        ("browser: false", "connection: device", False),
        ("origins: ['https://a.example']", "", True),
        ("", "connection: device", True),
        ("", "connection: device, sources: [a]", True),
        ("", "connection: device, sources: [b]", None),
        ("", "connection: device, enabled: false", None),
        ("", "connection: cloud, sources: [a]", None),
    ],
)
def test_a_source_is_a_browser_when_the_configuration_says_so(source, destination, browser):
    """By its own word, else by its origins, else by a destination that its pages deliver to."""
    text = (
        f"sources: [{{name: a, write_key: k, {source}}}, {{name: b, write_key: l}}]\n"
        f"destinations: [{{name: h, settings: {{portal_id: 1, access_token: '${{HUBSPOT_TOKEN}}'}}, {destination}}}]"
    )
    loaded = load(text, ENV, DestinationCatalog())
    assert loaded.problems == []
    assert loaded.workspace.is_browser("a") is browser
    assert loaded.workspace.is_browser("nobody") is None


def test_pages_that_are_no_pages_are_warned_about():
    """Only pages have an origin."""
    text = "sources: [{name: a, write_key: k, origins: ['https://a.example'], browser: false}]"
    loaded = load(text, {}, DestinationCatalog())
    assert loaded.ok
    assert [p.problem.path for p in loaded.problems] == ["sources[0].browser"]


def test_mode_off_is_a_word():
    """YAML reads a bare off as false; we mean off."""
    text = "sources: [{name: a, write_key: k}]\ndestinations: [{name: h, mode: off, settings: {portal_id: 1, access_token: '${HUBSPOT_TOKEN}'}}]"
    loaded = load(text, ENV, DestinationCatalog())
    assert loaded.workspace.destinations[0].mode == "off"


def test_an_alias_that_holds_itself_ends():
    """A recursive document is a problem, not a crash."""
    assert problems("sources: &a [*a]") != []


def test_a_variable_that_is_not_set_is_told_once():
    """It is not called a missing setting as well."""
    text = (
        "sources: [{name: s, write_keys: [k]}]\n"
        "destinations: [{name: h, kind: hubspot, preset: classic, settings: {portal_id: '1', access_token: '${T}'}}]\n"
    )
    told = [message for _, path, message in problems(text, {}) if "access_token" in path]
    assert told == ["environment variable T is not set"]
