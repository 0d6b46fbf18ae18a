"""The pages that show the portal in a browser: `/` and what is under `/_sandbox/pages/`. They only read."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from importlib import resources
from typing import Any, Final

import jinja2
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from millstream.sandbox import page_views as views
from millstream.sandbox.config import SWITCHES
from millstream.sandbox.errors import Refused
from millstream.sandbox.faults import Fault
from millstream.sandbox.limits import Limits
from millstream.sandbox.portal import Portal

Handler = Callable[[Request], Awaitable[Response]]

_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}
# Without an icon of their own, browsers ask for /favicon.ico, and the call log would be full of that.
_ICON: Final = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><rect width="16" height="16" rx="4" fill="#c2410c"/>'
    '<path d="M4 5h8M4 8h8M4 11h5" stroke="#fff" stroke-width="1.6" stroke-linecap="round"/></svg>'
)
_LAST: Final = 20


class _Missing(Exception):
    """There is nothing to show; the text says what."""


class Page:
    """Handlers of the pages. `otherwise` answers `/` for API clients.

    They are coroutines that never wait, so that they run on the loop of the API and see no half-done call.
    """

    def __init__(self, portal: Portal, limits: Limits, struck_by: list[Fault], otherwise: Handler) -> None:
        self._portal = portal
        self._limits = limits
        self._struck_by = struck_by
        self._otherwise = otherwise
        self._templates = jinja2.Environment(
            loader=jinja2.PackageLoader("millstream.sandbox", "pages"),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.filters.update(when=when, grouped=grouped, tone=tone, words=words)

    def routes(self) -> list[BaseRoute]:
        """All of them, the particular ones before `{type}`."""
        pages = {
            "events": self._events,
            "lists": self._lists,
            "lists/{id}": self._list,
            "calls": self._calls,
            "switches": self._switches,
            "{type}": self._records,
            "{type}/{id}": self._record,
            "{rest:path}": self._nothing,
        }
        return [
            Route("/", self._front, methods=["GET"]),
            Route("/_sandbox/page.css", self._css, methods=["GET"]),
            Route("/_sandbox/page.svg", self._icon, methods=["GET"]),
            *(
                Route(f"{views.ROOT}/{path}", self._shown(work), methods=["GET"])
                for path, work in pages.items()
            ),
        ]

    def _shown(self, work: Callable[[Request], str]) -> Handler:
        async def handle(request: Request) -> Response:
            try:
                return Response(work(request), 200, _HEADERS, "text/html")
            except _Missing as missing:
                return Response(self._draw("missing", message=str(missing)), 404, _HEADERS, "text/html")

        return handle

    def _draw(self, name: str, **given: Any) -> str:
        return self._templates.get_template(f"{name}.html").render(
            portal=self._portal, config=self._portal.config, root=views.ROOT, **given
        )

    async def _front(self, request: Request) -> Response:
        """`/` is the overview for a person; whoever brings a token means the API."""
        if "authorization" in request.headers:
            return await self._otherwise(request)
        return await self._shown(self._overview)(request)

    async def _css(self, _request: Request) -> Response:
        text = resources.files("millstream.sandbox").joinpath("pages", "page.css").read_text("utf-8")
        return Response(text, 200, _HEADERS, "text/css")

    async def _icon(self, _request: Request) -> Response:
        return Response(_ICON, 200, _HEADERS, "image/svg+xml")

    def _overview(self, _request: Request) -> str:
        portal = self._portal
        return self._draw(
            "overview",
            here="overview",
            counts=views.counts(portal),
            lists=sum(found.get("deletedAt") is None for found in portal.lists.values()),
            pools=self._pools(),
            faults=[fault.json() for fault in self._struck_by],
            calls=portal.calls[: -_LAST - 1 : -1],
        )

    def _records(self, request: Request) -> str:
        records = self._type(request)
        q = request.query_params.get("q", "").strip()
        after = views.number(request.query_params.get("after"))
        return self._draw(
            "records",
            here="",
            type=records.type,
            href=views.href(self._portal, records.type),
            total=len(records.by_id),
            q=q,
            page=views.records_of(self._portal, records, q, after),
        )

    def _record(self, request: Request) -> str:
        records, portal = self._type(request), self._portal
        asked = request.path_params["id"]
        record = records.by_id.get(records.merged.get(asked, asked))
        if record is None:
            raise _Missing(f"There is no record {asked} among the {words(records.type)}.")
        happened = views.timeline(portal, records, record)
        return self._draw(
            "record",
            here="",
            type=records.type,
            type_href=views.href(portal, records.type),
            title=views.title(record),
            record=record,
            merged=asked if asked != record.id else "",
            properties=views.values_of(records, record),
            associations=views.associations_of(portal, records.type, record.id),
            lists=views.lists_of(portal, records.type, record.id),
            timeline=happened[: views.TIMELINE],
            happened=len(happened),
        )

    def _events(self, request: Request) -> str:
        portal, name = self._portal, request.query_params.get("event", "")
        chosen = None
        if name:
            try:
                chosen = portal.definition(name)
            except Refused:
                raise _Missing(f"There is no event definition {name}.") from None
        return self._draw(
            "events",
            here="events",
            definitions=views.definitions(portal),
            chosen=chosen,
            occurrences=views.latest(portal, chosen),
        )

    def _lists(self, _request: Request) -> str:
        return self._draw("lists", here="lists", lists=views.lists(self._portal))

    def _list(self, request: Request) -> str:
        found = self._portal.lists.get(request.path_params["id"])
        if found is None:
            raise _Missing(f"There is no list {request.path_params['id']}.")
        list_id, records = found["listId"], self._portal.type(found["objectTypeId"])
        after = views.number(request.query_params.get("after"))
        return self._draw(
            "list",
            here="lists",
            list=found,
            type=records.type,
            size=len(self._portal.members.get(list_id, {})),
            page=views.members(self._portal, records, list_id, after),
        )

    def _calls(self, request: Request) -> str:
        query = request.query_params
        status, path = query.get("status", "").strip(), query.get("path", "").strip()
        before = views.number(query["before"]) if query.get("before") else None
        return self._draw(
            "calls",
            here="calls",
            status=status,
            path=path,
            total=self._portal.calls.total,
            pools=self._pools(),
            page=views.calls(self._portal, status, path, before),
        )

    def _switches(self, _request: Request) -> str:
        chosen = self._portal.config.switches
        rows = [
            {"name": name, "is": chosen[name], "variants": variants, "about": about}
            for name, (variants, about) in SWITCHES.items()
        ]
        return self._draw("switches", here="switches", switches=rows)

    def _nothing(self, request: Request) -> str:
        raise _Missing(f"There is no page {request.url.path}.")

    def _pools(self) -> list[dict[str, Any]]:
        return views.pools(self._portal, self._limits, time.monotonic())

    def _type(self, request: Request) -> Any:
        name = request.path_params["type"]
        try:
            return self._portal.type(name)
        except Refused:
            raise _Missing(f"This portal has no object type {name}.") from None


def when(stamp: object) -> str:
    """A time of the portal, to the second, as people read it."""
    text = str(stamp)
    return text[:19].replace("T", " ") if text[10:11] == "T" else text


def grouped(count: int) -> str:
    """A count with its thousands apart."""
    return f"{count:,}"


def tone(status: int) -> str:
    """The colour of a status; 0 is a connection that was broken."""
    if status in {0, 207, 429}:
        return {0: "broken", 207: "part", 429: "limited"}[status]
    return {2: "good", 3: "good", 4: "refused"}.get(status // 100, "failed")


def words(name: str) -> str:
    """The name of a type as a person writes it."""
    return name.replace("_", " ")
