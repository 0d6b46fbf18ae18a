"""The mapping language and triggers."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from millstream.mapping import compile as compiling
from millstream.mapping.compile import compile_mapping
from millstream.mapping.directives import DIRECTIVES
from millstream.mapping.errors import MappingError, MappingFailed, MappingInvalid
from millstream.mapping.evaluation import evaluate_line
from millstream.mapping.trigger import TriggerError, parse_trigger
from millstream.mapping.triggers.grammar import FUNCTIONS
from millstream.mapping.validate import validate
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
        ({"@path": "$.properties.a b"}, 1),
        ({"@path": "$.properties.l[0]"}, "x"),
        ({"@path": "$.nope.x"}, UNDEFINED),
        ({"@template": "{{event}}-{{properties.n}}-{{nope}}"}, "Bought-5-"),
        ({"@literal": "{{event}}"}, "{{event}}"),
        ({"@if": {"exists": {"@path": "$.userId"}, "then": 1, "else": 2}}, 2),
        ({"@if": {"blank": {"@path": "$.properties.s"}, "then": 1}}, 1),
        ({"@if": {"blank": {"@path": "$.userId"}, "then": 1}}, UNDEFINED),
        ({"a": {"@path": "$.nope"}, "b": 1}, {"b": 1}),
        ({"list": [{"@path": "$.nope"}, 1]}, {"list": [None, 1]}),
    ],
)
def test_what_a_mapping_gives(mapping, output):
    """Directives, nested objects, and what is undefined."""
    assert compile_mapping(mapping).evaluate(EVENT) == output


@pytest.mark.parametrize(
    "mapping",
    [{"@nope": 1}, {"@path": 5}, {"@path": "$.a", "b": 1}, {"@if": 5}, {"@template": 1}, {"@merge": {}}],
)
def test_a_wrong_mapping_says_where(mapping):
    """The error names a path."""
    with pytest.raises(MappingInvalid) as error:
        compile_mapping({"x": mapping})
    assert all(p.path.startswith("/x") for p in error.value.problems)


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
    "trigger", ["type = ", '(type = "a"', 'type "a"', "match(event, event)", "§", "and", "event", 'type = "a']
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


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"nope",
        b"[]",
        b'{"event": 1}',
        b'{"mapping": {"a": 1}, "event": 1}',
        b'{"trigger": "(", "event": {}}',
    ],
)
def test_eval_answers_nonsense_with_an_error(line):
    """Bad lines are answered, not fatal."""
    assert "error" in json.loads(evaluate_line(line))


def nested(depth, leaf=1):
    """An object in an object, so many deep."""
    for _ in range(depth):
        leaf = {"a": leaf}
    return leaf


def chain(depth):
    """Conditions in conditions, each with paths beside it."""
    made = {"@path": "$.a"}
    for _ in range(depth):
        made = {"@if": {"exists": made, "then": {f"k{j}": {"@path": "$.a"} for j in range(20)}}}
    return {"k": made}


@pytest.mark.parametrize(
    ("mapping", "words"),
    [
        ({f"k{i}": {"@path": "$.a"} for i in range(1000)}, "larger than 2000 values"),
        ({"a": {"@template": "{{a}}" * 2000}}, "larger than 2000 values"),
        ({f"k{i}": {"@liquid": "{{a}}" * 200} for i in range(11)}, "larger than 2000 values"),
        ({"a": [[0] * 100] * 25}, "larger than 2000 values"),
        ({"a": "x" * 64_001}, "longer than 64000 characters"),
        ({"x" * 64_001: 1}, "longer than 64000 characters"),
        (nested(66), "nested deeper than 64"),
        (chain(40), "nested deeper than 64"),
        ({"a": [nested(65)]}, "nested deeper than 64"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_a_mapping_that_is_too_large_is_refused(mapping, words):
    """Before anything of it is compiled, whichever way it is large."""
    with pytest.raises(MappingInvalid, match=words):
        compile_mapping(mapping)


def test_what_is_not_too_large_compiles():
    """Right at the bounds."""
    compile_mapping({f"k{i}": {"@path": "$.a"} for i in range(999)})
    compile_mapping(nested(64))
    compile_mapping(chain(15))
    compile_mapping({"a": "x" * 63_999})


def test_compiling_looks_at_each_part_once(monkeypatch):
    """Directives in directives are validated with the outermost one: not again on each level."""
    looked = []

    def counting(mapping, path=""):
        """The same, counted."""
        looked.append(path)
        return validate(mapping, path)

    monkeypatch.setattr(compiling, "validate", counting)
    compile_mapping(chain(20))
    assert len(looked) == 1
    looked.clear()
    compile_mapping({"a": [chain(15)], "b": {"@literal": chain(15)}})
    assert len(looked) == 3


@pytest.mark.parametrize(
    ("mapping", "event", "words"),
    [
        (
            {f"k{i}": {"@if": {"exists": {"@json": {"mode": "encode", "value": {"@path": "$.x"}}}, "then": 1}} for i in range(150)},
            {"x": [1] * 5000},
            "larger",
        ),
        (
            {f"k{i}": {"@if": {"exists": {"@replace": {"pattern": "a", "value": {"@path": "$.x"}}}, "then": 1}} for i in range(150)},
            {"x": "a" * 5000},
            "larger",
        ),
        ({"@path": "$.x"}, {"x": nested(900)}, "nested deeper than 64"),
        ({"k": {"@json": {"mode": "decode", "value": {"@path": "$.x"}}}}, {"x": "[" * 100 + "]" * 100}, "deeper"),
        ({f"k{i}": {"@path": "$.x"} for i in range(300)}, {"x": ["abcdefgh" * 10] * 400}, "larger"),
        ({f"k{i}": {"@path": "$.x"} for i in range(300)}, {"x": [0] * 400}, "larger"),
        ({f"k{i}": {"@excludeWhenNull": {"@path": "$.x"}} for i in range(300)}, {"x": {str(i): 1 for i in range(900)}}, "larger"),
        ({"@arrayPath": ["$.l", {f"k{i}": {"@path": "$.x"} for i in range(200)}]}, {"l": [{"x": 1}] * 4000}, "larger"),
        ({"@arrayPath": ["$.l", {"a": {"@liquid": "{{x}}" * 200}}]}, {"l": [{"x": 1}] * 200}, "larger"),
        (
            {f"k{i}": {"@json": {"mode": "decode", "value": {"@path": "$.x"}}} for i in range(300)},
            {"x": "[" + "1," * 5000 + "1]"},
            "larger",
        ),
    ],
    ids=["encoded", "replaced", "depth", "decoded depth", "text", "items", "nulls", "shape", "liquid", "decoded"],
)  # fmt: skip
def test_an_output_is_bounded_however_it_comes_about(mapping, event, words):
    """64 levels, 1,000,000 characters: also of what is only referred to, or thrown away again."""
    wrapped = mapping if "k0" in mapping else {"out": mapping}
    with pytest.raises(MappingFailed, match=words):
        compile_mapping(wrapped).evaluate(event)
    assert "error" in json.loads(evaluate_line(json.dumps({"mapping": wrapped, "event": event}).encode()))


def test_eval_reads_no_endless_line_and_writes_none():
    """A line of megabytes is answered without being read; characters of several bytes count as such."""
    assert "longer than" in json.loads(evaluate_line(b"[" * 2_000_001))["error"]
    event = {"x": ["ä" * 600_000]}
    line = json.dumps({"mapping": {"k": {"@path": "$.x"}}, "event": event}, ensure_ascii=False).encode()
    assert "larger than" in json.loads(evaluate_line(line))["error"]


@pytest.mark.parametrize("name", list(DIRECTIVES))
def test_every_directive_has_an_example_that_runs(name):
    """The documentation of a directive is its docstring: a sentence and an example."""
    said, example = DIRECTIVES[name].__doc__.split("\n\n", 1)
    assert said.strip()
    mapping = json.loads(example)
    assert list(mapping) == [name]
    compile_mapping({"x": mapping}).evaluate(EVENT)


@pytest.mark.parametrize("name", list(FUNCTIONS))
def test_every_function_has_an_example_that_parses(name):
    """The documentation of a function is its row: a sentence and an example."""
    assert name in parse_trigger(FUNCTIONS[name].example).source


def test_shared_vectors():
    """Tree and matching events, as the browser's evaluator has them too."""
    given = json.loads((Path(__file__).parent.parent / "golden" / "triggers.json").read_text())
    for expression, tree, names in given["vectors"]:
        trigger = parse_trigger(expression)
        assert trigger.tree() == tree, expression
        assert [n for n, e in given["events"].items() if trigger.matches(e)] == names, expression


