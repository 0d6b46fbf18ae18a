"""Which property each trait becomes, remembered by the traits' names (SEMANTICS 11 to 13)."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from millstream.destinations.hubspot import names, origins, shapes
from millstream.destinations.hubspot.origins import Origins
from millstream.destinations.hubspot.shapes import Column, Shapes, leaves_of, named
from millstream.hubspot_api.schema import PortalSchema, Property

OWN = frozenset({"email"})


def flat(traits, special=names.CONTACT_FIELDS):
    """The value of each property, and the notes."""
    leaves = leaves_of(traits, of_contact=special is names.CONTACT_FIELDS)
    found, notes = named(tuple(leaves), special, {})
    return {name: leaves[leaf] for name, leaf in found.items()}, notes


def portal(*properties, unknown="drop"):
    """A portal with these properties of contacts."""
    schema = PortalSchema({"contacts": {p.name: p for p in properties}})
    return SimpleNamespace(settings={"unknown_properties": unknown}, schema=schema)


def test_special_fields_of_contacts():
    """The fields that the Classic documents name."""
    traits = {
        "firstName": "P",
        "lastName": "G",
        "position": "Boss",
        "company": {"name": "Initech", "plan": "x"},
        "address": {"street": "S", "city": "C", "postalCode": "1", "state": "T", "country": "D"},
        "lifecycle_stage": "lead",
        "hubspot": {"contactId": 1},
        "empty": {},
    }
    assert flat(traits)[0] == {
        "firstname": "P",
        "lastname": "G",
        "jobtitle": "Boss",
        "company": "Initech",
        "address": "S",
        "city": "C",
        "zip": "1",
        "state": "T",
        "country": "D",
        "lifecyclestage": "lead",
    }


def test_objects_are_taken_apart_to_depth_three():
    """What is deeper stays an object; empty ones and what addresses say nothing."""
    traits = {
        "a": {"b": {"c": {"d": 1}, "e": {}}, "f": [1]},
        "id": "1",
        "userId": {"x": 1},
        "anonymousId": "2",
    }
    assert flat(traits)[0] == {"a_b_c": {"d": 1}, "a_f": [1]}
    assert flat({"company": {"size": 1}, "Company": {"name": "I"}})[0] == {"company": "I"}
    assert flat({"company": {"name": "I"}}, special={})[0] == {"company_name": "I"}


@pytest.mark.parametrize(
    ("traits", "found"),
    [
        ({"name": "Ada King Lovelace"}, {"firstname": "Ada", "lastname": "King Lovelace"}),
        ({"name": " Ada "}, {"firstname": "Ada"}),
        ({"name": "  Anna  Maria von X "}, {"firstname": "Anna", "lastname": "Maria von X"}),
        ({"name": "   "}, {"firstname": ""}),
        ({"name": "A B", "firstName": "C"}, {"firstname": "C"}),
        ({"name": "A B", "Name": "C"}, {"firstname": "A", "lastname": "B"}),
        ({"name": 5}, {"name": 5}),
        ({"name": {"firstname": "A"}}, {"name_firstname": "A"}),
    ],
)
def test_a_name_is_split_only_when_nothing_better_is_there(traits, found):
    """`name` gives firstname and lastname, and is no property of its own; what is no text is no name."""
    assert flat(traits)[0] == found


@pytest.mark.parametrize(
    ("traits", "wins"),
    [
        ({"my_plan": 1, "My Plan": 2}, 1),
        ({"My Plan": 2, "my_plan": 1}, 1),
        ({"My Plan": 2, "my plan": 3}, 3),
        ({"my": {"plan": 4}, "my_plan": 1}, 1),
    ],
)
def test_of_two_keys_with_one_name_the_clean_one_wins(traits, wins):
    """The key that needed no change wins, else the last; it is noted."""
    assert flat(traits) == ({"my_plan": wins}, ["name_collision:my_plan"])


def test_keys_of_several_events_that_meet_in_one_property_are_noted(monkeypatch):
    """The one that came first is not; case and the names that we give on purpose are no other key; memory is bounded."""
    known = Shapes(portal(*(Property(n, "string") for n in ("gr__e", "plan", "jobtitle"))))

    def notes(key):
        return known.of("contacts", (key,), OWN, well_known=True).notes

    assert notes("größe") == ()
    assert notes("grüße") == ("name_collision:gr__e",)
    assert notes("größe") == notes("GRÖSSE".replace("SS", "ß")) == ()
    assert [notes(k) for k in ("plan", "Plan", "title", "position", "jobTitle")] == [()] * 5
    monkeypatch.setattr(origins, "_REMEMBERED", 10)
    seen = Origins()
    for i in range(100):
        assert not seen.differ("contacts", f"n{i}", f"k{i}")
        assert len(seen._keys) <= 10
    assert seen.differ("contacts", "n99", "other")
    assert not seen.differ("companies", "n99", "other")


def test_a_shape_tells_what_depends_on_the_value():
    """Known properties are written; a stage, and what is to be made, are looked at; the rest is noted once for all."""
    known = [
        Property("plan", "string"),
        Property("lifecyclestage", "enumeration"),
        Property("email", "string"),
    ]
    known.append(Property("score", "number", read_only=True))
    leaves = ("email", "plan", "score", "new", "lifecyclestage")
    dropped = Shapes(portal(*known)).of("contacts", leaves, OWN, well_known=True)
    assert dropped.plain == (Column("plan", "plan", "plan"),)
    assert [c.name for c in dropped.open] == ["lifecyclestage"]
    assert dropped.notes == ("read_only:score", "unknown_property_dropped:new")
    made = Shapes(portal(*known, unknown="create")).of("contacts", leaves, OWN, well_known=True)
    assert [c.name for c in made.open] == ["new", "lifecyclestage"]


def test_a_column_knows_its_trait():
    """Whose time a value has: the trait's, also for what is inside it, and for the words of a name."""
    known = [Property(n, "string") for n in ("city", "a_b", "firstname", "lastname")]
    leaves = tuple(leaves_of({"address": {"city": 1}, "a": {"b": 1}, "name": "A B"}, of_contact=True))
    shape = Shapes(portal(*known)).of("contacts", leaves, OWN, well_known=True)
    assert {c.name: c.trait for c in shape.plain} == {
        "city": "address",
        "a_b": "a",
        "firstname": "name",
        "lastname": "name",
    }


