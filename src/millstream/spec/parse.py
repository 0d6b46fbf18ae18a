"""One item of a tracking call → a canonical event, or the reason why it is none. Never raises on what it is given.

Reasons are Segment's codes where they exist; `REASONS` is the closed list, documented in docs/tracking-api.md.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Literal

import msgspec

from millstream.spec import events, timestamps
from millstream.spec.events import Event, GroupMembership, TraitOperation

REASONS: Final[dict[str, str]] = {
    "invalid_json": "It is not valid JSON.",
    "not_an_object": "It is not a JSON object.",
    "too_large": "It is larger than the source allows for one event.",
    "too_deep": "It is nested deeper than 200 levels.",
    "unknown_type": "`type` is not identify, track, page, screen, group or alias.",
    "no_user_anon_id": "It has neither userId nor anonymousId.",
    "event_not_defined": "A track call without `event`.",
    "event_not_string": "`event` is not text.",
    "properties_not_object": "`properties` is not an object.",
    "traits_not_object": "`traits` is not an object.",
    "context_not_object": "`context` is not an object.",
    "name_not_string": "`name` is not text.",
    "category_not_string": "`category` is not text.",
    "id_required": "A group call without `groupId`, or an alias call without `userId` or `previousId`.",
    "id_not_string": "An id is neither text nor a number, or longer than 500 characters.",
    "invalid_id_lengths": "Amplitude: no id of at least `min_id_length` characters that is allowed.",
    "missing_event_type": "Amplitude: an event without `event_type`.",
    "invalid_time": "Amplitude: `time` is not epoch milliseconds.",
    "missing_group": "Amplitude: a group identify without `group_type` and `group_value`.",
}

_MAX_ID: Final = 500
_MAX_MESSAGE_ID: Final = 100
_MAX_DEPTH: Final = 200
_CONTAINERS: Final = frozenset({dict, list})


class Bad(msgspec.Struct, frozen=True):
    """Why an item is no event."""

    reason: str
    detail: str = ""


class Envelope(msgspec.Struct, frozen=True):
    """What an item inherits from its request. `new_id` is asked only for items without a usable messageId."""

    source: str
    received_ms: int
    new_id: Callable[[], str]
    dialect: Literal["segment", "rudderstack", "amplitude", "millstream"] = "segment"
    context: dict[str, Any] | None = None
    integrations: dict[str, Any] | None = None
    sent_at: Any = None
    anonymous_id: str | None = None
    ip: str | None = None
    imported: bool = False


def parse(item: Any, envelope: Envelope, kind: str | None = None) -> Event | Bad:
    """One Segment-shaped item. `kind` is the type that the path gave, which wins over `type`."""
    if not isinstance(item, dict):
        return Bad("not_an_object")
    if too_deep(item, envelope.context, envelope.integrations):
        return Bad("too_deep")
    what: Any = kind or item.get("type")
    if what not in events.type_names:
        return Bad("unknown_type", str(what)[:100])
    for name in ("properties", "traits", "context"):
        value = item.get(name)
        if value is not None and not isinstance(value, dict):
            return Bad(f"{name}_not_object", type(value).__name__)
    ids: dict[str, str] = {}
    for name in ("userId", "anonymousId", "groupId", "previousId"):
        given = item.get(name)
        if given is None or given == "":
            continue
        found = _identifier(given)
        if found is None:
            return Bad("id_not_string", name)
        ids[name] = found
    if envelope.anonymous_id and "anonymousId" not in ids and "userId" not in ids:
        ids["anonymousId"] = envelope.anonymous_id
    return _problem(what, item, ids) or _event(what, item, ids, envelope)


def amplitude_operations(given: Any) -> tuple[dict[str, Any], list[TraitOperation]]:
    """Amplitude's `user_properties` → traits to set, and operations in the order in which they apply.

    Keys without `$` are `$set`. The documented operations never mix with plain keys, but nothing is lost if they do.
    """
    names: dict[str, events.OperationName] = {
        "$clearAll": "clearAll",
        "$unset": "unset",
        "$setOnce": "setOnce",
        "$add": "add",
        "$append": "append",
        "$prepend": "prepend",
        "$preInsert": "preInsert",
        "$postInsert": "postInsert",
        "$remove": "remove",
    }
    if not isinstance(given, dict):
        return {}, []
    traits = {k: v for k, v in given.items() if not k.startswith("$")}
    if isinstance(given.get("$set"), dict):
        traits |= given["$set"]
    operations: list[TraitOperation] = []
    for name, op in names.items():
        values = given.get(name)
        if op == "clearAll" and values is not None:
            operations.append(TraitOperation("clearAll", ""))
        elif isinstance(values, dict):
            operations += [TraitOperation(op, str(k), v) for k, v in values.items()]
    return traits, operations


def memberships(groups: Any) -> list[GroupMembership]:
    """Amplitude's `groups` object (type → value or values), at most 10."""
    if not isinstance(groups, dict):
        return []
    found = [
        GroupMembership(str(kind), str(value))
        for kind, values in groups.items()
        for value in (values if isinstance(values, list) else [values])
        if isinstance(value, str | int) and not isinstance(value, bool) and str(value).strip()
    ]
    return found[:10]


