"""One destination tried out: events through the real processor, planner, scheduler and sink, over a log in memory.

What differs from a server is where things are kept and whether what is written is kept, or only kept (`manner`), nothing else.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Self

from millstream.delivery.delivery import Delivery
from millstream.delivery.outcome import Outcome
from millstream.delivery.sink import CallFailed
from millstream.delivery.store import DeliveryCommit, DeliveryStore, Position
from millstream.delivery.works import DeliverySettings
from millstream.destinations.hubspot import destination as hubspot
from millstream.destinations.kit import Change, Written
from millstream.eventlog.dedupe import Dedupe
from millstream.eventlog.reader import LogReader
from millstream.eventlog.record import KIND_OF_TYPE, Record, message_hash
from millstream.pipeline.processor import Processor
from millstream.runtime.failure import Failure
from millstream.spec import events, timestamps
from millstream.spec.events import Event
from millstream.spec.parse import Bad, Envelope, parse
from millstream.storage.memory.log import MemoryLog
from millstream.storage.memory.made import MemoryMadeStore
from millstream.storage.memory.processor import MemoryProcessorStore
from millstream.telemetry.fault import fault_of
from millstream.workspace.model import Destination


class TrialFailed(Failure):
    """The event could not be tried: it is none, or HubSpot does not answer. The message says which."""


@dataclass(frozen=True, slots=True)
class Tried:
    """What became of one event: its outcomes, the writes in order, and what they would change (rehearsals only)."""

    event: Event
    outcomes: list[Outcome]
    requests: list[Written]
    changes: list[Change]


class _Silent:
    """Implements `delivery.Observer`: nobody measures a trial."""

    def delivered(self, _destination: str, _seconds: float) -> None:
        """Nothing."""

    def quarantined(self, _destination: str) -> None:
        """Nothing: the outcome says it."""


class Trial:
    """Use as an async context manager; `run` one event after the other."""

    def __init__(
        self,
        destination: Destination,
        profiles: MemoryProcessorStore,
        records: DeliveryStore,
        manner: hubspot.Manner,
        *,
        api_url: str | None = None,
        timeout_s: float = 30.0,
        is_browser: Callable[[str], bool | None] = lambda _source: None,
    ) -> None:
        self._destination = destination
        self._profiles = profiles
        self._records = records
        self._timeout_s = timeout_s
        self._log = MemoryLog(profiles.position())
        self._processor = Processor(self._log, profiles, Dedupe())
        self._built = hubspot.build(
            destination, _now_ms, MemoryMadeStore(), _uncounted, api_url, manner, is_browser
        )
        self._delivery: Delivery | None = None
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Start delivering. Raises `TrialFailed` when HubSpot cannot be asked for its schema."""
        name, end = self._destination.name, self._profiles.position()
        await self._records.commit(DeliveryCommit(name, Position(end, end, end)))
        reader = LogReader(self._log, self._profiles)
        hours = float(self._built.settings["resend_after_hours"])
        figures = DeliverySettings(
            linger_s=0.0, commit_every_s=0.0, resend_after_ms=int(hours * 3_600_000), in_doubt_s=5.0
        )
        self._delivery = Delivery(
            name,
            reader,
            self._profiles,
            self._records,
            self._built.planner,
            self._built.sink,
            figures,
            now_ms=_now_ms,
            jitter=lambda: 0.5,
            observer=_Silent(),
        )
        try:
            await self._built.planner.prepare()
        except CallFailed as error:
            await self._built.sink.close()
            raise TrialFailed(f"HubSpot does not answer: {error}") from None
        self._task = asyncio.create_task(self._delivery.run())
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop, close the connections."""
        if self._delivery is not None and self._task is not None:
            await self._delivery.stop(1.0)
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._built.sink.close()

    async def run(self, event: Event) -> Tried:
        """Try one event. Raises `TrialFailed` when it does not come to an end."""
        self._built.taken()
        received = _now_ms()
        offset = await self._log.append(
            [
                Record(
                    KIND_OF_TYPE[event.type],
                    event.source,
                    message_hash(event.source, event.message_id),
                    timestamps.to_ms(event.timestamp) or received,
                    received,
                    events.encode(event),
                )
            ]
        )
        await self._processor.step()
        await self._settled(offset)
        outcomes = self._records.outcomes(self._destination.name, offset)
        return Tried(event, outcomes, *self._built.taken())

    async def _settled(self, offset: int) -> None:
        assert self._delivery is not None
        end = time.monotonic() + self._timeout_s
        while True:
            if self._task is not None and self._task.done() and (error := self._task.exception()):
                raise TrialFailed(f"delivery failed: {fault_of(error)}")
            stands = self._delivery.status()
            idle = not (stands.lag or stands.in_works or stands.calls)
            if idle and self._records.outcomes(self._destination.name, offset):
                return
            if time.monotonic() > end:
                raise TrialFailed(f"the event did not come to an end: {stands.state} {stands.detail}".strip())
            await asyncio.sleep(0.002)


def as_events(items: Iterable[Any], source: str) -> list[Event]:
    """Calls in Segment's shape as events of a source. Raises `TrialFailed` naming the first that is none."""
    found: list[Event] = []
    for i, item in enumerate(items):
        envelope = Envelope(source, _now_ms(), lambda: str(uuid.uuid4()))
        parsed = parse(item, envelope)
        if isinstance(parsed, Bad):
            raise TrialFailed(f"event {i + 1} is none: {parsed.reason} {parsed.detail}".strip())
        found.append(parsed)
    return found


def _uncounted(_family: str, _status: int, _seconds: float) -> None:
    """A trial's calls are nobody's metrics."""


def _now_ms() -> int:
    return int(time.time() * 1000)
