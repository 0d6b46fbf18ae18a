"""The main job in one shot: a sandbox and a server on free ports, SDK-shaped traffic, and what reached HubSpot.

Errors
    DemoFailed        not every event had a final outcome in time
"""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp

from millstream.delivery.outcome import FINAL, State
from millstream.runtime.failure import Failure
from millstream.runtime.serve import ServerThread
from millstream.runtime.settings import Settings
from millstream.runtime.traffic import posts
from millstream.sandbox.app import Sandbox
from millstream.sandbox.config import SandboxConfig

WRITE_KEY = "demo-write-key"
TOKEN = "sandbox-token"  # noqa: S105  (the sandbox's own)

CONFIG = """\
sources:
  - name: demo
    write_keys: [{key}]
destinations:
  - name: hubspot
    kind: hubspot
    preset: classic
    settings:
      portal_id: {portal}
      access_token: ${{HUBSPOT_TOKEN}}
      api_url: {api_url}
      unknown_properties: create
"""


class DemoFailed(Failure):
    """Not every event had a final outcome in time."""


@dataclass(frozen=True, slots=True)
class Stage:
    """The running pair, and where it can be looked at."""

    sandbox: Sandbox
    sandbox_url: str
    server: ServerThread
    server_url: str
    folder: Path


@contextlib.contextmanager
def stage(latency_ms: float = 30.0) -> Iterator[Stage]:
    """A sandbox and a server on free ports, data in a folder that goes away."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="millstream-demo-")))
        sandbox = Sandbox(SandboxConfig(token=TOKEN, latency_ms=latency_ms))
        api_url = sandbox.start()
        stack.callback(sandbox.stop)
        config = folder / "millstream.yaml"
        config.write_text(CONFIG.format(key=WRITE_KEY, portal=20001, api_url=api_url))
        settings = Settings(config=config, data_dir=folder / "data", port=0)
        server = ServerThread(settings, {"HUBSPOT_TOKEN": TOKEN})
        url = server.start()
        stack.callback(server.stop)
        yield Stage(sandbox, api_url, server, url, folder)


async def run(
    on: Stage, people: int, progress: Callable[[str, int, int], None], timeout_s: float = 120
) -> dict[str, Any]:
    """Send the traffic of so many people and wait until all of it has a final outcome.

    Returns the figures that `millstream demo --once --json` prints. Raises `DemoFailed`.
    """
    began = time.monotonic()
    accepted = 0
    async with aiohttp.ClientSession() as http:
        requests = list(posts(WRITE_KEY, people, datetime.now(UTC)))  # noqa: TID251  (an edge: the clock is read here)
        total = sum(p.events for p in requests)
        for request in requests:
            async with http.post(
                on.server_url + request.path, data=request.body, headers=request.headers
            ) as answer:
                if answer.status != 200:
                    raise DemoFailed(f"{request.path} answered {answer.status}: {await answer.text()}")
            accepted += request.events
            progress("sent", accepted, total)
        sent_s = time.monotonic() - began
        parts = on.server.server.parts
        while True:
            tally = parts.tally("hubspot")
            done = sum(n for (state, _), n in tally.items() if state in FINAL)
            progress("delivered", done, total)
            if done >= total:
                break
            if time.monotonic() - began > timeout_s:
                raise DemoFailed(
                    f"{total - done} of {total} events have no final outcome after {timeout_s:.0f} s: {tally}"
                )
            await asyncio.sleep(0.1)
        async with http.get(f"{on.sandbox_url}/_sandbox/calls") as answer:
            calls = (await answer.json())["total"]
        async with http.get(f"{on.sandbox_url}/_sandbox/portal") as answer:
            portal = await answer.json()
    states = {state.name.lower(): sum(n for (s, _), n in tally.items() if s == state) for state in FINAL}
    return {
        "accepted": accepted,
        "delivered": states["delivered"],
        "filtered": states["filtered"],
        "dead_lettered": states["dead_lettered"],
        "reasons": {f"{State(s).name.lower()}:{r}": n for (s, r), n in sorted(tally.items())},
        "hubspot_calls": calls,
        "calls_per_1000_events": round(calls / accepted * 1000, 1),
        "p95_latency_s": parts.latency_quantile("hubspot", 0.95),
        "sending_s": round(sent_s, 2),
        "total_s": round(time.monotonic() - began, 2),
        "in_hubspot": {what: len(found) for what, found in portal.items() if isinstance(found, list)},
        "portal": portal,
    }
