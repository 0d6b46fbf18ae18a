"""What is appended to the log and what is read back: records, blocks, offsets. Pure.

An offset numbers every record of the log from 0 without gaps, rejected items included. A block is what one group
commit wrote: consecutive records, their header columns beside one compressed body.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from hashlib import blake2b

import msgspec

Offset = int


class Kind(IntEnum):
    """The type of a record as its header column stores it. Never renumber."""

    REJECTED = 0
    IDENTIFY = 1
    TRACK = 2
    PAGE = 3
    SCREEN = 4
    GROUP = 5
    ALIAS = 6


KIND_OF_TYPE = {
    "identify": Kind.IDENTIFY,
    "track": Kind.TRACK,
    "page": Kind.PAGE,
    "screen": Kind.SCREEN,
    "group": Kind.GROUP,
    "alias": Kind.ALIAS,
}


class Record(msgspec.Struct, frozen=True, gc=False):
    """One record to append.

    `time_ms` is the corrected event time, `received_ms` the receipt, both epoch milliseconds. `body` is the encoded
    canonical event (`spec.events.encode`), or for a rejected item JSON `{"reason", "detail", "payload"}` with the
    first 2,048 bytes of what came. `id_hash` is `message_hash(source, message_id)`.
    """

    kind: Kind
    source: str
    id_hash: int
    time_ms: int
    received_ms: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Block:
    """Consecutive records as one group commit wrote them. All columns have the same length."""

    base: Offset
    kinds: bytes
    sources: Sequence[str]
    id_hashes: Sequence[int]
    times_ms: Sequence[int]
    received_ms: Sequence[int]
    bodies: Sequence[bytes]

    def __len__(self) -> int:
        """How many records the block holds."""
        return len(self.kinds)

    @property
    def end(self) -> Offset:
        """The offset after the last record."""
        return self.base + len(self.kinds)


def message_hash(source: str, message_id: str) -> int:
    """The 64-bit key of deduplication. Message ids are unique per source, so the source is part of it."""
    digest = blake2b(f"{source}\x00{message_id}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big")
