"""One suite for every store of deliveries: memory and SQLite."""

from __future__ import annotations

import pytest

from millstream.delivery.operation import Job, Key
from millstream.delivery.outcome import Outcome, Reason, State
from millstream.delivery.record_state import RecordState
from millstream.delivery.statement import Statement
from millstream.delivery.store import DeadLetter, DeliveryCommit, ParkedRow, Position, WaitingRow
from millstream.storage.memory.deliveries import MemoryDeliveryStore
from millstream.storage.sqlite.state import SqliteState

D = "hubspot"


@pytest.fixture(params=["memory", "sqlite"])
def store(request, tmp_path):
    """An empty store of each kind."""
    if request.param == "memory":
        yield MemoryDeliveryStore()
        return
    state = SqliteState(tmp_path / "state.db")
    yield state.deliveries
    state.close()


def commit(**changes):
    """A commit of one destination."""
    return DeliveryCommit(D, Position(0, 3, 7), **changes)


async def test_position_and_outcomes(store):
    """What was decided is there; what was not is undecided."""
    assert store.position(D) is None
    outcomes = {5: [Outcome(Job(5, "m", "e"), State.DELIVERED, Reason.OK, "d", ("n",), "call")]}
    await store.commit(commit(outcomes=outcomes, tally={(State.DELIVERED, Reason.OK): 1}))
    assert store.position(D) == Position(0, 3, 7)
    assert store.outcomes(D, 5) == outcomes[5]
    assert store.states(D, 4, 7) == bytes([0, State.DELIVERED, 0])
    assert store.tally(D) == {(State.DELIVERED, Reason.OK): 1}
    assert store.tally("other") == {}


async def test_a_tally_follows_changes(store):
    """An event that changes its state is counted once."""
    await store.commit(commit(tally={(State.WAITING, Reason.NO_IDENTITY_YET): 1}))
    await store.commit(
        commit(tally={(State.WAITING, Reason.NO_IDENTITY_YET): -1, (State.DELIVERED, Reason.OK): 1})
    )
    assert store.tally(D) == {(State.DELIVERED, Reason.OK): 1}


async def test_waiting_rows(store):
    """By profile in log order, by age, and gone when removed."""
    rows = [
        WaitingRow("p", Job(9, "m", "e"), 100),
        WaitingRow("p", Job(2, "m", "e"), 200),
        WaitingRow("q", Job(4, "m", "e"), 50),
    ]
    await store.commit(commit(waiting_added=rows))
    assert [r.job.offset for r in store.waiting(D, ["p"])] == [2, 9]
    assert [r.job.offset for r in store.waiting_before(D, 150, 10)] == [4, 9]
    assert (store.waiting_count(D), store.waiting_count(D, "p"), store.first_reference(D)) == (3, 2, 2)
    await store.commit(commit(waiting_removed=[Job(2, "m", "e")]))
    assert store.first_reference(D) == 4


async def test_dead_letters(store):
    """One for each effect; found by reason and time; removed by number."""
    letters = [
        DeadLetter(0, Job(n, "m", "e"), reason, "d", at, f"id{n}", b"{}", "p")
        for n, (reason, at) in enumerate(
            [(Reason.REJECTED, 10), (Reason.INVALID_EMAIL, 20), (Reason.REJECTED, 30)]
        )
    ]
    await store.commit(commit(dead=letters))
    await store.commit(commit(dead=letters[:1]))
    assert store.dead_letter_count(D) == 3
    assert [x.job.offset for x in store.dead_letters(D, reason="message_rejected", since_ms=20)] == [2]
    await store.commit(commit(dead_removed=[x.id for x in store.dead_letters(D)][:1]))
    assert store.dead_letter_count(D) == 2


