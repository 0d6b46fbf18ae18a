"""Who may pass to a destination, rule by rule; a filter that does not work lets nothing through."""

from __future__ import annotations

import pytest

from millstream.delivery.outcome import Reason, State
from millstream.destinations.admission import Admission, FilterFailed, sampled
from millstream.spec.events import Event
from millstream.workspace.model import Destination, Filter


def event(**more):
    """A track event."""
    given = {"type": "track", "message_id": "m", "timestamp": "2026-01-01T00:00:00Z", "received_at": ""}
    return Event(**{**given, "source": "web", "event": "Bought", **more})


def admission(*filters, **more):
    """The rules of a destination."""
    return Admission(Destination("crm", "hubspot", filters=filters, **more), frozenset({"hubspot"}))


CONSENT = {"consent": {"categoryPreferences": {"ads": True, "analytics": False}}}


@pytest.mark.parametrize(
    ("context", "categories", "passes"),
    [
        ({}, ("ads",), True),
        ({"consent": {}}, ("ads",), True),
        ({"consent": {"categoryPreferences": {}}}, ("ads",), False),
        ({"consent": {"categoryPreferences": {}}}, (), True),
        (CONSENT, ("ads",), True),
        (CONSENT, ("ads", "analytics"), False),
        (CONSENT, (), True),
    ],
    ids=["absent", "empty", "no preferences", "unmapped", "granted", "all must be", "unmapped with some"],
)
def test_consent_as_segment_reads_it(context, categories, passes):
    """Only if all mapped categories are true; an event that says nothing passes."""
    given = event(context=context)
    stopped = admission(consent_categories=categories).judge(given, given.view())
    assert (stopped is None) is passes
    assert stopped is None or stopped.reason is Reason.FILTERED_BY_CONSENT


BOTH = ("ads", "analytics")


def says(allowed, denied, **more):
    """RudderStack's consent object; None leaves a list out."""
    lists = {"allowedConsentIds": allowed, "deniedConsentIds": denied}
    return {k: v for k, v in lists.items() if v is not None} | {"provider": "custom", **more}


@pytest.mark.parametrize(
    ("said", "resolution", "passes"),
    [
        (None, "and", True),
        ("nonsense", "and", True),
        ({}, "and", True),
        (says([], []), "and", True),
        (says(["ads", "analytics"], []), "and", True),
        (says(["ads"], ["analytics"]), "and", False),
        (says(["ads"], ["analytics"]), "or", True),
        (says([], ["ads", "analytics"]), "or", False),
        (says(["ads"], []), "and", False),
        (says([], ["sale"]), "or", False),
        (says(None, ["sale"]), "and", True),
        (says(None, ["ads"]), "and", False),
        (says(None, ["ads"]), "or", True),
        (says(["ads", "analytics"], ["ads"]), "and", False),
        (says(["ads"], ["analytics"], resolutionStrategy="or"), "and", True),
        (says(["ads"], ["analytics"], resolutionStrategy="and"), "or", False),
        (says(["ads"], ["analytics"], resolutionStrategy="some"), "or", True),
        (says({"C1": "ads", "analytics": "Statistics"}, []), "and", True),
        (says(["Ads", "analytics"], []), "and", False),
    ],
    ids=[
        "absent", "no object", "empty", "not asked yet", "all allowed", "one denied", "one denied, any will do",
        "all denied", "one not named", "none named", "older SDKs name the denied alone", "denied alone",
        "denied alone, any will do", "allowed and denied is denied", "the event's word: or", "the event's word: and",
        "an unknown word", "ids and names", "ids have a case",
    ],
)  # fmt: skip
def test_consent_as_rudderstack_says_it(said, resolution, passes):
    """A category is consented to when it is allowed and not denied; `and` or `or` is the event's, else the file's."""
    given = event(context={"consentManagement": said})
    stopped = admission(consent_categories=BOTH, consent_resolution=resolution).judge(given, given.view())
    assert (stopped is None) is passes
    assert stopped is None or stopped.reason is Reason.FILTERED_BY_CONSENT
    assert admission().judge(given, given.view()) is None, "a destination without categories asks for none"


