"""HubSpot's rate limits: a sliding window per pool, the daily quota, and the headers that tell of them."""

from __future__ import annotations

from collections import deque
from typing import Any

from millstream.sandbox.config import ASSOCIATIONS_PER_10_S, PER_10_S, PER_DAY, SandboxConfig
from millstream.sandbox.errors import limited


class Limits:
    """Counts calls of one app."""

    def __init__(self, config: SandboxConfig) -> None:
        self._config = config
        self._windows: dict[str, deque[float]] = {}
        self.today = 0

    def count(self, path: str, now: float) -> dict[str, str]:
        """Count one call; the headers of its answer. Raises `Refused` (429)."""
        tier = self._config.tier
        if "/search" in path:
            self._take("search", 5, 1.0, now, "SECONDLY")
            return {}
        if "/send" in path and "/events/" in path:
            self._take("events", 1250, 1.0, now, "SECONDLY")
            return {}
        if "/associations" in path:
            self._take("associations", ASSOCIATIONS_PER_10_S[tier], 10.0, now, "TEN_SECONDLY_ROLLING")
        if self.today >= PER_DAY[tier] and self._config.rate_limits:
            raise limited("DAILY")
        left = self._take("general", PER_10_S[tier], 10.0, now, "TEN_SECONDLY_ROLLING")
        self.today += 1
        return {
            "X-HubSpot-RateLimit-Daily": str(PER_DAY[tier]),
            "X-HubSpot-RateLimit-Daily-Remaining": str(PER_DAY[tier] - self.today),
            "X-HubSpot-RateLimit-Interval-Milliseconds": "10000",
            "X-HubSpot-RateLimit-Max": str(PER_10_S[tier]),
            "X-HubSpot-RateLimit-Remaining": str(left),
        }

    def _take(self, pool: str, limit: int, seconds: float, now: float, policy: str) -> int:
        window = self._windows.setdefault(pool, deque())
        while window and now - window[0] >= seconds:
            window.popleft()
        if len(window) >= limit and self._config.rate_limits:
            raise limited(policy)
        window.append(now)
        return max(limit - len(window), 0)

    def state(self) -> dict[str, Any]:
        """For the control API."""
        return {"today": self.today, "windows": {pool: len(w) for pool, w in self._windows.items()}}
