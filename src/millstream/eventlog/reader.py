"""Log and annotations joined: what delivery, replay and `tail` read."""

from __future__ import annotations

from typing import Protocol

import msgspec

from millstream.eventlog.log import EventLog
from millstream.eventlog.record import Block, Kind, Offset
from millstream.eventlog.resolved import Annotation, Resolution, Resolved
from millstream.spec import events
from millstream.spec.events import Event


class Annotations(Protocol):
    """The part of the processor's store that readers need."""

    def position(self) -> Offset:
        """The first offset that has no annotation yet."""

    def annotations(self, offset: Offset, end: Offset) -> list[Annotation]:
        """The annotations that overlap the range, by base."""


class LogReader:
    """Implements `ResolvedReader`. Keeps the last blocks, since readers go forward in slices."""

    def __init__(self, log: EventLog, annotations: Annotations, *, cached_blocks: int = 8) -> None:
        self._log = log
        self._annotations = annotations
        self._blocks: list[tuple[Block, list[Resolution]]] = []
        self._cached = cached_blocks

    def end(self) -> Offset:
        """The offset after the last annotated event."""
        return self._annotations.position()

    def read(self, offset: Offset, limit: int) -> list[Resolved]:
        """At most `limit` resolved events from `offset` on."""
        stop = min(offset + limit, self.end())
        offset = max(offset, self._log.bounds().start)
        found: list[Resolved] = []
        while offset < stop:
            annotated = self._block(offset)
            if annotated is None:
                break
            block, resolutions = annotated
            end = min(stop, block.end)
            found += [resolved(block, at, resolutions[at - block.base]) for at in range(offset, end)]
            offset = end
        return found

    def _block(self, offset: Offset) -> tuple[Block, list[Resolution]] | None:
        """The block of an offset with its annotation; neither ever changes."""
        for known in self._blocks:
            if known[0].base <= offset < known[0].end:
                return known
        for block in self._log.read(offset, 1):
            if block.base <= offset < block.end:
                for annotation in self._annotations.annotations(block.base, block.end):
                    if annotation.base == block.base:
                        found = (block, annotation.resolutions)
                        self._blocks = [found, *self._blocks[: self._cached - 1]]
                        return found
        return None


def resolved(block: Block, offset: Offset, resolution: Resolution) -> Resolved:
    """One event of a block with its resolution; an undecodable body gives no event."""
    i = offset - block.base
    event: Event | None = None
    if block.kinds[i] != Kind.REJECTED:
        try:
            event = events.decode(block.bodies[i])
        except msgspec.MsgspecError:
            event = None
    return Resolved(offset, block.sources[i], block.received_ms[i], block.times_ms[i], event, resolution)