def test_a_new_schema_and_another_question_have_shapes_of_their_own():
    """What was remembered holds for one schema, one set of own properties, and one reading of well-known names."""
    here = portal(Property("jobtitle", "string"))
    known = Shapes(here)

    def plain(own=OWN, *, well_known=True):
        return [c.name for c in known.of("contacts", ("title", "plan"), own, well_known=well_known).plain]

    assert plain() == ["jobtitle"]
    assert plain(well_known=False) == []
    assert plain(frozenset({"jobtitle"})) == []
    here.schema = here.schema.with_property("contacts", Property("plan", "string"))
    assert plain() == ["jobtitle", "plan"]


def test_whoever_sends_new_names_all_the_time_does_not_fill_the_memory(monkeypatch):
    """So many shapes are kept, and none of very many names."""
    monkeypatch.setattr(shapes, "_KEPT", 10)
    monkeypatch.setattr(shapes, "_WIDEST", 3)
    known = Shapes(portal(Property("plan", "string")))
    for i in range(100):
        assert known.of("contacts", ("plan", f"x{i}"), OWN, well_known=True).plain
        assert len(known._met) <= 10
    wide = tuple(f"y{i}" for i in range(4))
    known.of("contacts", wide, OWN, well_known=True)
    assert all(wide not in asked for asked in known._met)
    held = names._property_name.cache_info().currsize
    assert names.property_name("ä" * 201).startswith("p_")
    assert names._property_name.cache_info().currsize == held
    held = names._event_property_names.cache_info().currsize
    assert len(names.event_property_names(tuple(f"k{i}" for i in range(201)))) == 201
    assert names._event_property_names.cache_info().currsize == held
