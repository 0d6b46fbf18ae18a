"""The tracking API's routes: Segment's, RudderStack's and Amplitude's paths on one write key (SEMANTICS 30, 31)."""

from __future__ import annotations

import base64
import binascii
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from millstream.eventlog.log import EventLog, LogClosed, LogFull
from millstream.ingest import answers, body, writekey
from millstream.ingest.acceptance import Acceptance, Observer
from millstream.ingest.dialects import amplitude, rudderstack, segment
from millstream.ingest.dialects.segment import Malformed
from millstream.spec.events import Event
from millstream.spec.parse import Bad, Envelope, parse
from millstream.workspace.model import Source, Workspace

Handler = Callable[[Request], Awaitable[Response]]

_log = logging.getLogger("millstream.ingest")

# Bodies in memory at once, decompressed; beyond it new requests are asked to come back.
MAX_IN_FLIGHT_BYTES = 256 * 1024 * 1024
MAX_IN_FLIGHT_REQUESTS = 2000


class PathApp:
    """Posts straight to their handler by path; everything else to an application with a router.

    A router matches patterns one after the other and wraps each request in three layers: 60 of 250 µs a request.
    """

    def __init__(self, handlers: Mapping[str, Handler], others: ASGIApp) -> None:
        self._handlers = handlers
        self._others = others

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        handler = self._handlers.get(scope["path"]) if scope["type"] == "http" else None
        if handler is None or scope["method"] not in {"POST", "OPTIONS"}:
            await self._others(scope, receive, send)
            return
        try:
            response = await handler(Request(scope, receive))
        except Exception:  # noqa: BLE001  (whatever it is, the SDK must keep its events and come back)
            _log.exception("a request failed", extra={"path": scope["path"]})
            response = answers.error(500, "internal", "the request failed; it was not accepted", 5)
        await response(scope, receive, send)


