"""The operator's HTTP: health, readiness, metrics; and the control API behind the data folder's local socket."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from millstream import __version__
from millstream.devicemode.snippets import install
from millstream.runtime.control import Control
from millstream.runtime.orders import OrderError
from millstream.telemetry.metrics import Metrics
from millstream.workspace.model import Workspace


def health_routes(ready: Callable[[], dict[str, Any]], metrics: Metrics) -> list[BaseRoute]:
    """`/healthz` (the process lives), `/readyz` (it can accept and deliver; 503 with the reason), `/metrics`."""

    async def healthz(_request: Request) -> Response:
        return JSONResponse({"status": "ok", "version": __version__})

    async def readyz(_request: Request) -> Response:
        state = ready()
        return JSONResponse(state, status_code=200 if state["ready"] else 503)

    async def exposition(_request: Request) -> Response:
        return PlainTextResponse(metrics.render(), media_type="text/plain; version=0.0.4; charset=utf-8")

    return [Route("/healthz", healthz), Route("/readyz", readyz), Route("/metrics", exposition)]


def install_routes(workspace: Callable[[], Workspace], local_url: str) -> list[BaseRoute]:
    """`/install/{source}.json`: what to put into a page. It names write keys, so it is for operators alone."""

    async def show(request: Request) -> Response:
        name = request.path_params["source"]
        source = next((s for s in workspace().sources if s.name == name and s.write_keys), None)
        if source is None:
            return JSONResponse({"error": f"no source is named {name}"}, status_code=404)
        return JSONResponse(install(workspace(), source, local_url), headers={"Cache-Control": "no-store"})

    return [Route("/install/{source}.json", show)]


def control_app(control: Control) -> Starlette:
    """Commands of a running server: `POST /<command>` with a JSON object, a JSON object back."""

    async def run(request: Request) -> Response:
        body = await request.body()
        try:
            arguments = json.loads(body) if body else {}
            answer = await control.run(request.path_params["command"], arguments)
        except OrderError as error:
            return JSONResponse({"error": str(error)}, status_code=400)
        return JSONResponse(answer)

    return Starlette(routes=[Route("/{command}", run, methods=["POST"])])
