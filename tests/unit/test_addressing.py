"""Who is meant: what an event names and nobody can use never comes to mean the event's own person (SEMANTICS 6)."""

from __future__ import annotations

import pytest

from millstream.delivery.operation import Write
from millstream.delivery.outcome import State
from millstream.destinations.hubspot import destination as hubspot
from millstream.eventlog.resolved import ProfileView, Resolution, Resolved, Status, TraitValue
from millstream.hubspot_api.schema import PortalSchema, Property
from millstream.spec.events import Event
from millstream.storage.memory.made import MemoryMadeStore
from millstream.workspace.model import Destination, Filter, Mapping

NOW = 1_700_000_000_000


class Unknown(dict):
    """No record is known."""

    def resolve(self, key):
        """Its own name."""
        return key

    def refused(self, _key):
        """Nothing was."""


def planner(*mappings, preset="null", filters=()):
    """A planner whose portal has four properties of contacts."""
    given = Destination(
        "hubspot",
        "hubspot",
        preset=preset,
        settings={"portal_id": "1", "access_token": "t"},
        mappings=mappings,
        filters=filters,
    )
    built = hubspot.build(hubspot.expand(given), lambda: NOW, MemoryMadeStore(), lambda *_: None)
    known = {n: Property(n, "string") for n in ("email", "firstname", "lastname", "city")}
    built.planner._portal.cache.current = PortalSchema({"contacts": known, "companies": {}})
    return built.planner


def plan(made, *, traits=None, external_ids=None, **said):
    """The plan of an event of the admin's, whose address is known."""
    event = Event(
        **{"type": "track", "message_id": "m", "timestamp": "", "received_at": "", "source": "s", **said}
    )
    known = {k: TraitValue(v, NOW - 1, 1) for k, v in (traits or {}).items()}
    admin = ProfileView("p", "admin@x.co", lambda: known, external_ids or {"user_id": ["admin"]})
    resolved = Resolved(7, "s", NOW, NOW, event, Resolution(Status.NEW, "p", None, "admin@x.co"))
    return made.plan(resolved, {"p": admin}, Unknown(), NOW)


# Each action that addresses a contact, with what else it needs, and its effect.
ACTIONS = {
    "gdpr_delete": ({}, "gdpr_delete"),
    "subscription_preference": ({"subscription_id": "7", "subscribed": False}, "subscription"),
    "legacy_event": ({"name": "E"}, "legacy_event"),
    "list_membership": ({"list_name": "L", "member": True}, "membership"),
    "associate": ({"website": "https://acme.example"}, "association"),
    "upsert_contact": ({}, "contact"),
}


def told(action, **fields):
    """The effects of one action of the admin's: outcomes by effect, or who is written to."""
    more, effect = ACTIONS[action]
    mapping = Mapping("m", action, "all", {**more, **fields})
    made = plan(planner(mapping), type="track", user_id="admin", event="E", properties={})
    ended = [(o.state, o.reason) for o in made.outcomes if o.job.effect == effect]
    return ended, [o for o in made.operations if o.job is not None]


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("email", ["bob@@example.com", "bob", "  "])
def test_an_address_that_is_none_is_a_dead_letter(action, email):
    """A deletion of "bob@@example.com" must not delete the admin who asked for it."""
    assert told(action, email=email) == ([(State.DEAD_LETTERED, "invalid_email")], [])


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("absent", [None, ""])
def test_without_an_address_the_event_is_its_persons(action, absent):
    """Only what is not there may mean the profile's."""
    ended, operations = told(action, email=absent)
    assert ended == []
    assert "admin@x.co" in str(operations)


@pytest.mark.parametrize("action", ["gdpr_delete", "upsert_contact"])
@pytest.mark.parametrize("number", ["bob", "²", "-1", "1.5"])
def test_a_contact_id_that_is_no_number_is_a_dead_letter(action, number):
    """And not the contact of the address beside it."""
    ended, operations = told(action, object_id=number, email="other@x.co")
    assert (ended, operations) == ([(State.DEAD_LETTERED, "mapping_failed")], [])


