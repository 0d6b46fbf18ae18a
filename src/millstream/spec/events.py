"""The Segment spec's events as frozen types.

One canonical event is what every dialect produces, what the log stores (as JSON in exactly this shape, camelCase
keys) and what mappings see. Source: Segment's spec (common fields, identify, track, page, screen, group, alias);
`operations` and `groups` are ours, for Amplitude's user-property operations and group memberships.
"""

from __future__ import annotations

from typing import Any, Final, Literal

import msgspec

type_names: Final = ("identify", "track", "page", "screen", "group", "alias")
EventType = Literal["identify", "track", "page", "screen", "group", "alias"]

OperationName = Literal[
    "set", "setOnce", "add", "append", "prepend", "unset", "preInsert", "postInsert", "remove", "clearAll"
]


class TraitOperation(msgspec.Struct, frozen=True, array_like=True):
    """One user-property operation of Amplitude: JSON `[op, key, value]`."""

    op: OperationName
    key: str
    value: Any = None


class GroupMembership(msgspec.Struct, frozen=True):
    """A group that an event names besides its own `groupId`: Amplitude's `groups`."""

    type: str
    id: str


class Event(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """One canonical event. Times are ISO 8601 in UTC with milliseconds and `Z`.

    `timestamp` is the corrected event time; `originalTimestamp` what the client said. `source` is the name of the
    configured source. `origin` is set on events that Millstream itself derives: the destination or computation
    they come from, so that they are not routed back to it.
    """

    type: EventType
    message_id: str
    timestamp: str
    received_at: str
    source: str
    user_id: str | None = None
    anonymous_id: str | None = None
    group_id: str | None = None
    previous_id: str | None = None
    event: str | None = None
    name: str | None = None
    category: str | None = None
    properties: dict[str, Any] = {}
    traits: dict[str, Any] = {}
    context: dict[str, Any] = {}
    integrations: dict[str, Any] = {}
    original_timestamp: str | None = None
    sent_at: str | None = None
    channel: str | None = None
    version: Any = None
    operations: list[TraitOperation] = []
    groups: list[GroupMembership] = []
    dialect: Literal["segment", "rudderstack", "amplitude", "millstream"] = "segment"
    origin: str | None = None

    def view(self) -> dict[str, Any]:
        """The event as mappings and triggers see it: a dict in Segment's shape, absent fields left out."""
        seen: dict[str, Any] = {
            "type": self.type,
            "messageId": self.message_id,
            "timestamp": self.timestamp,
            "receivedAt": self.received_at,
            "context": self.context,
            "integrations": self.integrations,
        }
        for name, value in (
            ("userId", self.user_id),
            ("anonymousId", self.anonymous_id),
            ("groupId", self.group_id),
            ("previousId", self.previous_id),
            ("event", self.event),
            ("name", self.name),
            ("category", self.category),
            ("originalTimestamp", self.original_timestamp),
            ("sentAt", self.sent_at),
            ("channel", self.channel),
            ("version", self.version),
        ):
            if value is not None:
                seen[name] = value
        if self.properties or self.type in {"track", "page", "screen"}:
            seen["properties"] = self.properties
        if self.traits or self.type in {"identify", "group"}:
            seen["traits"] = self.traits
        return seen


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Event)


def encode(event: Event) -> bytes:
    """The event as the log stores it."""
    return _encoder.encode(event)


def decode(body: bytes) -> Event:
    """The event that `encode` wrote. Raises `msgspec.ValidationError` on anything else."""
    return _decoder.decode(body)
