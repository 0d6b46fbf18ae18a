"""A portal's day: its quota and our counts begin anew at midnight where the portal is. Pure; the clock is passed in."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, time, timedelta, timezone, tzinfo
from typing import Any, Final
from zoneinfo import ZoneInfo

_log = logging.getLogger("millstream.hubspot")

_HOUR_S: Final = 3600.0
_DAY_MS: Final = 86_400_000
# Whatever is said of a used-up quota right after midnight is yesterday's, or our clocks differ: asked again soon.
_AFTER_MIDNIGHT_S: Final = 300.0


class PortalDay:
    """The calendar of one portal. UTC until `learn` was told of its zone."""

    def __init__(self, now_ms: Callable[[], int]) -> None:
        self._now_ms = now_ms
        self._zone: tzinfo | None = None

    @property
    def known(self) -> bool:
        """Whether the account was asked for its zone."""
        return self._zone is not None

    def learn(self, account: Mapping[str, Any]) -> None:
        """Take the zone from account-info. One that this machine has no data of counts by its offset of today."""
        name, offset = account.get("timeZone"), account.get("utcOffsetMilliseconds")
        try:
            self._zone = UTC if name == "UTC" else ZoneInfo(str(name))
        except (ValueError, KeyError, OSError):
            given = offset if isinstance(offset, int) and abs(offset) < _DAY_MS else 0
            self._zone = timezone(timedelta(milliseconds=given))
            _log.warning(
                "the portal's time zone is not known here; install tzdata if this machine has none",
                extra={"zone": str(name), "used": str(self._zone)},
            )

    def began_ms(self) -> int:
        """When today began, in epoch milliseconds."""
        return int(self._midnight(0).timestamp() * 1000)

    def quota_left_s(self) -> float:
        """Seconds until a used-up quota is worth another call: until midnight, in the first hour of a day 5 minutes.

        Without a zone until the next full hour, which is midnight somewhere.
        """
        now = self._now_ms() / 1000
        if self._zone is None:
            return _HOUR_S - now % _HOUR_S
        if now - self._midnight(0).timestamp() < _HOUR_S:
            return _AFTER_MIDNIGHT_S
        return self._midnight(1).timestamp() - now

    def _midnight(self, days: int) -> datetime:
        """The first moment of today, or of the day in so many days (where clocks skip midnight, it is 1 o'clock)."""
        zone = self._zone or UTC
        today = datetime.fromtimestamp(self._now_ms() / 1000, zone).date()
        return datetime.combine(today + timedelta(days=days), time(), zone)
