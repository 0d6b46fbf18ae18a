"""What of an exception is told, whose fault it is, and what a dead letter of a whole mapping or event becomes."""

from __future__ import annotations

import sqlite3

import pytest

from millstream.delivery.guard import Guard
from millstream.delivery.ledger import Ledger
from millstream.delivery.operation import WHOLE, Job
from millstream.delivery.outcome import Outcome, Reason, State
from millstream.eventlog.failure import StorageFailed
from millstream.eventlog.resolved import Resolution, Resolved, Status
from millstream.storage.sqlite.connection import Readers, writer
from millstream.telemetry.fault import fault_of

EVENT = Resolved(7, "s", 0, 0, None, Resolution(Status.NEW))


class Broken:
    """A planner that raises."""

    def __init__(self, error):
        self.error = error

    async def prepare(self):
        """Nothing to ask."""

    def reachable(self, _profile, _records):
        """Nobody is."""
        return False

    def names(self, *_):
        """Fails at the first."""
        yield self.fail()

    def plan(self, *_):
        """Fails."""
        self.fail()

    plan_as_of_now = plan

    def fail(self):
        """Raise it from two calls deep."""
        raise self.error


def deep(n):
    """Raise from n calls deep."""
    if n:
        deep(n - 1)
    raise ValueError("jane@x.co")


def test_a_fault_tells_type_and_place_and_quotes_nobody():
    """The innermost calls, whoever the error is about; an error that was never raised has its type."""
    with pytest.raises(ValueError, match="jane") as raised:
        deep(50)
    told = fault_of(raised.value)
    assert told.startswith("ValueError in deep (test_guard.py:")
    assert told.count(" < ") == 3
    assert "jane" not in told
    assert fault_of(KeyError("jane")) == "KeyError"


@pytest.mark.parametrize("plan", ["plan", "plan_as_of_now"])
def test_an_event_that_cannot_be_planned_is_its_own_dead_letter(plan):
    """Also for replays and redeliveries; the hint of names is no reason to stop."""
    guard = Guard(Broken(RecursionError("jane@x.co")))
    (outcome,) = getattr(guard, plan)(EVENT, {}, {}, 0).outcomes
    assert outcome[:3] == (Job(7, "", ""), State.DEAD_LETTERED, Reason.QUARANTINED)
    assert outcome.detail.startswith("RecursionError in Broken.fail (test_guard.py:")
    assert list(guard.names([EVENT], {})) == []


def test_a_failing_storage_is_no_events_fault():
    """Whoever runs the delivery starts it anew; nothing is quarantined for the disk."""
    guard = Guard(Broken(StorageFailed("disk I/O error")))
    with pytest.raises(StorageFailed):
        guard.plan(EVENT, {}, {}, 0)
    with pytest.raises(StorageFailed):
        guard.names([EVENT], {})


def test_sqlite_says_whether_the_file_or_the_question_is_wrong(tmp_path):
    """A parameter that it does not take is an event's value; what it cannot read is the storage's."""
    path = tmp_path / "a.db"
    writer(path).close()
    readers = Readers(path)
    assert readers.all("SELECT 1") == [(1,)]
    with pytest.raises(StorageFailed) as raised:
        readers.all("SELECT x FROM missing")
    assert isinstance(raised.value, sqlite3.Error), "those who know which storage it is"
    with pytest.raises(sqlite3.ProgrammingError) as wrong:
        readers.all("SELECT ?", ({},))
    assert not isinstance(wrong.value, StorageFailed)
    readers.close()


def test_what_a_dead_letter_stands_for():
    """An effect for itself, a mapping's for all of the mapping, an event's for all of the event."""
    effect, mapping, event = Job(7, "m", "contact"), Job(7, "m", WHOLE), Job(7, "", "")
    others = [Job(7, "n", "contact"), Job(8, "m", "contact"), Job(8, "", "")]
    assert [effect.covers(j) for j in (effect, mapping, event, *others)] == [True, False, False] + [False] * 3
    assert [mapping.covers(j) for j in (effect, mapping, event, *others)] == [True, True, False] + [False] * 3
    assert [event.covers(j) for j in (effect, mapping, event, *others)] == [True] * 4 + [False] * 2


def test_an_effect_gives_way_to_those_it_stood_for():
    """The event is decided when all of them are; other mappings' outcomes stay."""
    dead = Outcome(Job(7, "m", WHOLE), State.DEAD_LETTERED, Reason.QUARANTINED)
    other = Outcome(Job(7, "n", "contact"), State.DELIVERED, Reason.OK)
    ledger = Ledger(8, lambda _: [dead, other])
    assert ledger.reopen(dead.job)
    ledger.become(dead.job, [Job(7, "m", "a"), Job(7, "m", "b")])
    ledger.decide(Outcome(Job(7, "m", "a"), State.DELIVERED, Reason.OK))
    assert ledger.take() == ({}, {})
    ledger.decide(Outcome(Job(7, "m", "b"), State.DELIVERED, Reason.OK))
    outcomes, tally = ledger.take()
    assert [o.job.effect for o in outcomes[7]] == ["contact", "a", "b"]
    assert tally == {(State.DELIVERED, "ok"): 1, (State.DEAD_LETTERED, "quarantined"): -1}
