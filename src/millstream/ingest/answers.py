"""What each family of SDKs wants to hear (SEMANTICS 30, 31): measured, since they retry or lose events otherwise."""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping
from typing import Any, Final, Protocol

import msgspec
from starlette.types import Send

from millstream.workspace.model import Source

GIF: Final = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")


class Refuse(Protocol):
    """How a dialect is told that a whole request was not taken."""

    def __call__(self, status: int, _code: str, message: str, retry_after_s: float = 0, /) -> Answer:
        """The answer."""


class Answer(msgspec.Struct):
    """What goes back: without a `media_type` there is no content at all. `headers` come beside type and length."""

    status: int
    body: bytes = b""
    media_type: str = ""
    headers: dict[str, str] = {}

    async def send(self, send: Send) -> None:
        """Give it to the server."""
        headers = [(k.lower().encode("latin-1"), v.encode("latin-1")) for k, v in self.headers.items()]
        if self.media_type:
            headers.append((b"content-type", self.media_type.encode("latin-1")))
            headers.append((b"content-length", str(len(self.body)).encode()))
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": self.body})


class Refused(Exception):
    """A request of which nothing is taken, with what it is told."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


def success() -> Answer:
    """Exactly 200: Python SDKs take 201, 202 and 204 for failures."""
    return Answer(200, b'{"success":true}', "application/json")


def no_content() -> Answer:
    """What a preflight gets; its headers say the rest."""
    return Answer(204)


def ok_text() -> Answer:
    """RudderStack's own paths."""
    return Answer(200, b"OK", "text/plain; charset=utf-8")


def pixel() -> Answer:
    """One transparent pixel."""
    return Answer(200, GIF, "image/gif", {"Cache-Control": "no-store"})


def error(status: int, code: str, message: str, retry_after_s: float = 0) -> Answer:
    """JSON with `code` and `message`: without them rudder-sdk-python retries a 4xx for ever."""
    body = msgspec.json.encode({"success": False, "code": code, "message": message})
    return Answer(status, body, "application/json", _retry_after(retry_after_s))


def amplitude_success(events: int, size: int, now_ms: int) -> Answer:
    """Amplitude's SDKs believe the body's `code`."""
    body = {"code": 200, "events_ingested": events, "payload_size_bytes": size, "server_upload_time": now_ms}
    return Answer(200, msgspec.json.encode(body), "application/json")


def amplitude_error(status: int, message: str, retry_after_s: float = 0, **more: Any) -> Answer:
    """Amplitude's error; `missing_field` or an index list keeps its SDKs from sending the whole batch again."""
    body = msgspec.json.encode({"code": status, "error": message, **more})
    return Answer(status, body, "application/json", _retry_after(retry_after_s))


def amplitude_missing(field: str) -> Answer:
    """A request without something that every request has."""
    return amplitude_error(400, "Request missing required field", missing_field=field)


def amplitude_refusal(status: int, _code: str, message: str, retry_after_s: float = 0) -> Answer:
    """A refusal of the whole request in Amplitude's words: it knows no codes, and 413 makes its SDKs send less."""
    if status == 413:
        return amplitude_error(413, "Payload too large")
    return amplitude_error(status, message, retry_after_s, missing_field="events")


def allow(origin: str | None, source: Source | None) -> bool:
    """Whether a page of this origin may send to this source."""
    return not origin or source is None or not source.origins or origin in source.origins


def cors(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers that let a page read our answer; nothing for requests that no page made."""
    origin = headers.get("origin")
    if not origin:
        return {}
    return {
        "Access-Control-Allow-Origin": origin,
        "Access-Control-Allow-Credentials": "true",
        "Access-Control-Allow-Methods": "GET, POST, OPTIONS",
        "Access-Control-Allow-Headers": headers.get(
            "access-control-request-headers", "content-type, authorization"
        ),
        "Access-Control-Expose-Headers": "Retry-After",
        "Access-Control-Max-Age": "7200",
        "Vary": "Origin",
    }


def _retry_after(seconds: float) -> dict[str, str]:
    return {"Retry-After": str(max(1, math.ceil(seconds)))} if seconds > 0 else {}
