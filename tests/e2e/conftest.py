"""A sandbox and a server in this process, and what tests ask of them."""

from __future__ import annotations

import asyncio
import http.client
import json
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from millstream.delivery.delivery import Delivery
from millstream.delivery.outcome import FINAL, State
from millstream.runtime.serve import ServerThread
from millstream.runtime.settings import Settings
from millstream.sandbox.app import Sandbox
from millstream.sandbox.config import SandboxConfig

KEY = "e2e-key"
TOKEN = "e2e-token"

# Longer than any machine takes for what is meant to happen: only what never happens is told by the clock.
PATIENCE_S = 240.0

# No answer is ever late here: a slow machine must not look like a portal that does not answer.
CONFIG = """\
sources:
  - name: server
    write_keys: [{key}]
destinations:
  - name: hubspot
    preset: {preset}
    settings:
      portal_id: 20001
      access_token: ${{TOKEN}}
      api_url: {api_url}
      unknown_properties: create
      in_doubt_s: 0.5
      timeout_s: 60
{more}
"""


class Pair:
    """A sandbox and a server on its data folder."""

    def __init__(self, folder: Path, sandbox: Sandbox, more: str = "", preset: str = "classic") -> None:
        self.folder = folder
        self.sandbox = sandbox
        config = folder / "millstream.yaml"
        config.write_text(CONFIG.format(key=KEY, api_url=sandbox.url, more=more, preset=preset))
        self.settings = Settings(config=config, data_dir=folder / "data", port=0)
        self.server = ServerThread(self.settings, {"TOKEN": TOKEN})
        self.url = self.server.start()

    def restart(self) -> None:
        """Stop cleanly, start again on the same folder."""
        self.server.stop()
        self.server = ServerThread(self.settings, {"TOKEN": TOKEN})
        self.url = self.server.start()

    def post(self, path: str, body: Any, headers: dict[str, str] | None = None) -> Any:
        """One JSON request with the write key in the body's place for it."""
        request = urllib.request.Request(
            self.url + path,
            json.dumps(body).encode(),
            {"Content-Type": "application/json", **(headers or {})},
        )
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
            return json.loads(answer.read())

    def hubspot(self, method: str, path: str, body: Any = None) -> Any:
        """A call to HubSpot by somebody else; it must work."""
        host = urlsplit(self.sandbox.url)
        connection = http.client.HTTPConnection(str(host.hostname), host.port, timeout=PATIENCE_S)
        headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
        connection.request(method, path, json.dumps(body) if body is not None else None, headers)
        answer = connection.getresponse()
        raw = answer.read()
        connection.close()
        assert answer.status < 300, (path, raw)
        return json.loads(raw) if raw else None

    def outcome(self, offset: int, effect: str = "") -> Any:
        """The outcome of an event, or of one of its effects."""
        found = self.server.server.parts._state.deliveries.outcomes("hubspot", offset)
        return next(o for o in found if not effect or o.job.effect == effect)

    def batch(self, events: list[dict[str, Any]]) -> None:
        """A Segment batch."""
        for i in range(0, len(events), 500):
            assert self.post("/v1/batch", {"writeKey": KEY, "batch": events[i : i + 500]}) == {
                "success": True
            }

    def tally(self) -> dict[tuple[State, str], int]:
        """Events by state and reason."""
        return {(s, r.value): n for (s, r), n in self.server.server.parts.tally("hubspot").items()}

    def settled(self, events: int, *, waiting: bool = False) -> dict[tuple[State, str], int]:
        """Wait until so many events have a final outcome (or wait for an identity, when allowed)."""
        allowed = FINAL | ({State.WAITING} if waiting else set())
        self.until(
            lambda: sum(n for (s, _), n in self.tally().items() if s in allowed) >= events, "not settled"
        )
        return self.tally()

    def until(self, there: Callable[[], Any], otherwise: str = "it never happens") -> None:
        """Wait for what must come, however slow the machine is."""
        end = time.monotonic() + PATIENCE_S
        while not there():
            assert time.monotonic() < end, f"{otherwise}: {self.tally()}; {self.server.server.ready()}"
            time.sleep(0.05)

    @property
    def state(self) -> str:
        """How the destination stands."""
        return str(self.server.server.ready()["destinations"]["hubspot"]["state"])

    @contextmanager
    def gathered(self) -> Iterator[None]:
        """What is sent in here leaves in full batches, and the remainders when all of it has been planned.

        The engine sends what has come together after half a second. How much that is depends on the machine's speed;
        how few calls are possible does not.
        """
        delivery = self.server.server.engine.deliveries["hubspot"]
        works = delivery._works
        usual = works.settings
        works.settings = replace(usual, linger_s=PATIENCE_S)
        yield
        self.until(lambda: self._at_rest(delivery), "not at rest")
        works.settings = usual
        works.loop.call_soon_threadsafe(works.wake.set)

    def _at_rest(self, delivery: Delivery) -> bool:
        """Whether nothing is left to read or to answer, and no batch is full; asked on the engine's own loop."""

        async def ask() -> bool:
            queues, kinds = delivery._works.slots._ready, delivery._calls._sink.kinds
            full = any(len(entries) >= kinds[kind].limit for (kind, _), entries in queues.items())
            planned = delivery._works.ledger.cursor >= self.server.server.parts._log.bounds().end
            return planned and not full and not len(delivery._calls)

        return asyncio.run_coroutine_threadsafe(ask(), delivery._works.loop).result(PATIENCE_S)

    @property
    def calls(self) -> list[dict[str, Any]]:
        """What HubSpot was asked."""
        return self.sandbox.portal.calls

    @property
    def portal(self) -> dict[str, Any]:
        """The whole portal, canonical."""
        return json.loads(json.dumps(self.sandbox.portal.canonical()))


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Callable[..., Pair]]:
    """Makes a running pair: `pair(more="…settings…", latency_ms=…, switches={…})`."""
    made: list[Pair] = []
    boxes: list[Sandbox] = []

    def make(more: str = "", preset: str = "classic", **config: Any) -> Pair:
        switches = config.pop("switches", {})
        given = SandboxConfig(token=TOKEN, **config)
        given.switches.update(switches)
        sandbox = Sandbox(given)
        sandbox.start()
        boxes.append(sandbox)
        found = Pair(tmp_path, sandbox, more, preset)
        made.append(found)
        return found

    yield make
    for found in made:
        found.server.stop()
    for sandbox in boxes:
        sandbox.stop()
