"""HubSpot's own Node client, unmodified, against the sandbox: every operation that both of them know."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from millstream.sandbox import routes
from millstream.sandbox.errors import Refused

pytestmark = pytest.mark.xdist_group("conformance")

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
CLIENT = ROOT / "node_modules" / "@hubspot" / "api-client"
_OPERATION = re.compile(r"localVarPath = '([^']+)'.*?HttpMethod\.([A-Z]+)\)", re.DOTALL)

needs_node = pytest.mark.skipif(
    shutil.which("node") is None or not CLIENT.exists(),
    reason="node or node_modules/@hubspot/api-client is not on this machine (npm ci)",
)


def _label() -> str:
    return f"@hubspot/api-client {json.loads((CLIENT / 'package.json').read_text())['version']}"


def _operations(called: list[tuple[str, str]]) -> set[tuple[str, str]]:
    """The sandbox's operations that answer these calls."""
    table, found = routes.table(), set()
    for method, path in called:
        try:
            found.add((method, table.find(method, path)[0].template))
        except Refused:
            continue
    return found


def _shared() -> set[tuple[str, str]]:
    """The sandbox's operations that the client can call: files of older generations are still there, unused."""
    listed = [
        (method, path)
        for file in (CLIENT / "lib" / "codegen").rglob("apis/*Api.js")
        if f"class Promise{file.stem} " in (file.parent.parent / "types" / "PromiseAPI.js").read_text()
        for path, method in _OPERATION.findall(file.read_text())
    ]
    return _operations(listed)


@needs_node
def test_node_client(recorder: Any) -> None:
    """Each step asserts on typed answers, dates and exceptions; none may fail, and no shared operation is left out."""
    with recorder.note(_label()):
        ran = subprocess.run(
            ["node", str(HERE / "node" / "exercise.mjs"), recorder.url],
            capture_output=True,
            text=True,
            check=False,
            cwd=ROOT,
        )
    steps = [json.loads(line) for line in ran.stdout.splitlines() if line.startswith("{")]
    failed = [f"{s['step']}: {s['error']}" for s in steps if not s["ok"]]
    assert not failed, "\n".join(failed)
    assert ran.returncode == 0, ran.stderr
    assert len(steps) > 300
    answered = [(c["method"], c["path"]) for c in recorder.sandbox.portal.calls if 200 <= c["status"] < 300]
    assert _shared() - _operations(answered) == set()
