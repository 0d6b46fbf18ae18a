"""What RudderStack's SDKs do otherwise than Segment's: header `AnonymousId`, `merge`, traits only in the context."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any


def anonymous_id(headers: Mapping[str, str]) -> str | None:
    """The anonymous id of the `AnonymousId` header, which browsers send as base64."""
    raw = headers.get("anonymousid", "").strip()
    if not raw or len(raw) > 1024:
        return None
    try:
        text = base64.b64decode(raw, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return raw
    return text if text.isprintable() and text else raw


def is_rudderstack(headers: Mapping[str, str], body: Any) -> bool:
    """Whether a request on a shared path comes from a RudderStack SDK."""
    if "anonymousid" in headers or any(h.startswith("rsa-") for h in headers):
        return True
    first = body.get("batch", [body]) if isinstance(body, dict) else [None]
    head = first[0] if isinstance(first, list) and first and isinstance(first[0], dict) else {}
    context = head.get("context")
    library = context.get("library") if isinstance(context, dict) else None
    name = library.get("name") if isinstance(library, dict) else None
    return (isinstance(name, str) and "rudder" in name.lower()) or (
        isinstance(context, dict)
        and "traits" in context
        and "traits" not in head
        and head.get("type") == "identify"
    )


def merge_to_alias(body: Any) -> Any:
    """RudderStack's `merge` (`mergeProperties: [{type, value}, {type, value}]`) as an alias call."""
    if not isinstance(body, dict):
        return body
    given = body.get("mergeProperties")
    pairs = {
        p["type"].lower().replace("_", ""): p.get("value")
        for p in (given if isinstance(given, list) else ())
        if isinstance(p, dict) and isinstance(p.get("type"), str)
    }
    return {
        **body,
        "type": "alias",
        "userId": pairs.get("userid") or body.get("userId"),
        "previousId": pairs.get("anonymousid") or body.get("previousId") or body.get("anonymousId"),
    }
