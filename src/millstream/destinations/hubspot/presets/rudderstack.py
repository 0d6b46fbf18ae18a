"""RudderStack HubSpot in cloud mode: context before properties, hsContactId, and events chosen one by one."""

from __future__ import annotations

from typing import Final

from millstream.destinations.hubspot.presets.classic import COMMON, events, identify_to_contact
from millstream.destinations.kit import Preset

# RudderStack keeps ids of other systems in a list; the contact's is the one of this type.
_HS_CONTACT_ID: Final = {
    "@if": {
        "exists": {"@path": "$.context.externalId"},
        "then": {
            "@liquid": '{% assign known = context.externalId | where: "type", "hsContactId" | first %}{{ known.id }}'
        },
    }
}
PRESET: Final = Preset(
    "rudderstack",
    "RudderStack HubSpot, cloud mode",
    "As classic; the email of a track call is the context's before the properties'; "
    "`externalId` of type hsContactId names the contact; objects and lists are JSON text (`nested: json`); "
    "`settings.events` chooses events.",
    (
        identify_to_contact(object_id=_HS_CONTACT_ID),
        *COMMON,
        *events("$.context.traits.email", "$.properties.email", "$.profile.email"),
    ),
    {"nested": "json"},
)
