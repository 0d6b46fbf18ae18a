"""Objects and lists in traits and event properties: flattened, or JSON text as RudderStack sends them."""

from __future__ import annotations

import pytest

from millstream.destinations.hubspot import names, nested
from millstream.destinations.hubspot.destination import check, expand
from millstream.hubspot_api.schema import Property
from millstream.workspace.model import Destination

KNOWN = {
    "likes": Property("likes", "enumeration", "checkbox", options=(("tea", "Tea"),)),
    "my_tags": Property("my_tags", "enumeration", "checkbox"),
    "note": Property("note", "string"),
}


@pytest.mark.parametrize(
    ("traits", "found"),
    [
        ({"plan": "pro", "n": 1, "gone": None}, {"plan": "pro", "n": 1, "gone": None}),
        ({"prefs": {"news": True, "deep": {"a": [1]}}}, {"prefs": '{"news":true,"deep":{"a":[1]}}'}),
        ({"tags": ["a", "ü"], "rows": [{"a": 1}]}, {"tags": '["a","ü"]', "rows": '[{"a":1}]'}),
        ({"empty": {}, "none": [], "text": ""}, {"empty": {}, "none": [], "text": ""}),
        ({"Likes": ["tea"], "My Tags": ["x"], "note": ["y"]}, {"Likes": ["tea"], "My Tags": ["x"], "note": '["y"]'}),
        ({"likes": {"a": 1}}, {"likes": '{"a":1}'}),
        (
            {"Address": {"city": "Ulm", "postalCode": "8", "floor": 3}, "company": {"name": "A", "plan": "b"}},
            {"Address": {"city": "Ulm", "postalCode": "8"}, "company": {"name": "A"}},
        ),
        ({"address": "Main St", "company": ["A"]}, {"address": "Main St", "company": '["A"]'}),
    ],
)  # fmt: skip
def test_traits_as_json_text(traits, found):
    """Every object and list but those that well-known fields, options or clearing need as they are."""
    given = dict(traits)
    assert nested.as_json(traits, names.CONTACT_FIELDS, KNOWN) == found
    assert traits == given


def test_records_without_well_known_fields_have_whole_addresses():
    """As do events: there is nothing to take out of them."""
    given = {"address": {"city": "Ulm"}}
    assert nested.as_json(given, {}, {}) == nested.of_event(given, "json") == {"address": '{"city":"Ulm"}'}


def test_events_flatten_to_three_levels():
    """Under their paths; what is deeper stays whole, and becomes JSON text as a value."""
    given = {
        "a": {"b": {"c": {"d": 1}}, "e": None},
        "company": {"name": "A", "id": 7},
        "l": [{"x": 1}],
        "o": {},
    }
    flat = {"a.b.c": {"d": 1}, "a.e": None, "company.name": "A", "company.id": 7, "l": [{"x": 1}]}
    assert nested.of_event(given, "flatten") == flat


def test_the_preset_says_json_unless_the_file_says_otherwise():
    """A preset's settings count where the user's say nothing."""
    settings = {"portal_id": "1", "access_token": "t"}
    for preset, own, found in (
        ("rudderstack", {}, "json"),
        ("rudderstack", {"nested": "flatten"}, "flatten"),
        ("classic", {}, None),
    ):
        destination = Destination("d", "hubspot", preset=preset, settings=settings | own)
        assert expand(destination).settings.get("nested") == found
        assert expand(expand(destination)) == expand(destination)
    wrong = Destination("d", "hubspot", settings=settings | {"nested": "yaml"})
    assert [p.path for p in check(wrong)] == ["settings.nested"]
