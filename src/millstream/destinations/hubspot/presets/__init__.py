"""Presets: plain mappings that a user can open and edit."""

from __future__ import annotations

from typing import Final

from millstream.destinations.hubspot.presets import amplitude, classic, rudderstack, segment
from millstream.destinations.kit import Preset

PRESETS: Final[dict[str, Preset]] = {
    module.PRESET.name: module.PRESET for module in (classic, segment, rudderstack, amplitude)
}
