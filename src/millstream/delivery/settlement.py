"""What a call's results mean: outcomes, what we now know of records, which rows go again. Used by `delivery.py`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from operator import attrgetter
from typing import assert_never

from millstream.delivery.ledger import Ledger
from millstream.delivery.note import Note
from millstream.delivery.operation import Job, Key, relation
from millstream.delivery.outcome import Outcome, Reason, State
from millstream.delivery.parking import MAX_TRIES, PARK_FROM_S
from millstream.delivery.record_state import RecordState
from millstream.delivery.records import RecordBook
from millstream.delivery.sink import Confirmed, Filtered, Gone, Later, Rejected, Result, SendRow, WriteRow
from millstream.delivery.slots import Entry, Slots, jobs_of

_MAX_GONE = 3
_value_of = attrgetter("value")


@dataclass(frozen=True, slots=True)
class Hooks:
    """What the engine around a settlement does for it."""

    rest: Callable[[Entry, float], None]
    dead: Callable[[Job, Reason, str, Entry], None]
    park: Callable[[Entry, float, str], None]
    replan: Callable[[list[Job]], None]
    delivered: Callable[[list[Job]], None]
    reached: Callable[[str], Awaitable[None]]
    jitter: Callable[[], float]


class Settlement:
    """Settles rows of one destination."""

    def __init__(
        self, slots: Slots, ledger: Ledger, records: RecordBook, hooks: Hooks, resend_after_ms: int
    ) -> None:
        self._slots = slots
        self._ledger = ledger
        self._records = records
        self._hooks = hooks
        self._resend_after_ms = resend_after_ms
        self._gone_before: dict[Job, int] = {}

    def trim(self, entry: Entry, now_ms: int) -> bool:
        """Leave out what the destination already has, or has newer. False: nothing is left and it is settled, or it waits."""
        row = entry.row
        if isinstance(row, SendRow):
            return True
        if row.between and not self._slots.rename(entry, self._relation(row)):
            return False
        state = self._records.get(row.key)
        if state is None:
            return True
        kept, older = state.news(row.said, fresh=now_ms - state.at_ms < self._resend_after_ms)
        if kept.values:
            row.said = kept
            return True
        if older:
            self._outcome(entry, State.DELIVERED, Reason.OK, notes=(Note.SUPERSEDED,))
        else:
            self._outcome(entry, State.FILTERED, Reason.UNCHANGED)
        self._slots.done(entry)
        return False

    def _relation(self, row: WriteRow) -> Key:
        """A relation goes by the ids that its records have now: of a record that was made anew nothing is known."""
        return relation(row.key.object, row.key.by, map(self._records.resolve, row.between))

    async def settle(
        self, entry: Entry, result: Result, now_ms: int, alone: Callable[[Entry], Awaitable[None]]
    ) -> None:
        """Apply one row's result. `alone` executes an entry's contributions one by one."""
        match result:
            case Confirmed():
                self._confirmed(entry, result, now_ms)
                profile = entry.row.profile
                if profile and profile in map(_value_of, result.aliases):
                    await self._hooks.reached(profile)
            case Filtered():
                self._outcome(entry, State.FILTERED, result.reason, result.detail)
                self._slots.done(entry)
            case Rejected():
                await self._rejected(entry, result, alone)
            case Later():
                self._later(entry, result)
            case Gone():
                self._gone(entry, result)
            case _:
                assert_never(result)

    def _confirmed(self, entry: Entry, result: Confirmed, now_ms: int) -> None:
        row = entry.row
        if isinstance(row, SendRow) or not result.learned:
            pass
        elif result.ended:
            self._records.forget(row.key)
        else:
            key = Key(row.key.object, "id", result.id) if result.id is not None else row.key
            known = None if result.created else self._records.get(key)
            state = known or RecordState(key, result.id or row.key.value)
            state.confirm(row.said.without(result.dropped), now_ms)
            names = {row.key, *result.aliases}
            self._records.learn(state, names)
            for alias in names:
                self._slots.join(alias, key)
        self._outcome(entry, State.DELIVERED, Reason.OK, notes=result.notes)
        self._hooks.delivered(jobs_of(entry))
        self._slots.done(entry)

    async def _rejected(
        self, entry: Entry, result: Rejected, alone: Callable[[Entry], Awaitable[None]]
    ) -> None:
        row = entry.row
        if isinstance(row, WriteRow):
            blamed = {p for p in result.properties if p in row.said.values}
            left = row.said.without(blamed)
            if blamed and left.values:
                note = tuple(Note.VALUE_REJECTED.of(p) for p in sorted(blamed))
                row.said = left
                row.extra = {**row.extra, "notes": (*row.extra.get("notes", ()), *note)}
                for op in entry.contributions:
                    op.said = op.said.without(blamed)
                self._slots.again(entry)
                return
            if len(row.jobs) > 1:
                await alone(entry)
                return
            if not row.jobs:
                self._records.refuse(row.key, result.reason, result.detail)
        for job in jobs_of(entry):
            self._hooks.dead(job, result.reason, result.detail, entry)
        self._slots.done(entry)

    def _later(self, entry: Entry, result: Later) -> None:
        if not result.counts:
            self._hooks.rest(entry, result.after_s)
            return
        entry.tries += 1
        if entry.tries >= MAX_TRIES:
            for job in jobs_of(entry):
                self._hooks.dead(job, Reason.ATTEMPTS_EXHAUSTED, result.detail, entry)
            self._slots.done(entry)
            return
        # 10 attempts: 1, 2, 4, … s, the last waits about half an hour; together less than 4 hours.
        delay = max(result.after_s, 2.0 ** (entry.tries - 1) * (4 if entry.tries > 6 else 1))
        delay *= 0.75 + 0.5 * self._hooks.jitter()
        if delay >= PARK_FROM_S:
            self._hooks.park(entry, delay, result.detail)
        self._hooks.rest(entry, delay)

    def _gone(self, entry: Entry, result: Gone) -> None:
        assert isinstance(entry.row, WriteRow)
        for key in (entry.row.key, *result.also):
            self._records.forget(key)
        again: list[Job] = []
        for job in jobs_of(entry):
            self._gone_before[job] = self._gone_before.get(job, 0) + 1
            if self._gone_before[job] > _MAX_GONE:
                del self._gone_before[job]
                self._hooks.dead(job, Reason.RECORD_NOT_FOUND, result.detail, entry)
            else:
                again.append(job)
        self._hooks.replan(again)
        self._slots.rehang(entry)
        self._slots.done(entry)

    def _outcome(
        self, entry: Entry, state: State, reason: Reason, detail: str = "", notes: tuple[str, ...] = ()
    ) -> None:
        """The same outcome for every job of the row, with each contribution's own notes."""
        row = entry.row
        if isinstance(row, SendRow):
            self._ledger.decide(
                Outcome(row.job, state, reason, detail, (*row.payload.get("notes", ()), *notes), entry.kind)
            )
            return
        extra = tuple(row.extra.get("notes", ()))
        own = {op.job: op.notes for op in entry.contributions if op.job is not None and op.notes}
        for job in row.jobs:
            said = (*own.get(job, ()), *extra, *notes) if own or extra else notes
            self._ledger.decide(Outcome(job, state, reason, detail, _once(said), entry.kind))


def _once(notes: tuple[str, ...]) -> tuple[str, ...]:
    """Each note once, in order."""
    return tuple(dict.fromkeys(notes)) if len(notes) > 1 else notes
