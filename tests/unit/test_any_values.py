"""Whatever JSON a mapping gives an action: planning never raises, and every effect is an operation or has an outcome."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from millstream.delivery.outcome import Reason
from millstream.destinations.hubspot import destination as hubspot
from millstream.destinations.hubspot.actions import ACTIONS
from millstream.eventlog.resolved import ProfileView, Resolution, Resolved, Status, TraitValue
from millstream.hubspot_api.schema import PortalSchema, Property
from millstream.spec.events import Event
from millstream.storage.memory.made import MemoryMadeStore
from millstream.workspace.model import Destination, Mapping

NOW = 1_700_000_000_000
# Words that mean something to an action beside any other.
WORDS = [
    "",
    " ",
    "contacts",
    "deals",
    "email",
    "jane@x.co",
    "a@@b",
    "7",
    "²",
    "true",
    "upsert",
    "USER_DEFINED:1",
    "x.co",
]
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20), st.sampled_from(WORDS)
)
# Keys that actions look for: in an object's properties, in traits.hubspot, in what is associated.
TRAITS = [
    "email",
    "name",
    "company",
    "address",
    "lifecyclestage",
    "$price",
    "$quantity",
    "revenue",
    "hubspot",
]
NAMED = ["objects", "contactId", "qualifiedName", "objectId", "objectType"]
RELATED = ["object_type", "id_field", "id_value", "label"]
KEYS = st.one_of(st.text(max_size=8), st.sampled_from(TRAITS))
JSON = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(KEYS, inner, max_size=5)),
    max_leaves=12,
)
RELATIONS = st.lists(st.fixed_dictionaries({}, optional=dict.fromkeys(RELATED, JSON)), max_size=3)
# Fields whose inside an action looks into, and those that would end most effects early.
SHAPED = {
    "objects": st.fixed_dictionaries({"objects": JSON}, optional=dict.fromkeys(NAMED[1:], JSON)),
    "associations": RELATIONS,
    "dissociations": RELATIONS,
    "label": st.sampled_from(["", "USER_DEFINED:1"]),
    "email": st.sampled_from(["", "jane@x.co"]),
}
# What passes a field's type, so that most examples come as far as the action.
FITTING = {
    "string": st.one_of(st.text(max_size=8), st.sampled_from(WORDS), st.integers()),
    "object": st.dictionaries(KEYS, JSON, max_size=5),
    "array": st.lists(JSON, max_size=3),
    "boolean": st.booleans(),
    "number": st.one_of(st.integers(), st.floats()),
    "datetime": st.sampled_from(["2026-01-01", 1_700_000_000]),
}


class Unknown(dict):
    """No record is known."""

    def resolve(self, key):
        """Its own name."""
        return key

    def refused(self, _key):
        """Nothing was."""


def planner(slug, nested):
    """A planner with one mapping: each field of the action is what the event has under its name."""
    action = ACTIONS[slug]
    fields = {f.name: {"@path": f"$.properties.{f.name}"} for f in action.fields}
    asked = Destination(
        "hubspot",
        "hubspot",
        preset="null",
        settings={
            "portal_id": "1",
            "access_token": "t",
            "unknown_properties": "create",
            "nested": nested,
            "attribution_form": "f",
        },
        mappings=(Mapping("m", slug, "all", fields),),
    )
    built = hubspot.build(hubspot.expand(asked), lambda: NOW, MemoryMadeStore(), lambda *_: None)
    known = {n: Property(n, "string") for n in ("email", "plan", "firstname", "lastname", "lifecyclestage")}
    built.planner._portal.cache.current = PortalSchema({"contacts": known, "companies": {}, "deals": {}})
    return built.planner


@pytest.mark.parametrize("nested", ["flatten", "json"])
@pytest.mark.parametrize("slug", ACTIONS)
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_planning_never_raises(slug, nested, data):
    """Nothing is quarantined either: that is for what nobody thought of, and these values were thought of."""
    fitting = {f.name: SHAPED.get(f.name, FITTING[f.type]) for f in ACTIONS[slug].fields}
    odd = dict.fromkeys(data.draw(st.lists(st.sampled_from(sorted(fitting)), max_size=2)), JSON)
    said = data.draw(st.fixed_dictionaries({}, optional=fitting)) | data.draw(st.fixed_dictionaries(odd))
    context = data.draw(st.dictionaries(st.sampled_from(["traits", "library", "page", "hubspotutk"]), JSON))
    event = Event(
        type="track",
        message_id="m",
        timestamp="",
        received_at="",
        source="s",
        event="E",
        properties=said,
        context=context,
        channel=data.draw(st.sampled_from([None, "web"])),
    )
    traits = {"plan": TraitValue(data.draw(JSON), NOW, 1)}
    person = ProfileView("p", data.draw(st.sampled_from([None, "jane@x.co"])), lambda: traits)
    resolved = Resolved(7, "s", NOW, NOW, event, Resolution(Status.NEW, "p"))
    plan = planner(slug, nested).plan(resolved, {"p": person}, Unknown(), NOW)
    jobs = [o.job for o in plan.operations if o.job] + [o.job for o in plan.outcomes]
    jobs += [w.job for w in plan.waiting]
    assert jobs, "an event without any outcome"
    assert len(jobs) == len(set(jobs)), "an effect that is decided twice"
    assert [o.detail for o in plan.outcomes if o.reason is Reason.QUARANTINED] == []
