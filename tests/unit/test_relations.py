"""What two records are to each other: its name, and the order of its writes by whatever names they call the records."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from millstream.delivery.operation import Job, Key, Lane, Write, relation
from millstream.delivery.outcome import Reason
from millstream.delivery.sink import CallKind
from millstream.delivery.slots import Slots
from millstream.delivery.statement import Statement

ANN, BY_ID, VIP = (
    Key("contact", "email", "ann@x.co"),
    Key("contact", "id", "1"),
    Key("list", "contacts", "vip"),
)
MEMBER = relation("membership", "contacts", (BY_ID, Key("list", "id", "7")))
KEYS = st.builds(Key, st.just("deals"), st.sampled_from(["id", "ref"]), st.text("|:idref5", max_size=6))


@given(st.lists(KEYS, min_size=2, max_size=2), st.lists(KEYS, min_size=2, max_size=2))
def test_no_two_relations_have_one_name(some, others):
    """Whatever bars and colons there are in values, and whatever property finds the records."""
    same = relation("association", "deals_deals", some) == relation("association", "deals_deals", others)
    assert same is (some == others)


def scheduler():
    """A scheduler of memberships."""
    kinds = {"membership": CallKind("membership", 100, "general", Reason.LISTS_UNAVAILABLE)}
    return Slots(kinds, lambda row: row.family)


def word(slots, offset, whose, *, linked):
    """A word about somebody's membership."""
    key = relation("membership", "contacts", (whose, VIP))
    said = Statement({"linked": linked}, (offset, offset))
    return slots.write(Write("membership", key, said, Job(offset, "m", "e"), between=(whose, VIP)), 0.0)


def test_words_under_two_names_go_one_after_the_other():
    """Both were taken when it shows that they are about one record: the second goes behind the first, and alone."""
    slots = scheduler()
    words = [word(slots, 1, ANN, linked=True), word(slots, 2, BY_ID, linked=False)]
    assert slots.take(("membership", Lane.LIVE)) == words
    assert [slots.rename(entry, MEMBER) for entry in words] == [True, False]
    third = word(slots, 3, ANN, linked=True)
    assert third is words[1]  # it folds into the one that waits
    assert slots.next_kind(100.0, 0.0, lambda _kind, _lane: 0.0)[0] is None
    slots.done(words[0])
    (last,) = slots.take(("membership", Lane.LIVE))
    assert (last.row.value("linked"), len(last.row.jobs)) == (True, 2)
    assert slots.rename(last, MEMBER)
    slots.done(last)
    assert (slots.pending, slots._slots) == (0, {})


def test_a_record_written_once_more_keeps_what_hangs_on_it_behind():
    """Its first write came to nothing, and the second is there already: what needs the record waits for that too."""
    slots = scheduler()
    first = word(slots, 1, ANN, linked=True)
    hanging = slots.write(
        Write("membership", MEMBER, Statement({"linked": True}), requires=(first.row.key,)), 0.0
    )
    slots.take(("membership", Lane.LIVE))
    second = word(slots, 1, ANN, linked=True)
    slots.rehang(first)
    slots.done(first)
    assert (second.state, hanging.state) == ("ready", "held")
    slots.take(("membership", Lane.LIVE))
    slots.done(second)
    assert hanging.state == "ready"
