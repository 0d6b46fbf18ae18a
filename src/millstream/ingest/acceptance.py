"""From parsed items to records in the log: sizes, rejections, encoding, one append per request."""

from __future__ import annotations

from typing import Any, Protocol

import msgspec

from millstream.eventlog.log import EventLog
from millstream.eventlog.record import KIND_OF_TYPE, Kind, Record, message_hash
from millstream.spec import events, timestamps
from millstream.spec.events import Event
from millstream.spec.parse import Bad
from millstream.workspace.model import Source

_KEPT_BYTES = 2048


class Observer(Protocol):
    """What ingest tells whoever measures it."""

    def accepted(self, source: str, kind: str, events: int) -> None:
        """So many events of a type are durable."""

    def rejected(self, source: str, reason: str) -> None:
        """One item was not a valid event."""

    def answered(self, dialect: str, status: int, seconds: float) -> None:
        """One request was answered."""


class Batch:
    """What one request brings: records to append, and what is counted once they are durable."""

    def __init__(self, source: Source, received_ms: int) -> None:
        self.source = source
        self.records: list[Record] = []
        self.accepted: dict[str, int] = {}
        self.rejected: list[str] = []
        self.received_ms = received_ms

    def add(self, item: Any, found: Event | Bad) -> None:
        """One item and what became of it; a rejection is a record too."""
        name = self.source.name
        body = events.encode(found) if isinstance(found, Event) else b""
        if len(body) > self.source.limits.event_bytes:
            found = Bad("too_large", f"{len(body)} bytes; the source allows {self.source.limits.event_bytes}")
        if isinstance(found, Event):
            time_ms = timestamps.to_ms(found.timestamp) or self.received_ms
            kind, id_hash = KIND_OF_TYPE[found.type], message_hash(name, found.message_id)
            self.records.append(Record(kind, name, id_hash, time_ms, self.received_ms, body))
            self.accepted[found.type] = self.accepted.get(found.type, 0) + 1
        else:
            body = _rejection(item, found)
            self.records.append(Record(Kind.REJECTED, name, 0, self.received_ms, self.received_ms, body))
            self.rejected.append(found.reason)


class Acceptance:
    """Appends what requests bring and reports it."""

    def __init__(self, log: EventLog, observer: Observer) -> None:
        self._log = log
        self._observer = observer

    async def accept(self, batch: Batch) -> None:
        """Append all records; return once they are durable.

        Raises what the log raises; then nothing was accepted.
        """
        if batch.records:
            await self._log.append(batch.records)
        for kind, n in batch.accepted.items():
            self._observer.accepted(batch.source.name, kind, n)
        for reason in batch.rejected:
            self._observer.rejected(batch.source.name, reason)


def _rejection(item: Any, bad: Bad) -> bytes:
    """The body of a rejected item's record."""
    try:
        payload = msgspec.json.encode(item)[:_KEPT_BYTES].decode("utf-8", "replace")
    except (TypeError, ValueError, RecursionError):
        payload = repr(type(item))
    return msgspec.json.encode({"reason": bad.reason, "detail": bad.detail, "payload": payload})
