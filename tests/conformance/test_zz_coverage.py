"""Runs last: every operation that the sandbox must or should have was answered to a client, and docs say to which."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.usefixtures("skipped_when_partial")

PAGE = Path(__file__).resolve().parents[2] / "docs" / "sandbox-operations.md"
RAW = "raw HTTP"
ROW = re.compile(r"^\| (\w+) \| `([^`]+)` \| ([^|]*) \|$", re.MULTILINE)
HEAD = """\
# Operations of the sandbox

The sandbox answers {count} operations of HubSpot's API that integrations call. Each of them was answered to a client in
`tests/conformance/`: to HubSpot's official clients where they have it, else to plain HTTP. The tests write this page
(`MILLSTREAM_UPDATE=1 python -m pytest tests/conformance`) and fail when it is out of date.

| Client | Operations |
|---|---|
{clients}

| Method | Path | Proven by |
|---|---|---|
{rows}
"""


def rows_of(recorder: Any) -> dict[tuple[str, str], set[str]]:
    """Who proved what: plain HTTP counts where no official client came. A client that did not run keeps its rows."""
    before = {
        (method, path): {name for name in by.strip().split(", ") if name != RAW}
        for method, path, by in ROW.findall(PAGE.read_text() if PAGE.exists() else "")
    }
    absent = {name for by in before.values() for name in by} - recorder.clients
    absent = {name for name in absent if not any(same_client(name, ran) for ran in recorder.clients)}
    found = {}
    for operation in recorder.operations:
        by = recorder.proofs.get(operation, set()) | (before.get(operation, set()) & absent)
        found[operation] = by - {RAW} or by
    return found


def same_client(one: str, other: str) -> bool:
    """Whether two labels name one client, in whatever version."""
    return one.rpartition(" ")[0] == other.rpartition(" ")[0]


def page(found: dict[tuple[str, str], set[str]]) -> str:
    """The page of the docs."""
    names = sorted({name for by in found.values() for name in by})
    return HEAD.format(
        count=len(found),
        clients="\n".join(f"| {name} | {sum(name in by for by in found.values())} |" for name in names),
        rows="\n".join(f"| {m} | `{path}` | {', '.join(sorted(by))} |" for (m, path), by in found.items()),
    )


def test_every_operation_is_proven(recorder: Any) -> None:
    """No operation that the sandbox must or should have is without a client that got its documented answer."""
    assert sorted(o for o in recorder.operations if not recorder.proofs.get(o)) == []
    assert not recorder.wrong


def test_docs_name_the_proofs(recorder: Any) -> None:
    """The table in the docs is the one of this run."""
    text = page(rows_of(recorder))
    if os.environ.get("MILLSTREAM_UPDATE") == "1":
        PAGE.write_text(text)
    assert PAGE.read_text() == text
