"""Remarks on an outcome: the closed list. Most name what they are about, as in `value_rejected:city`. Pure."""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class Note(StrEnum):
    """What else there is to say of an effect. Each member's documentation is in `NOTES`; tests compare the two."""

    SUPERSEDED = "superseded"
    SHADOW = "shadow"
    UNCONFIRMED = "unconfirmed"
    EMAIL_NOT_VALID = "email_not_valid"
    EMAIL_CONFLICT = "email_conflict"
    LOOKUP_UNKNOWN = "lookup_unknown"
    AMBIGUOUS_DOMAIN = "ambiguous_domain"
    LIFECYCLE_KEPT = "lifecycle_kept"
    KEPT_BY_POLICY = "kept_by_policy"
    NEVER_WRITTEN = "never_written"
    READ_ONLY = "read_only"
    UNKNOWN_PROPERTY = "unknown_property"
    UNKNOWN_PROPERTY_DROPPED = "unknown_property_dropped"
    PROPERTY_LIMIT = "property_limit"
    NOT_CREATED_FROM_BROWSER = "not_created_from_browser"
    NO_ROOM_FOR_PROPERTY = "no_room_for_property"
    PROPERTIES_CUT = "properties_cut"
    NAME_COLLISION = "name_collision"
    VALUE_NOT_CONVERTIBLE = "value_not_convertible"
    VALUE_REJECTED = "value_rejected"
    VALUE_CUT = "value_cut"

    def of(self, what: object) -> str:
        """The note about one property, or with a figure."""
        return f"{self.value}:{what}"


# What stands behind those that are `of` something.
NAMING: Final[dict[Note, str]] = {
    Note.LOOKUP_UNKNOWN: ":NAME",
    Note.KEPT_BY_POLICY: ":NAME",
    Note.NEVER_WRITTEN: ":NAME",
    Note.READ_ONLY: ":NAME",
    Note.UNKNOWN_PROPERTY: ":NAME",
    Note.UNKNOWN_PROPERTY_DROPPED: ":NAME",
    Note.PROPERTY_LIMIT: ":NAME",
    Note.NOT_CREATED_FROM_BROWSER: ":NAME",
    Note.NO_ROOM_FOR_PROPERTY: ":NAME",
    Note.PROPERTIES_CUT: ":N",
    Note.NAME_COLLISION: ":NAME",
    Note.VALUE_NOT_CONVERTIBLE: ":NAME",
    Note.VALUE_REJECTED: ":NAME",
    Note.VALUE_CUT: ":NAME",
}
NOTES: Final[dict[Note, str]] = {
    Note.SUPERSEDED: "Every value was older than what HubSpot has.",
    Note.SHADOW: "Shadow mode: not sent, the request is kept.",
    Note.UNCONFIRMED: "It was sent by the tracking pixel, whose answer confirms nothing.",
    Note.EMAIL_NOT_VALID: "The event's own address is none; the profile's was used.",
    Note.EMAIL_CONFLICT: "Another contact has the new address already; the values went to that one.",
    Note.LOOKUP_UNKNOWN: "HubSpot has no such property to find contacts by (`lookup_field`); the address counted.",
    Note.AMBIGUOUS_DOMAIN: "Several companies had the domain; the oldest was taken.",
    Note.LIFECYCLE_KEPT: "The lifecycle stage stays: it would go back, be cleared, or is not to be written.",
    Note.KEPT_BY_POLICY: "HubSpot's own value stays, by `write_policy`.",
    Note.NEVER_WRITTEN: "`write_policy` keeps this property from being written.",
    Note.READ_ONLY: "The property is HubSpot's own.",
    Note.UNKNOWN_PROPERTY: "HubSpot has no such property, and `unknown_properties` is `reject`.",
    Note.UNKNOWN_PROPERTY_DROPPED: (
        "HubSpot has no such property and `unknown_properties` is `drop`, or it may not be made."
    ),
    Note.PROPERTY_LIMIT: "The property would have been made, but so many were made today.",
    Note.NOT_CREATED_FROM_BROWSER: "The property would have been made, but a browser sent it.",
    Note.NO_ROOM_FOR_PROPERTY: "The event's definition has 50 properties already.",
    Note.PROPERTIES_CUT: "So many of the event's properties were left out: HubSpot takes 50.",
    Note.NAME_COLLISION: "Two keys, of one event or of several, have one name; in one event the key that needed no change won, else the later.",
    Note.VALUE_NOT_CONVERTIBLE: "The value does not fit the property's type.",
    Note.VALUE_REJECTED: "HubSpot refused this value; the rest was written.",
    Note.VALUE_CUT: "The text is longer than HubSpot's events take.",
}
