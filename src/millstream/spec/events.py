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


class Claim(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """What an event claims about a person or an account: all that identity and traits read of it.

    The processor decodes no more than this: a third of the cost of a whole track.
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
    traits: dict[str, Any] = {}
    context: dict[str, Any] = {}
    operations: list[TraitOperation] = []
    groups: list[GroupMembership] = []
    dialect: Literal["segment", "rudderstack", "amplitude", "millstream"] = "segment"


class Event(Claim, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """One canonical event. Times are ISO 8601 in UTC with milliseconds and `Z`.

    `timestamp` is the corrected event time; `originalTimestamp` what the client said. `source` is the name of the
    configured source. `origin` is set on events that Millstream itself derives: the destination or computation
    they come from, so that they are not routed back to it. `imported`: it came as history, by `/v1/import`.
    """

    event: str | None = None
    name: str | None = None
    category: str | None = None
    properties: dict[str, Any] = {}
    integrations: dict[str, Any] = {}
    original_timestamp: str | None = None
    sent_at: str | None = None
    channel: str | None = None
    version: Any = None
    origin: str | None = None
    imported: bool = False

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
        if self.user_id is not None:
            seen["userId"] = self.user_id
        if self.anonymous_id is not None:
            seen["anonymousId"] = self.anonymous_id
        if self.group_id is not None:
            seen["groupId"] = self.group_id
        if self.previous_id is not None:
            seen["previousId"] = self.previous_id
        if self.event is not None:
            seen["event"] = self.event
        if self.name is not None:
            seen["name"] = self.name
        if self.category is not None:
            seen["category"] = self.category
        if self.original_timestamp is not None:
            seen["originalTimestamp"] = self.original_timestamp
        if self.sent_at is not None:
            seen["sentAt"] = self.sent_at
        if self.channel is not None:
            seen["channel"] = self.channel
        if self.version is not None:
            seen["version"] = self.version
        if self.properties or self.type in {"track", "page", "screen"}:
            seen["properties"] = self.properties
        if self.traits or self.type in {"identify", "group"}:
            seen["traits"] = self.traits
        return seen


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Event)
_claim_decoder = msgspec.json.Decoder(Claim)


def encode(event: Event) -> bytes:
    """The event as the log stores it."""
    return _encoder.encode(event)


def decode(body: bytes) -> Event:
    """The event that `encode` wrote. Raises `msgspec.ValidationError` on anything else."""
    return _decoder.decode(body)


def decode_claim(body: bytes) -> Claim:
    """The event's claim alone; what else it holds is skipped unread. Raises like `decode`."""
    return _claim_decoder.decode(body)
