"""What is known of a destination's records: one record's state against the plainest model of it, and the cache of many."""

from __future__ import annotations

import random

import pytest

from millstream.delivery import records as book
from millstream.delivery.operation import Key
from millstream.delivery.record_state import RecordState, fingerprint
from millstream.delivery.records import RecordBook
from millstream.delivery.statement import Statement
from millstream.delivery.store import DeliveryCommit, Position
from millstream.storage.memory.deliveries import MemoryDeliveryStore

D = "portal"
BY_ID = Key("contact", "id", "1")
BY_EMAIL = Key("contact", "email", "a@b.co")
BY_PROFILE = Key("contact", "profile", "p")


def each(statement):
    """Its values, each with its own time."""
    return {n: (value, *statement.when(n)) for n, value in statement.values.items()}


class Plain:
    """A record's confirmed values, each with its own time."""

    def __init__(self):
        self.known = {}

    def confirm(self, values):
        """The newest of each name stays."""
        for name, (value, time_ms, offset) in values.items():
            if name not in self.known or (time_ms, offset) >= self.known[name][1:]:
                self.known[name] = (fingerprint(value), time_ms, offset)

    def news(self, values, fresh):
        """Neither older than what is known nor (while fresh) equal to it; whether anything was older."""
        kept, older = {}, False
        for name, stamped in values.items():
            held = self.known.get(name)
            if held is not None and stamped[1:] < held[1:]:
                older = True
            elif not (fresh and held is not None and held[0] == fingerprint(stamped[0])):
                kept[name] = stamped
        return kept, older


@pytest.mark.parametrize("seed", range(20))
def test_a_record_is_what_the_plain_model_says(seed):
    """Whether values come with one time or with many, in order or not."""
    rng = random.Random(seed)
    for _ in range(100):
        plain, state = Plain(), RecordState(BY_ID, "1")
        for at_ms in range(rng.randrange(1, 8)):
            one = (rng.randrange(4), rng.randrange(3))
            mixed = rng.random() < 0.5
            values = {
                name: (
                    rng.choice(["a", "", 1, True, None, 1.0, "x" * 40, ["a"]]),
                    *((rng.randrange(4), rng.randrange(3)) if mixed else one),
                )
                for name in rng.sample("pqrst", rng.randrange(6))
            }
            fresh = rng.random() < 0.5
            said = Statement()
            for name, (value, *when) in values.items():
                said.put(name, value, tuple(when))
            news, older = state.news(said, fresh=fresh)
            assert (each(news), older) == plain.news(values, fresh)
            plain.confirm(values)
            state.confirm(said, at_ms)
            assert state.at_ms == at_ms
            assert each(state.confirmed) == plain.known


def test_fingerprints_tell_values_apart():
    """What HubSpot would be given as different text has different fingerprints; long values cost eight bytes."""
    values = [
        "",
        "1",
        1,
        True,
        False,
        0,
        None,
        1.5,
        [1],
        {"a": 1},
        "x" * 32,
        "x" * 33,
        "x" * 34,
        2**63,
        -(2**70),
    ]
    assert len({(type(f), f) for f in map(fingerprint, values)}) == len(values)
    assert fingerprint("x" * 33) == fingerprint("x" * 33) != "x" * 33
    assert all(len(fingerprint(v)) == 8 for v in ("x" * 10_000, 2**63))


@pytest.fixture
def store():
    """A store that counts what it is asked for."""

    class Counting(MemoryDeliveryStore):
        """In memory."""

        reads = 0

        def record(self, destination, key):
            """As it is, counted."""
            self.reads += 1
            return super().record(destination, key)

    return Counting()


async def commit(known, store):
    """Write the book's changes; return them."""
    records, aliases, forgotten = changes = known.take_changes()
    await store.commit(
        DeliveryCommit(D, Position(0, 0, 0), records=records, aliases=aliases, forgotten=forgotten)
    )
    known.committed()
    return changes


async def test_a_name_is_stored_once(store):
    """A record is confirmed again and again; its other names are written with the first confirmation only."""
    known = RecordBook(store, D)
    state = RecordState(BY_ID, "1")
    known.learn(state, (BY_EMAIL, BY_PROFILE))
    assert set((await commit(known, store))[1]) == {(BY_EMAIL, BY_ID), (BY_PROFILE, BY_ID)}
    known.learn(known.get(BY_ID), (BY_EMAIL, BY_PROFILE))
    assert await commit(known, store) == ([state], [], [])
    other = RecordState(Key("contact", "id", "2"), "2")
    known.learn(other, (BY_EMAIL,))
    assert (await commit(known, store))[1] == [(BY_EMAIL, other.key)]
    assert store.record(D, BY_EMAIL) == other
    known.forget(other.key)
    known.learn(other, (BY_EMAIL,))
    assert (await commit(known, store))[1] == [(BY_EMAIL, other.key)], "forgotten names are written again"


async def test_the_cache_is_bounded_and_keeps_what_is_not_committed(store, monkeypatch):
    """Two generations at most; what is confirmed and not stored yet survives any number of other names."""
    monkeypatch.setattr(book, "_GENERATION", 10)
    known = RecordBook(store, D)
    known.learn(RecordState(BY_ID, "1"), (BY_EMAIL,))
    for i in range(100):
        assert known.get(Key("contact", "email", str(i))) is None
    assert known.get(BY_EMAIL) is known.get(BY_ID) is not None
    assert store.reads == 100
    assert len(known._young) + len(known._old) <= 24
    await commit(known, store)
    for i in range(100):
        known.get(Key("contact", "email", f"x{i}"))
    asked = store.reads
    assert known.get(BY_EMAIL) is known.get(BY_ID) is not None
    assert store.reads > asked


async def test_what_is_asked_for_often_is_read_once(store, monkeypatch):
    """A record that is used stays in the young generation, under every name as one object."""
    monkeypatch.setattr(book, "_GENERATION", 10)
    known = RecordBook(store, D)
    known.learn(RecordState(BY_ID, "1"), (BY_EMAIL,))
    await commit(known, store)
    for i in range(100):
        known.get(Key("contact", "email", str(i)))
        assert known.get(BY_EMAIL) is known.get(BY_ID)
    assert store.reads == 100
