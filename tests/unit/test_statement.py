"""Statements against the plainest model of them: a value and a time for each name."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from millstream.delivery.statement import NEVER, Statement

STAMPS = st.tuples(st.integers(-1, 3), st.integers(0, 2))
VALUES = st.sampled_from(["a", "b", "", None, 1, True])
NAMES = st.sampled_from("pqrst")
# Of several times, and of one, as nearly all are.
SPREAD = st.dictionaries(NAMES, st.tuples(VALUES, STAMPS), max_size=5)
AT_ONCE = st.builds(
    lambda values, stamp: {n: (v, stamp) for n, v in values.items()},
    st.dictionaries(NAMES, VALUES, max_size=5),
    STAMPS,
)
PLAIN = SPREAD | AT_ONCE


def said(plain):
    """A statement of these values."""
    made = Statement()
    for name, (value, stamp) in plain.items():
        made.put(name, value, stamp)
    return made


def plain_of(statement):
    """Its values, each with its own time."""
    return {n: (value, statement.when(n)) for n, value in statement.values.items()}


def is_short(statement):
    """Whether it lists no more as earlier than it must."""
    times = [statement.when(n) for n in statement.values]
    return statement.stamp == max(times, default=NEVER) and all(
        n in statement.values and stamp < statement.stamp for n, stamp in statement.earlier.items()
    )


@given(PLAIN)
def test_what_is_put_is_there(plain):
    """In whatever order the times come."""
    assert plain_of(said(plain)) == plain
    assert is_short(said(plain))


@given(st.lists(PLAIN, min_size=1, max_size=6))
def test_the_newer_word_about_each_value_holds(statements):
    """Of two that are as old, the one that is folded in; what is folded in stays as it was."""
    known, folded = {}, Statement()
    for plain in statements:
        for name, (value, stamp) in plain.items():
            if name not in known or stamp >= known[name][1]:
                known[name] = value, stamp
        other = said(plain)
        folded.fold(other)
        assert plain_of(folded) == known
        assert plain_of(other) == plain
        assert is_short(folded) or not all(statements)


@given(PLAIN, PLAIN)
def test_what_is_behind_is_what_the_other_has_newer(mine, others):
    """As old is not behind."""
    behind = {n for n in mine if n in others and mine[n][1] < others[n][1]}
    assert said(mine).behind(said(others)) == behind


@given(PLAIN, st.sets(NAMES), PLAIN)
def test_what_is_taken_out_is_not_missed(plain, names, others):
    """The rest keeps its times, and folds as before; without a name to take out it is the statement itself."""
    whole = said(plain)
    rest = whole.without(names)
    left = {n: v for n, v in plain.items() if n not in names}
    assert plain_of(rest) == left
    assert plain_of(whole) == plain
    assert (whole.without(set()) is whole) and (names or rest is whole)
    for first, second in ((rest, said(others)), (said(others), rest)):
        folded, wanted = first.copy(), said(plain_of(first))
        folded.fold(second)
        wanted.fold(said(plain_of(second)))
        assert plain_of(folded) == plain_of(wanted)


@given(PLAIN)
def test_a_copy_is_on_its_own(plain):
    """Whatever becomes of it."""
    whole = said(plain)
    copy = whole.copy()
    assert copy == whole
    copy.fold(Statement({"p": "new", "q": "new"}, (9, 9)))
    copy.put("r", "old", (-9, 0))
    assert plain_of(whole) == plain
