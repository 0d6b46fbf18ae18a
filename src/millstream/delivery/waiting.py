"""Effects that wait until their person can be reached (SEMANTICS 3). They stand under their profile and follow merges."""

from __future__ import annotations

from collections.abc import Callable

from millstream.delivery.operation import Job
from millstream.delivery.outcome import Reason, State
from millstream.delivery.plan import Records, Waiting
from millstream.delivery.store import DeliveryCommit, WaitingRow
from millstream.delivery.works import Reopened, Works
from millstream.eventlog.resolved import ProfileReader, ProfileView


class WaitingRoom:
    """The waiting effects of one destination."""

    def __init__(
        self,
        works: Works,
        profiles: ProfileReader,
        replan: Callable[[list[Job]], None],
        reachable: Callable[[ProfileView, Records], bool],
    ) -> None:
        self._works = works
        self._reachable = reachable
        self._lately: set[str] = set()
        self._anybody = works.store.waiting_count(works.destination) > 0
        self._profiles = profiles
        self._replan = replan
        self._woken = Reopened(works)
        works.before_commit.append(self._complete)

    def add(self, waiting: Waiting, now_ms: int) -> None:
        """An effect begins to wait, unless too many of its profile do already."""
        works = self._works
        if (
            works.store.waiting_count(works.destination, waiting.profile)
            >= works.settings.waiting_per_profile
        ):
            works.decide(waiting.job, State.FILTERED, Reason.NO_IDENTITY, "too many wait already")
            return
        self._lately.add(waiting.profile)
        self._anybody = True
        works.commit.waiting_added.append(WaitingRow(waiting.profile, waiting.job, now_ms))
        works.decide(waiting.job, State.WAITING, Reason.NO_IDENTITY_YET)

    async def reached(self, profile: str) -> None:
        """The destination has a record of this profile: whoever began to wait for it lately need not."""
        if profile in self._lately:
            self._lately.discard(profile)
            await self.wake(profile)

    async def wake(self, profile: str) -> None:
        """The profile can be reached: what waits for it goes behind the event that told us, in log order."""
        if not self._anybody:  # most portals: every new address would cost a query
            return
        if self._works.commit.waiting_added:  # a merge may have re-keyed what is not stored yet
            await self._works.commit_now()
        self._wake_rows(self._works.store.waiting(self._works.destination, [profile]))

    def wake_reachable(self) -> None:
        """Whoever can be reached by now though nobody woke them: a kill between two commits, or a later merge."""
        works = self._works
        self._lately.clear()
        rows = works.store.waiting_before(works.destination, works.now_ms() + 1, 5000)
        self._anybody = bool(rows or works.commit.waiting_added)
        views = self._profiles.views({r.profile for r in rows})
        self._wake_rows(
            [r for r in rows if (v := views.get(r.profile)) and self._reachable(v, works.records)]
        )

    def expire(self) -> None:
        """Whoever waited for longer than `identity_wait` ends."""
        works = self._works
        before = works.now_ms() - works.settings.identity_wait_ms
        for row in works.store.waiting_before(works.destination, before, 1000):
            if self._woken.take(row.job):
                works.decide(row.job, State.FILTERED, Reason.NO_IDENTITY)

    def _wake_rows(self, rows: list[WaitingRow]) -> None:
        for row in rows:
            if self._woken.take(row.job):
                self._replan([row.job])

    def _complete(self, commit: DeliveryCommit) -> None:
        again = {row.job for row in commit.waiting_added}
        commit.waiting_removed += [job for job in self._woken.ended() if job not in again]
