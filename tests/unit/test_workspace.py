"""millstream.yaml: every problem with its line and a hint (SEMANTICS 36, 39)."""

from __future__ import annotations

import json

import pytest

from millstream.cli import main
from millstream.cli.init import TEMPLATE
from millstream.destinations.catalog import DestinationCatalog
from millstream.destinations.hubspot.actions import ACTIONS
from millstream.destinations.hubspot.web import WEB_ACTIONS
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


def mapped(mapping):
    """A configuration with one mapping."""
    return (
        "sources: [{name: a, write_key: k}]\ndestinations:\n  - name: h\n"
        "    settings: {portal_id: 1, access_token: '${HUBSPOT_TOKEN}'}\n"
        f"    mappings:\n      - {{name: m, {mapping}}}"
    )


@pytest.mark.parametrize("trigger", ["", ", trigger:", ", trigger: null"])
@pytest.mark.parametrize("slug", [*ACTIONS, *WEB_ACTIONS])
def test_a_mapping_without_a_trigger_runs_when_its_action_says(slug, trigger):
    """Above all gdpr_delete, which every event would start otherwise."""
    (mapping,) = (
        load(mapped(f"action: {slug}{trigger}"), ENV, DestinationCatalog()).workspace.destinations[0].mappings
    )
    assert mapping.trigger == (ACTIONS | WEB_ACTIONS)[slug].default_trigger


def test_check_says_when_each_mapping_runs(tmp_path, capsys, monkeypatch):
    """Also where the file does not."""
    monkeypatch.setenv("HUBSPOT_TOKEN", "t")
    file = tmp_path / "millstream.yaml"
    file.write_text(mapped("action: gdpr_delete"))
    with pytest.raises(SystemExit) as ended:
        main(["check", "--config", str(file), "--json"])
    assert ended.value.code == 0
    (told,) = map(json.loads, capsys.readouterr().out.splitlines())
    assert (told["mapping"], told["runs when"]) == ("m", ACTIONS["gdpr_delete"].default_trigger)


@pytest.mark.parametrize("trigger", ['""', "all", "'(all)'"])
@pytest.mark.parametrize(
    ("action", "severity"),
    [("gdpr_delete", "error"), ("upsert_contact", "warning"), ("associate", "warning")],
)
def test_an_action_for_every_event_is_asked_for_twice(action, severity, trigger):
    """Warned about, with the action's own trigger; refused for what nobody can undo."""
    loaded = load(mapped(f"action: {action}, trigger: {trigger}"), ENV, DestinationCatalog())
    (found,) = loaded.problems
    assert (found.line, found.problem.path, found.problem.severity) == (
        6,
        "destinations[0].mappings[0].trigger",
        severity,
    )
    assert ACTIONS[action].default_trigger in found.problem.hint
    assert loaded.ok is (severity == "warning")


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


@pytest.mark.parametrize(("values", "fits"), [(1500, True), (1995, False), (5000, False)])
def test_a_mapping_that_is_too_large_is_a_problem(values, fits):
    """With the defaults of its action, with which it runs: what `check` accepts also starts."""
    fields = "".join(f"          p{i}: {i}\n" for i in range(values))
    text = (
        "sources: [{name: a, write_key: k}]\ndestinations:\n  - name: h\n    kind: hubspot\n"
        "    settings: {portal_id: '1', access_token: '${HUBSPOT_TOKEN}'}\n    mappings:\n"
        '    - name: m\n      action: upsert_contact\n      trigger: type = "identify"\n      fields:\n'
        f"        properties:\n{fields}"
    )
    said = [message for _, _, message in problems(text)]
    assert said == ([] if fits else ["is larger than 2000 values, template holes included"])
