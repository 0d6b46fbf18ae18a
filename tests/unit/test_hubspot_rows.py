"""Rows as HubSpot's inputs: text goes as it is, and everything else through `convert`, with the same result."""

from __future__ import annotations

from types import SimpleNamespace
from zoneinfo import ZoneInfo

from millstream.delivery.operation import Key
from millstream.delivery.sink import WriteRow
from millstream.destinations.hubspot.calls.rows import Built
from millstream.destinations.hubspot.values import LONGEST
from millstream.hubspot_api.schema import PortalSchema, Property


def built(values, policies=None):
    """A row of these values, built for a portal with a property of each kind."""
    listed = {
        "name": Property("name", "string"),
        "bio": Property("bio", "string"),
        "seats": Property("seats", "number"),
        "active": Property("active", "bool"),
        "since": Property("since", "date"),
    }
    portal = SimpleNamespace(
        schema=PortalSchema({"contacts": listed}),
        policies={"contacts": policies or {}},
        zone=ZoneInfo("UTC"),
        cache=SimpleNamespace(doubt=lambda: None),
    )
    row = WriteRow("contact", Key("contact", "id", "1"), {n: (v, 1, 1) for n, v in values.items()}, [])
    return Built(portal, "contacts", row)


def test_every_value_as_its_property_takes_it():
    """Text, text that is too long, a clearing, a number for text, and types of their own."""
    made = built(
        {"name": "Ann", "bio": "x" * (LONGEST + 1), "seats": "5", "active": "yes", "since": "2024-01-02"}
    )
    assert made.properties == {
        "name": "Ann",
        "bio": "x" * LONGEST,
        "seats": "5",
        "active": "true",
        "since": "2024-01-02",
    }
    assert (made.notes, made.dropped) == ([], set())
    assert built({"name": None, "bio": 7}).properties == {"name": "", "bio": "7"}


def test_what_does_not_go_is_said():
    """A property that HubSpot lacks, a value that does not fit, a policy."""
    made = built({"name": "Ann", "seats": "many", "colour": "red"})
    assert made.properties == {"name": "Ann"}
    assert made.notes == ["value_not_convertible:seats", "unknown_property_dropped:colour"]
    assert made.dropped == {"seats", "colour"}
    kept = built({"name": "Ann", "bio": "b"}, {"name": "never"})
    assert (kept.properties, kept.notes) == ({"bio": "b"}, ["never_written:name"])
