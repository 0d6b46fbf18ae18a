"""What of an event a mapping can see (`mapping/sight.py`): a wrong "no" would take it away from the mapping."""

from __future__ import annotations

import pytest

from millstream.destinations.hubspot.presets import PRESETS
from millstream.mapping.sight import may_see

EMAIL = frozenset({"$.profile.email"})


@pytest.mark.parametrize(
    ("mapping", "sees"),
    [
        ({"email": {"@path": "$.profile.email"}, "plan": {"@path": "$.traits.plan"}}, False),
        ({"email": {"@path": "$.profile"}}, True),
        ({"email": {"@path": "$['profile'].traits"}}, True),
        ({"a": {"@if": {"exists": {"@path": "$.profile.traits.a"}, "then": 1}}}, True),
        ({"a": {"@arrayPath": ["profile.traits.list", {"b": {"@path": "$.c"}}]}}, True),
        ({"a": {"@template": "Hi {{traits.name}}"}}, False),
        ({"a": {"@template": "Hi {{profile.traits.name}}"}}, True),
        ({"a": {"@template": {"@path": "$.traits.template"}}}, True),
        ({"a": {"@path": {"@path": "$.traits.path"}}}, True),
        ({"a": {"@json": {"mode": "encode", "value": {"@path": "$."}}}}, True),
        ({"a": {"@liquid": "{{ x }}"}}, True),
        ("profile.traits.plan = 1", True),
        (['type = "identify"', {"a": [1, None, True]}], False),
    ],
)
def test_who_may_see_the_profile(mapping, sees):
    """Nobody but through the one harmless path, unless a path names it, or an event decides which path it is."""
    assert may_see(mapping, "profile", EMAIL) is sees


def test_the_preset_that_most_use_sees_only_the_address():
    """Else every event would pay for a copy of its profile."""
    preset = PRESETS["classic"]
    assert not may_see([m.fields for m in preset.mappings], "profile", EMAIL)
    assert not may_see([m.trigger for m in preset.mappings], "profile", EMAIL)
