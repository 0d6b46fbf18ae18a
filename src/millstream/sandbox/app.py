"""The sandbox over HTTP: authentication, limits, faults, operations; the control API under `/_sandbox/`."""

from __future__ import annotations

import asyncio
import json
import random
import socket
import threading
import time
import uuid
from typing import Any, Self
from urllib.parse import unquote

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from millstream.sandbox import faults, routes
from millstream.sandbox.config import SandboxConfig
from millstream.sandbox.control import Control
from millstream.sandbox.errors import Complaint, Refused, limited, missing_scopes, unauthenticated
from millstream.sandbox.limits import Limits
from millstream.sandbox.portal import Portal


class _Dropped(Exception):
    """The connection is to be broken without an answer."""


class _Broken(Response):
    """Ends the connection without an answer: the server sees an application that failed after nothing was sent."""

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        """Send half of an answer and stop: clients see the connection break."""
        await send(
            {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"100000")]}
        )
        await send({"type": "http.response.body", "body": b"{", "more_body": True})
        raise _Dropped


class HubSpot:
    """One portal behind HTTP."""

    def __init__(self, config: SandboxConfig) -> None:
        self.config = config
        self.portal = Portal(config)
        self.limits = Limits(config)
        self.faults: list[faults.Fault] = []
        self._routes = routes.table(self.portal, random.Random(1))
        self.control = Control(self.portal, self.faults, self.limits)

    def app(self) -> Starlette:
        """The application."""
        return Starlette(
            routes=[
                *self.control.routes(),
                Route("/{path:path}", self.handle, methods=["GET", "POST", "PUT", "PATCH", "DELETE"]),
            ]
        )

    async def handle(self, request: Request) -> Response:
        """One API call."""
        path = unquote(request.url.path)
        raw = await request.body()
        status, body, headers = 500, None, {}
        broken = False
        try:
            headers = self._admit(request, path)
            hit = [f for f in self.faults if f.strikes(request.method, path)]
            broken = await self._before(hit)
            status, body = self._operate(request, path, raw, hit)
            if await self._after(hit):
                broken = True
        except Refused as refused:
            status, body = refused.status, refused.body
        except Complaint as complaint:
            whole = complaint.whole()
            status, body = whole.status, whole.body
        except _Dropped:
            broken, status = True, 0
        self._note(request.method, path, status, raw)
        if self.config.latency_ms:
            await asyncio.sleep(self.config.latency_ms / 1000)
        if broken:
            return _Broken()
        headers["X-HubSpot-Correlation-Id"] = str(uuid.uuid4())
        if body is None:
            return Response(status_code=status, headers=headers)
        return JSONResponse(body, status, headers, media_type="application/json;charset=utf-8")

    def _admit(self, request: Request, path: str) -> dict[str, str]:
        token = request.headers.get("authorization", "").removeprefix("Bearer ").strip()
        if token != self.config.token:
            raise unauthenticated()
        headers = self.limits.count(path, time.monotonic())
        scope = routes.needed_scope(request.method, path)
        if scope is not None and scope not in self.config.scopes and "business-intelligence" not in scope:
            raise missing_scopes([scope])
        return headers

    async def _before(self, hit: list[faults.Fault]) -> bool:
        for fault in hit:
            if fault.kind == "slow":
                await asyncio.sleep(fault.ms / 1000)
            elif fault.kind == "reset":
                raise _Dropped
            elif fault.kind == "status":
                if fault.status == 429:
                    raise limited(fault.policy)
                raise Refused(
                    fault.status, "internal error" if fault.status >= 500 else "refused by a fault", ""
                )
        return False

    async def _after(self, hit: list[faults.Fault]) -> bool:
        """Faults that strike once the call was executed: no answer, or a broken connection."""
        for fault in hit:
            if fault.kind == "commit_then_timeout":
                await asyncio.sleep(fault.ms / 1000)
                return True
            if fault.kind == "commit_then_reset":
                return True
        return False

    def _operate(self, request: Request, path: str, raw: bytes, hit: list[faults.Fault]) -> tuple[int, Any]:
        body: Any = None
        if raw:
            try:
                body = json.loads(raw)
            except (ValueError, RecursionError):
                raise Refused(
                    400, "Invalid input JSON on line 1, column 1: Cannot deserialize value", ""
                ) from None
        partial = next((f for f in hit if f.kind == "207_partial"), None)
        errors: list[dict[str, Any]] = []
        if partial is not None and isinstance(body, dict) and isinstance(body.get("inputs"), list):
            body["inputs"], errors = partial.spare(body["inputs"])
        status, answer = self._route(request, path, body)
        if errors and isinstance(answer, dict):
            answer = {**answer, "errors": [*answer.get("errors", []), *errors]}
            return 207, {**answer, "numErrors": len(answer["errors"])}
        return status, answer

    def _route(self, request: Request, path: str, body: Any) -> tuple[int, Any]:
        known = False
        for method, pattern, work in self._routes:
            match = pattern.match(path)
            if match is None:
                continue
            known = True
            if method == request.method:
                try:
                    return work(dict(request.query_params), body, *match.groups())
                except (AttributeError, KeyError, TypeError, ValueError) as error:
                    raise Refused(400, f"Invalid input JSON: {error}", "") from None
        if known:
            raise Refused(405, "Method not allowed", "")
        raise Refused(404, "resource not found", "")

    def _note(self, method: str, path: str, status: int, raw: bytes) -> None:
        count = raw.count(b'"id":') if b'"inputs"' in raw else 1
        self.portal.calls.append(
            {
                "method": method,
                "path": path,
                "status": status,
                "at": self.portal.stamp(),
                "n": count,
                "bytes": len(raw),
            }
        )


def create_app(config: SandboxConfig) -> Starlette:
    """The application of a fresh portal."""
    return HubSpot(config).app()


class Sandbox:
    """A portal on a free port of this machine, in a thread: for the demo and for tests."""

    def __init__(self, config: SandboxConfig | None = None) -> None:
        self.hubspot = HubSpot(config or SandboxConfig())
        self._socket = socket.socket(proto=socket.IPPROTO_TCP)  # loops set TCP_NODELAY only on these
        self._socket.bind(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self._server = uvicorn.Server(
            uvicorn.Config(
                self.hubspot.app(),
                log_config=None,
                lifespan="off",
                access_log=False,
                timeout_graceful_shutdown=1,
            )
        )
        self._thread = threading.Thread(target=self._run, name="sandbox", daemon=True)

    @property
    def portal(self) -> Portal:
        """What it holds."""
        return self.hubspot.portal

    def start(self) -> str:
        """Start; the base address."""
        self._thread.start()
        while not self._server.started:
            time.sleep(0.005)
        return self.url

    def stop(self) -> None:
        """Stop and wait."""
        self._server.should_exit = True
        self._thread.join(5)

    def __enter__(self) -> Self:
        """Start."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self.stop()

    def _run(self) -> None:
        asyncio.run(self._server.serve(sockets=[self._socket]))


def serve(config: SandboxConfig, host: str, port: int, seed: dict[str, Any] | None = None) -> None:
    """Serve until interrupted."""
    hubspot = HubSpot(config)
    if seed:
        hubspot.control.seed(seed)
    uvicorn.run(hubspot.app(), host=host, port=port, log_config=None, lifespan="off", access_log=False)
