"""Time as the Segment spec has it: ISO 8601 on the wire, epoch milliseconds within, one formula for clock skew."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final

DAY_MS: Final = 86_400_000
# Years 1900 to 2200: outside them a number or text is not a moment that an SDK meant.
_EARLIEST: Final = -2_208_988_800_000
_LATEST: Final = 7_258_118_400_000


def to_ms(value: Any) -> int | None:
    """Epoch milliseconds of an ISO 8601 string (no zone = UTC) or of epoch seconds or milliseconds; else None.

    Numbers and all-digit strings of at least 1e11 are milliseconds, smaller ones seconds.
    """
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, int | float):
        if value != value or abs(value) == float("inf"):  # noqa: PLR0124  (NaN is the one that differs from itself)
            return None
        return _within(int(value) if abs(value) >= 1e11 else int(value * 1000))
    if not isinstance(value, str) or len(value) > 64:
        return None
    return _text_ms(value)


@lru_cache(maxsize=4096)  # `sentAt` is asked for once for each item of a batch, an event's time twice
def _text_ms(value: str) -> int | None:
    text = value.strip()
    if text.isascii() and text.isdigit():
        return to_ms(int(text))
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    try:
        return _within(round(moment.timestamp() * 1000))
    except (OverflowError, ValueError):
        return None


def to_iso(ms: int) -> str:
    """ISO 8601 in UTC with milliseconds and `Z`."""
    seconds, millis = divmod(ms, 1000)
    return f"{_second(seconds)}.{millis:03d}Z"


@lru_cache(maxsize=1024)  # what arrives together was said within few seconds
def _second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()[:19]


def corrected(original_ms: int | None, sent_ms: int | None, received_ms: int) -> int:
    """The event time (ms): `receivedAt - (sentAt - originalTimestamp)`.

    Without `sent_ms` the original stands; without the original the receipt. A time later than the receipt + 24 h, or
    outside of what times can be, counts as the receipt.
    """
    if original_ms is None:
        return received_ms
    time_ms = original_ms if sent_ms is None else received_ms - (sent_ms - original_ms)
    return time_ms if _EARLIEST <= time_ms <= min(_LATEST, received_ms + DAY_MS) else received_ms


def _within(ms: int) -> int | None:
    return ms if _EARLIEST <= ms <= _LATEST else None
