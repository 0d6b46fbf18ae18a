"""Fields that several actions share."""

from __future__ import annotations

from typing import Any, Final

from millstream.destinations.kit import Field

NULL_CLEARS: Final = Field(
    "null_clears",
    "Null clears",
    "boolean",
    "Whether a null clears the property (true, as Segment Classic does) or says nothing (Segment's actions).",
)


def first_of(*paths: str) -> Any:
    """A mapping that gives the first of these paths that is there."""
    *rest, last = paths
    found: Any = {"@path": last}
    for path in reversed(rest):
        found = {"@if": {"exists": {"@path": path}, "then": {"@path": path}, "else": found}}
    return found


EMAIL: Final = Field(
    "email",
    "Email",
    "string",
    "The contact's address; without one, the profile's.",
    first_of("$.properties.email", "$.traits.email", "$.context.traits.email", "$.profile.email"),
)
