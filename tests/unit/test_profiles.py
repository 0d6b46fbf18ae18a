"""Identity and traits (SEMANTICS 1, 9, 10, 22, 24)."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from millstream.eventlog.resolved import TraitValue
from millstream.profiles import identifiers, traits
from millstream.profiles.identity import decide
from millstream.profiles.profile import ExternalId, Profile
from millstream.profiles.stored import pack, unpack
from millstream.profiles.traits import Traits
from millstream.spec.events import TraitOperation

U1, U2 = ExternalId("user_id", "u1"), ExternalId("user_id", "u2")
EMAIL, ANON = ExternalId("email", "a@b.co"), ExternalId("anonymous_id", "a1")


def profile(name, *ids, at=0):
    """A person with these ids."""
    found = Profile(name, "person", at)
    for external in ids:
        found.see((external,), at)
    return found


def values(person):
    """What a person's traits are."""
    return person.traits.values


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


def test_absorbing_takes_borrowed_addresses_over():
    """The newest time of each; what the survivor owns is its own. The stored form keeps them, and older ones have none."""
    survivor, gone = profile("old", EMAIL, at=1), profile("gone", U1, at=2)
    survivor.borrow("both@x.co", 7)
    gone.borrow("both@x.co", 5)
    gone.borrow("gone@x.co", 9)
    gone.borrow(EMAIL.value, 8)
    survivor.absorb(gone)
    assert survivor.ids["email"] == {EMAIL.value: 8}
    assert survivor.borrowed == {"both@x.co": 7, "gone@x.co": 9}
    assert survivor.email() == "gone@x.co"
    assert ExternalId("email", "gone@x.co") not in set(survivor.externals())
    assert unpack(pack(survivor)).addresses() == survivor.addresses()
    before = msgspec.json.encode(msgspec.json.decode(pack(profile("p", U1)))[:-1])
    assert unpack(before).borrowed == {}


def test_an_older_value_is_superseded():
    """Newest by event time, ties by offset."""
    known = Traits()
    traits.apply(known, {"plan": "new"}, 20, 1)
    change = traits.apply(known, {"plan": "old", "city": "x"}, 10, 2)
    assert change.superseded == ("plan",)
    assert known.values == {"plan": "new", "city": "x"}


def test_a_removed_trait_does_not_come_back():
    """Null removes; an older value after it is superseded."""
    known = Traits()
    traits.apply(known, {"plan": "a"}, 10, 1)
    traits.apply(known, {"plan": None}, 20, 2)
    assert traits.apply(known, {"plan": "b"}, 15, 3).superseded == ("plan",)
    assert known.values == {}


@pytest.mark.parametrize(
    ("operations", "before", "after"),
    [
        ([("setOnce", "x")], None, "x"),
        ([("setOnce", "x")], "y", "y"),
        ([("setOnce", "EMPTY")], None, None),
        ([("setOnce", ["x"])], None, ["x"]),
        ([("setOnce", {"x": 1})], "y", "y"),
        ([("unset", "-")], None, None),
        ([("unset", "-")], "y", None),
        ([("add", 2), ("add", 3)], None, 5),
        ([("add", "x")], 1, 1),
        ([("add", [2])], [1], [1]),
        ([("append", "b")], "a", ["a", "b"]),
        ([("prepend", "b")], ["a"], ["b", "a"]),
        ([("preInsert", "a")], ["a"], ["a"]),
        ([("postInsert", ["a", "b"])], ["a"], ["a", "b"]),
        ([("remove", "a")], ["a", "b", "a"], ["b"]),
    ],
)
def test_amplitudes_operations(operations, before, after):
    """Each operation's result, in order."""
    known = Traits()
    if before is not None:
        known.put("k", before, (0, 0))
    traits.operate(known, [TraitOperation(op, "k", value) for op, value in operations], 5, 5)
    assert known.values.get("k") == after


def test_a_sum_beyond_all_numbers_changes_nothing():
    """JSON has no infinity; the trait stays what it was."""
    known = Traits({"k": 1e308}, (0, 0))
    assert traits.operate(known, [TraitOperation("add", "k", 1e308)], 5, 5) == {}
    assert known.values == {"k": 1e308}


