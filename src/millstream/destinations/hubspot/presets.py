"""Presets: plain mappings that a user can open and edit."""

from __future__ import annotations

from typing import Any, Final

from millstream.destinations.kit import Preset
from millstream.workspace.model import Mapping


def _first(*paths: str) -> Any:
    """The first of these paths that is there."""
    *rest, last = paths
    found: Any = {"@path": last}
    for path in reversed(rest):
        found = {"@if": {"exists": {"@path": path}, "then": {"@path": path}, "else": found}}
    return found


_IDENTIFY_EMAIL: Final = _first("$.traits.email", "$.context.traits.email", "$.profile.email")
_COMMON: Final = (
    Mapping(
        "identify to contact",
        "upsert_contact",
        'type = "identify"',
        {"email": _IDENTIFY_EMAIL, "properties": {"@path": "$.traits"}},
    ),
    Mapping(
        "identify to associations",
        "associate",
        'type = "identify" and traits.hubspot.objects != null',
        {"objects": {"@path": "$.traits.hubspot"}},
    ),
    Mapping(
        "group to company",
        "upsert_company",
        'type = "group"',
        {"website": {"@path": "$.traits.website"}, "properties": {"@path": "$.traits"}},
    ),
    Mapping(
        "group to association",
        "associate",
        'type = "group" and (userId != null or anonymousId != null)',
        {"website": {"@path": "$.traits.website"}, "email": {"@path": "$.profile.email"}},
    ),
)


def _events(*email: str) -> tuple[Mapping, ...]:
    return (
        Mapping(
            "track to event",
            "custom_event",
            'type = "track"',
            {"name": {"@path": "$.event"}, "email": _first(*email), "properties": {"@path": "$.properties"}},
        ),
        Mapping(
            "track traits to contact",
            "upsert_contact",
            'type = "track" and context.traits != null',
            {
                "email": _first("$.context.traits.email", "$.profile.email"),
                "properties": {"@path": "$.context.traits"},
            },
        ),
        Mapping(
            "screen to event",
            "custom_event",
            'type = "screen"',
            {
                "name": "screen_viewed",
                "email": _first(*email),
                "properties": {"@path": "$.properties"},
                "more_properties": {
                    "screen_name": {"@path": "$.name"},
                    "screen_category": {"@path": "$.category"},
                },
            },
        ),
    )


PRESETS: Final = {
    "classic": Preset(
        "classic",
        "Segment HubSpot (Classic), cloud mode",
        "identify → contact; track and screen → custom event; group → company and association.",
        (*_COMMON, *_events("$.properties.email", "$.context.traits.email", "$.profile.email")),
    ),
    "rudderstack": Preset(
        "rudderstack",
        "RudderStack HubSpot, cloud mode",
        "As classic; the email of a track call is the context's before the properties'.",
        (*_COMMON, *_events("$.context.traits.email", "$.properties.email", "$.profile.email")),
    ),
}
