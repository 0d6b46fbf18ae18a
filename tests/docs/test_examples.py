"""The documentation's examples are executed: every action, preset, directive and function, and both importers."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path

import pytest
import yaml

from millstream import cli
from millstream.destinations.catalog import DestinationCatalog
from millstream.destinations.hubspot.actions import ACTIONS
from millstream.destinations.hubspot.presets import PRESETS
from millstream.destinations.hubspot.presets.events import _KEYS, mappings_of
from millstream.destinations.hubspot.web import WEB_ACTIONS
from millstream.mapping.compile import compile_mapping
from millstream.mapping.directives import DIRECTIVES
from millstream.mapping.trigger import parse_trigger
from millstream.mapping.triggers.grammar import FUNCTIONS
from millstream.runtime import cases
from millstream.workspace.load import load
from millstream.workspace.model import Destination, Mapping

DOCS = Path(__file__).resolve().parent.parent.parent / "docs"
EXAMPLES = DOCS / "examples"
NAMES = [*ACTIONS, *(f"preset-{name}" for name in PRESETS)]
# Examples that are no case of their own: the event of the mapping language, and what migration.md is made of.
OTHERS = {"event.json", "migration.yaml", "import-segment.json", "import-rudderstack.json"}
ENV = {"HUBSPOT_TOKEN": "t", "HUBSPOT_PORTAL_ID": "1", "SEGMENT_WRITE_KEY": "k"}


def loaded(text):
    """A configuration as the server reads it."""
    return load(text, ENV, DestinationCatalog())


def workspace(**destination):
    """One source, one destination."""
    settings = {"portal_id": "1", "access_token": "${HUBSPOT_TOKEN}"} | destination.pop("settings", {})
    made = {"name": "hubspot", "settings": settings} | destination
    read = loaded(yaml.safe_dump({"sources": [{"name": "app", "write_keys": ["k"]}], "destinations": [made]}))
    assert [str(p) for p in read.problems] == []
    return read.workspace


def blocks(page, section, language="yaml"):
    """The code blocks of a page below the heading that begins so, up to the next of its level."""
    text = "\n" + (DOCS / page).read_text()
    start = text.index(f"\n{section}") + 1
    level = section.split(" ")[0]
    rest = re.split(rf"\n#{{1,{len(level)}}} ", text[start:])[0]
    return re.findall(rf"```{language}\n(.*?)```", rest, re.DOTALL)


@cache
def rows(page):
    """The rows of all tables of a page by their first cell, without the marks of code."""
    found = {}
    for line in (DOCS / page).read_text().splitlines():
        if line.startswith("| `"):
            cells = [c.strip().replace("\\|", "|") for c in re.split(r"(?<!\\)\|", line)[1:-1]]
            found.setdefault(cells[0].strip("`"), []).append([c.strip("`") for c in cells[1:]])
    return found


@pytest.mark.parametrize("name", NAMES)
def test_the_example_does_what_the_page_says(name):
    """A workspace with just the example's mapping or preset sends HubSpot exactly the requests of its case."""
    given = yaml.safe_load((EXAMPLES / f"{name}.yaml").read_text())
    if name in ACTIONS:
        assert given["mapping"]["action"] == name
        made = workspace(mappings=[given["mapping"]])
    else:
        assert f"preset-{given['preset']}" == name
        made = workspace(preset=given["preset"], settings=given.get("settings", {}))
    (ran,) = cases.run(made, [cases._case(name, given["case"])])
    assert ran.problem == ""
    assert given["case"]["requests"]


def test_every_example_belongs_to_something():
    """No action and no preset without a file, no file without an action or a preset."""
    assert {p.name for p in EXAMPLES.iterdir()} == {f"{name}.yaml" for name in NAMES} | OTHERS


