"""Dead letters of one delivery: effects that should have gone and did not, kept with payload and request."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence

from millstream.delivery.operation import Job
from millstream.delivery.outcome import Outcome, Reason, State
from millstream.delivery.sink import Sink
from millstream.delivery.slots import Entry
from millstream.delivery.store import DeadLetter, DeliveryCommit
from millstream.delivery.works import Works
from millstream.eventlog.resolved import Resolution, Resolved, ResolvedReader, Status
from millstream.spec import events
from millstream.telemetry.fault import fault_of

_log = logging.getLogger("millstream.delivery")


class Letters:
    """Writes dead letters, and keeps those that are being redelivered until they have an outcome."""

    def __init__(
        self, works: Works, reader: ResolvedReader, sink: Sink, quarantined: Callable[[], None]
    ) -> None:
        self._works = works
        self._reader = reader
        self._sink = sink
        self._quarantined = quarantined
        self._redelivered: dict[Job, DeadLetter] = {}
        works.before_commit.append(self._complete)

    def by_id(self, ids: Sequence[int]) -> list[DeadLetter]:
        """The letters with these numbers; unknown numbers are left out."""
        works = self._works
        found = (works.store.dead_letters(works.destination, after_id=i - 1, limit=1) for i in ids)
        return [letters[0] for i, letters in zip(ids, found, strict=True) if letters and letters[0].id == i]

    def reopen(self, letter: DeadLetter) -> bool:
        """Redeliver one: it stays a dead letter until it has an outcome. False when it is in the works already."""
        if not self._works.ledger.reopen(letter.job):
            return False
        self._redelivered[letter.job] = letter
        return True

    def become(self, job: Job, jobs: Iterable[Job]) -> None:
        """An effect that stood for these: its letter stays until all of them have an outcome."""
        if letter := self._redelivered.pop(job, None):
            self._redelivered.update(dict.fromkeys(jobs, letter))

    def pending(self) -> bool:
        """Whether something that is being redelivered has no outcome yet."""
        return any(map(self._works.ledger.is_open, self._redelivered))

    def refused(self, job: Job, reason: Reason, detail: str, entry: Entry) -> None:
        """A row was refused for good: the letter with the request that was refused."""
        request = self._sink.describe(entry.kind, [entry.row], self._works.records)
        self.write(job, reason, detail, self._event_of(job), request)

    def unplanned(self, outcome: Outcome) -> None:
        """Planning ended in a dead letter: nothing was sent."""
        if outcome.reason is Reason.QUARANTINED:
            self._tell(outcome.job, outcome.detail)
        self.write(outcome.job, outcome.reason, outcome.detail, self._event_of(outcome.job), b"")

    def poisoned(self, job: Job, error: Exception) -> None:
        """Settling an effect raised: whatever HubSpot made of it, it is not tried again by itself."""
        fault = fault_of(error)
        self._tell(job, fault)
        self.write(job, Reason.QUARANTINED, fault, self._event_of(job), b"")

    def _tell(self, job: Job, fault: str) -> None:
        at = {"destination": self._works.destination, "offset": job.offset, "mapping": job.mapping}
        _log.error("an effect was quarantined", extra={**at, "effect": job.effect, "fault": fault})

    def write(self, job: Job, reason: Reason, detail: str, resolved: Resolved | None, request: bytes) -> None:
        """One dead letter and its outcome."""
        event = resolved.event if resolved else None
        resolution = resolved.resolution if resolved else None
        letter = DeadLetter(
            0,
            job,
            reason,
            detail[:4000],
            self._works.now_ms(),
            event.message_id if event else "",
            events.encode(event) if event else b"",
            resolution.profile if resolution else None,
            resolution.email if resolution else None,
            request[:65536],
        )
        self._works.commit.dead.append(letter)
        if reason is Reason.QUARANTINED:
            self._quarantined()
        self._works.decide(job, State.DEAD_LETTERED, reason, detail[:1000])

    def _event_of(self, job: Job) -> Resolved | None:
        found = self._reader.read(job.offset, 1)
        if found and found[0].offset == job.offset:
            return found[0]
        letter = self._redelivered.get(job)
        return as_resolved(letter) if letter is not None else None

    def _complete(self, commit: DeliveryCommit) -> None:
        """A letter goes when all effects that came of it have an outcome; one that died again has a letter anew."""
        open_ = {letter.id for job, letter in self._redelivered.items() if self._works.ledger.is_open(job)}
        commit.dead_removed += {letter.id for letter in self._redelivered.values()} - open_
        self._redelivered = {job: letter for job, letter in self._redelivered.items() if letter.id in open_}


def as_resolved(letter: DeadLetter) -> Resolved:
    """A dead letter as the event that it was; the log may have dropped it."""
    event = events.decode(letter.body) if letter.body else None
    # A letter does not keep which account its event was of; that it had one is enough.
    resolution = Resolution(Status.NEW, letter.profile, "", letter.email)
    source = event.source if event else ""
    return Resolved(letter.job.offset, source, letter.at_ms, letter.at_ms, event, resolution)
