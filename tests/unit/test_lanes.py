"""Live traffic and backfill: what goes first, and what of a backlog live traffic takes along."""

from __future__ import annotations

import pytest

from millstream.delivery.operation import Job, Key, Lane, Send, Write
from millstream.delivery.outcome import Reason
from millstream.delivery.sink import CallKind
from millstream.delivery.slots import Slots
from millstream.delivery.statement import Statement
from millstream.destinations.hubspot import destination as hubspot
from millstream.eventlog.resolved import Resolution, Resolved, Status
from millstream.spec.events import Event
from millstream.storage.memory.made import MemoryMadeStore
from millstream.workspace.model import Destination, Mapping

ANN, BOB = Key("contact", "email", "ann@x.co"), Key("contact", "email", "bob@x.co")
PLAN = Key("property", "contacts", "plan")
HOUR = 3_600_000


@pytest.fixture
def slots():
    """A scheduler with one kind of call for each family."""
    names = ("contact", "event", "property")
    return Slots(
        {name: CallKind(name, 100, "general", Reason.OBJECTS_UNAVAILABLE) for name in names},
        lambda row: row.family,
    )


def write(key, offset, lane, *requires):
    """One value of a record."""
    said = Statement({"n": offset}, (offset, offset))
    return Write(key.object, key, said, Job(offset, "m", "e"), requires, lane=lane)


def taken(slots):
    """Everything that is ready, in the order in which it leaves: (lane, records of the batch)."""
    order = []
    while True:
        queue, _ = slots.next_kind(100.0, 0.0, lambda _kind, _lane: 0.0)
        if queue is None:
            return order
        entries = slots.take(queue)
        order.append(
            (queue[1], [e.row.requires[0] if e.row.family == "event" else e.row.key for e in entries])
        )
        for entry in entries:
            slots.done(entry)


def test_live_traffic_goes_first(slots):
    """However much older the backlog is."""
    slots.write(write(ANN, 1, Lane.BACKFILL), 0.0)
    slots.write(write(BOB, 2, Lane.LIVE), 1.0)
    assert taken(slots) == [(Lane.LIVE, [BOB]), (Lane.BACKFILL, [ANN])]


def test_a_live_write_takes_the_backlog_of_its_record_along(slots):
    """They are one row, in log order, and it does not wait for the rest of an import."""
    slots.write(write(BOB, 1, Lane.BACKFILL), 0.0)
    slots.write(write(ANN, 2, Lane.BACKFILL), 0.0)
    entry = slots.write(write(ANN, 3, Lane.LIVE), 0.0)
    assert (entry.row.value("n"), len(entry.row.jobs)) == (3, 2)
    assert taken(slots) == [(Lane.LIVE, [ANN]), (Lane.BACKFILL, [BOB])]


def test_a_live_event_takes_along_what_it_waits_for(slots):
    """The contact from an import, and the property which that needs: each before what needs it."""
    slots.write(write(BOB, 1, Lane.BACKFILL), 0.0)
    slots.write(write(PLAN, 2, Lane.BACKFILL), 0.0)
    slots.write(write(ANN, 2, Lane.BACKFILL, PLAN), 0.0)
    slots.send(Send("event", (ANN,), {}, Job(3, "m", "e")), 0.0)
    assert taken(slots) == [
        (Lane.LIVE, [PLAN]),
        (Lane.LIVE, [ANN]),
        (Lane.LIVE, [ANN]),
        (Lane.BACKFILL, [BOB]),
    ]


def test_a_record_that_flies_comes_back_live(slots):
    """A live write waits behind a call of an import: when that has to go again, it takes the live write with it."""
    slots.write(write(ANN, 1, Lane.BACKFILL), 0.0)
    (entry,) = slots.take(("contact", Lane.BACKFILL))
    slots.write(write(ANN, 2, Lane.LIVE), 0.0)
    slots.again(entry)
    assert taken(slots) == [(Lane.LIVE, [ANN])]
    assert slots.pending == 0


def test_two_names_of_one_record_go_live_together(slots):
    """An answer taught that the import's contact is the one that a live write names otherwise."""
    by_id = Key("contact", "id", "1")
    slots.write(write(ANN, 1, Lane.BACKFILL), 0.0)
    slots.write(write(by_id, 2, Lane.LIVE), 0.0)
    slots.join(by_id, ANN)
    assert [lane for lane, _ in taken(slots)] == [Lane.LIVE]
    assert slots.pending == 0


@pytest.mark.parametrize(
    ("happened", "arrived", "imported", "lane"),
    [
        (0, 0, False, Lane.LIVE),
        (HOUR, 0, False, Lane.LIVE),
        (HOUR + 1, 0, False, Lane.BACKFILL),  # history that arrives now
        (HOUR + 1, HOUR + 1, False, Lane.BACKFILL),  # a backlog of ours
        (-HOUR, HOUR + 1, False, Lane.BACKFILL),  # the same, by a clock that is ahead
        (0, 0, True, Lane.BACKFILL),
    ],
)
def test_what_is_backfill(happened, arrived, imported, lane):
    """What is more than an hour old, or came by `/v1/import`: milliseconds ago, when it is planned."""
    given = Destination(
        "hubspot",
        "hubspot",
        settings={"portal_id": "7", "access_token": "t"},
        mappings=(Mapping("m", "upsert_contact", 'type = "identify"', {"email": "ann@x.co"}),),
    )
    now = 1_800_000_000_000
    built = hubspot.build(given, lambda: now, MemoryMadeStore(), lambda *_: None)
    event = Event(
        type="identify", message_id="1", timestamp="", received_at="", source="s", imported=imported
    )
    resolved = Resolved(5, "s", now - arrived, now - happened, event, Resolution(Status.NEW))
    plan = built.planner.plan(resolved, {}, Nothing(), now)
    assert [o.lane for o in plan.operations] == [lane]


class Nothing:
    """Implements `Records`: nothing is known."""

    def get(self, _key):
        """None."""

    def refused(self, _key):
        """None."""
