"""The request budget of one portal: a log of our own calls in the last 10 s, HubSpot's headers, 429s. Pure.

At most `share` of the limit in any 10 s, paced above half of it (a bucket as large as the limit earns 5 % 429s); what
other apps use is read as `Max - Remaining - own` and subtracted. The daily quota is the account's: live calls take at
most 80 % of it, backfill 50 %.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from typing import Final

_CATCH_UP: Final = 4
# HubSpot counts a call when it arrives, we when it leaves: an old one may have been slower than a new one.
_ON_THE_WAY_S: Final = 0.1
_LATELY_S: Final = 2.0
WINDOW_S: Final = 10.0
_SEARCH_PER_S: Final = 4
_LIVE_DAILY: Final = 0.8
_BACKFILL_DAILY: Final = 0.5


class Budget:
    """One instance per portal and token; every call, look-ups included, is taken from it.

    `day_left_s` tells how long a used-up day is over for: after that HubSpot's word about the quota is forgotten.
    """

    def __init__(
        self, limit: int = 100, share: float = 0.98, day_left_s: Callable[[], float] = lambda: 3600.0
    ) -> None:
        self.limit = limit
        self._share = share
        self._day_left_s = day_left_s
        self._day_used = 0.0
        self._day_until = 0.0
        self._calls: dict[str, deque[float]] = {
            "general": deque(),
            "associations": deque(),
            "search": deque(),
        }
        self._history: deque[float] = deque()
        self._gap: dict[str, float] = {}
        self._due: dict[str, float] = {}
        self._foreign: deque[tuple[float, int]] = deque()
        self._stopped_until: dict[str, float] = {}
        self._cut = 0.0
        self._cut_at = 0.0
        self._live_at = float("-inf")
        self.daily_limit: int | None = None
        self.daily_remaining: int | None = None

    def delay_s(self, pool: str, now: float, *, backfill: bool = False) -> float:
        """Seconds until a call of this pool may go; 0 when it may now."""
        stopped = self._stopped_until.get(pool, 0.0) - now
        if stopped > 0:
            return stopped
        if pool == "events":
            return 0.0  # 1,250 requests a second: its own limit is never ours
        if pool == "search":
            return self._spaced(pool, now, _SEARCH_PER_S, 1.0)
        cap = self._cap(now)
        if backfill and now - self._live_at < 1.0:
            cap *= 0.5
        return self._spaced(pool, now, max(int(cap), 1), WINDOW_S)

    def quota_s(self, now: float, *, backfill: bool = False) -> float:
        """Seconds until the day's quota allows calls of this kind; 0 when it does now."""
        used_up = self._day_used >= (_BACKFILL_DAILY if backfill else _LIVE_DAILY)
        return max(self._day_until - now, 0.0) if used_up else 0.0

    def take(self, pool: str, now: float, *, backfill: bool = False) -> None:
        """A call goes out."""
        if pool in self._calls:
            self._calls[pool].append(now)
            if pool == "general":
                self._history.append(now)
                while now - self._history[0] > 4 * WINDOW_S:
                    self._history.popleft()
            # By schedule, not after the last call: whoever wakes up late (up to a few calls) is made up for, or the
            # lateness of every call would be lost (0.80 instead of 0.97 of the ceiling).
            gap = self._gap.get(pool, 0.0)
            self._due[pool] = max(self._due.get(pool, 0.0), now - _CATCH_UP * gap) + gap
        if not backfill:
            self._live_at = now

    def observe(self, headers: Mapping[str, str], pool: str, now: float, sent: float | None = None) -> None:
        """Believe HubSpot's headers, of a call sent at that time."""
        limit, remaining = (
            _int(headers, "X-HubSpot-RateLimit-Max"),
            _int(headers, "X-HubSpot-RateLimit-Remaining"),
        )
        if limit and pool == "general":
            self.limit = limit
            if remaining is not None:
                # Every call of ours that HubSpot can have counted when it answered, however late we hear of it.
                since = (now if sent is None else sent) - WINDOW_S - _ON_THE_WAY_S
                own = sum(1 for at in self._history if at > since)
                self._foreign.append((now, max(limit - remaining - own, 0)))
        daily = _int(headers, "X-HubSpot-RateLimit-Daily")
        left = _int(headers, "X-HubSpot-RateLimit-Daily-Remaining")
        if daily and left is not None:
            self.daily_limit, self.daily_remaining = daily, left
            self._day_used, self._day_until = 1 - left / daily, now + self._day_left_s()

    def limited(self, pool: str, policy: str, retry_after_s: float | None, now: float) -> float:
        """A 429: how long this pool stops, in seconds; when the day is used up, every pool."""
        policy = policy.upper()
        if "DAILY" in policy:
            wait = self._day_left_s() if retry_after_s is None else retry_after_s
            self._day_used, self._day_until = 1.0, now + wait
            return wait
        if retry_after_s is not None:
            wait = retry_after_s
        elif "TEN" in policy or "ROLLING" in policy:
            wait = 0.3
            self._cut, self._cut_at = min(self._cut + 0.015, 0.5), now
        else:
            wait = 1.0
        self._stopped_until[pool] = max(self._stopped_until.get(pool, 0.0), now + wait)
        return wait

    def resume(self) -> None:
        """Somebody knows better: forget what HubSpot said of the day's quota."""
        self._day_used = 0.0

    def _cap(self, now: float) -> float:
        """Own calls allowed in any 10 s."""
        while self._foreign and now - self._foreign[0][0] > WINDOW_S:
            self._foreign.popleft()
        if self._cut and now - self._cut_at > WINDOW_S:
            self._cut, self._cut_at = max(self._cut - 0.01, 0.0), now
        # Calls that were slow on their way look foreign for a moment; real neighbours are in every answer.
        lately = [n for at, n in self._foreign if now - at < _LATELY_S] or [n for _, n in self._foreign]
        foreign = min(lately, default=0)
        foreign = foreign if foreign > 3 else 0
        return max((self.limit - foreign) * (self._share - self._cut), 1.0)

    def _spaced(self, pool: str, now: float, cap: int, window_s: float) -> float:
        calls = self._calls[pool]
        window_s += _ON_THE_WAY_S
        while calls and now - calls[0] >= window_s:
            calls.popleft()
        if len(calls) >= cap:
            return window_s - (now - calls[len(calls) - cap]) + 0.001
        self._gap[pool] = window_s / cap
        if len(calls) * 2 >= cap:  # from half on, evenly
            return max(self._due.get(pool, 0.0) - now, 0.0)
        return 0.0


def _int(headers: Mapping[str, str], name: str) -> int | None:
    value = headers.get(name)
    return int(value) if value is not None and value.strip().lstrip("-").isdigit() else None
