"""An item that was not a valid event, as the list of them shows it (SEMANTICS 26). Pure.

The log holds it among the events, for as long as its file; the list is kept beside it and bounded by itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import msgspec

from millstream.eventlog.record import Block, Offset
from millstream.spec.timestamps import DAY_MS

# What leaves the list: what is older, and the oldest of what is more.
KEPT_MS: Final = 7 * DAY_MS
KEPT: Final = 10_000


@dataclass(frozen=True, slots=True)
class Rejection:
    """One item: where and when it came, why it was no event, and the first 2,048 bytes of it as text."""

    offset: Offset
    received_ms: int
    source: str
    reason: str
    detail: str
    payload: str


class _Body(msgspec.Struct):
    """The body of a record of kind `REJECTED`, as ingest writes it."""

    reason: str
    detail: str
    payload: str


_decode = msgspec.json.Decoder(_Body).decode


def of_block(block: Block, i: int) -> Rejection:
    """The rejection at an index of a block."""
    body = _decode(block.bodies[i])
    return Rejection(
        block.base + i, block.received_ms[i], block.sources[i], body.reason, body.detail, body.payload
    )
