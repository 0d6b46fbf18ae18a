"""The real SDKs, unmodified, against the server: the whole portal afterwards equals a committed file."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
SDKS = {
    "segment_python": (8, [sys.executable, "segment_python.py"]),
    "rudder_python": (8, [sys.executable, "rudder_python.py"]),
    "amplitude_python": (7, [sys.executable, "amplitude_python.py"]),
    "segment_node": (8, ["node", "segment_node.mjs"]),
    "rudder_node": (8, ["node", "rudder_node.mjs"]),
    "amplitude_node": (7, ["node", "amplitude_node.mjs"]),
}
HAS_NODE = shutil.which("node") is not None and (ROOT / "node_modules" / "@segment").exists()


@pytest.mark.parametrize("name", SDKS)
def test_portal_after_an_sdk(name, pair):
    """Any extra or missing record, property, association or occurrence fails. MILLSTREAM_UPDATE=1 rewrites the files."""
    events, (program, script) = SDKS[name]
    if program == "node" and not HAS_NODE:
        pytest.skip("npm is not on this machine")
    on = pair()
    ran = subprocess.run(
        [program, str(HERE / "sdks" / script), on.url, "e2e-key"],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    assert ran.returncode == 0, ran.stderr + ran.stdout
    tally = on.settled(events)
    found = {
        "outcomes": {f"{s.name.lower()}:{r}": n for (s, r), n in sorted(tally.items())},
        "portal": on.portal,
    }
    for occurrence in found["portal"][
        "occurrences"
    ]:  # the SDK's clock against ours: some milliseconds of skew
        occurrence["occurredAt"] = occurrence["occurredAt"][:16]
    expected = HERE / "portals" / f"{name}.json"
    if os.environ.get("MILLSTREAM_UPDATE"):
        expected.parent.mkdir(exist_ok=True)
        expected.write_text(json.dumps(found, indent=1, sort_keys=True, ensure_ascii=False) + "\n")
    assert found == json.loads(expected.read_text())
