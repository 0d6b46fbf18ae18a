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


@lru_cache(
    maxsize=4096
)  # one text is asked for up to three times an event, `sentAt` once for each of a batch
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


@lru_cache(maxsize=256)  # all items of a request share the receipt and mostly `sentAt`
def to_iso(ms: int) -> str:
    """ISO 8601 in UTC with milliseconds and `Z`."""
    seconds, millis = divmod(ms, 1000)
    return f"{datetime.fromtimestamp(seconds, UTC).isoformat()[:19]}.{millis:03d}Z"


def corrected(original: Any, sent: Any, received_ms: int) -> tuple[int, str | None]:
    """The event time (ms) and a remark: `receivedAt - (sentAt - originalTimestamp)`.

    Without `sent` the original stands; without a readable original, `sent`, then the receipt. A time later than the
    receipt + 24 h counts as the receipt (`clock_skew`).
    """
    original_ms, sent_ms = to_ms(original), to_ms(sent)
    note = "timestamp_unreadable" if original not in {None, ""} and original_ms is None else None
    if original_ms is not None and sent_ms is not None:
        time_ms = received_ms - (sent_ms - original_ms)
    else:
        time_ms = original_ms if original_ms is not None else received_ms
    if time_ms > received_ms + DAY_MS:
        return received_ms, "clock_skew"
    return time_ms if _within(time_ms) is not None else received_ms, note


def _within(ms: int) -> int | None:
    return ms if _EARLIEST <= ms <= _LATEST else None
