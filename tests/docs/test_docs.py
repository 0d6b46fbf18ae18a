"""The documentation says what is there: generated tables are fresh, links lead somewhere, keys are described."""

from __future__ import annotations

import ast
import importlib.util
import re
from dataclasses import fields
from functools import cache
from itertools import pairwise
from pathlib import Path

import pytest

from millstream.cli import parser
from millstream.delivery.note import NOTES, Note
from millstream.delivery.outcome import REASONS, Reason
from millstream.destinations.hubspot.actions import ACTIONS
from millstream.destinations.hubspot.presets import PRESETS
from millstream.destinations.hubspot.settings import SETTINGS as HUBSPOT_SETTINGS
from millstream.destinations.hubspot.web import WEB_ACTIONS
from millstream.mapping.directives import DIRECTIVES
from millstream.mapping.triggers.grammar import FUNCTIONS
from millstream.workspace.load import SETTINGS
from millstream.workspace.model import Destination, Filter, Limits, Mapping, Source

ROOT = Path(__file__).resolve().parent.parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])


@cache
def generator():
    """docs/generate.py as a module, and what it makes."""
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module, module.parts()


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_generated_tables_are_fresh(page):
    """`python docs/generate.py` would change nothing: actions, settings, reasons, metrics, switches, directives."""
    module, made = generator()
    assert module.render(page.read_text(), made) == page.read_text()


def test_every_generated_part_is_on_a_page():
    """What is made is shown: once."""
    text = "".join(p.read_text() for p in PAGES)
    assert [name for name in generator()[1] if text.count(f"<!-- generated: {name} -->") != 1] == []


DEFINED = {
    "actions.md": [
        *ACTIONS,
        *WEB_ACTIONS,
        *(f.name for a in (*ACTIONS.values(), *WEB_ACTIONS.values()) for f in a.fields),
    ],
    "presets.md": [*PRESETS],
    "hubspot.md": [s.name for s in HUBSPOT_SETTINGS],
    "mapping.md": [*DIRECTIVES, *FUNCTIONS],
    "outcomes.md": [*(r.value for r in Reason), *(n.value for n in Note)],
    "configuration.md": [f.name for kind in (Source, Destination, Filter, Mapping) for f in fields(kind)]
    + [f"limits.{f.name}" for f in fields(Limits)]
    + [*SETTINGS],
}


@pytest.mark.parametrize("page", list(DEFINED))
def test_everything_defined_is_documented(page):
    """Actions, fields, presets, settings, directives, functions, reasons and keys: each stands as code on its page."""
    code = set(
        re.findall(r"[\w.@]+", " ".join(re.findall(r"`([^`\n]+)`", (ROOT / "docs" / page).read_text())))
    )
    assert [name for name in DEFINED[page] if name not in code] == []


def test_everything_defined_says_what_it_is():
    """No description is empty, and none is there twice among the actions."""
    described = [
        *ACTIONS.values(),
        *WEB_ACTIONS.values(),
        *PRESETS.values(),
        *HUBSPOT_SETTINGS,
        *FUNCTIONS.values(),
    ]
    assert [d for d in described if not d.description.strip()] == []
    assert [name for name, f in DIRECTIVES.items() if not (f.__doc__ or "").strip()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_links_lead_somewhere(page):
    """Every relative link names a file that exists."""
    for target in re.findall(r"\]\(((?!http)[^)#]+)", page.read_text()):
        assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_every_reason_is_explained():
    """The closed lists, of reasons and of notes, have a sentence for each member."""
    assert set(REASONS) == set(Reason)
    assert set(NOTES) == set(Note)


def calls_in_source():
    """Each call in the source with its file: what is called, and its arguments with their keywords (None: by place)."""
    for file in sorted((ROOT / "src" / "millstream").rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call):
                given = [(None, a) for a in node.args] + [(k.arg, k.value) for k in node.keywords]
                yield file.name, ast.unparse(node.func), given


def texts(node):
    """The literals that a value is made of; names of notes and members of `Note` are none."""
    if isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str)):
        return [ast.unparse(node)]
    if isinstance(node, ast.Tuple | ast.List):
        return [t for item in node.elts for t in texts(item)]
    return []


def test_every_note_is_of_the_closed_list():
    """Nobody notes a text of their own: `Note` has a member for it, and this page a sentence."""
    found = []
    for file, called, given in calls_in_source():
        if called.endswith(("notes.append", "leave_out")):
            found += [(file, t) for _, value in given[-1:] for t in texts(value)]
        found += [(file, t) for name, value in given if name == "notes" for t in texts(value)]
    assert found == []
    assert any(called.endswith("notes.append") for _, called, _ in calls_in_source()), (
        "it finds what it looks for"
    )


def test_every_note_is_made_somewhere():
    """The list has no member that no outcome can show."""
    source = "".join(
        p.read_text() for p in (ROOT / "src" / "millstream").rglob("*.py") if p.name != "note.py"
    )
    assert [n.name for n in Note if f"Note.{n.name}" not in source] == []


def test_reasons_stand_under_the_states_that_they_occur_with():
    """`Filtered(Reason.X)` and `State.FILTERED, Reason.X` in the source: X stands under filtered; likewise the dead."""
    sections = dict(
        re.findall(
            r"^## (\w+)\n(.*?)(?=^## )", (ROOT / "docs" / "outcomes.md").read_text(), re.MULTILINE | re.DOTALL
        )
    )
    states = {"State.FILTERED": "filtered", "State.DEAD_LETTERED": "dead_lettered"}
    results = {"Filtered": "filtered", "Rejected": "dead_lettered"}
    found = set()
    for _, called, given in calls_in_source():
        told = [ast.unparse(value) for _, value in given]
        if called in results and told and told[0].startswith("Reason."):
            found.add((results[called], told[0]))
        for state, reason in pairwise(told):
            if state in states and reason.startswith("Reason."):
                found.add((states[state], reason))
    said = [(state, Reason[name.removeprefix("Reason.")].value) for state, name in sorted(found)]
    assert ("filtered", "record_not_found") in said
    assert [(state, reason) for state, reason in said if f"| `{reason}` |" not in sections[state]] == []


def test_every_command_is_in_the_readme_or_operations():
    """No command without a word about it."""
    text = "".join(p.read_text() for p in PAGES)
    commands = next(a for a in parser()._actions if hasattr(a, "choices") and a.choices).choices
    assert [c for c in commands if f"millstream {c}" not in text] == []


def test_every_promise_names_tests_that_exist():
    """A test that docs/promises.md names is a function of that file."""
    page = (ROOT / "docs" / "promises.md").read_text()
    named = set(re.findall(r"`([\w/]+\.py)::(\w+)`", page))
    assert len(named) > 40
    functions = {
        path: {
            n.name
            for n in ast.parse(file.read_text()).body
            if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)
        }
        for path in {path for path, _ in named}
        if (file := ROOT / "tests" / path).exists()
    }
    assert [f"{path}::{name}" for path, name in sorted(named) if name not in functions.get(path, ())] == []


def test_every_promise_says_how_it_stands():
    """Each row of docs/promises.md is kept, in part, no or not yet."""
    rows = [
        line for line in (ROOT / "docs" / "promises.md").read_text().splitlines() if line.startswith("| ")
    ]
    states = {row.split("|")[2].strip() for row in rows if not row.startswith(("| promise |", "| --- |"))}
    assert states == {"kept", "in part", "no", "not yet"}
