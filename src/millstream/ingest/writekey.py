"""Who may send: write keys in every place where SDKs put them, origins, and the rate of each key."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from typing import Any

from millstream.workspace.model import Source, Workspace


class KeyRing:
    """Finds the source of a request. The workspace is asked anew each time, so a reload counts at once."""

    def __init__(self, workspace: Callable[[], Workspace]) -> None:
        self._workspace = workspace
        self._seen: Workspace | None = None
        self._by_key: dict[str, Source] = {}

    def source(self, key: str | None) -> Source | None:
        """The enabled source with this key."""
        workspace = self._workspace()
        if workspace is not self._seen:
            self._by_key = {k: s for s in workspace.sources if s.enabled for k in s.write_keys}
            self._seen = workspace
        return self._by_key.get(key) if key else None


def from_header(headers: Mapping[str, str]) -> str | None:
    """The key of a Basic `Authorization`, with or without its colon."""
    scheme, _, rest = headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic" or len(rest) > 1024:
        return None
    try:
        return base64.b64decode(rest.strip()).decode().partition(":")[0] or None
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return None


def from_body(body: Any, *names: str) -> str | None:
    """The key in a JSON body."""
    if isinstance(body, dict):
        for name in names:
            if isinstance(body.get(name), str):
                return str(body[name])
    return None


class Rate:
    """A token bucket per key, two seconds deep."""

    def __init__(self, clock_s: Callable[[], float]) -> None:
        self._clock_s = clock_s
        self._buckets: dict[str, tuple[float, float]] = {}

    def wait_s(self, key: str, events: int, per_second: float) -> float:
        """Seconds to wait before so many events; 0 when they may pass, and then they are counted."""
        if per_second <= 0:
            return 0.0
        now = self._clock_s()
        depth = max(per_second * 2, 1)
        tokens, then = self._buckets.get(key, (depth, now))
        tokens = min(depth, tokens + (now - then) * per_second)
        if tokens < min(events, depth):
            self._buckets[key] = (tokens, now)
            return (min(events, depth) - tokens) / per_second
        self._buckets[key] = (tokens - events, now)
        return 0.0