NESTED = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=12,
)
MAPPINGS = st.recursive(
    NESTED,
    lambda inner: st.builds(
        lambda name, argument: {name: argument},
        st.sampled_from(list(DIRECTIVES)),
        inner
        | st.dictionaries(
            st.sampled_from(
                [
                    "exists",
                    "blank",
                    "then",
                    "else",
                    "value",
                    "operator",
                    "pattern",
                    "replacement",
                    "separator",
                    "mode",
                    "objects",
                    "direction",
                    "apply",
                    "mapping",
                    "omitArrays",
                    "ignorecase",
                    "global",
                    "pattern2",
                ]
            ),
            inner,
            max_size=4,
        )
        | st.lists(inner, max_size=3)
        | st.sampled_from(
            ["$.a", "$.a.b[0]", "{{a}}", "{{ a | upcase }}", "lower", "encode", "decode", "left", "right"]
        ),
    ),
    max_leaves=8,
)


@given(MAPPINGS, st.dictionaries(st.sampled_from(["a", "b", "type"]), NESTED, max_size=3))
@settings(max_examples=400)
def test_no_mapping_breaks_the_engine(mapping, event):
    """Any JSON is a mapping or a MappingError, for any event; what comes out is JSON."""
    with contextlib.suppress(MappingError):
        found = compile_mapping(mapping).evaluate(event)
        if found is not UNDEFINED:
            msgspec.json.encode(found)


