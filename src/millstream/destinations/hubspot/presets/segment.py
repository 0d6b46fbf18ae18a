"""Segment HubSpot Cloud Mode (Actions): the default mappings of its actions, property by property."""

from __future__ import annotations

from typing import Any, Final

from millstream.destinations.hubspot.actions.fields import first_of
from millstream.destinations.kit import Preset
from millstream.workspace.model import Mapping

_GROUP_ID: Final = first_of("$.groupId", "$.context.groupId")
_EMAIL: Final = first_of("$.properties.email", "$.context.traits.email", "$.profile.email")


def _traits(**names: str) -> dict[str, Any]:
    return {name: {"@path": f"$.traits.{path}"} for name, path in names.items()}


PRESET: Final = Preset(
    "segment",
    "Segment HubSpot Cloud Mode (Actions)",
    "identify → contact, group → company by segment_group_id and association, track → custom event; "
    "only the properties that are mapped, and a null says nothing.",
    (
        Mapping(
            "upsert contact",
            "upsert_contact",
            'type = "identify"',
            {
                "email": first_of("$.traits.email", "$.profile.email"),
                "properties": {
                    "company": first_of("$.traits.company.name", "$.traits.company"),
                    "firstname": first_of("$.traits.first_name", "$.traits.firstName"),
                    "lastname": first_of("$.traits.last_name", "$.traits.lastName"),
                    **_traits(phone="phone", website="website"),
                    **_traits(address="address.street", city="address.city", state="address.state"),
                    **_traits(country="address.country"),
                    "zip": first_of("$.traits.address.postalCode", "$.traits.address.postal_code"),
                },
                "null_clears": False,
            },
        ),
        Mapping(
            "upsert company",
            "upsert_company",
            'type = "group"',
            {
                "group_id": _GROUP_ID,
                "properties": {
                    **_traits(name="name", description="description", phone="phone", industry="industry"),
                    **_traits(address="address.street", city="address.city", state="address.state"),
                    **_traits(zip="address.postalCode", domain="website", numberofemployees="employees"),
                },
                "null_clears": False,
            },
        ),
        Mapping(
            "associate contact",
            "associate",
            'type = "group" and (userId != null or anonymousId != null)',
            {"group_id": _GROUP_ID, "email": {"@path": "$.profile.email"}},
        ),
        Mapping(
            "custom event",
            "custom_event",
            'type = "track"',
            {"name": {"@path": "$.event"}, "email": _EMAIL, "properties": {"@path": "$.properties"}},
        ),
    ),
)
