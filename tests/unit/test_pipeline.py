"""The processor's step over a store in memory."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from millstream.eventlog.dedupe import Dedupe
from millstream.eventlog.failure import StorageFailed
from millstream.eventlog.record import KIND_OF_TYPE, Record
from millstream.eventlog.resolved import Status
from millstream.pipeline.processor import Processor
from millstream.pipeline.step import Step
from millstream.profiles.profile import ExternalId
from millstream.spec import events
from millstream.spec.parse import Envelope, parse
from millstream.storage.memory.log import MemoryLog
from millstream.storage.memory.processor import MemoryProcessorStore


def record(n, time_ms, **said):
    """A track with these ids, said at that time."""
    event = parse(
        {"type": "track", "event": "x", "messageId": f"m{n}", "properties": {}, **said},
        Envelope("s", 10_000, str),
    )
    return Record(KIND_OF_TYPE["track"], "s", n, time_ms, 10_000, events.encode(event))


async def processed(*steps):
    """The store after steps of these records, and all resolutions."""
    log, store = MemoryLog(), MemoryProcessorStore()
    processor = Processor(log, store, Dedupe())
    for records in steps:
        await log.append(records)
        while await processor.step():
            pass
    made = store.annotations(0, log.bounds().end)
    return store, [r for annotation in made for r in annotation.resolutions]


async def test_a_repeated_message_begins_its_window_anew():
    """Sent on days 0, 5 and 10 it counts once, with a restart or without; after a whole week of silence it is new."""
    day = 86_400_000
    log, store = MemoryLog(), MemoryProcessorStore()
    processor = Processor(log, store, Dedupe())
    said = []
    for n, at in enumerate((0, 5, 10, 20)):
        await log.append([replace(record(1, 30, userId="u"), received_ms=10_000 + at * day)])
        while await processor.step():
            pass
        said += store.annotations(n, n + 1)[0].resolutions
    assert [r.status for r in said] == [Status.NEW, Status.DUPLICATE, Status.DUPLICATE, Status.NEW]


async def test_a_survivor_that_is_absorbed_in_the_same_step_leaves_no_trace():
    """Whoever was absorbed first follows to the last: one person, the oldest, under every id and profile id."""
    records = [
        record(1, 30, anonymousId="a1"),
        record(2, 20, anonymousId="a2"),
        record(3, 10, anonymousId="a3"),
        record(4, 40, userId="u", anonymousId="a1"),
        record(5, 41, userId="u", anonymousId="a2"),
        record(6, 42, userId="u", anonymousId="a3"),
    ]
    together, said = await processed(records)
    apart, said_apart = await processed(*([r] for r in records))
    assert [r.profile for r in said] == [r.profile for r in said_apart]
    first, second, oldest, *later = [r.profile for r in said]
    assert later == [first, second, oldest]
    ids = [ExternalId("user_id", "u"), *(ExternalId("anonymous_id", f"a{n}") for n in (1, 2, 3))]
    for store in (together, apart):
        assert store.find(ids) == dict.fromkeys(ids, oldest)
        assert {p.id for p in store.load([first, second, oldest]).values()} == {oldest}


async def test_new_profiles_are_stored_in_the_order_of_the_log():
    """Their ids sort by offset, so that the table grows at its end: 3 instead of 39 µs an insert at 300,000."""
    _, said = await processed([record(n, n, userId=f"u{n}") for n in range(300)])
    found = [r.profile for r in said]
    assert found == sorted(set(found))


async def test_two_user_ids_on_one_mailbox():
    """They stay two profiles, the mailbox identifies the first; the events of both are written to at it."""
    shared = {"context": {"traits": {"email": "Shared@x.co"}}}
    records = [
        record(1, 10, userId="old", **shared),
        record(2, 20, userId="new"),
        record(3, 30, userId="new", **shared),
        record(4, 40, userId="new"),
        record(5, 50, anonymousId="a", **shared),
    ]
    for steps in ([records], [[r] for r in records]):
        store, (old, waits, told, sent, anonymous) = await processed(*steps)
        assert waits.email is None
        assert (told.email, told.gained_address, sent.email) == ("shared@x.co", True, "shared@x.co")
        assert (told.profile, sent.profile) == (waits.profile, waits.profile)
        assert anonymous.profile == old.profile != told.profile
        owners = store.find([ExternalId("email", "shared@x.co"), ExternalId("user_id", "new")])
        assert list(owners.values()) == [old.profile, told.profile]
        (seen,) = store.views([told.profile]).values()
        assert (seen.email, list(seen.external_ids["email"])) == ("shared@x.co", ["shared@x.co"])


async def test_the_newest_address_is_the_profiles_whoever_it_identifies():
    """By event time, not by arrival: a late word about the shared mailbox does not take the newer address away."""

    def said(email):
        return {"context": {"traits": {"email": email}}}

    store, found = await processed(
        [
            record(1, 10, userId="old", **said("shared@x.co")),
            record(2, 30, userId="new", **said("own@x.co")),
            record(3, 20, userId="new", **said("shared@x.co")),
            record(4, 40, userId="new", **said("shared@x.co")),
        ]
    )
    assert [r.email for r in found] == ["shared@x.co", "own@x.co", "own@x.co", "shared@x.co"]
    (seen,) = store.views([found[3].profile]).values()
    assert list(seen.external_ids["email"]) == ["shared@x.co", "own@x.co"]


async def test_an_address_whose_owner_was_forgotten_identifies_the_next_who_says_it():
    """Until then the other one keeps it: forgetting one person is not forgetting another."""
    shared = {"context": {"traits": {"email": "shared@x.co"}}}
    log, store = MemoryLog(), MemoryProcessorStore()
    processor = Processor(log, store, Dedupe())
    await log.append([record(1, 10, userId="old", **shared), record(2, 50, userId="new", **shared)])
    await processor.step()
    old, new = (store.find([ExternalId("user_id", u)]).popitem()[1] for u in ("old", "new"))
    await store.forget(old)
    assert store.views([new])[new].email == "shared@x.co"
    await log.append([record(3, 20, userId="new", **shared)])
    await processor.step()
    profile = store.load([new])[new]
    assert store.find([ExternalId("email", "shared@x.co")]).popitem()[1] == new
    assert (profile.ids["email"], profile.borrowed) == ({"shared@x.co": 50}, {})
    await store.forget(new)
    assert store.find([ExternalId("email", "shared@x.co")]) == {}


async def test_a_poisoned_event_is_undone_alone_and_quotes_nobody(monkeypatch, caplog):
    """Its resolution and the log say which error and where; the message of an exception may be what somebody said."""
    resolve = Step.resolve

    def broken(self, claim, said, offset, time_ms):
        if claim.user_id == "poison":
            raise KeyError("hunter2")
        return resolve(self, claim, said, offset, time_ms)

    monkeypatch.setattr(Step, "resolve", broken)
    _, (first, poisoned, last) = await processed(
        [record(1, 10, userId="a"), record(2, 20, userId="poison"), record(3, 30, userId="a")]
    )
    assert (first.status, poisoned.status, last.status) == (Status.NEW, Status.QUARANTINED, Status.NEW)
    assert poisoned.note.startswith("KeyError in ")
    assert "test_pipeline.py:" in poisoned.note
    assert "hunter2" not in poisoned.note + caplog.text
    assert last.profile == first.profile


async def test_a_storage_that_cannot_be_read_is_no_events_fault(monkeypatch):
    """The step is done again; nothing is quarantined for a full disk."""

    def broken(*_):
        raise StorageFailed("disk I/O error")

    monkeypatch.setattr(Step, "resolve", broken)
    with pytest.raises(StorageFailed):
        await processed([record(1, 10, userId="a")])
