"""One sandbox for all clients, and a recorder of which client made which of its operations answer."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from _pytest.nodeid import NodeId

from millstream.sandbox.app import Sandbox
from millstream.sandbox.config import SCOPES, SandboxConfig

HERE = Path(__file__).resolve().parent
GROUP = "conformance"


class Recorder:
    """Which (method, path template) answered which client with a status that HubSpot documents."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.url = sandbox.url
        self.token = sandbox.hubspot.config.token
        rows = json.loads((HERE / "operations.json").read_text())
        self.operations: dict[tuple[str, str], tuple[int, ...]] = {
            (method, path): tuple(ok) for _, _, method, path, ok in rows
        }
        self.proofs: dict[tuple[str, str], set[str]] = {}
        self.clients: set[str] = set()
        self.wrong: set[str] = set()

    @contextmanager
    def note(self, client: str) -> Iterator[None]:
        """Attribute every call that reaches the sandbox inside the block to a client, e.g. `hubspot-sdk 0.1.0a9`."""
        calls = self.sandbox.portal.calls
        start = len(calls)
        yield
        for call in calls[start:]:
            if 200 <= call["status"] < 400:
                self._prove(client, call["method"], call["path"], call["status"])

    def _prove(self, client: str, method: str, path: str, status: int) -> None:
        """The operation is the most literal documented template that fits the path."""
        found = self.operation(method, path)
        if found is None:
            return
        expected = self.operations[found]
        if expected and status not in expected:
            self.wrong.add(f"{method} {found[1]} answered {client} {status}, documented is {expected}")
            return
        self.clients.add(client)
        self.proofs.setdefault(found, set()).add(client)

    def operation(self, method: str, path: str) -> tuple[str, str] | None:
        """The documented operation of a call, if it is one."""
        given = path.strip("/").split("/")
        fitting = [o for o in self.operations if o[0] == method and _fits(o[1].strip("/").split("/"), given)]
        return min(fitting, key=lambda o: o[1].count("{"), default=None)


def _fits(template: list[str], given: list[str]) -> bool:
    return len(template) == len(given) and all(
        t == g or (t.startswith("{") and g.endswith(t.partition("}")[2]))
        for t, g in zip(template, given, strict=True)
    )


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep them in one worker and in file order, and remember what a whole run is, before -k leaves some out.

    `--dist loadgroup` tells groups by the end of a node's id. pytest-xdist 3.8 writes it where pytest 9.2 no longer
    looks, so it is written here too.
    """
    ours = [item for item in items if item.path.parent == HERE]
    for item in ours:
        item.add_marker(pytest.mark.xdist_group(GROUP))
    config.stash[PLANNED] = {item.nodeid for item in ours}
    config.stash[RAN] = set()
    if getattr(config.option, "loadgroup", False):
        for item in ours:
            item._id = NodeId.parse(f"{item.nodeid}@{GROUP}")


PLANNED, RAN = pytest.StashKey[set[str]](), pytest.StashKey[set[str]]()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> None:
    """Remember what came to its turn in this process, also if it is then left out for want of Node."""
    item.config.stash[RAN].add(item.nodeid.partition(f"@{GROUP}")[0])


@pytest.fixture(scope="session")
def recorder() -> Iterator[Recorder]:
    """The recorder around a running portal without lags and limits, so that tests read what they wrote."""
    config = SandboxConfig(
        rate_limits=False, search_lag_ms=0, property_lag_ms=0, scopes=(*SCOPES, "oauth", "forms")
    )
    with Sandbox(config) as sandbox:
        yield Recorder(sandbox)


@pytest.fixture
def skipped_when_partial(request: pytest.FixtureRequest) -> None:
    """Leave out a test that speaks for all of this folder when not all of it came before in this process."""
    last = request.path.name
    planned = {node for node in request.config.stash[PLANNED] if f"/{last}::" not in node}
    files = {path.name for path in HERE.glob("test_*.py")} - {last}
    missing = files - {node.partition("::")[0].rpartition("/")[2] for node in planned}
    if missing or not planned <= request.config.stash[RAN]:
        pytest.skip("only a part of the conformance tests ran in this process")


@pytest.fixture(autouse=True)
def empty_portal(recorder: Recorder) -> Any:
    """Each test starts with an empty portal."""
    recorder.sandbox.portal.reset()
    return recorder.sandbox.portal


def labelled(package: str) -> str:
    """A client as the table of proofs names it."""
    return f"{package} {version(package)}"


@pytest.fixture
def legacy(recorder: Recorder) -> Iterator[Any]:
    """The official client of v1, v3 and v4, used in whole tests."""
    from hubspot import HubSpot

    client = HubSpot(access_token=recorder.token, api_key=recorder.token, host=recorder.url)
    with recorder.note(labelled("hubspot-api-client")):
        yield client


@pytest.fixture
def sdk(recorder: Recorder) -> Iterator[Any]:
    """The official client of 2026-03, which checks each answer against its models."""
    from hubspot_sdk import HubSpot

    with (
        HubSpot(
            access_token=recorder.token,
            developer_api_key=recorder.token,
            base_url=recorder.url,
            max_retries=0,
            _strict_response_validation=True,
        ) as client,
        recorder.note(labelled("hubspot-sdk")),
    ):
        yield client
