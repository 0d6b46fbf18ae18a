"""What SDKs put on the wire, and the events that it becomes: one file a case in `ingest/`.

A case is the request (`method`, `path`, `headers`, `body` as JSON, text or a form) and what follows: `status`,
`answer`, `events` as they stand in the log, `rejected` reasons. MILLSTREAM_UPDATE=1 rewrites what follows, for review.
"""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from millstream.eventlog.record import Kind
from millstream.ingest.api import TrackingAPI
from millstream.storage.memory.log import MemoryLog
from millstream.workspace.model import Source, Workspace

CASES = sorted((Path(__file__).parent / "ingest").glob("*.json"))
NOW = 1_793_620_800_000  # 2026-11-02T12:00:00Z
SOURCE = Source("site", ("KEY",))


class Quiet:
    """Nobody looks."""

    def accepted(self, source, kind, events):
        """Not counted."""

    def rejected(self, source, reason):
        """Not counted."""

    def answered(self, dialect, status, seconds):
        """Not counted."""


def outcome(case):
    """What becomes of a case's request."""
    log = MemoryLog()
    ids = iter(range(1000))
    api = TrackingAPI(
        lambda: Workspace((SOURCE,)), log, Quiet(), now_ms=lambda: NOW, new_id=lambda: f"new-{next(ids)}"
    )
    body = case.get("body", "")
    content = body if isinstance(body, str) else json.dumps(body)
    raw = content.encode()
    if case.get("gzip"):
        raw = gzip.compress(raw, mtime=0)
    with TestClient(api.app(), raise_server_exceptions=False) as http:
        answer = http.request(case["method"], case["path"], content=raw, headers=case.get("headers", {}))
    events, rejected = [], []
    for block in log.read(0, 1000):
        for kind, text in zip(block.kinds, block.bodies, strict=True):
            found = json.loads(text)
            if kind == Kind.REJECTED:
                rejected.append(found["reason"])
            else:
                plain = {k: v for k, v in found.items() if v not in (None, {}, [])}
                events.append(plain)
    said = answer.text
    if answer.headers.get("content-type", "").startswith("application/json"):
        said = answer.json()
    if answer.headers.get("content-type", "").startswith("image/"):
        said = "<picture>"
    return {"status": answer.status_code, "answer": said, "events": events, "rejected": rejected}


@pytest.mark.parametrize("path", CASES, ids=lambda p: p.stem)
def test_a_case(path):
    """The request becomes exactly these events and is answered exactly so."""
    case = json.loads(path.read_text())
    found = outcome(case)
    if os.environ.get("MILLSTREAM_UPDATE"):
        whole = {k: v for k, v in case.items() if k not in found} | found
        path.write_text(json.dumps(whole, indent=1, ensure_ascii=False) + "\n")
        case = whole
    assert found == {k: case.get(k) for k in found}


def test_every_family_has_cases():
    """Server, browser and mobile SDKs of all three, single calls, batches, beacons, pixels."""
    assert len(CASES) >= 18
    for family in ("segment-", "rudderstack-", "amplitude-"):
        names = [p.stem for p in CASES if p.stem.startswith(family)]
        assert any("browser" in n for n in names), family
        assert any("android" in n or "ios" in n or "swift" in n or "kotlin" in n for n in names), family
