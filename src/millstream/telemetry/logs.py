"""Structured logs: one JSON object a line, or readable lines on a terminal. No personal data at info level.

Log what happened and where (destination, offset, counts, HubSpot's correlation id); never an email, a token or a
payload. As a second line of defence the formatter masks whatever looks like an address or a bearer token.
"""

from __future__ import annotations

import json
import logging
import re
import sys
from typing import Any, Final

_EMAIL: Final = re.compile(r"[\w.+%-]+@[\w-]+(?:\.[\w-]+)+")
_TOKEN: Final = re.compile(r"\b(?:pat-[a-z0-9]+-[\w-]{8,}|Bearer\s+\S+)", re.IGNORECASE)
_STANDARD: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


def masked(text: str) -> str:
    """The text with addresses and tokens replaced."""
    return _TOKEN.sub("<token>", _EMAIL.sub("<email>", text))


class _Formatter(logging.Formatter):
    """One line a record, with the fields given as `extra=`."""

    def __init__(self, *, as_json: bool) -> None:
        super().__init__(datefmt="%Y-%m-%dT%H:%M:%S")
        self._as_json = as_json

    def format(self, record: logging.LogRecord) -> str:
        fields: dict[str, Any] = {k: v for k, v in vars(record).items() if k not in _STANDARD}
        message = record.getMessage()
        if record.exc_info:
            fields["error"] = self.formatException(record.exc_info)
        if self._as_json:
            line = json.dumps(
                {
                    "at": self.formatTime(record, self.datefmt),
                    "level": record.levelname.lower(),
                    "what": message,
                    **fields,
                },
                default=str,
                ensure_ascii=False,
            )
        else:
            pairs = " ".join(f"{k}={v}" for k, v in fields.items())
            line = f"{self.formatTime(record, '%H:%M:%S')} {record.levelname.lower():7} {message} {pairs}".rstrip()
        return masked(line)


def configure(level: str = "info", *, as_json: bool | None = None) -> None:
    """Send the process's logs to standard error; JSON unless it is a terminal."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Formatter(as_json=not sys.stderr.isatty() if as_json is None else as_json))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for noisy in ("uvicorn.access", "aiohttp.access"):
        logging.getLogger(noisy).disabled = True
    # What it says of starting and stopping we say ourselves, once for all listeners.
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
