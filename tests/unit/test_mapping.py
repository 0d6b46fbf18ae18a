"""The mapping language and triggers."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millstream.mapping.compile import compile_mapping
from millstream.mapping.directives import DIRECTIVES, MappingError
from millstream.mapping.evaluation import evaluate_line
from millstream.mapping.trigger import TriggerError, parse_trigger
from millstream.mapping.values import UNDEFINED

EVENT = {
    "type": "track",
    "event": "Bought",
    "userId": None,
    "properties": {"n": 5, "s": "ab", "l": ["x"], "a b": 1},
}


@pytest.mark.parametrize(
    ("mapping", "output"),
    [
        ({"@path": "$.properties.n"}, 5),
        ({"@path": "properties['a b']"}, 1),
        ({"@path": "$.properties.l[0]"}, "x"),
        ({"@path": "$.nope.x"}, UNDEFINED),
        ({"@template": "{{event}}-{{properties.n}}-{{nope}}"}, "Bought-5-"),
        ({"@literal": {"@path": "x"}}, {"@path": "x"}),
        ({"@if": {"exists": {"@path": "$.userId"}, "then": 1, "else": 2}}, 2),
        ({"@if": {"blank": {"@path": "$.properties.s"}, "then": 1}}, UNDEFINED),
        ({"a": {"@path": "$.nope"}, "b": 1}, {"b": 1}),
        ([{"@path": "$.nope"}, 1], [None, 1]),
        ("plain", "plain"),
    ],
)
def test_what_a_mapping_gives(mapping, output):
    """Directives, nested objects, and what is undefined."""
    assert compile_mapping(mapping).evaluate(EVENT) == output


@pytest.mark.parametrize(
    "mapping",
    [{"@nope": 1}, {"@path": 5}, {"@path": "$.a", "b": 1}, {"@if": {}}, {"@template": 1}, {"@path": "$.a[["}],
)
def test_a_wrong_mapping_says_where(mapping):
    """The error names a path."""
    with pytest.raises(MappingError) as error:
        compile_mapping({"x": mapping})
    assert error.value.path.startswith("$.x")


@pytest.mark.parametrize(
    ("trigger", "holds"),
    [
        ('type = "track"', True),
        ('type = "track" and event = "Other" or userId = null', True),
        ('type = "track" and (event = "Other" or userId = null)', True),
        ('type = "x" and event = "Other" or userId != null', False),
        ("properties.n > 4 and properties.n <= 5", True),
        ('properties.n > "4"', False),
        ('contains(properties.s, "b")', True),
        ('contains(properties.l, "x")', True),
        ('match(event, "B*t")', True),
        ('match(event, "b*")', False),
        ('!(type = "track")', False),
        ('not contains(properties.s, "z")', True),
        ('event in ["a", "Bought"]', True),
        ("properties.nope = null", True),
        ("properties.nope != null", False),
        ("all", True),
        ("", True),
    ],
)
def test_what_a_trigger_says(trigger, holds):
    """Precedence, negation, types, functions."""
    assert parse_trigger(trigger).matches(EVENT) is holds


@pytest.mark.parametrize(
    "trigger", ["type = ", '(type = "a"', 'type == "a"', 'type "a"', "match(event, event)", "§", "and"]
)
def test_a_wrong_trigger_says_where(trigger):
    """The error has a position."""
    with pytest.raises(TriggerError) as error:
        parse_trigger(trigger)
    assert 0 <= error.value.position <= len(trigger)


@given(st.text(max_size=80))
def test_no_text_breaks_the_parser(text):
    """Any text is a trigger or a TriggerError."""
    with contextlib.suppress(TriggerError):
        parse_trigger(text).matches(EVENT)


def test_hostile_patterns_are_harmless():
    """Many stars do not explode."""
    assert not parse_trigger(f'match(event, "{"*a" * 200}")').matches({"event": "a" * 150 + "b"})


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        (b'{"mapping": {"@path": "$.a"}, "event": {"a": 1}}', {"output": 1}),
        (b'{"mapping": {"@path": "$.b"}, "event": {"a": 1}}', {}),
        (b'{"trigger": "a = 1", "event": {"a": 1}}', {"output": True}),
    ],
)
def test_eval_answers_each_line(line, answer):
    """One line in, one line out."""
    assert json.loads(evaluate_line(line)) == answer


@pytest.mark.parametrize("line", [b"", b"nope", b"[]", b'{"event": 1}', b'{"trigger": "(", "event": {}}'])
def test_eval_answers_nonsense_with_an_error(line):
    """Bad lines are answered, not fatal."""
    assert "error" in json.loads(evaluate_line(line))


def test_every_directive_says_what_it_does():
    """The documentation of a directive is its docstring."""
    assert all(d.__doc__ for d in DIRECTIVES.values())
