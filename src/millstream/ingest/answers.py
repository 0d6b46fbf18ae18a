"""What each family of SDKs wants to hear (SEMANTICS 30, 31): measured, since they retry or lose events otherwise."""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping
from typing import Any, Final

import msgspec
from starlette.responses import Response

from millstream.workspace.model import Source

GIF: Final = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")


def success() -> Response:
    """Exactly 200: Python SDKs take 201, 202 and 204 for failures."""
    return Response(b'{"success":true}', media_type="application/json")


def ok_text() -> Response:
    """RudderStack's own paths."""
    return Response(b"OK", media_type="text/plain")


def pixel() -> Response:
    """One transparent pixel."""
    return Response(GIF, media_type="image/gif", headers={"Cache-Control": "no-store"})


def error(status: int, code: str, message: str, retry_after_s: float = 0) -> Response:
    """JSON with `code` and `message`: without them rudder-sdk-python retries a 4xx for ever."""
    body = msgspec.json.encode({"success": False, "code": code, "message": message})
    return _with_retry(Response(body, status, media_type="application/json"), retry_after_s)


def amplitude_success(events: int, size: int, now_ms: int) -> Response:
    """Amplitude's SDKs believe the body's `code`."""
    body = {"code": 200, "events_ingested": events, "payload_size_bytes": size, "server_upload_time": now_ms}
    return Response(msgspec.json.encode(body), media_type="application/json")


def amplitude_error(status: int, message: str, retry_after_s: float = 0, **more: Any) -> Response:
    """Amplitude's error; `missing_field` or an index list keeps its SDKs from sending the whole batch again."""
    body = msgspec.json.encode({"code": status, "error": message, **more})
    return _with_retry(Response(body, status, media_type="application/json"), retry_after_s)


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


def _with_retry(response: Response, retry_after_s: float) -> Response:
    if retry_after_s > 0:
        response.headers["Retry-After"] = str(max(1, math.ceil(retry_after_s)))
    return response
