"""Every recorded case of Segment's mapping and trigger engines. What differs is in `CAUSES`, with a reason."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from millstream.mapping.compile import compile_mapping
from millstream.mapping.errors import MappingError
from millstream.mapping.trigger import TriggerError, parse_trigger
from millstream.mapping.triggers import grammar, tree
from millstream.mapping.values import UNDEFINED

HERE = Path(__file__).parent
MAPPINGS = json.loads((HERE / "segment_mappings.json").read_text())
TRIGGERS = json.loads((HERE / "segment_triggers.json").read_text())

# Cases (by number) that do not pass, by cause; docs/mapping.md shows them to users. At most 20 causes.
CAUSES = {
    "the recording's own event was changed by an earlier case (`increment` left `q` behind)": {278, 279, 367},
}


def plain(value):
    """The recorded value with undefined as ours; left out of objects, null in arrays."""
    if value == {"$undefined": True}:
        return UNDEFINED
    if isinstance(value, dict):
        made = {k: plain(v) for k, v in value.items()}
        return {k: v for k, v in made.items() if v is not UNDEFINED}
    if isinstance(value, list):
        return [None if (made := plain(v)) is UNDEFINED else made for v in value]
    return value


def same(left, right):
    """Equal as JSON: true is not 1."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same(left[k], right[k]) for k in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same, left, right))
    return left == right and isinstance(left, str) == isinstance(right, str)


@pytest.mark.parametrize("number", range(len(MAPPINGS["cases"])))
def test_a_mapping(number):
    """The same output, or the same error in the same words."""
    case = MAPPINGS["cases"][number]
    event = plain(MAPPINGS["events"][case["event"]])
    event = {} if event is UNDEFINED else event
    try:
        found = compile_mapping(plain(case["mapping"])).evaluate(event)
        agrees = "error" not in case and same(found, plain(case["output"]))
    except MappingError as error:
        agrees = case.get("error") == str(error)
    known = any(number in numbers for numbers in CAUSES.values())
    assert agrees is not known, case


@pytest.mark.parametrize("number", range(len(MAPPINGS["validation"])))
def test_validation(number):
    """What is wrong, with path, in Segment's words."""
    mapping, message = MAPPINGS["validation"][number]
    try:
        compile_mapping(mapping)
        found = ""
    except MappingError as error:
        found = str(error)
    assert found == message


@pytest.mark.parametrize("expression", list(TRIGGERS["matching"]))
def test_a_trigger(expression):
    """Read as Segment reads it, an expression matches exactly the events that it matches there. None excepted."""
    trigger = parse_trigger(expression, "segment")
    found = [name for name, event in TRIGGERS["events"].items() if trigger.matches(event)]
    assert sorted(found) == sorted(TRIGGERS["matching"][expression])
    assert grammar.parse(str(trigger)) == trigger.node, "its text means something else"


def test_single_events():
    """Also for what is no event at all."""
    for expression, event, holds in TRIGGERS["single"]:
        assert parse_trigger(expression, "segment").matches(event) is holds, (expression, event)


def test_what_is_printed_parses_to_the_same():
    """text(parse(x)) parses to the same tree, for each expression that the grammar takes."""
    taken = 0
    for expression in TRIGGERS["matching"]:
        try:
            node = grammar.parse(expression)
        except TriggerError:
            continue
        taken += 1
        assert grammar.parse(tree.text(node)) == node
    assert taken > 250


def test_differences_are_told():
    """Where Segment's reading is not what an expression says, a warning shows both."""
    surprising = parse_trigger('type = "track" and event = "A" or event = "B"', "segment")
    assert "Segment reads this as" in surprising.warnings[0]
    assert parse_trigger('type = "track" and event = "A"', "segment").warnings == ()
    assert "never matches" in parse_trigger("groupId != null", "segment").warnings[0]


def test_causes_are_few():
    """At most 20."""
    assert len(CAUSES) <= 20