def test_an_event_goes_to_the_profiles_address_and_says_so():
    """The one exception: an occurrence with a bad address is still its person's (SEMANTICS 6)."""
    made = plan(planner(preset="classic"), user_id="admin", event="E", properties={"email": "a@@b"})
    (job,) = {o.job for o in made.operations if o.job} | {o.job for o in made.outcomes}
    assert job.effect == "event"
    notes = [o.notes for o in made.outcomes] + [o.payload["notes"] for o in made.operations if o.job]
    assert notes == [("email_not_valid",)]


def test_a_lookup_property_that_hubspot_lacks_is_noted():
    """The address counts then, as without one; a property that is there leaves no note."""
    found = {}
    for name in ("custmer_id", "city"):
        fields = {"email": "a@x.co", "lookup_field": name, "lookup_value": "7"}
        (write,) = plan(planner(Mapping("m", "upsert_contact", "all", fields)), user_id="u").operations
        found[name] = write.key.by, write.notes
    assert found == {"custmer_id": ("email", ("lookup_unknown:custmer_id",)), "city": ("city", ())}


SECRETIVE = {
    "the user's id": "userId != null",
    "what the event is": 'type = "track"',
    "what it would be": 'type = "identify"',
    "its context": 'context.library.name = "py"',
    "its properties": "properties.plan = 1",
}


@pytest.mark.parametrize("trigger", SECRETIVE.values(), ids=SECRETIVE)
@pytest.mark.parametrize("kind", ["drop_properties", "allow_properties"])
def test_filters_hold_for_the_first_write_of_a_contact_too(trigger, kind):
    """What a filter takes from the event, or would take from an identify beside it, is not written of the profile."""
    fields = {"traits": ("firstName",) if kind == "drop_properties" else ("city",)}
    said = {"user_id": "admin", "context": {"library": {"name": "py"}}, "properties": {"plan": 1}}
    traits = {"firstName": "SECRET", "city": "Ulm"}
    for filters, secret in (((Filter("f", trigger, kind, fields=fields),), False), ((), True)):
        made = plan(planner(preset="classic", filters=filters), traits=traits, event="E", **said)
        assert ("SECRET" in f"{made.operations}") is secret
        assert "Ulm" in f"{made.operations}"


def test_a_filter_knows_whose_profile_it_is():
    """An event without a userId of somebody who has one."""
    hidden = Filter("f", 'userId = "admin"', "drop_properties", fields={"traits": ("firstName",)})
    made = plan(
        planner(preset="classic", filters=(hidden,)),
        traits={"firstName": "SECRET"},
        event="E",
        anonymous_id="a",
    )
    assert [o.key.value for o in made.operations if isinstance(o, Write) and o.key.object == "contact"] == [
        "admin@x.co"
    ]
    assert "SECRET" not in f"{made.operations}"


def test_whose_identify_calls_are_dropped_gets_an_address_alone():
    """A drop filter for identify calls is none for events; their contact is made, and nothing is told of it."""
    dropped = Filter("f", 'type = "identify"', "drop")
    made = plan(
        planner(preset="classic", filters=(dropped,)),
        traits={"firstName": "SECRET"},
        event="E",
        user_id="admin",
    )
    (contact,) = [o for o in made.operations if isinstance(o, Write) and o.family == "contact"]
    assert contact.said.values == {"email": "admin@x.co"}


def test_triggers_do_not_see_what_a_filter_took_away():
    """Filters come before mappings, as at Segment."""
    mapping = Mapping("m", "upsert_contact", 'properties.secret = "x"', {"email": "a@x.co"})
    said = {"event": "E", "user_id": "u", "properties": {"secret": "x"}}
    reasons = {}
    for name, trigger in (("applies", "all"), ("does not", 'event = "Other"')):
        hidden = Filter("f", trigger, "drop_properties", fields={"properties": ("secret",)})
        made = plan(planner(mapping, filters=(hidden,)), **said)
        reasons[name] = [o.reason for o in made.outcomes], len(made.operations)
    assert reasons == {"applies": (["no_matching_mapping"], 0), "does not": ([], 1)}
