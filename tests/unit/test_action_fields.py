"""An action's fields: mapped, in the action's types, every problem named (`destinations/fields.py`)."""

from __future__ import annotations

import pytest

from millstream.destinations.fields import Fields, FieldsInvalid
from millstream.destinations.kit import Action, Field
from millstream.mapping.compile import ROOT_DIRECTIVE

ACTION = Action(
    "act",
    "Act",
    "For tests.",
    "all",
    (
        Field("name", "Name", "string", "", {"@path": "$.name"}, required=True),
        Field("mode", "Mode", "string", "", "upsert", choices=("upsert", "add")),
        Field("amount", "Amount", "number", ""),
        Field("flag", "Flag", "boolean", ""),
        Field("more", "More", "object", ""),
        Field("items", "Items", "array", ""),
    ),
    lambda _context, _fields: None,
)
GIVEN = {n: {"@path": f"$.{n}"} for n in ("amount", "flag", "more", "items")}


def test_fields_come_in_the_types_of_the_action():
    """Text of a number is a number, a list of one its item, an item a list of one; empty ones are not given."""
    view = {"name": 5, "amount": "7", "flag": [True], "more": {"a": None}, "items": 1}
    assert Fields(ACTION, GIVEN).of(view) == {
        "name": "5",
        "mode": "upsert",
        "amount": 7,
        "flag": True,
        "more": {"a": None},
        "items": [1],
    }
    assert Fields(ACTION, GIVEN).of({"name": "x", "amount": "", "more": None}) == {
        "name": "x",
        "mode": "upsert",
    }


def test_every_problem_is_named_in_the_order_of_the_fields():
    """What is missing, what does not fit and what is none of the choices, as it was mapped."""
    with pytest.raises(FieldsInvalid) as failed:
        Fields(ACTION, {**GIVEN, "mode": "remove"}).of({"flag": ["x"], "amount": {}, "more": []})
    assert str(failed.value) == (
        "Name is required; Mode must be one of upsert, add; Amount must be a number but it was an object; "
        "Flag must be a boolean but it was an array; More must be an object but it was an array"
    )


def test_what_the_mapping_writes_out_is_of_no_event():
    """A field that an action changes for one event is as it was for the next."""
    fields = Fields(ACTION, {})
    first = fields.of({"name": "a"})
    first["mode"] = "add"
    assert fields.of({"name": "b"}) == {"name": "b", "mode": "upsert"}


def test_a_root_directive_may_give_any_field():
    """Which fields there are is known only once it ran."""
    rooted = Fields(
        ACTION, {ROOT_DIRECTIVE: {"@merge": {"direction": "right", "objects": [{"@path": "$.all"}]}}}
    )
    assert rooted.of({"all": {"name": "x", "amount": 1}})["amount"] == 1
