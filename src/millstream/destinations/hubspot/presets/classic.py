"""Segment HubSpot (Classic) in cloud mode, and what RudderStack's preset shares with it."""

from __future__ import annotations

from typing import Any, Final

from millstream.destinations.hubspot.actions.fields import first_of
from millstream.destinations.kit import Preset
from millstream.workspace.model import Mapping

_IDENTIFY_EMAIL: Final = first_of("$.traits.email", "$.context.traits.email", "$.profile.email")


def identify_to_contact(**more: Any) -> Mapping:
    """All traits to the contact of the event's address."""
    fields = {"email": _IDENTIFY_EMAIL, "properties": {"@path": "$.traits"}, **more}
    return Mapping("identify to contact", "upsert_contact", 'type = "identify"', fields)


COMMON: Final = (
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


def events(*email: str) -> tuple[Mapping, ...]:
    """Events with the address that these paths give, the first that is there."""
    return (
        Mapping(
            "track to event",
            "custom_event",
            'type = "track"',
            {
                "name": {"@path": "$.event"},
                "email": first_of(*email),
                "properties": {"@path": "$.properties"},
            },
        ),
        Mapping(
            "track traits to contact",
            "upsert_contact",
            'type = "track" and context.traits != null',
            {
                "email": first_of("$.context.traits.email", "$.profile.email"),
                "properties": {"@path": "$.context.traits"},
            },
        ),
        Mapping(
            "screen to event",
            "custom_event",
            'type = "screen"',
            {
                "name": "screen_viewed",
                "email": first_of(*email),
                "properties": {"@path": "$.properties"},
                "more_properties": {
                    "screen_name": {"@path": "$.name"},
                    "screen_category": {"@path": "$.category"},
                },
            },
        ),
    )


PRESET: Final = Preset(
    "classic",
    "Segment HubSpot (Classic), cloud mode",
    "identify → contact; track and screen → custom event; group → company and association.",
    (
        identify_to_contact(),
        *COMMON,
        *events("$.properties.email", "$.context.traits.email", "$.profile.email"),
    ),
)
