"""The control API: reset, look, break, move time. No authentication: it is for the person at this machine."""

from __future__ import annotations

import random
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from millstream.sandbox import faults
from millstream.sandbox.config import SWITCHES
from millstream.sandbox.errors import Refused
from millstream.sandbox.faults import Fault
from millstream.sandbox.limits import Limits
from millstream.sandbox.portal import Portal

_FIRST = ("Ada", "Grace", "Alan", "Edsger", "Barbara", "Donald", "Frances", "Radia", "Lynn", "Tim")
_LAST = ("Lovelace", "Hopper", "Turing", "Dijkstra", "Liskov", "Knuth", "Allen", "Perlman")


class Control:
    """Handlers under `/_sandbox/`."""

    def __init__(self, portal: Portal, struck_by: list[Fault], limits: Limits) -> None:
        self._portal_state = portal
        self._struck_by = struck_by
        self._limits = limits

    def routes(self) -> list[BaseRoute]:
        """All of them."""
        handlers = {
            "reset": (self._reset, ["POST"]),
            "state": (self._state, ["GET"]),
            "portal": (self._portal, ["GET"]),
            "calls": (self._calls, ["GET", "DELETE"]),
            "faults": (self._faults, ["GET", "POST", "DELETE"]),
            "clock": (self._clock, ["GET", "POST"]),
            "switches": (self._switches, ["GET", "POST"]),
            "seed": (self._seed, ["POST"]),
        }
        return [Route(f"/_sandbox/{name}", self._guarded(h), methods=m) for name, (h, m) in handlers.items()]

    def seed(self, wanted: dict[str, Any]) -> dict[str, int]:
        """Deterministic records: `{"contacts": n, "companies": n, "seed": k}`."""
        portal, rng = self._portal_state, random.Random(wanted.get("seed", 0))
        now = portal.stamp()
        for i in range(int(wanted.get("companies", 0))):
            portal.type("companies").create({"name": f"Company {i}", "domain": f"company{i}.example"}, now)
        for i in range(int(wanted.get("contacts", 0))):
            first, last = rng.choice(_FIRST), rng.choice(_LAST)
            email = f"{first}.{last}.{i}@seed.example".lower()
            portal.type("contacts").create({"email": email, "firstname": first, "lastname": last}, now)
        return {t: len(r.by_id) for t, r in portal.records.items()}

    def _guarded(self, handler: Any) -> Any:
        async def handle(request: Request) -> Response:
            try:
                body = await request.json() if request.method == "POST" and await request.body() else {}
                return JSONResponse(handler(request, body))
            except Refused as refused:
                return JSONResponse(refused.body, refused.status)
            except (ValueError, TypeError, KeyError) as error:
                return JSONResponse({"status": "error", "message": f"{type(error).__name__}: {error}"}, 400)

        return handle

    def _reset(self, _request: Request, _body: Any) -> Any:
        self._portal_state.reset()
        self._struck_by.clear()
        return {"reset": True}

    def _state(self, request: Request, _body: Any) -> Any:
        portal = self._portal_state
        history = request.query_params.get("history") == "1"
        return {
            **{
                t: [r.json(history=history) for r in records.by_id.values()]
                for t, records in portal.records.items()
            },
            "associations": [
                {"from": [a, i], "to": [b, j], "types": sorted(kinds)}
                for (a, i, b, j), kinds in portal.associations.items()
            ],
            "event_definitions": list(portal.definitions.values()),
            "occurrences": portal.occurrences,
            "limits": self._limits.state(),
        }

    def _portal(self, _request: Request, _body: Any) -> Any:
        return self._portal_state.canonical()

    def _calls(self, request: Request, _body: Any) -> Any:
        calls = self._portal_state.calls
        if request.method == "DELETE":
            calls.clear()
        return {"calls": calls, "total": len(calls)}

    def _faults(self, request: Request, body: Any) -> Any:
        if request.method == "DELETE":
            self._struck_by.clear()
        elif request.method == "POST":
            wanted = body if isinstance(body, list) else [body]
            self._struck_by.extend(faults.read(b) for b in wanted)
        return {"faults": [f.json() for f in self._struck_by]}

    def _clock(self, _request: Request, body: Any) -> Any:
        portal = self._portal_state
        portal.offset_s += float(body.get("advance_s", 0))
        return {"now": portal.stamp(), "offset_s": portal.offset_s}

    def _switches(self, _request: Request, body: Any) -> Any:
        for name, value in body.items():
            if name not in SWITCHES or value not in SWITCHES[name][0]:
                raise Refused(
                    400,
                    f"{name}: {value} is no variant; there are: { {k: v[0] for k, v in SWITCHES.items()} }",
                )
            self._portal_state.config.switches[name] = value
        return {
            name: {"is": self._portal_state.config.switches[name], "variants": variants, "about": about}
            for name, (variants, about) in SWITCHES.items()
        }

    def _seed(self, _request: Request, body: Any) -> Any:
        return self.seed(body)
