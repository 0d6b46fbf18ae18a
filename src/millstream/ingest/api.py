"""The tracking API's routes: Segment's, RudderStack's and Amplitude's paths on one write key (SEMANTICS 30, 31)."""

from __future__ import annotations

import base64
import binascii
import time
from collections.abc import Callable, Sequence
from typing import Any, Final
from urllib.parse import parse_qsl

from starlette.applications import Starlette
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp

from millstream.eventlog.log import EventLog, LogClosed, LogFull
from millstream.ingest import answers, body, writekey
from millstream.ingest.acceptance import Acceptance, Batch, Observer
from millstream.ingest.answers import Answer, Refused
from millstream.ingest.dialects import amplitude, rudderstack, segment
from millstream.ingest.dialects.segment import Malformed
from millstream.ingest.endpoint import Endpoint, Handler, PathApp
from millstream.ingest.request import Disconnected, Request, TooLarge
from millstream.spec.parse import Envelope, parse
from millstream.workspace.model import Source, Workspace

# Bodies in memory at once, decompressed; beyond it new requests are asked to come back.
MAX_IN_FLIGHT_BYTES = 256 * 1024 * 1024
MAX_IN_FLIGHT_REQUESTS = 2000
# What is read before it is known whose it is: the most that a source takes.
_UNKNOWN_KEY_BYTES: Final = 4 * 1024 * 1024
_AMPLITUDE_BYTES: Final = 20 * 1024 * 1024

