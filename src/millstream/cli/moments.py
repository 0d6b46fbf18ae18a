"""Times as somebody types them."""

from __future__ import annotations

import argparse
import re
import time
from datetime import UTC, datetime
from typing import Any, Final

_AGO: Final = re.compile(r"(\d{1,6}) ?([mhd])(?: ago)?")
_MS: Final = {"m": 60_000, "h": 3_600_000, "d": 86_400_000}


def moment(text: str) -> int:
    """ISO 8601 (no zone: UTC), or so many days, hours or minutes ago, as epoch milliseconds."""
    if ago := _AGO.fullmatch(text.strip().lower()):
        return max(int(time.time() * 1000) - int(ago[1]) * _MS[ago[2]], 0)
    try:
        when = datetime.fromisoformat(text.strip())
        return int((when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp() * 1000)
    except (ValueError, OverflowError):
        raise argparse.ArgumentTypeError(
            f"{text!r} is no time: give one as in 2026-11-01 or 2026-11-01T10:00Z, or as in 7d, 12h, 30m (ago)"
        ) from None


def add_range(parser: Any, what: str, *, required: bool = False) -> None:
    """`--since` and `--until` of what is told."""
    said = "2026-11-01, 2026-11-01T10:00Z, or 7d, 12h, 30m ago"
    parser.add_argument(
        "--since", metavar="TIME", type=moment, required=required, help=f"{what} from then on: {said}"
    )
    parser.add_argument("--until", metavar="TIME", type=moment, help=f"{what} before then; default: now")
