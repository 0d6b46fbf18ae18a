"""`DeliveryStore` in memory: for simulations and trials."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from millstream.delivery.ledger import worst_of
from millstream.delivery.operation import Job, Key
from millstream.delivery.outcome import Outcome, Reason, State
from millstream.delivery.record_state import RecordState
from millstream.delivery.store import DeadLetter, DeliveryCommit, ParkedRow, Position, WaitingRow
from millstream.eventlog.record import Offset


class MemoryDeliveryStore:
    """Implements the port for any number of destinations; a commit is atomic because nothing interleaves."""

    def __init__(self) -> None:
        self._positions: dict[str, Position] = {}
        self._outcomes: dict[tuple[str, Offset], list[Outcome]] = {}
        self._waiting: dict[tuple[str, Job], WaitingRow] = {}
        self._parked: dict[tuple[str, Job], ParkedRow] = {}
        self._dead: dict[int, tuple[str, DeadLetter]] = {}
        self._records: dict[tuple[str, Key], RecordState] = {}
        self._aliases: dict[tuple[str, Key], Key] = {}
        self._tally: dict[str, dict[tuple[State, Reason], int]] = {}
        self._next_letter = 1

    async def commit(self, commit: DeliveryCommit) -> None:
        """One transaction."""
        d = commit.destination
        self._positions[d] = commit.position
        self._outcomes.update({(d, offset): list(found) for offset, found in commit.outcomes.items()})
        for job in commit.waiting_removed:
            self._waiting.pop((d, job), None)
        self._waiting.update({(d, row.job): row for row in commit.waiting_added})
        for job in commit.parked_removed:
            self._parked.pop((d, job), None)
        self._parked.update({(d, row.job): row for row in commit.parked_added})
        for number in commit.dead_removed:
            self._dead.pop(number, None)
        for letter in commit.dead:
            self._dead = {n: x for n, x in self._dead.items() if (x[0], x[1].job) != (d, letter.job)}
            self._dead[self._next_letter] = (d, replace(letter, id=self._next_letter))
            self._next_letter += 1
        for key in commit.forgotten:
            self._records.pop((d, key), None)
            self._aliases = {a: c for a, c in self._aliases.items() if not (a[0] == d and c == key)}
        for state in commit.records:
            self._records[d, state.key] = state.copy()
        self._aliases.update({(d, name): canonical for name, canonical in commit.aliases})
        tally = self._tally.setdefault(d, {})
        for worst, n in commit.tally.items():
            tally[worst] = tally.get(worst, 0) + n

    def position(self, destination: str) -> Position | None:
        """Where the destination stands."""
        return self._positions.get(destination)

    def states(self, destination: str, base: Offset, end: Offset) -> bytes:
        """The state byte of each offset."""
        return bytes(
            max((o.state for o in self._outcomes.get((destination, at), [])), default=0)
            for at in range(base, end)
        )

    def outcomes(self, destination: str, offset: Offset) -> list[Outcome]:
        """The outcomes of one event."""
        return list(self._outcomes.get((destination, offset), []))

    def tally(self, destination: str) -> dict[tuple[State, Reason], int]:
        """Events by worst state and reason."""
        return {w: n for w, n in self._tally.get(destination, {}).items() if n}

    def waiting(self, destination: str, profiles: Sequence[str]) -> list[WaitingRow]:
        """What waits for these profiles."""
        found = [r for (d, _), r in self._waiting.items() if d == destination and r.profile in profiles]
        return sorted(found, key=lambda r: r.job)

    def waiting_before(self, destination: str, since_ms: int, limit: int) -> list[WaitingRow]:
        """The oldest waiting rows."""
        found = [r for (d, _), r in self._waiting.items() if d == destination and r.since_ms < since_ms]
        return sorted(found, key=lambda r: r.since_ms)[:limit]

    def waiting_count(self, destination: str, profile: str | None = None) -> int:
        """How many wait."""
        return sum(
            1 for (d, _), r in self._waiting.items() if d == destination and profile in {None, r.profile}
        )

    def first_reference(self, destination: str) -> Offset | None:
        """The lowest offset that is still needed."""
        pending = [*self._waiting, *self._parked]
        return min((job.offset for d, job in pending if d == destination), default=None)

    def parked(self, destination: str) -> list[ParkedRow]:
        """All parked rows, by due time."""
        found = [r for (d, _), r in self._parked.items() if d == destination]
        return sorted(found, key=lambda r: r.due_ms)

    def parked_count(self, destination: str) -> int:
        """How many are parked."""
        return sum(1 for d, _ in self._parked if d == destination)

    def dead_letters(
        self,
        destination: str,
        *,
        reason: str | None = None,
        since_ms: int = 0,
        until_ms: int | None = None,
        after_id: int = 0,
        limit: int = 100,
    ) -> list[DeadLetter]:
        """Dead letters by id."""
        found = [
            x
            for number, (d, x) in sorted(self._dead.items())
            if d == destination
            and number > after_id
            and since_ms <= x.at_ms
            and (until_ms is None or x.at_ms <= until_ms)
            and (reason is None or x.reason == reason)
        ]
        return found[:limit]

    def dead_letter_count(self, destination: str) -> int:
        """How many there are."""
        return sum(1 for d, _ in self._dead.values() if d == destination)

    def record(self, destination: str, key: Key) -> RecordState | None:
        """The record under any of its names."""
        found = self._records.get((destination, self._aliases.get((destination, key), key)))
        return found.copy() if found is not None else None

    def records(self, destination: str, keys: Iterable[Key]) -> dict[Key, RecordState]:
        """Records under any of their names."""
        return {key: found for key in keys if (found := self.record(destination, key)) is not None}

    def aliases_of(self, destination: str, key: Key) -> list[Key]:
        """All names of a record."""
        return [key, *(a for (d, a), c in self._aliases.items() if d == destination and c == key)]

    async def forget(self, profile: str, names: Iterable[Key]) -> int:
        """Erase a person; see the port."""
        jobs = {at for at, row in self._waiting.items() if row.profile == profile}
        jobs |= {at for at, row in self._parked.items() if row.profile == profile}
        jobs |= {(d, x.job) for d, x in self._dead.values() if x.profile == profile}
        self._dead = {n: x for n, x in self._dead.items() if x[1].profile != profile}
        for destination, job in jobs:
            self._waiting.pop((destination, job), None)
            self._parked.pop((destination, job), None)
            before = self._outcomes.get((destination, job.offset), [])
            after = [Outcome(job, State.FILTERED, Reason.FORGOTTEN) if o.job == job else o for o in before]
            self._outcomes[destination, job.offset] = after
            tally = self._tally.setdefault(destination, {})
            for found, n in ((before, -1), (after, 1)):
                if found:
                    tally[worst_of(found)] = tally.get(worst_of(found), 0) + n
        gone = set(names)
        for (destination, name), canonical in list(self._aliases.items()):
            if name in gone:
                self._records.pop((destination, canonical), None)
        known = self._records
        self._records = {at: r for at, r in known.items() if at[1] not in gone}
        self._aliases = {a: c for a, c in self._aliases.items() if (a[0], c) in self._records}
        return len(jobs)