def test_any_category_may_be_enough_for_segments_preferences_too():
    """`consent_resolution: or`; and where both objects speak, both must let the event pass."""
    rules = admission(consent_categories=BOTH, consent_resolution="or")
    given = event(context=CONSENT)
    assert rules.judge(given, given.view()) is None
    given = event(context={**CONSENT, "consentManagement": says([], ["ads"])})
    assert rules.judge(given, given.view()).reason is Reason.FILTERED_BY_CONSENT


def test_the_consent_update_itself_always_passes():
    """Destinations learn of the consent by it."""
    given = event(event="Segment Consent Preference Updated", context=CONSENT)
    assert admission(consent_categories=("analytics",)).judge(given, given.view()) is None


def test_consent_is_judged_before_integrations_and_those_before_filters():
    """One reason, the first in this order."""
    everything = Filter("all of it", "all")
    given = event(context=CONSENT, integrations={"HubSpot": False})
    rules = admission(everything, consent_categories=("analytics",))
    assert rules.judge(given, given.view()).reason is Reason.FILTERED_BY_CONSENT
    assert admission(everything).judge(given, given.view()).reason is Reason.FILTERED_BY_INTEGRATIONS
    given = event()
    assert admission(everything).judge(given, given.view()).reason is Reason.FILTERED_BY_RULES


def test_a_sample_decides_by_the_events_id():
    """The same event, the same decision; about the share that was asked for; the ends are exact."""
    ids = [f"m{i}" for i in range(2000)]
    kept = [i for i in ids if sampled(i, "f", 25)]
    assert kept == [i for i in ids if sampled(i, "f", 25)]
    assert 400 < len(kept) < 600
    assert not any(sampled(i, "f", 0) for i in ids)
    assert all(sampled(i, "f", 100) for i in ids)


def test_a_sample_by_path_takes_all_of_a_user_or_nothing():
    """Whatever the event; where nothing is at the path, the event's own id decides; another filter draws anew."""
    rules = admission(Filter("users", "all", "sample", percent=25, path="userId"))

    def passes(n, user):
        given = event(message_id=f"m{n}", user_id=user, anonymous_id="a")
        return rules.judge(given, given.view()) is None

    drawn = {user: {passes(n, user) for n in range(20)} for user in map(str, range(200))}
    assert all(len(found) == 1 for found in drawn.values())
    assert 25 < sum(True in found for found in drawn.values()) < 75
    assert {passes(n, None) for n in range(200)} == {True, False}


def test_properties_are_taken_away_wherever_they_are():
    """Paths go through lists; what is not there is no error; the event that came is left as it was."""
    view = {
        "userId": "u",
        "properties": {"items": [{"price": 1, "sku": "a"}, {"price": 2}, 7], "total": 3},
        "traits": {"ssn": "1"},
    }
    fields = {"": ("userId",), "properties": ("items.price", "nope.deep"), "traits": ("ssn",)}
    rules = admission(Filter("f", "all", "drop_properties", fields=fields))
    assert rules.edit(view) == {
        "properties": {"items": [{"sku": "a"}, {}, 7], "total": 3},
        "traits": {},
    }
    assert view["userId"] == "u"
    only = admission(Filter("f", "all", "allow_properties", fields={"properties": ("items.sku",)}))
    assert only.edit(view)["properties"] == {"items": [{"sku": "a"}, {}, 7]}
    assert only.edit(view)["traits"] == {"ssn": "1"}


class Broken:
    """A trigger with a fault of its own."""

    def matches(self, _view):
        """Never says."""
        raise ZeroDivisionError("oh")


def test_a_filter_that_does_not_work_lets_nothing_through(monkeypatch):
    """Dropping ones dead-letter the event with their name; trimming ones raise before anybody saw the event."""
    monkeypatch.setattr("millstream.destinations.admission.parse_trigger", lambda *_: Broken())
    stopped = admission(Filter("mine", "x")).judge(event(), {})
    assert (stopped.state, stopped.reason) == (State.DEAD_LETTERED, Reason.FILTER_FAILED)
    assert "mine: ZeroDivisionError" in stopped.detail
    with pytest.raises(FilterFailed, match="trim: ZeroDivisionError"):
        admission(Filter("trim", "x", "drop_properties", fields={"": ("a",)})).edit({})