Reading = Callable[[Request, Source, Any, bool], Batch]


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
        posts = {path: Endpoint(handler) for path, handler in self._handlers().items()}
        got = {path: ["POST", "OPTIONS"] for path in posts} | {
            p: ["GET"] for p in ("/identify", "/groupidentify")
        }
        routes = [Route(path, posts[path], methods=methods) for path, methods in got.items()]
        pixels = ("/v1/pixel/{name}", "/pixel/v1/{name}")
        routes += [Route(path, Endpoint(self._pixel), methods=["GET"]) for path in pixels]
        return PathApp(posts, Starlette(routes=[*routes, *more]))

    def _handlers(self) -> dict[str, Handler]:
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

    def _segment(self, read: Reading, *, text: bool = False) -> Handler:
        """A handler of Segment's and RudderStack's paths; `text`: RudderStack's own, which answer with a word."""

        async def call(request: Request) -> Answer:
            key = writekey.from_header(request.headers) or request.query().get("writeKey")
            source = self._keys.source(key)
            raw = await self._body(request, source.limits.request_bytes if source else _UNKNOWN_KEY_BYTES)
            await self._durable(len(raw), self._segment_batch(request, raw, key, read, rudder=text))
            return answers.ok_text() if text else answers.success()

        return self._measured("segment", call, answers.error)

    def _amplitude(self, what: str) -> Handler:
        """A handler of Amplitude's paths; `what` is events, identify or group."""

        async def call(request: Request) -> Answer:
            raw = await self._body(request, _AMPLITUDE_BYTES)
            batch = self._amplitude_batch(request, raw, what)
            await self._durable(len(raw), batch)
            if what != "events":
                return answers.ok_text()
            return answers.amplitude_success(len(batch.records), len(raw), batch.received_ms)

        return self._measured("amplitude", call, answers.amplitude_refusal)

    def _measured(self, dialect: str, call: Handler, refuse: answers.Refuse) -> Handler:
        """The call with preflights answered, within bounds, readable by pages, and counted."""

        async def handle(request: Request) -> Answer:
            if request.method == "OPTIONS":
                return _readable(answers.no_content(), request)
            began = time.perf_counter()
            answer = _readable(await self._guarded(request, call, refuse), request)
            self._observer.answered(dialect, answer.status, time.perf_counter() - began)
            return answer

        return handle

    def _segment_batch(
        self, request: Request, raw: bytes, key: str | None, read: Reading, *, rudder: bool
    ) -> Batch:
        """What the body brings. Raises `Refused` and `Malformed`."""
        content = body.decode(raw)
        items = content.get("batch") if isinstance(content, dict) else None
        if key is None:
            places = (content, *items) if isinstance(items, list) else (content,)
            key = next((k for place in places if (k := writekey.from_body(place, "writeKey"))), None)
        source = self._keys.source(key)
        if source is None or key is None:
            raise Refused(
                answers.error(401, "invalid_write_key", "the write key is missing, unknown or disabled")
            )
        if not answers.allow(request.headers.get("origin"), source):
            raise Refused(
                answers.error(403, "origin_not_allowed", "the source does not take events of this origin")
            )
        count = len(items) if isinstance(items, list) else 1
        wait_s = self._rate.wait_s(key, count, source.limits.events_per_second)
        if wait_s:
            raise Refused(
                answers.error(429, "rate_limited", "the write key sends faster than allowed", wait_s)
            )
        return read(request, source, content, rudder or rudderstack.is_rudderstack(request.headers, content))

    def _single(self, request: Request, source: Source, content: Any, rudder: bool) -> Batch:
        name = request.path.rsplit("/", 1)[1]
        envelope = self._envelope(request, source, rudder=rudder, sent_at=request.headers.get("sentat"))
        batch = Batch(source, envelope.received_ms)
        batch.add(content, parse(content, envelope, segment.LETTERS.get(name, name)))
        return batch

    def _batch(self, request: Request, source: Source, content: Any, rudder: bool) -> Batch:
        given = segment.items(content)
        envelope = self._envelope(
            request,
            source,
            rudder=rudder,
            sent_at=content.get("sentAt") or request.headers.get("sentat"),
            context=content.get("context"),
            integrations=content.get("integrations"),
        )
        batch = Batch(source, envelope.received_ms)
        for item in given:
            batch.add(item, parse(item, envelope))
        return batch

    def _merge(self, request: Request, source: Source, content: Any, _rudder: bool) -> Batch:
        envelope = self._envelope(request, source, rudder=True, sent_at=request.headers.get("sentat"))
        batch = Batch(source, envelope.received_ms)
        batch.add(content, parse(rudderstack.merge_to_alias(content), envelope, "alias"))
        return batch

    async def _pixel(self, request: Request) -> Answer:
        """Always a picture: whatever is wrong is visible as a rejection, never in somebody's page."""
        query = request.query()
        call: Any = segment.from_query(request.pairs())
        if "data" in query:
            try:
                call = body.decode(base64.b64decode(query["data"] + "=" * (-len(query["data"]) % 4)))
            except (binascii.Error, ValueError, Malformed):
                call = query["data"]
        key = query.get("writeKey") or writekey.from_body(call, "writeKey")
        source = self._keys.source(key)
        if source is not None:
            envelope = self._envelope(request, source, rudder=request.path.startswith("/pixel/"))
            batch = Batch(source, envelope.received_ms)
            batch.add(call, parse(call, envelope, request.path.rsplit("/", 1)[1]))
            try:
                await self._acceptance.accept(batch)
            except LogFull:
                return answers.error(503, "log_full", "the disk is nearly full", 30)
        return answers.pixel()

    async def _ignored(self, request: Request) -> Answer:
        """SDKs' own statistics: taken, not kept."""
        return _readable(answers.no_content() if request.method == "OPTIONS" else answers.success(), request)

    def _amplitude_batch(self, request: Request, raw: bytes, what: str) -> Batch:
        """What the body brings. Raises `Refused` and `Malformed`."""
        content = self._amplitude_content(request, raw, what)
        key = writekey.from_body(content, "api_key")
        source = self._keys.source(key)
        if key is None:
            raise Refused(answers.amplitude_missing("api_key"))
        if source is None:
            raise Refused(answers.amplitude_error(400, f"Invalid API key: {key[:64]}"))
        if not answers.allow(request.headers.get("origin"), source):
            raise Refused(answers.amplitude_error(403, "Origin not allowed"))
        batch_path = request.path == "/batch"
        allowed = source.limits.amplitude_batch_bytes if batch_path else source.limits.amplitude_bytes
        field = "events" if what == "events" else "identification"
        given = content.get(field)
        given = [given] if isinstance(given, dict) else given
        if not isinstance(given, list) or not given:
            raise Refused(answers.amplitude_missing(field))
        if len(raw) > allowed or len(given) >= 2000:
            raise TooLarge
        wait_s = self._rate.wait_s(source.name, len(given), source.limits.events_per_second)
        if wait_s:
            # Events that are not named are sent again every second, and given up after a few times.
            again = list(range(len(given)))
            why = "Too many requests for some devices and users"
            raise Refused(answers.amplitude_error(429, why, wait_s, throttled_events=again))
        envelope = amplitude.sender(self._envelope(request, source, rudder=False), content)
        options = content.get("options")
        least = options.get("min_id_length") if isinstance(options, dict) else None
        least = least if isinstance(least, int) and least > 0 else 5
        batch = Batch(source, envelope.received_ms)
        for item in given:
            if what == "group":
                event = item if isinstance(item, dict) else None
                batch.add(item, amplitude.parse_group(item, envelope, event))
            else:
                if what == "identify" and isinstance(item, dict):
                    item = {**item, "event_type": "$identify"}
                batch.add(item, amplitude.parse_event(item, envelope, least))
        return batch

    def _amplitude_content(self, request: Request, raw: bytes, what: str) -> dict[str, Any]:
        """The call as one object: JSON, or for the identify paths a form or a query."""
        if what != "events":
            pairs = request.query()
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

    async def _body(self, request: Request, limit: int) -> bytes:
        """The request's body, decompressed."""
        raw = await request.body(limit)
        return body.unpack(raw, request.headers.get("content-encoding", ""), limit)

    async def _durable(self, size: int, batch: Batch) -> None:
        """Wait for the batch to be durable. What the body was decoded to is gone by now: records are all that waits."""
        self._bytes += size
        try:
            await self._acceptance.accept(batch)
        finally:
            self._bytes -= size

    async def _guarded(self, request: Request, call: Handler, refuse: answers.Refuse) -> Answer:
        """Overload and everything that is wrong with the request as a whole."""
        if self._bytes > MAX_IN_FLIGHT_BYTES or self._requests >= MAX_IN_FLIGHT_REQUESTS:
            return refuse(503, "overloaded", "too much is being written at the moment", 1)
        self._requests += 1
        try:
            return await call(request)
        except Refused as error:
            return error.answer
        except Malformed as error:
            return refuse(400, error.code, str(error))
        except TooLarge:
            return refuse(413, "too_large", "the request is larger than the source allows")
        except LogFull:
            return refuse(503, "log_full", "the disk is nearly full", 30)
        except LogClosed:
            return refuse(503, "stopping", "the server is stopping", 2)
        except Disconnected:
            return refuse(400, "disconnected", "the client went away")
        finally:
            self._requests -= 1

    def _envelope(
        self,
        request: Request,
        source: Source,
        *,
        rudder: bool,
        sent_at: Any = None,
        context: Any = None,
        integrations: Any = None,
    ) -> Envelope:
        return Envelope(
            source.name,
            self._now_ms(),
            self._new_id,
            "rudderstack" if rudder else "segment",
            context=context if isinstance(context, dict) else None,
            integrations=integrations if isinstance(integrations, dict) else None,
            sent_at=sent_at,
            anonymous_id=rudderstack.anonymous_id(request.headers) if rudder else None,
            ip=self._ip(request),
            imported=request.path == "/v1/import",
        )

    def _ip(self, request: Request) -> str | None:
        if request.peer in self._proxies:
            forwarded = request.headers.get("x-forwarded-for", "").split(",")[0].strip()
            return forwarded or request.peer
        return request.peer


def _readable(answer: Answer, request: Request) -> Answer:
    """The answer with what lets the page that asked read it."""
    answer.headers.update(answers.cors(request.headers))
    return answer