said = st.lists(
    st.tuples(
        st.dictionaries(st.sampled_from("abcde"), st.sampled_from([None, 1, 2, "x", {}]), max_size=5),
        st.integers(0, 5),
        st.booleans(),
    ),
    max_size=12,
)


@given(said)
def test_each_trait_has_the_newest_word_about_it(events):
    """Whatever is said together and in whatever order: the same as with a stamp for each trait alone."""
    known = Traits()
    words, superseded = {}, []
    for offset, (event, time_ms, fill_only) in enumerate(events):
        expected = []
        for key, value in event.items():
            if value == {} or (fill_only and (key in words or value is None)):
                continue
            if key in words and words[key][1] > (time_ms, offset):
                expected.append(key)
            else:
                words[key] = (value, (time_ms, offset))
        superseded.append(tuple(expected))
        change = traits.apply(known, event, time_ms, offset, fill_only=fill_only)
        assert change.superseded == superseded[-1]
        known = _through_storage(known)
    assert {k: (t.value, t[1:]) for k, t in known.stamped().items()} == {
        k: w for k, w in words.items() if w[0] is not None
    }
    assert known.removed == {k: stamp for k, (value, stamp) in words.items() if value is None}


def _through_storage(known):
    person = profile("p")
    person.open(known)
    return unpack(pack(person)).traits


@given(said, said)
def test_merging_is_commutative_on_values(left, right):
    """Whoever absorbs whom, the newest of each trait stands."""
    events = [(event, at, n) for n, (event, at, _) in enumerate([*left, *right])]

    def build(name, some):
        person = profile(name)
        for event, at, offset in some:
            traits.apply(person.traits, event, at, offset)
        return person

    def halves():
        return build("one", events[: len(left)]), build("two", events[len(left) :])

    one, two = halves()
    one.absorb(two)
    another, other = halves()
    other.absorb(another)
    assert one.traits.stamped() == other.traits.stamped() == build("all", events).traits.stamped()
    assert one.traits.removed == other.traits.removed
    before = dict(one.traits.stamped())
    one.absorb(two)
    assert one.traits.stamped() == before


def test_a_profile_comes_back_as_it_was_stored():
    """Ids, accounts, traits opened or not; integers have no bounds."""
    person = profile("p", U1, EMAIL, at=5)
    person.accounts["acc_1"] = 9
    person.traits.put("n", 2**70, (1, 1))
    person.traits.put("address", {"city": "Ulm"}, (2, 2))
    person.traits.remove("gone", (7, 2))
    body = pack(person)
    found = unpack(body)
    assert pack(found) == body
    assert values(found) == {"n": 2**70, "address": {"city": "Ulm"}}
    assert (found.traits.when("n"), found.traits.when("gone")) == ((1, 1), (7, 2))
    assert (list(found.externals()), found.accounts, found.email()) == ([U1, EMAIL], {"acc_1": 9}, "a@b.co")
    assert pack(found) == body


def test_profiles_of_the_first_version_are_read():
    """As its `pack` wrote them: msgpack, a stamp beside each trait."""
    body = msgspec.msgpack.encode(
        (
            "use_1",
            "person",
            5,
            11,
            [(U1, 5), (EMAIL, 6)],
            {"plan": ("pro", 10, 3), "city": ("Ulm", 20, 4)},
            {"gone": (7, 2)},
            {"acc_1": 9},
        )
    )
    found = unpack(body)
    assert (found.id, found.kind, found.created_ms, found.updated_ms) == ("use_1", "person", 5, 11)
    assert found.ids == {"user_id": {"u1": 5}, "email": {"a@b.co": 6}}
    assert found.traits.stamped() == {"plan": TraitValue("pro", 10, 3), "city": TraitValue("Ulm", 20, 4)}
    assert (found.traits.removed, found.accounts) == ({"gone": (7, 2)}, {"acc_1": 9})
    assert unpack(pack(found)).traits.stamped() == found.traits.stamped()
