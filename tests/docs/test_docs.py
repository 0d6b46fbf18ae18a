"""The documentation says what is there: generated tables are fresh, links lead somewhere, keys are described."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

from millstream.cli import parser
from millstream.delivery.outcome import REASONS, Reason
from millstream.workspace.load import SETTINGS

ROOT = Path(__file__).resolve().parent.parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])


def generator():
    """docs/generate.py as a module."""
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_generated_tables_are_fresh(page):
    """`python docs/generate.py` would change nothing: actions, settings, reasons, metrics, switches, directives."""
    assert generator().render(page.read_text()) == page.read_text()


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_links_lead_somewhere(page):
    """Every relative link names a file that exists."""
    for target in re.findall(r"\]\(((?!http)[^)#]+)", page.read_text()):
        assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_every_reason_is_explained():
    """The closed list has a sentence for each member."""
    assert set(REASONS) == set(Reason)


def test_every_setting_of_the_workspace_is_documented():
    """Top-level settings are on the configuration page."""
    text = (ROOT / "docs" / "configuration.md").read_text()
    assert [k for k in SETTINGS if f"`{k}`" not in text] == []


def test_every_command_is_in_the_readme_or_operations():
    """No command without a word about it."""
    text = "".join(p.read_text() for p in PAGES)
    commands = next(a for a in parser()._actions if hasattr(a, "choices") and a.choices).choices
    assert [c for c in commands if f"millstream {c}" not in text] == []
