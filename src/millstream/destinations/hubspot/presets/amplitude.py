"""Amplitude event streaming: nothing but the events that `settings.events` chooses, with the properties it chooses."""

from __future__ import annotations

from typing import Final

from millstream.destinations.kit import Preset

PRESET: Final = Preset(
    "amplitude",
    "Amplitude HubSpot event streaming",
    "The events of `settings.events`, each under its own HubSpot name; no property unless chosen, "
    "user properties as text; contacts are made with their address alone.",
    (),
)
