"""The sandbox over HTTP: authentication, limits, faults, operations; the control API under `/_sandbox/`."""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
import time
import uuid
from typing import Any, Self

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route as StarletteRoute
from starlette.types import Receive, Scope, Send

from millstream.sandbox import faults, payload, routes, webhooks
from millstream.sandbox.config import SandboxConfig
from millstream.sandbox.control import Control
from millstream.sandbox.errors import (
    Complaint,
    Refused,
    expired,
    missing_scopes,
    missing_scopes_old,
    unauthenticated,
)
from millstream.sandbox.limits import Limits
from millstream.sandbox.page import Page
from millstream.sandbox.portal import Portal
from millstream.sandbox.routing import Call, Content, Route

_log = logging.getLogger(__name__)


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
        self._table = routes.table()
        self.webhooks = webhooks.Deliveries(self.portal)
        self.control = Control(self.portal, self.faults, self.limits)

    def app(self) -> Starlette:
        """The application."""
        return Starlette(
            routes=[
                *self.control.routes(),
                *Page(self.portal, self.limits, self.faults, self.handle).routes(),
                StarletteRoute("/{path:path}", self.preflight, methods=["OPTIONS"]),
                StarletteRoute(
                    "/{path:path}", self.handle, methods=["GET", "POST", "PUT", "PATCH", "DELETE"]
                ),
            ],
            exception_handlers={HTTPException: _elsewhere},
        )

    async def preflight(self, _request: Request) -> Response:
        """Browsers ask before they submit a form."""
        allowed = {
            "Access-Control-Allow-Origin": "*",
            "Access-Control-Allow-Methods": "GET, POST",
            "Access-Control-Allow-Headers": "content-type",
        }
        return Response(status_code=204, headers=allowed)

    async def handle(self, request: Request) -> Response:
        """One API call."""
        path = request.scope.get("raw_path", b"").decode("latin-1").partition("?")[0] or request.url.path
        raw = await request.body()
        status, body, headers = 500, None, {}
        broken = False
        try:
            found, params = self._table.find(request.method, path)
            if not found.open:
                headers = self._admit(request, path)
            hit = [f for f in self.faults if f.strikes(request.method, path)]
            await self._before(hit)
            status, body = self._operate(found, params, request, path, raw, hit)
            broken = await self._after(hit)
        except Refused as refused:
            status, body, headers = refused.status, refused.body, {**headers, **refused.headers}
        except Complaint as complaint:
            whole = complaint.whole()
            status, body = whole.status, whole.body
        except _Dropped:
            broken, status = True, 0
        self._note(request.method, path, status, raw)
        inputs = max(raw.count(b'"id":'), raw.count(b'"properties"')) if b'"inputs"' in raw else None
        delay_ms = self.config.latency_ms + self.portal.latency.draw(path, inputs)
        if delay_ms:
            await asyncio.sleep(delay_ms / 1000)
        return _Broken() if broken else _answer(status, body, headers)

    def _admit(self, request: Request, path: str) -> dict[str, str]:
        scheme, _, token = request.headers.get("authorization", "").strip().partition(" ")
        token = token.strip() if scheme.lower() == "bearer" else ""
        if not token and "webhooks/" in path:  # a developer's key, which only the webhooks of an app take
            token = request.query_params.get("hapikey", "")
        issued = self.portal.access_tokens.get(token)
        if token != self.config.token and issued is None:
            raise unauthenticated()
        if issued is not None and issued["until"] <= self.portal.seconds():
            late = int(self.portal.seconds() - issued["until"])
            raise expired(late, self.portal.stamp(issued["until"]))
        self.portal.calls_today += 1
        headers = self.limits.count(path, time.monotonic())
        scope = routes.needed_scope(request.method, path)
        granted = self.config.scopes if issued is None else (*issued["scopes"], "oauth")
        if scope is not None and scope not in granted and "business-intelligence" not in scope:
            raise missing_scopes_old() if path.startswith("/contacts/v1/") else missing_scopes([scope])
        return headers

    async def _before(self, hit: list[faults.Fault]) -> None:
        for fault in hit:
            if fault.kind == "slow":
                await asyncio.sleep(fault.ms / 1000)
            elif fault.kind == "reset":
                raise _Dropped
            elif fault.kind == "status":
                raise fault.refusal()

    async def _after(self, hit: list[faults.Fault]) -> bool:
        """Faults that strike once the call was executed: no answer, or a broken connection."""
        for fault in hit:
            if fault.kind == "commit_then_timeout":
                await asyncio.sleep(fault.ms / 1000)
                return True
            if fault.kind == "commit_then_reset":
                return True
        return False

    def _operate(
        self,
        found: Route,
        params: dict[str, str],
        request: Request,
        path: str,
        raw: bytes,
        hit: list[faults.Fault],
    ) -> tuple[int, Any]:
        form = request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded")
        body = payload.read(raw) if raw and not form else None
        partial = next((f for f in hit if f.kind == "207_partial"), None)
        errors: list[dict[str, Any]] = []
        if partial is not None and isinstance(body, dict) and isinstance(body.get("inputs"), list):
            body["inputs"], errors = partial.spare(body["inputs"])
        query: dict[str, str] = {}
        for name, value in request.query_params.multi_items():  # repeated names are a list
            query[name] = f"{query[name]},{value}" if name in query else value
        call = Call(request.method, path, params, query, body, raw, request.headers)
        try:
            status, answer = found.work(self.portal, call)
        except payload.Misfit as misfit:
            raise misfit.refusal(raw, body) from None
        except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError):
            _log.warning(
                "%s %s: an operation did not foresee this request", request.method, path, exc_info=True
            )
            why = "Cannot deserialize value of this type"
            raise payload.Misfit(None, None, why).refusal(raw, body) from None
        if errors and isinstance(answer, dict):
            answer = {**answer, "errors": [*answer.get("errors", []), *errors]}
            return 207, {**answer, "numErrors": len(answer["errors"])}
        return status, answer

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


async def _elsewhere(_request: Request, error: Exception) -> Response:
    """What Starlette refuses by itself: methods that nobody has."""
    status = error.status_code if isinstance(error, HTTPException) else 400
    refused = Refused(status, "Method not allowed" if status == 405 else "resource not found", "")
    return _answer(refused.status, refused.body, {})


def _answer(status: int, body: Any, headers: dict[str, str]) -> Response:
    headers = {
        **headers,
        "X-HubSpot-Correlation-Id": str(uuid.uuid4()),
        "Access-Control-Allow-Origin": "*",
    }
    if isinstance(body, Content):
        return Response(body.data, status, {**headers, **body.headers}, media_type=body.media_type)
    if body is None:
        return Response(status_code=status, headers=headers)
    return JSONResponse(body, status, headers, media_type="application/json;charset=utf-8")


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