def _problem(what: str, item: dict[str, Any], ids: dict[str, str]) -> Bad | None:
    """What Segment's own validation would object to."""
    if what == "alias":
        return (
            None if "userId" in ids and "previousId" in ids else Bad("id_required", "userId and previousId")
        )
    if "userId" not in ids and "anonymousId" not in ids:
        return Bad("no_user_anon_id")
    if what == "track":
        event = item.get("event")
        if event is None or event == "":
            return Bad("event_not_defined")
        if not isinstance(event, str | int | float) or isinstance(event, bool):
            return Bad("event_not_string", type(event).__name__)
    if what == "group" and "groupId" not in ids:
        return Bad("id_required", "groupId")
    if what in {"page", "screen"}:
        for name in ("name", "category"):
            if not isinstance(item.get(name), str | None):
                return Bad(f"{name}_not_string", type(item[name]).__name__)
    return None


def _event(what: events.EventType, item: dict[str, Any], ids: dict[str, str], envelope: Envelope) -> Event:
    """The event of an item that has no problem."""
    about_who, view = what in {"identify", "group"}, what in {"page", "screen"}
    properties = {} if about_who or what == "alias" else item.get("properties") or {}
    context = _merged(envelope.context, item.get("context"))
    traits = item.get("traits") or {} if about_who else {}
    if about_who and not traits and isinstance(context.get("traits"), dict):
        traits = context["traits"]
    channel, version = item.get("channel"), item.get("version")
    if envelope.ip and isinstance(channel, str) and channel in {"browser", "web", "client", "mobile"}:
        context.setdefault("ip", envelope.ip)
    integrations = item.get("integrations")
    original_ms = timestamps.to_ms(item.get("originalTimestamp") or item.get("timestamp"))
    sent_ms = timestamps.to_ms(item.get("sentAt") or envelope.sent_at)
    received_ms = envelope.received_ms
    return Event(
        type=what,
        message_id=_message_id(item.get("messageId"), envelope.new_id),
        timestamp=timestamps.to_iso(timestamps.corrected(original_ms, sent_ms, received_ms)),
        received_at=timestamps.to_iso(received_ms),
        source=envelope.source,
        user_id=ids.get("userId"),
        anonymous_id=ids.get("anonymousId"),
        group_id=ids.get("groupId"),
        previous_id=ids.get("previousId"),
        event=_text(item.get("event")) if what == "track" else None,
        name=_name(item, properties) if view else None,
        category=item.get("category") if view else None,
        properties=properties,
        traits=traits,
        context=context,
        integrations=_merged(envelope.integrations, integrations if isinstance(integrations, dict) else None),
        original_timestamp=timestamps.to_iso(original_ms) if original_ms is not None else None,
        sent_at=timestamps.to_iso(sent_ms) if sent_ms is not None else None,
        channel=channel if isinstance(channel, str) else None,
        version=version if isinstance(version, str | int) else None,
        dialect=envelope.dialect,
        imported=envelope.imported,
    )


def _merged(inherited: dict[str, Any] | None, own: dict[str, Any] | None) -> dict[str, Any]:
    """The item's own values over its request's."""
    return {**inherited, **(own or {})} if inherited else own or {}


def _name(item: dict[str, Any], properties: dict[str, Any]) -> str | None:
    """A page's or screen's name; some SDKs put it only into the properties."""
    given = item.get("name") or properties.get("name")
    return given if isinstance(given, str) else None


def _identifier(value: Any) -> str | None:
    """An id as text; None for what is none."""
    if type(value) is not str and (isinstance(value, bool) or not isinstance(value, str | int | float)):
        return None
    text = _text(value)
    return text if len(text) <= _MAX_ID else None


def _text(value: Any) -> str:
    """A string, and a number as JavaScript would print it."""
    if type(value) is str:
        return value
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return str(value)


def _message_id(value: Any, new_id: Callable[[], str]) -> str:
    if type(value) is int:
        value = str(value)
    return value if type(value) is str and 0 < len(value) <= _MAX_MESSAGE_ID else new_id()


def too_deep(*values: Any) -> bool:
    """Whether one of them nests deeper than is allowed; without recursion, since depth is the danger."""
    level = [value for value in values if type(value) in _CONTAINERS]
    for _ in range(_MAX_DEPTH):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if type(outer) is dict else outer)
            if type(inner) in _CONTAINERS
        ]
        if not level:
            return False
    return True
