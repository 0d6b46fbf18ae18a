"""What a plan costs and which times its values bear (SEMANTICS 9); what it asks for is in tests/e2e/test_semantics.py."""

from __future__ import annotations

import uuid

import pytest

from millstream.delivery.operation import Key
from millstream.delivery.record_state import RecordState
from millstream.destinations.hubspot import destination as hubspot
from millstream.destinations.hubspot.actions.custom_event import occurrence_id
from millstream.eventlog.resolved import ProfileView, Resolution, Resolved, Status, TraitValue
from millstream.hubspot_api.schema import PortalSchema, Property
from millstream.mapping.compile import compile_mapping
from millstream.spec.events import Event
from millstream.storage.memory.made import MemoryMadeStore
from millstream.workspace.model import Destination, Mapping

ADDRESS = Key("contact", "email", "jane@x.co")
NOW = 1_700_000_000_000


class Known(dict):
    """The records that HubSpot is known to have."""

    def resolve(self, key):
        """Its own name."""
        return key

    def refused(self, _key):
        """Nothing was."""


def planner(*mappings, preset="classic"):
    """A planner whose portal has five properties."""
    given = Destination(
        "hubspot",
        "hubspot",
        preset=preset,
        settings={"portal_id": "1", "access_token": "t"},
        mappings=mappings,
    )
    built = hubspot.build(hubspot.expand(given), lambda: NOW, MemoryMadeStore(), lambda *_: None)
    found = {n: Property(n, "string") for n in ("email", "plan", "city", "firstname", "lastname")}
    built.planner._portal.cache.current = PortalSchema({"contacts": found, "companies": {}})
    return built.planner


def values(traits, records, read_traits, *mappings):
    """The values that an identify of Jane's writes; said at NOW, offset 7."""
    event = Event(
        type="identify", message_id="m", timestamp="", received_at="", source="s", user_id="u", traits=traits
    )
    view = ProfileView("p", "jane@x.co", read_traits)
    resolved = Resolved(7, "s", NOW, NOW, event, Resolution(Status.NEW, "p", None, "jane@x.co"))
    plan = planner(*mappings).plan(resolved, {"p": view}, records, NOW)
    said = plan.operations[-1].said
    return {name: (value, *said.when(name)) for name, value in said.values.items()}


def nobody():
    """Whoever asks for traits of the profile pays for reading them."""
    raise AssertionError("the profile's traits were read")


@pytest.mark.parametrize(
    "traits",
    [
        {"email": "jane@x.co", "plan": "pro"},
        {
            "email": "Jane@X.co ",
            "plan": "pro",
            "address": {"city": "Ulm"},
            "name": "Jane Doe",
            "unknown": [1],
        },
        {"plan": "pro"},
    ],
)
def test_a_known_contact_is_written_without_a_look_at_the_profile(traits):
    """Events of known persons are the most: all that they say is as old as they are."""
    found = values(traits, Known({ADDRESS: RecordState(ADDRESS, "1")}), nobody)
    assert found["email"] == ("jane@x.co", NOW, 7)
    assert {(time_ms, offset) for _, time_ms, offset in found.values()} == {(NOW, 7)}
    assert found["plan"][0] == "pro"


def test_a_new_contact_gets_what_is_known_with_the_times_it_was_said():
    """The event's own values are as old as it, those of the profile as old as they are."""
    said = {"plan": TraitValue("pro", NOW, 7), "address": TraitValue({"city": "Ulm"}, NOW - 5, 3)}
    assert values({"plan": "pro"}, Known(), lambda: said) == {
        "email": ("jane@x.co", NOW, 7),
        "plan": ("pro", NOW, 7),
        "city": ("Ulm", NOW - 5, 3),
    }


def test_a_mapping_that_reads_the_profile_sees_all_of_it():
    """And what it takes from there is as old as it is there: a newer word of the person's must win over it."""
    own = Mapping(
        "identify to contact",
        "upsert_contact",
        "all",
        {"properties": {"plan": {"@path": "$.profile.traits.plan"}}},
    )
    said = {"plan": TraitValue("pro", NOW - 5, 3)}
    found = values({"email": "jane@x.co"}, Known({ADDRESS: RecordState(ADDRESS, "1")}), lambda: said, own)
    assert found["plan"] == ("pro", NOW - 5, 3)


def test_a_value_that_only_equals_the_profiles_is_written_as_it_was_said():
    """1 equals true in Python; HubSpot gets other text for each."""
    known, said = TraitValue(True, NOW - 5, 3), {"plan": 1}
    own = Mapping(
        "identify to contact", "upsert_contact", "all", {"properties": {"plan": {"@path": "$.traits.plan"}}}
    )
    records = Known({ADDRESS: RecordState(ADDRESS, "1")})
    found = values(said, records, lambda: {"plan": known}, own)["plan"]
    assert (type(found[0]), *found) == (int, 1, NOW - 5, 3)


def test_a_condition_that_gives_what_it_asks_for_is_looked_up_once_and_is_the_same():
    """1 and true are equal to Python, not to the mapping."""
    mapping = {"@if": {"exists": {"@literal": True}, "then": {"@literal": 1}}}
    assert type(compile_mapping(mapping).evaluate({})) is int
    twice = {"@if": {"exists": {"@path": "$.a"}, "then": {"@path": "$.a"}, "else": "none"}}
    assert [compile_mapping(twice).evaluate(e) for e in ({"a": ""}, {"a": None}, {})] == ["", "none", "none"]


@pytest.mark.parametrize("identity", [f"1|s|m{i}|track to event|event" for i in range(40)] + ["ü|\U0001f600"])
def test_the_id_of_an_occurrence_is_a_uuid_of_version_5(identity):
    """A redelivery of any version of ours has the same id: HubSpot takes an occurrence once."""
    namespace = uuid.UUID("5d8f2f0a-6a3e-5b53-9d0b-6a2f6f1c9e11")
    assert occurrence_id(identity) == str(uuid.uuid5(namespace, identity))