class TrackingAPI:
    """Handlers of the tracking API. `app` puts them behind their paths."""

    def __init__(
        self,
        workspace: Callable[[], Workspace],
        log: EventLog,
        observer: Observer,
        *,
        now_ms: Callable[[], int],
        new_id: Callable[[], str],
        trusted_proxies: Sequence[str] = (),
    ) -> None:
        self._keys = writekey.KeyRing(workspace)
        self._rate = writekey.Rate(time.monotonic)
        self._acceptance = Acceptance(log, observer)
        self._observer = observer
        self._now_ms = now_ms
        self._new_id = new_id
        self._proxies = frozenset(trusted_proxies)
        self._bytes = 0
        self._requests = 0

    def app(self, more: Sequence[BaseRoute] = ()) -> ASGIApp:
        """The application, with further routes beside the tracking API's."""
        return PathApp(self.handlers(), Starlette(routes=[*self.routes(), *more]))

    def handlers(self) -> dict[str, Handler]:
        """Every path that an SDK posts to."""
        single = self._segment(self._single)
        batch = self._segment(self._batch)
        paths: dict[str, Handler] = {f"/v1/{name}": single for name in segment.LETTERS.values()}
        paths |= {f"/v1/{letter}": single for letter in segment.LETTERS}
        paths |= {"/v1/batch": batch, "/v1/import": batch, "/v1/b": batch}
        paths |= {"/v1/merge": self._segment(self._merge, text=True)}
        paths |= {"/beacon/v1/batch": self._segment(self._batch, text=True)}
        paths |= {"/v1/m": self._ignored, "/rsaMetrics": self._ignored}
        paths |= {"/2/httpapi": self._amplitude("events"), "/batch": self._amplitude("events")}
        paths |= {"/identify": self._amplitude("identify"), "/groupidentify": self._amplitude("group")}
        return paths

    def routes(self) -> list[BaseRoute]:
        """What is not posted: pixels, and Amplitude's identify calls as a query."""
        found: list[BaseRoute] = [
            Route("/v1/pixel/{name}", self._pixel, methods=["GET"]),
            Route("/pixel/v1/{name}", self._pixel, methods=["GET"]),
        ]
        for path, handler in self.handlers().items():
            methods = ["GET"] if path in {"/identify", "/groupidentify"} else ["POST", "OPTIONS"]
            found.append(Route(path, handler, methods=methods))
        return found

    def _segment(self, work: Callable[..., Awaitable[None]], *, text: bool = False) -> Handler:
        """A handler of Segment's and RudderStack's paths around `work(request, source, body, rudder)`."""

        async def handle(request: Request) -> Response:
            if request.method == "OPTIONS":
                return Response(status_code=204, headers=answers.cors(request.headers))
            began = time.perf_counter()
            response = await self._guarded(lambda: self._segment_call(request, work, text=text))
            response.headers.update(answers.cors(request.headers))
            self._observer.answered("segment", response.status_code, time.perf_counter() - began)
            return response

        return handle

    async def _segment_call(
        self, request: Request, work: Callable[..., Awaitable[None]], *, text: bool
    ) -> Response:
        key = writekey.from_header(request.headers) or request.query_params.get("writeKey")
        source = self._keys.source(key)
        limit = source.limits.request_bytes if source else 4 * 1024 * 1024
        raw = await body.read(request.stream(), request.headers.get("content-encoding", ""), limit)
        self._bytes += len(raw)
        try:
            content = body.decode(raw)
            if key is None:
                key = writekey.from_body(content, "writeKey")
                if key is None and isinstance(content, dict) and isinstance(content.get("batch"), list):
                    key = next(
                        (k for i in content["batch"] if (k := writekey.from_body(i, "writeKey"))), None
                    )
                source = self._keys.source(key)
            if source is None or key is None:
                return answers.error(
                    401, "invalid_write_key", "the write key is missing, unknown or disabled"
                )
            if not answers.allow(request.headers.get("origin"), source):
                return answers.error(
                    403, "origin_not_allowed", "the source does not take events of this origin"
                )
            count = (
                len(content["batch"])
                if isinstance(content, dict) and isinstance(content.get("batch"), list)
                else 1
            )
            wait_s = self._rate.wait_s(key, count, source.limits.events_per_second)
            if wait_s:
                return answers.error(429, "rate_limited", "the write key sends faster than allowed", wait_s)
            rudder = text or rudderstack.is_rudderstack(request.headers, content)
            await work(request, source, content, rudder)
        finally:
            self._bytes -= len(raw)
        return answers.ok_text() if text else answers.success()

    async def _single(self, request: Request, source: Source, content: Any, rudder: bool) -> None:
        name = request.url.path.rsplit("/", 1)[1]
        kind = segment.LETTERS.get(name, name)
        now_ms = self._now_ms()
        envelope = self._envelope(
            request, source, now_ms, rudder=rudder, sent_at=request.headers.get("sentat")
        )
        await self._acceptance.accept(source, [(content, parse(content, envelope, kind))], now_ms)

    async def _batch(self, request: Request, source: Source, content: Any, rudder: bool) -> None:
        given = segment.items(content)
        now_ms = self._now_ms()
        envelope = self._envelope(
            request,
            source,
            now_ms,
            rudder=rudder,
            sent_at=content.get("sentAt") or request.headers.get("sentat"),
            context=content.get("context"),
            integrations=content.get("integrations"),
        )
        await self._acceptance.accept(source, segment.parse_all(given, envelope), now_ms)

    async def _merge(self, request: Request, source: Source, content: Any, _rudder: bool) -> None:
        now_ms = self._now_ms()
        envelope = self._envelope(request, source, now_ms, rudder=True, sent_at=request.headers.get("sentat"))
        call = rudderstack.merge_to_alias(content)
        await self._acceptance.accept(source, [(content, parse(call, envelope, "alias"))], now_ms)

    async def _pixel(self, request: Request) -> Response:
        """Always a picture: whatever is wrong is visible as a rejection, never in somebody's page."""
        query = request.query_params
        call: Any = segment.from_query(query.multi_items())
        if "data" in query:
            try:
                call = body.decode(base64.b64decode(query["data"] + "=" * (-len(query["data"]) % 4)))
            except (binascii.Error, ValueError, Malformed):
                call = query["data"]
        key = query.get("writeKey") or writekey.from_body(call, "writeKey")
        source = self._keys.source(key)
        if source is not None:
            now_ms = self._now_ms()
            envelope = self._envelope(request, source, now_ms, rudder=request.url.path.startswith("/pixel/"))
            try:
                parsed = parse(call, envelope, request.path_params["name"])
                await self._acceptance.accept(source, [(call, parsed)], now_ms)
            except LogFull:
                return answers.error(503, "log_full", "the disk is nearly full", 30)
        return answers.pixel()

    async def _ignored(self, request: Request) -> Response:
        """SDKs' own statistics: taken, not kept."""
        if request.method != "OPTIONS":
            async for _ in request.stream():
                pass
        response = answers.success() if request.method != "OPTIONS" else Response(status_code=204)
        response.headers.update(answers.cors(request.headers))
        return response

    def _amplitude(self, what: str) -> Handler:
        async def handle(request: Request) -> Response:
            if request.method == "OPTIONS":
                return Response(status_code=204, headers=answers.cors(request.headers))
            began = time.perf_counter()
            response = await self._guarded(lambda: self._amplitude_call(request, what), amplitude_words=True)
            response.headers.update(answers.cors(request.headers))
            self._observer.answered("amplitude", response.status_code, time.perf_counter() - began)
            return response

        return handle

    async def _amplitude_call(self, request: Request, what: str) -> Response:
        limit = 20 * 1024 * 1024
        raw = b""
        if request.method == "POST":
            raw = await body.read(request.stream(), request.headers.get("content-encoding", ""), limit)
        content = self._amplitude_content(request, raw, what)
        source = self._keys.source(writekey.from_body(content, "api_key"))
        if source is None:
            key = writekey.from_body(content, "api_key")
            if key is None:
                return answers.amplitude_error(400, "Request missing required field", missing_field="api_key")
            return answers.amplitude_error(400, f"Invalid API key: {key[:64]}")
        if not answers.allow(request.headers.get("origin"), source):
            return answers.amplitude_error(403, "Origin not allowed")
        batch_path = request.url.path == "/batch"
        allowed = source.limits.amplitude_batch_bytes if batch_path else source.limits.amplitude_bytes
        given = content.get("events" if what == "events" else "identification")
        given = [given] if isinstance(given, dict) else given
        if not isinstance(given, list) or not given:
            field = "events" if what == "events" else "identification"
            return answers.amplitude_error(400, "Request missing required field", missing_field=field)
        if len(raw) > allowed or len(given) >= 2000:
            return answers.amplitude_error(413, "Payload too large")
        wait_s = self._rate.wait_s(source.name, len(given), source.limits.events_per_second)
        if wait_s:
            # Events that are not named are sent again every second, and given up after a few times.
            again = list(range(len(given)))
            why = "Too many requests for some devices and users"
            return answers.amplitude_error(429, why, wait_s, throttled_events=again)
        now_ms = self._now_ms()
        envelope = amplitude.sender(self._envelope(request, source, now_ms, rudder=False), content)
        options = content.get("options")
        least = options.get("min_id_length") if isinstance(options, dict) else None
        least = least if isinstance(least, int) and least > 0 else 5
        parsed: list[tuple[Any, Event | Bad]] = []
        for item in given:
            if what == "group":
                parsed.append(
                    (item, amplitude.parse_group(item, envelope, item if isinstance(item, dict) else None))
                )
            else:
                if what == "identify" and isinstance(item, dict):
                    item = {**item, "event_type": "$identify"}
                parsed.append((item, amplitude.parse_event(item, envelope, least)))
        await self._acceptance.accept(source, parsed, now_ms)
        if what != "events":
            return answers.ok_text()
        return answers.amplitude_success(len(given), len(raw), now_ms)

    def _amplitude_content(self, request: Request, raw: bytes, what: str) -> dict[str, Any]:
        """The call as one object: JSON, or for the identify paths a form or a query."""
        if what != "events":
            from urllib.parse import parse_qsl  # noqa: PLC0415  (only these two paths take forms)

            pairs = dict(request.query_params)
            if raw and raw.lstrip()[:1] != b"{":
                pairs |= dict(parse_qsl(raw.decode("utf-8", "replace")))
                raw = b""
            if not raw:
                found: dict[str, Any] = dict(pairs)
                if isinstance(found.get("identification"), str):
                    found["identification"] = body.decode(found["identification"].encode())
                return found
        content = body.decode(raw)
        if not isinstance(content, dict):
            raise Malformed("invalid_json", "the body must be a JSON object")
        return content

    async def _guarded(
        self, call: Callable[[], Awaitable[Response]], *, amplitude_words: bool = False
    ) -> Response:
        """Overload and everything that is wrong with the request as a whole."""

        def refuse(status: int, code: str, message: str, retry_after_s: float = 0) -> Response:
            if amplitude_words:
                return answers.amplitude_error(status, message, retry_after_s, missing_field="events")
            return answers.error(status, code, message, retry_after_s)

        if self._bytes > MAX_IN_FLIGHT_BYTES or self._requests >= MAX_IN_FLIGHT_REQUESTS:
            return refuse(503, "overloaded", "too much is being written at the moment", 1)
        self._requests += 1
        try:
            return await call()
        except Malformed as error:
            return refuse(400, error.code, str(error))
        except body.TooLarge:
            if amplitude_words:
                return answers.amplitude_error(413, "Payload too large")
            return refuse(413, "too_large", "the request is larger than the source allows")
        except LogFull:
            return refuse(503, "log_full", "the disk is nearly full", 30)
        except LogClosed:
            return refuse(503, "stopping", "the server is stopping", 2)
        except ClientDisconnect:
            return refuse(400, "disconnected", "the client went away")
        finally:
            self._requests -= 1

    def _envelope(
        self,
        request: Request,
        source: Source,
        now_ms: int,
        *,
        rudder: bool,
        sent_at: Any = None,
        context: Any = None,
        integrations: Any = None,
    ) -> Envelope:
        return Envelope(
            source.name,
            now_ms,
            self._new_id,
            "rudderstack" if rudder else "segment",
            context=context if isinstance(context, dict) else None,
            integrations=integrations if isinstance(integrations, dict) else None,
            sent_at=sent_at,
            anonymous_id=rudderstack.anonymous_id(request.headers) if rudder else None,
            ip=self._ip(request),
        )

    def _ip(self, request: Request) -> str | None:
        peer = request.client.host if request.client else None
        if peer in self._proxies:
            forwarded = request.headers.get("x-forwarded-for", "").split(",")[0].strip()
            return forwarded or peer
        return peer