@pytest.mark.parametrize("slug", [*ACTIONS, *WEB_ACTIONS])
def test_an_actions_section_has_its_fields_and_a_mapping_that_loads(slug):
    """Every field with what it means; the mapping, pasted as it stands, is read without a word."""
    text = (DOCS / "actions.md").read_text()
    section = text.partition(f"\n### `{slug}`: ")[2].split("\n### ")[0]
    action = (ACTIONS | WEB_ACTIONS)[slug]
    assert action.title
    assert action.description in " ".join(section.split())
    assert f"`{action.default_trigger}`" in section
    for field in action.fields:
        assert field.description
        assert re.search(rf"^\| `{field.name}` \| {field.type} \|", section, re.MULTILINE), field.name
    (mapping,) = yaml.safe_load(blocks("actions.md", f"### `{slug}`")[0])["mappings"]
    assert mapping["action"] == slug
    workspace(mappings=[mapping], connection="device" if slug in WEB_ACTIONS else "cloud")


@pytest.mark.parametrize("name", list(PRESETS))
def test_a_presets_mappings_can_be_pasted(name):
    """What the page shows of a preset is, without the preset, the same destination."""
    preset = PRESETS[name]
    assert preset.description in " ".join((DOCS / "presets.md").read_text().split())
    shown = yaml.safe_load(blocks("presets.md", f"## `{name}`")[0])
    if preset.mappings:
        assert workspace(**shown).destinations[0].mappings == preset.mappings
    else:
        assert shown["preset"] == name


def test_chosen_events_are_as_the_page_says():
    """The format loads, it names every key, and the mapping shown is the one that the entry becomes."""
    form, becomes = blocks("presets.md", "## `settings.events`")
    workspace(settings=yaml.safe_load(form))
    section = (DOCS / "presets.md").read_text().partition("## `settings.events`")[2]
    assert [key for key in _KEYS if key not in section] == []
    given = yaml.safe_load((EXAMPLES / "preset-amplitude.yaml").read_text())["settings"]["events"]
    (made,) = yaml.safe_load(becomes)["mappings"]
    assert (Mapping(**made),) == mappings_of(given)


@pytest.mark.parametrize("name", list(DIRECTIVES))
def test_a_directives_example_gives_what_the_page_says(name):
    """The row's mapping, evaluated for the page's event."""
    ((says, example, gives),) = rows("mapping.md")[name]
    assert says
    event = json.loads(blocks("mapping.md", "# Mappings", "json")[0])
    assert list(json.loads(example)) == [name]
    assert compile_mapping({"x": json.loads(example)}).evaluate(event) == {"x": json.loads(gives)}


@pytest.mark.parametrize("name", list(FUNCTIONS))
def test_a_functions_example_gives_what_the_page_says(name):
    """It holds for the page's event, and not for an empty one."""
    ((says, example, full, empty),) = rows("mapping.md")[name]
    assert says
    event = json.loads(blocks("mapping.md", "# Mappings", "json")[0])
    trigger = parse_trigger(example)
    assert f"{name}(" in example
    assert (trigger.matches(event), trigger.matches({})) == (full == "true", empty == "true") == (True, False)


@pytest.mark.parametrize("kind", ["segment", "rudderstack"])
def test_an_import_writes_what_the_page_says(kind, capsys):
    """`millstream import` of the page's document: the same file, the same notes, and it loads without errors."""
    section = f"## From {'Segment: HubSpot Cloud' if kind == 'segment' else 'RudderStack'}"
    (document,) = blocks("migration.md", section, "json")
    assert document == (EXAMPLES / f"import-{kind}.json").read_text()
    with pytest.raises(SystemExit) as end:
        cli.main(["import", kind, str(EXAMPLES / f"import-{kind}.json")])
    assert end.value.code == 0
    written, notes = capsys.readouterr()
    assert [written] == blocks("migration.md", section)
    assert [notes] == blocks("migration.md", section, "text")
    read = loaded(written)
    assert [p for p in read.problems if p.problem.severity == "error"] == []
    assert any(m.enabled for m in read.workspace.destinations[0].mappings)


def test_the_classic_destination_of_the_page_loads():
    """What migration.md tells those to write who come from Segment's HubSpot (Classic)."""
    (shown,) = blocks("migration.md", "## From Segment: HubSpot (Classic)")
    (destination,) = loaded("sources: [{name: app, write_key: k}]\n" + shown).workspace.destinations
    assert isinstance(destination, Destination)
    assert destination.mappings == PRESETS["classic"].mappings
