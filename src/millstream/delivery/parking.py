"""Effects whose own record HubSpot refused for the moment: shown as `retrying`, their attempts kept over a restart.

The row itself rests in the scheduler, so that nothing of its record overtakes it; this keeps the stored side. After a
restart the effects are planned before anything that was read later.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Final

from millstream.delivery.operation import Job
from millstream.delivery.outcome import Reason, State
from millstream.delivery.slots import Entry, jobs_of
from millstream.delivery.store import DeliveryCommit, ParkedRow
from millstream.delivery.works import Reopened, Works

# Shorter waits end sooner than a commit is worth.
PARK_FROM_S: Final = 5.0
MAX_TRIES: Final = 10


class Parking:
    """The parked effects of one destination."""

    def __init__(self, works: Works, replan: Callable[[list[Job]], None]) -> None:
        self._works = works
        self._replan = replan
        self._taken = Reopened(works)
        self._tries: dict[Job, int] = {}
        self.loaded = False
        works.before_commit.append(self._complete)

    def load(self) -> None:
        """Plan what was parked when the process ended; with its attempts, in log order."""
        self.loaded = True
        works = self._works
        for row in sorted(works.store.parked(works.destination), key=lambda r: r.job):
            if self._taken.take(row.job):
                self._tries[row.job] = row.tries
                self._replan([row.job])

    def park(self, entry: Entry, after_s: float, detail: str) -> None:
        """The entry's row is to rest for so long: its effects are retrying until then."""
        due_ms = self._works.now_ms() + int(after_s * 1000)
        due = datetime.fromtimestamp(due_ms / 1000, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        told = f"attempt {entry.tries + 1} of {MAX_TRIES} at {due}: {detail}"[:1000]
        for job in jobs_of(entry):
            self._works.commit.parked_added.append(ParkedRow(job, entry.row.profile, entry.tries, due_ms))
            self._works.decide(job, State.RETRYING, Reason.ROW_RETRY, told)

    def take_up(self, jobs: Iterable[Job]) -> None:
        """The rest is over: these effects get a new outcome."""
        for job in jobs:
            self._taken.take(job)

    def tries(self, job: Job) -> int:
        """How often an effect had been tried when the process ended."""
        return self._tries.get(job, 0)

    def _complete(self, commit: DeliveryCommit) -> None:
        again = {row.job for row in commit.parked_added}
        for job in self._taken.ended():
            self._tries.pop(job, None)
            if job not in again:
                commit.parked_removed.append(job)
