"""Timestamps and parsing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millstream.spec import events, timestamps
from millstream.spec.events import Event
from millstream.spec.parse import REASONS, Bad, Envelope, amplitude_operations, parse

NOW = 1_700_000_000_000
ENVELOPE = Envelope("s", NOW, lambda: "generated")


@given(st.integers(min_value=-2_000_000_000_000, max_value=7_000_000_000_000))
def test_iso_and_back(ms):
    """Milliseconds survive the way to ISO 8601 and back."""
    assert timestamps.to_ms(timestamps.to_iso(ms)) == ms


@pytest.mark.parametrize(
    ("given_", "ms"),
    [
        ("2023-11-14T22:13:20Z", NOW),
        ("2023-11-14T23:13:20.000+01:00", NOW),
        ("2023-11-14T22:13:20", NOW),
        (NOW, NOW),
        (NOW // 1000, NOW),
        (str(NOW), NOW),
        ("yesterday", None),
        ("", None),
        (True, None),
        (float("nan"), None),
        (10**30, None),
        ("2023-13-45", None),
        ([], None),
    ],
)
def test_every_way_to_say_a_time(given_, ms):
    """ISO with and without zone, seconds, milliseconds; nonsense is none."""
    assert timestamps.to_ms(given_) == ms


def test_clock_skew_is_corrected():
    """A client clock that is an hour ahead does not move the event."""
    assert timestamps.corrected(NOW + 3_600_000 - 5000, NOW + 3_600_000, NOW) == NOW - 5000


@pytest.mark.parametrize("sent", [None, NOW])
def test_without_a_time_of_its_own_an_event_has_the_receipts(sent):
    """What the request says of itself is no time of the event."""
    assert timestamps.corrected(None, sent, NOW) == NOW


def test_times_that_cannot_be_count_as_the_receipt():
    """A clock correction that leads out of the years that times can have."""
    assert timestamps.corrected(NOW - 10**13, None, NOW) == NOW


def test_the_future_counts_as_the_receipt():
    """More than 24 h ahead is the receipt's time."""
    assert timestamps.corrected(NOW + 2 * timestamps.DAY_MS, None, NOW) == NOW


def test_imports_keep_their_past():
    """An old timestamp sent now stays old."""
    long_ago = NOW - 1000 * timestamps.DAY_MS
    assert timestamps.corrected(long_ago, NOW, NOW) == long_ago


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        (1, "not_an_object"),
        ({"type": "nope", "userId": "u"}, "unknown_type"),
        ({"type": "track", "event": "e"}, "no_user_anon_id"),
        ({"type": "track", "userId": "u"}, "event_not_defined"),
        ({"type": "track", "userId": "u", "event": {}}, "event_not_string"),
        ({"type": "track", "userId": "u", "event": "e", "properties": []}, "properties_not_object"),
        ({"type": "identify", "userId": "u", "traits": "x"}, "traits_not_object"),
        ({"type": "identify", "userId": "u", "context": "x"}, "context_not_object"),
        ({"type": "identify", "userId": []}, "id_not_string"),
        ({"type": "identify", "userId": "u" * 501}, "id_not_string"),
        ({"type": "group", "userId": "u"}, "id_required"),
        ({"type": "alias", "userId": "u"}, "id_required"),
        ({"type": "page", "userId": "u", "name": 1}, "name_not_string"),
    ],
)
def test_what_is_no_event_has_its_reason(item, reason):
    """Each refusal is one of the documented reasons."""
    found = parse(item, ENVELOPE)
    assert isinstance(found, Bad)
    assert found.reason == reason
    assert reason in REASONS


@pytest.mark.parametrize("odd", [[], {}, [["web"]], 5, True])
def test_a_channel_of_any_kind_is_no_failure(odd):
    """What is not text is left out; a list would not even be comparable with the names of channels."""
    sender = Envelope("s", NOW, lambda: "generated", ip="192.0.2.1")
    event = parse({"type": "track", "userId": "u", "event": "E", "channel": odd}, sender)
    assert isinstance(event, Event)
    assert (event.channel, event.context) == (None, {})


def test_items_inherit_without_sharing():
    """Context and integrations of the request are under the item's own; what one item gets, no other sees."""
    sender = Envelope(
        "s",
        NOW,
        str,
        context={"a": 1, "b": 1},
        integrations={"All": True},
        ip="192.0.2.1",
        anonymous_id="anon",
    )
    first = parse(
        {"type": "page", "channel": "web", "context": {"b": 2}, "integrations": {"All": False}}, sender
    )
    second = parse({"type": "page", "userId": "u", "integrations": 5}, sender)
    assert isinstance(first, Event)
    assert isinstance(second, Event)
    assert first.context == {"a": 1, "b": 2, "ip": "192.0.2.1"}
    assert (first.integrations, first.anonymous_id) == ({"All": False}, "anon")
    assert second.context == {"a": 1, "b": 1}
    assert (second.integrations, second.anonymous_id) == ({"All": True}, None)


def test_deep_nesting_is_refused_not_crashed():
    """A thousand levels are a rejection."""
    nested: dict = {}
    for _ in range(1000):
        nested = {"a": nested}
    found = parse({"type": "identify", "userId": "u", "traits": nested}, ENVELOPE)
    assert isinstance(found, Bad)
    assert found.reason == "too_deep"


def test_an_event_survives_the_log():
    """Encode and decode are inverse."""
    item = {
        "type": "track",
        "userId": 7,
        "event": "E",
        "properties": {"a": [1, None, {"b": "ü"}]},
        "anonymousId": None,
    }
    event = parse(item, ENVELOPE)
    assert isinstance(event, Event)
    assert event.user_id == "7"
    assert event.message_id == "generated"
    assert events.decode(events.encode(event)) == event


def test_rudderstack_traits_come_from_the_context():
    """Identify without traits takes the context's."""
    event = parse({"type": "identify", "userId": "u", "context": {"traits": {"email": "a@b.co"}}}, ENVELOPE)
    assert isinstance(event, Event)
    assert event.traits == {"email": "a@b.co"}


def test_amplitude_operations_apply_in_order():
    """$set and plain keys are traits; clearAll and unset come first among the operations."""
    traits, operations = amplitude_operations(
        {"$add": {"n": 1}, "$unset": {"x": "-"}, "$set": {"a": 1}, "plain": 2}
    )
    assert traits == {"plain": 2, "a": 1}
    assert [(o.op, o.key) for o in operations] == [("unset", "x"), ("add", "n")]
