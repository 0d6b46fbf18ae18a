"""Names, values and settings of the HubSpot destination (SEMANTICS 10 to 17, 23, 36)."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millstream.destinations.admission import Admission
from millstream.destinations.hubspot import names, settings
from millstream.destinations.hubspot.planner import INTEGRATION_NAMES
from millstream.destinations.hubspot.values import Unconvertible, convert, inferred_type
from millstream.hubspot_api.schema import Property
from millstream.workspace.model import Destination


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("Plan", "plan"),
        ("Favourite Colour", "favourite_colour"),
        ("camelCase", "camelcase"),
        ("a.b", "a_b"),
        ("$browser", "browser"),
        ("[Amplitude] City", "city"),
        ("1st", "p_1st"),
        ("größe", "gr__e"),
        ("a--b", "a__b"),
        ("", "p_cec7ea"),
        ("名前", "p_28e959"),
        ("住所", "p_959c66"),
        (" ИМЯ ", "p_d6ef57"),
        ("имя", "p_d6ef57"),
        ("名前 2", "p____2"),
    ],
)
def test_property_names(key, name):
    """NFKC, lower case, one underscore for each character that HubSpot does not take; a hash where none would be left."""
    assert names.property_name(key) == name


@given(st.text(max_size=300))
def test_any_key_becomes_a_valid_name(key):
    """HubSpot's own pattern holds for whatever comes."""
    name = names.property_name(key)
    assert 1 <= len(name) <= 100
    assert name[0].islower()
    assert all(c.islower() or c.isdigit() or c == "_" for c in name)
    assert name.isascii()


@pytest.mark.parametrize(
    ("website", "domain"),
    [
        ("https://www.Example.com/a?b", "example.com"),
        ("example.com", "example.com"),
        ("http://shop.example.co.uk:8080", "shop.example.co.uk"),
        ("https://bücher.example", "xn--bcher-kva.example"),
        ("https://gmail.com", None),
        ("localhost", None),
        ("https://10.0.0.1/", None),
        ("https://[::1]/", None),
        ("", None),
        (None, None),
        (5, None),
        ("https://exa mple.com", None),
    ],
)
def test_domains(website, domain):
    """The host of a website, or nothing that could be mistaken for a company."""
    assert names.domain_of(website) == domain


PLAN = Property("plan", "enumeration", "select", options=(("a", "Alpha"), ("b", "Beta")))
MULTI = Property("m", "enumeration", "checkbox", options=(("a", "Alpha"), ("b", "Beta")))
# A value goes before a label, and what is spelled so before what only differs in case.
CASES = Property(
    "s", "enumeration", options=(("BIG", "X"), ("a", "A"), ("A", "c"), ("b", "Big"), ("d", "c"), ("e", "E"))
)


@pytest.mark.parametrize(
    ("prop", "value", "text"),
    [
        (Property("p", "string"), 5.0, "5"),
        (Property("p", "string"), True, "true"),
        (Property("p", "string"), ["a", 1], "a;1"),
        (Property("p", "string"), {"a": 1}, '{"a":1}'),
        (Property("p", "string"), None, ""),
        (Property("p", "string"), 0, "0"),
        (Property("p", "bool"), False, "false"),
        (Property("p", "bool"), "Yes", "true"),
        (Property("p", "number"), "20.50", "20.50"),
        (Property("p", "number"), 0, "0"),
        (Property("p", "date"), "2026-06-30", "2026-06-30"),
        (Property("p", "date"), "2026-06-30T23:30:00Z", "2026-06-30"),
        (Property("p", "date"), 1782864000, "2026-07-01"),
        (Property("p", "date"), "1782864000", "2026-07-01"),
        (Property("p", "date"), 1782864000000, "2026-07-01"),
        (Property("p", "datetime"), "2026-06-30T10:00:00+02:00", "2026-06-30T08:00:00.000Z"),
        (PLAN, "alpha", "a"),
        (MULTI, ["Alpha", "b"], "a;b"),
        (CASES, "a", "a"),
        (CASES, "A", "A"),
        (CASES, "Big", "b"),
        (CASES, "BIG", "BIG"),
        (CASES, "c", "A"),
        (CASES, " E ", "e"),
    ],
)
def test_values_by_type(prop, value, text):
    """Converted instead of refused."""
    assert convert(prop, value) == text


@pytest.mark.parametrize(
    ("prop", "value"),
    [
        (Property("p", "number"), "abc"),
        (Property("p", "number"), True),
        (Property("p", "number"), float("nan")),
        (Property("p", "bool"), "maybe"),
        (Property("p", "date"), "30/06/2026"),
        (Property("p", "date"), "1700-01-01T00:00:00Z"),
        (PLAN, "gamma"),
        (PLAN, ["a", "b"]),
    ],
)
def test_what_does_not_convert_is_left_out(prop, value):
    """One bad value never harms the record."""
    with pytest.raises(Unconvertible):
        convert(prop, value)


def test_an_instant_becomes_the_day_of_the_zone():
    """`date_timezone` decides."""
    zone = ZoneInfo("Asia/Tokyo")
    assert convert(Property("p", "date"), "2026-06-30T23:30:00Z", zone) == "2026-07-01"


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (True, "bool"),
        (5, "number"),
        ("5", "string"),
        ("2026-01-01", "date"),
        ("2026-01-01T00:00:00Z", "datetime"),
        ("x", "string"),
    ],
)
def test_types_of_new_properties(value, kind):
    """Numeric text stays text: telephone numbers and zip codes."""
    assert inferred_type(value) == kind


@pytest.mark.parametrize(
    ("integrations", "allowed"),
    [
        ({}, True),
        ({"All": False}, False),
        ({"All": False, "HubSpot": True}, True),
        ({"HubSpot": False}, False),
        ({"hubspot cloud mode (actions)": False}, False),
        ({"HS": {"x": 1}, "All": False}, True),
        ({"Mixpanel": False}, True),
    ],
)
def test_integrations_in_every_spelling(integrations, allowed):
    """Users lose data on case: we do not."""
    assert Admission(Destination("crm", "hubspot"), INTEGRATION_NAMES).named(integrations) is allowed


def test_settings_explain_the_end_of_api_keys():
    """An api_key is told what to do."""
    problems = settings.check({"api_key": "x"})
    assert any("2022" in p.message for p in problems)


def test_settings_with_problems_name_them():
    """Unknown names, wrong choices, wrong types, a zone that does not exist."""
    given_ = {
        "portal_id": "x1",
        "access_token": "t",
        "api_version": "v1",
        "typo": 1,
        "date_timezone": "Mars/X",
    }
    assert {p.path for p in settings.check(given_)} == {
        "settings.portal_id",
        "settings.api_version",
        "settings.typo",
        "settings.date_timezone",
    }
