"""What an unexpected exception may tell: its type and where it came from, nothing of the data that it met. Pure."""

from __future__ import annotations

import traceback
from pathlib import Path
from typing import Final

# The innermost of so many calls: enough to find the line, and who led there.
_PLACES: Final = 4


def fault_of(error: BaseException) -> str:
    """As in `TypeError in _objects (associate.py:48) < plan (associate.py:27)`; messages may quote an event."""
    frames = list(traceback.walk_tb(error.__traceback__))[-_PLACES:]
    places = (
        f"{f.f_code.co_qualname} ({Path(f.f_code.co_filename).name}:{line})" for f, line in reversed(frames)
    )
    return " ".join([type(error).__name__, *(["in", " < ".join(places)] if frames else [])])
