"""Identity and traits (SEMANTICS 1, 9, 10, 22, 24)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millstream.eventlog.resolved import TraitValue
from millstream.profiles import identifiers, traits
from millstream.profiles.identity import decide
from millstream.profiles.profile import ExternalId, Profile
from millstream.spec.events import TraitOperation

U1, U2 = ExternalId("user_id", "u1"), ExternalId("user_id", "u2")
EMAIL, ANON = ExternalId("email", "a@b.co"), ExternalId("anonymous_id", "a1")


def profile(name, *ids, at=0):
    """A person with these ids."""
    return Profile(name, "person", at, dict.fromkeys(ids, at))


@pytest.mark.parametrize(
    "value", ["", "null", "undefined", "None", "anonymous", "-1", "0000", "0-0", "  ", "lmy47d"]
)
def test_some_values_never_identify(value):
    """Placeholders of broken clients are nobody."""
    assert identifiers.blocked(value)


@pytest.mark.parametrize("value", ["x", "a@", "a@b", "a b@c.de", 5, None, "a@b.c,d@e.f"])
def test_what_is_no_address(value):
    """Not everything with an @ is an email."""
    assert identifiers.email_of(value) is None


def test_nobody_known_makes_a_profile():
    """All ids join the new profile."""
    decision = decide([U1, EMAIL], {})
    assert decision.profile is None
    assert decision.gains == (U1, EMAIL)


def test_login_joins_the_anonymous_profile():
    """The first event with both ids joins them; the older profile survives."""
    old, new = profile("old", ANON, at=1), profile("new", U1, at=2)
    decision = decide([U1, ANON], {U1: new, ANON: old})
    assert (decision.profile, decision.absorbs) == ("old", ("new",))


def test_two_user_ids_are_never_one():
    """The event goes to its best identifier's profile; the other stays, and it is said."""
    mine, theirs = profile("mine", U1), profile("theirs", U2, EMAIL)
    decision = decide([U1, EMAIL], {U1: mine, EMAIL: theirs})
    assert (decision.profile, decision.absorbs) == ("mine", ())
    assert decision.note is not None


def test_a_new_user_id_does_not_take_over_somebody_elses_profile():
    """A new userId with an address that belongs to another userId makes its own profile."""
    theirs = profile("theirs", U2, EMAIL)
    decision = decide([U1, EMAIL], {EMAIL: theirs})
    assert decision.profile is None
    assert decision.gains == (U1,)


def test_an_older_value_is_superseded():
    """Newest by event time, ties by offset."""
    person = profile("p")
    traits.apply(person, {"plan": "new"}, 20, 1)
    change = traits.apply(person, {"plan": "old", "city": "x"}, 10, 2)
    assert change.superseded == ("plan",)
    assert {k: v.value for k, v in person.traits.items()} == {"plan": "new", "city": "x"}


def test_a_removed_trait_does_not_come_back():
    """Null removes; an older value after it is superseded."""
    person = profile("p")
    traits.apply(person, {"plan": "a"}, 10, 1)
    traits.apply(person, {"plan": None}, 20, 2)
    assert traits.apply(person, {"plan": "b"}, 15, 3).superseded == ("plan",)
    assert person.traits == {}


@pytest.mark.parametrize(
    ("operations", "before", "after"),
    [
        ([("setOnce", "x")], None, "x"),
        ([("setOnce", "x")], "y", "y"),
        ([("setOnce", "EMPTY")], None, None),
        ([("unset", "-")], None, None),
        ([("unset", "-")], "y", None),
        ([("add", 2), ("add", 3)], None, 5),
        ([("add", "x")], 1, 1),
        ([("append", "b")], "a", ["a", "b"]),
        ([("prepend", "b")], ["a"], ["b", "a"]),
        ([("preInsert", "a")], ["a"], ["a"]),
        ([("postInsert", ["a", "b"])], ["a"], ["a", "b"]),
        ([("remove", "a")], ["a", "b", "a"], ["b"]),
    ],
)
def test_amplitudes_operations(operations, before, after):
    """Each operation's result, in order."""
    person = profile("p")
    if before is not None:
        person.traits["k"] = TraitValue(before, 0, 0)
    traits.operate(person, [TraitOperation(op, "k", value) for op, value in operations], 5, 5)
    found = person.traits.get("k")
    assert (found.value if found else None) == after


said = st.lists(
    st.tuples(
        st.sampled_from("abc"), st.sampled_from([None, 1, 2, "x"]), st.integers(0, 5), st.integers(0, 1000)
    ),
    max_size=12,
    unique_by=lambda s: s[3],
)


@given(said, said)
def test_merging_is_commutative_on_values(left, right):
    """Whoever absorbs whom, the newest of each trait stands."""

    def build(name, *lists):
        person = profile(name)
        for key, value, at, offset in (x for found in lists for x in found):
            traits.apply(person, {key: value}, at, offset)
        return person

    right = [(k, v, t, o + 2000) for k, v, t, o in right]
    one, two = build("one", left), build("two", right)
    traits.merge(one, two)
    other, another = build("other", right), build("another", left)
    traits.merge(other, another)
    assert one.traits == other.traits
    assert one.traits == build("all", left, right).traits
    again = dict(one.traits.items())
    traits.merge(one, two)
    assert one.traits == again