async def test_records_have_several_names(store):
    """Found under each; forgotten under all."""
    canonical, email = Key("contact", "id", "1"), Key("contact", "email", "a@b.co")
    confirmed = Statement({"plan": 5, "n": b"\x00" * 8, "city": "Ulm"}, (10, 3), {"city": (9, 2)})
    state = RecordState(canonical, "1", confirmed, 99)
    await store.commit(commit(records=[state], aliases=[(email, canonical)]))
    assert store.record(D, email) == state
    assert store.record(D, canonical) == state
    assert store.record("other", email) is None
    assert set(store.aliases_of(D, canonical)) == {canonical, email}
    await store.commit(commit(forgotten=[canonical]))
    assert store.record(D, email) is None


async def test_records_are_read_together(store):
    """By their own names and by aliases, those that are known."""
    canonical, email = Key("contact", "id", "1"), Key("contact", "email", "a@b.co")
    other = RecordState(Key("company", "id", "7"), "7")
    await store.commit(commit(records=[RecordState(canonical, "1"), other], aliases=[(email, canonical)]))
    found = store.records(D, [email, canonical, other.key, Key("contact", "email", "nobody@b.co")])
    assert {k: r.id for k, r in found.items()} == {email: "1", canonical: "1", other.key: "7"}


async def test_parked_rows(store):
    """By due time; replaced when parked again; the log keeps what they refer to."""
    rows = [ParkedRow(Job(9, "m", "e"), "p", 4, 500), ParkedRow(Job(5, "m", "e"), None, 5, 100)]
    await store.commit(commit(parked_added=rows))
    assert [(r.job.offset, r.tries) for r in store.parked(D)] == [(5, 5), (9, 4)]
    assert (store.parked_count(D), store.first_reference(D)) == (2, 5)
    await store.commit(commit(parked_added=[ParkedRow(Job(5, "m", "e"), None, 6, 900)]))
    assert [(r.job.offset, r.tries) for r in store.parked(D)] == [(9, 4), (5, 6)]
    await store.commit(commit(parked_removed=[Job(5, "m", "e"), Job(9, "m", "e")]))
    assert store.parked(D) == []


async def test_forgetting_a_person_ends_what_is_pending(store):
    """Waiting, parked and dead effects of the profile end as forgotten; its records are unknown; others stay."""
    mine, parked, dead, other = (Job(n, "m", "e") for n in range(4))
    email, canonical = Key("contact", "email", "a@b.co"), Key("contact", "id", "1")
    letter = DeadLetter(0, dead, Reason.REJECTED, "a@b.co", 1, "x", b"{}", "p")
    states = {
        mine: (State.WAITING, Reason.NO_IDENTITY_YET),
        parked: (State.RETRYING, Reason.ROW_RETRY),
        dead: (State.DEAD_LETTERED, Reason.REJECTED),
        other: (State.WAITING, Reason.NO_IDENTITY_YET),
    }
    await store.commit(
        commit(
            outcomes={job.offset: [Outcome(job, *state, "a@b.co")] for job, state in states.items()},
            tally={
                (State.WAITING, Reason.NO_IDENTITY_YET): 2,
                (State.RETRYING, Reason.ROW_RETRY): 1,
                (State.DEAD_LETTERED, Reason.REJECTED): 1,
            },
            waiting_added=[WaitingRow("p", mine, 1), WaitingRow("q", other, 1)],
            parked_added=[ParkedRow(parked, "p", 3, 1)],
            dead=[letter],
            records=[RecordState(canonical, "1")],
            aliases=[(email, canonical)],
        )
    )
    assert await store.forget("p", [email]) == 3
    for job in (mine, parked, dead):
        assert store.outcomes(D, job.offset) == [Outcome(job, State.FILTERED, Reason.FORGOTTEN)]
    assert store.tally(D) == {
        (State.FILTERED, Reason.FORGOTTEN): 3,
        (State.WAITING, Reason.NO_IDENTITY_YET): 1,
    }
    assert (store.waiting_count(D), store.parked_count(D), store.dead_letter_count(D)) == (1, 0, 0)
    assert store.record(D, email) is None
    assert store.record(D, canonical) is None
