"""House rules that only tighten: sizes, names, docstrings, dead files, nothing of this machine in the tree."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "src" / "millstream"
MODULES = sorted(SOURCE.rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("test_*.py"))

# Files and functions that are over the budget. The lists may only shrink.
LONG_FILES: dict[str, int] = {}
LONG_FUNCTIONS: dict[str, int] = {}

BANNED_NAMES = {"utils", "helpers", "common", "base", "core", "misc", "manager", "service"}


def tracked() -> list[Path]:
    """Every file that git tracks, or every file when there is no git."""
    try:
        listed = subprocess.run(
            ["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True
        ).stdout
    except (OSError, subprocess.CalledProcessError):
        return [p for p in ROOT.rglob("*") if p.is_file() and not any(s.startswith(".") for s in p.parts)]
    return [ROOT / name for name in listed.split("\0") if name and (ROOT / name).is_file()]


def functions(tree: ast.AST) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    """All functions of a module."""
    return [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(SOURCE)))
def test_module_keeps_the_house_rules(path: Path) -> None:
    """A module says in its docstring what lives there, is short, and so are its functions."""
    text = path.read_text()
    tree = ast.parse(text)
    name = str(path.relative_to(SOURCE))
    assert ast.get_docstring(tree), f"{name} has no docstring"
    assert path.stem not in BANNED_NAMES, f"{name}: name the thing, not its role"
    assert len(text.splitlines()) <= LONG_FILES.get(name, 400), f"{name} has grown past its noun: split it"
    for function in functions(tree):
        length = (function.end_lineno or 0) - function.lineno + 1
        where = f"{name}:{function.name}"
        assert length <= LONG_FUNCTIONS.get(where, 60), f"{where} is {length} lines long"
    assert not re.search(r"\b(TODO|FIXME|XXX|HACK)\b|NotImplementedError", text), (
        f"{name}: finish it or file it"
    )


@pytest.mark.parametrize("path", TESTS, ids=lambda p: str(p.relative_to(ROOT / "tests")))
def test_every_test_says_its_promise(path: Path) -> None:
    """Each test function has a docstring, and none is skipped for good."""
    text = path.read_text()
    for function in functions(ast.parse(text)):
        if function.name.startswith("test_"):
            assert ast.get_docstring(function), f"{path.name}:{function.name} does not say what it promises"
    if path != Path(__file__):
        assert "mark.xfail" not in text
        assert "mark.skip(" not in text


def test_nothing_of_this_machine_is_committed() -> None:
    """No paths of a developer's machine, no package host, no large blob."""
    patterns = re.compile(
        rb"/(?:work|root|farm)/|https?://(?:pypi\.org|files\.pythonhosted|registry\.npmjs)|--(?:extra-)?index-url"
    )
    for path in tracked():
        assert path.stat().st_size < 1_000_000, f"{path.relative_to(ROOT)} is too large for a repository"
        if path == Path(__file__) or path.suffix in {".png", ".zst", ".gz"}:
            continue
        found = patterns.search(path.read_bytes())
        assert not found, f"{path.relative_to(ROOT)} names {found and found[0]!r}"


def test_no_module_is_dead() -> None:
    """Every module is imported by another one or by a test, or is an entry point."""
    text = "\n".join(p.read_text() for p in [*MODULES, *TESTS])
    # One line or a parenthesis over several: the same import either way.
    text = re.sub(r"import \(([^)]*)\)", lambda m: "import " + " ".join(m[1].split()), text)
    for path in MODULES:
        if path.stem in {"__init__", "__main__"}:
            continue
        dotted = ".".join(("millstream", *path.relative_to(SOURCE).with_suffix("").parts))
        package, _, module = dotted.rpartition(".")
        used = dotted in text or re.search(rf"from {re.escape(package)} import [^\n]*\b{module}\b", text)
        assert used, f"{dotted} is imported by nothing"
