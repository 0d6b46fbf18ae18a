"""From parsed items to records in the log: sizes, rejections, encoding, one append per request."""

from __future__ import annotations

from collections.abc import Sequence
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


class Acceptance:
    """Appends what requests bring and reports it."""

    def __init__(self, log: EventLog, observer: Observer) -> None:
        self._log = log
        self._observer = observer

    async def accept(
        self, source: Source, parsed: Sequence[tuple[Any, Event | Bad]], received_ms: int
    ) -> int:
        """Append all items, rejected ones as such; return how many were events, once they are durable.

        Raises what the log raises; then nothing was accepted.
        """
        records: list[Record] = []
        accepted: dict[str, int] = {}
        rejected: list[str] = []
        for item, found in parsed:
            body = events.encode(found) if isinstance(found, Event) else b""
            if len(body) > source.limits.event_bytes:
                found = Bad("too_large", f"{len(body)} bytes; the source allows {source.limits.event_bytes}")
            if isinstance(found, Event):
                time_ms = timestamps.to_ms(found.timestamp) or received_ms
                kind = KIND_OF_TYPE[found.type]
                id_hash = message_hash(source.name, found.message_id)
                records.append(Record(kind, source.name, id_hash, time_ms, received_ms, body))
                accepted[found.type] = accepted.get(found.type, 0) + 1
            else:
                records.append(self._rejection(source, item, found, received_ms))
                rejected.append(found.reason)
        if records:
            await self._log.append(records)
        for kind_name, n in accepted.items():
            self._observer.accepted(source.name, kind_name, n)
        for reason in rejected:
            self._observer.rejected(source.name, reason)
        return sum(accepted.values())

    def _rejection(self, source: Source, item: Any, bad: Bad, received_ms: int) -> Record:
        try:
            payload = msgspec.json.encode(item)[:_KEPT_BYTES].decode("utf-8", "replace")
        except (TypeError, ValueError, RecursionError):
            payload = repr(type(item))
        body = msgspec.json.encode({"reason": bad.reason, "detail": bad.detail, "payload": payload})
        return Record(Kind.REJECTED, source.name, 0, received_ms, received_ms, body)
