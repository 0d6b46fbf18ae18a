"""The control API: reset, look, seed, keep, break, move time. No authentication: it is for the person at this machine."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from millstream.sandbox import faults, filters, payload, rules, seeding, snapshot
from millstream.sandbox.config import SWITCHES
from millstream.sandbox.errors import Refused
from millstream.sandbox.faults import Fault
from millstream.sandbox.limits import Limits
from millstream.sandbox.portal import Portal

Handler = Callable[[Request, Any], Any]
_CENTURY_S: Final = 100 * 365 * 86400.0
_NAME: Final = re.compile(r"[\w.-]{1,100}")


class Control:
    """Handlers under `/_sandbox/`."""

    def __init__(self, portal: Portal, struck_by: list[Fault], limits: Limits) -> None:
        self._portal_state = portal
        self._struck_by = struck_by
        self._limits = limits
        self._kept: dict[str, bytes] = {}

    def routes(self) -> list[BaseRoute]:
        """All of them."""
        handlers: dict[str, tuple[Handler, list[str]]] = {
            "reset": (self._reset, ["POST"]),
            "state": (self._state, ["GET"]),
            "portal": (self._portal, ["GET"]),
            "calls": (self._calls, ["GET", "DELETE"]),
            "faults": (self._faults, ["GET", "POST", "DELETE"]),
            "latency": (self._latency, ["GET", "POST", "DELETE"]),
            "clock": (self._clock, ["GET", "POST"]),
            "switches": (self._switches, ["GET", "POST"]),
            "rules": (self._rules, ["GET", "POST", "DELETE"]),
            "seed": (self._seed, ["POST"]),
            "snapshot": (self._snapshot, ["GET"]),
            "restore": (self._restore, ["POST"]),
            "snapshots": (self._snapshots, ["GET"]),
            "snapshots/{name}": (self._keep, ["POST", "DELETE"]),
            "snapshots/{name}/restore": (self._restore_kept, ["POST"]),
        }
        return [Route(f"/_sandbox/{path}", self._guarded(h), methods=m) for path, (h, m) in handlers.items()]

    def seed(self, wanted: dict[str, Any]) -> dict[str, int]:
        """Deterministic records: see `seeding.py`. Raises `Refused`."""
        return seeding.seed(self._portal_state, wanted)

    def _guarded(self, handler: Handler) -> Any:
        async def handle(request: Request) -> Response:
            raw = await request.body()
            body: Any = {}
            try:
                if request.method == "POST" and handler == self._restore:
                    body = raw
                elif request.method == "POST" and raw:
                    body = payload.read(raw)
                found = handler(request, body)
                return found if isinstance(found, Response) else JSONResponse(found)
            except Refused as refused:
                return JSONResponse(refused.body, refused.status)
            except payload.Misfit as misfit:
                refusal = misfit.refusal(raw, body)
                return JSONResponse(refusal.body, refusal.status)

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
                t: [r.json(history=["*"] if history else None) for r in records.by_id.values()]
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
        """`?limit=&after=&status=&path=`: see `CallLog.select`."""
        calls, query = self._portal_state.calls, request.query_params
        if request.method == "DELETE":
            calls.clear()
        status = query.get("status")
        if status is not None and not re.fullmatch(r"[1-5]xx|[0-9]{1,3}", status):
            raise Refused(400, f"status: {status} is neither a status nor a class such as 4xx")
        try:
            path = re.compile(query["path"]) if "path" in query else None
        except re.error as error:
            raise Refused(400, f"path is no regular expression: {error}") from None
        found = calls.select(
            limit=_count(query.get("limit"), "limit"),
            after=_count(query.get("after"), "after"),
            status=status,
            path=path,
        )
        return {"calls": found, "total": calls.total}

    def _faults(self, request: Request, body: Any) -> Any:
        if request.method == "DELETE":
            self._struck_by.clear()
        elif request.method == "POST":
            wanted = body if isinstance(body, list) else [payload.whole_object(body)]
            self._struck_by.extend([faults.read(payload.mapping(wanted, i)) for i in range(len(wanted))])
        return {"faults": [f.json() for f in self._struck_by]}

    def _latency(self, request: Request, body: Any) -> Any:
        latency = self._portal_state.latency
        if request.method != "GET":
            latency.set(payload.whole_object(body))
        return {"latency": latency.json(), "latency_ms": self._portal_state.config.latency_ms}

    def _clock(self, _request: Request, body: Any) -> Any:
        """`{"advance_s": 60}`, or `{"set": "2026-01-01T00:00:00Z"}`; both: set, then advance."""
        portal = self._portal_state
        offset_s, wanted = portal.offset_s, payload.text(payload.whole_object(body), "set")
        if unknown := body.keys() - {"advance_s", "set"}:
            raise Refused(400, f"{', '.join(sorted(unknown))}: give advance_s or set")
        if wanted:
            at = filters.moment(wanted)
            if at is None:
                raise payload.Misfit(body, "set", f"{wanted} is no time: give ISO 8601 or epoch milliseconds")
            offset_s = at - time.time()
        offset_s += payload.decimal(body, "advance_s", 0.0)
        if abs(offset_s) > _CENTURY_S:
            raise payload.Misfit(body, None, "the clock moves by a hundred years at most")
        portal.offset_s = offset_s
        return {"now": portal.stamp(), "offset_s": portal.offset_s}

    def _switches(self, _request: Request, body: Any) -> Any:
        wanted = {name: payload.text(body, name) for name in payload.whole_object(body)}
        for name, value in wanted.items():
            if name not in SWITCHES or value not in SWITCHES[name][0]:
                raise Refused(
                    400,
                    f"{name}: {value} is no variant; there are: { {k: v[0] for k, v in SWITCHES.items()} }",
                )
        switches = self._portal_state.config.switches
        switches.update(wanted)
        return {
            name: {"is": switches[name], "variants": variants, "about": about}
            for name, (variants, about) in SWITCHES.items()
        }

    def _rules(self, request: Request, body: Any) -> Any:
        """The portal's own validation rules by object type: see `rules.py`."""
        portal = self._portal_state
        if request.method == "DELETE":
            portal.rules.by_type.clear()
        wanted = payload.whole_object(body)
        given = {
            portal.type(n): rules.read(payload.mapping(wanted, n), portal.type(n).definitions) for n in wanted
        }
        portal.rules.by_type |= {records.type: found for records, found in given.items()}
        return {"rules": {t: found.json() for t, found in portal.rules.by_type.items()}}

    def _seed(self, _request: Request, body: Any) -> Any:
        return self.seed(payload.whole_object(body))

    def _snapshot(self, _request: Request, _body: Any) -> Response:
        data = snapshot.save(self._portal_state)
        name = f"sandbox-{self._portal_state.config.portal_id}.msgpack.zst"
        headers = {"Content-Disposition": f'attachment; filename="{name}"'}
        return Response(data, media_type="application/zstd", headers=headers)

    def _restore(self, _request: Request, body: bytes) -> Any:
        snapshot.restore(self._portal_state, body)
        return self._restored()

    def _restored(self) -> dict[str, Any]:
        records = self._portal_state.records
        return {"restored": True, "records": {t: len(r.by_id) for t, r in records.items() if r.by_id}}

    def _snapshots(self, _request: Request, _body: Any) -> Any:
        return {"snapshots": {name: len(data) for name, data in self._kept.items()}}

    def _keep(self, request: Request, _body: Any) -> Any:
        name = request.path_params["name"]
        if request.method == "DELETE":
            self._kept.pop(name, None)
        elif not _NAME.fullmatch(name):
            raise Refused(400, f"{name!r} is no name: letters, digits, dots, dashes; at most 100")
        else:
            self._kept[name] = snapshot.save(self._portal_state)
        return self._snapshots(request, None)

    def _restore_kept(self, request: Request, _body: Any) -> Any:
        name = request.path_params["name"]
        if name not in self._kept:
            known = ", ".join(self._kept) or "none"
            raise Refused(404, f"There is no snapshot {name}; kept are: {known}", "OBJECT_NOT_FOUND")
        snapshot.restore(self._portal_state, self._kept[name])
        return self._restored()


def _count(text: str | None, name: str) -> int | None:
    """A whole number of a query, if it is there."""
    if text is None:
        return None
    if not re.fullmatch(r"[0-9]{1,15}", text):
        raise Refused(400, f"{name}: {text} is no whole number")
    return int(text)