LONG = {"s": "x" * 30_000, "n": 9e99, "l": list(range(3000)), "deep": None}


@pytest.mark.parametrize(
    "mapping",
    [
        {"@template": "{{s}}" * 200},
        {"a": [{"@path": "$.s"}], "b": {"@template": "{{s}}{{s}}" * 40}},
        {"@liquid": "{% assign a = s %}" + "{% assign a = a | append: a %}" * 30 + "{{ a }}"},
        {"@liquid": "{{ s | replace: 'x', 'yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy' }}"},
        {"@liquid": "{{ s | split: '' | join: 'zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz' }}"},
        {"@liquid": "{{ n " + "| times: 9e99 " * 40 + "}}"},
        {"@arrayPath": ["$.l", {"t": {"@template": "{{a}}" + "y" * 900}}]},
        {
            "@json": {
                "mode": "encode",
                "value": {"@merge": {"direction": "right", "objects": [{"a": {"@path": "$.s"}}] * 9}},
            }
        },
        {"@flatten": {"value": {"@path": "$.l"}, "separator": "_" * 500}},
        {"@case": {"operator": "upper", "value": {"@json": {"mode": "decode", "value": "[" * 5000}}}},
    ],
    ids=range(10),
)
def test_hostile_mappings_end(mapping):
    """Bounded output or `MappingFailed`: nothing grows beyond a megabyte of text."""
    try:
        found = compile_mapping({"x": mapping}).evaluate(LONG)
    except MappingError:
        return
    assert len(json.dumps(found)) <= 1_100_000
