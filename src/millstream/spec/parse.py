"""One item of a tracking call → a canonical event, or the reason why it is none. Never raises on what it is given.

Reasons are Segment's codes where they exist; `REASONS` is the closed list, documented in docs/tracking-api.md.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal

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
_NO_IDS: Final = {"userId": None, "anonymousId": None, "groupId": None, "previousId": None}


@dataclass(frozen=True, slots=True)
class Bad:
    """Why an item is no event."""

    reason: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Envelope:
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


def parse(item: Any, envelope: Envelope, kind: str | None = None) -> Event | Bad:
    """One Segment-shaped item. `kind` is the type that the path gave, which wins over `type`."""
    if not isinstance(item, dict):
        return Bad("not_an_object")
    if _too_deep(item):
        return Bad("too_deep")
    what: Any = kind or item.get("type")
    if what not in events.type_names:
        return Bad("unknown_type", str(what)[:100])
    objects = _objects(item, envelope)
    if isinstance(objects, Bad):
        return objects
    properties, traits, context, integrations = objects
    ids: dict[str, str | None] = dict(_NO_IDS)
    for name in _NO_IDS:
        given = item.get(name)
        if given is None or given == "":
            continue
        found = _identifier(given)
        if found is None:
            return Bad("id_not_string", name)
        ids[name] = found
    if ids["anonymousId"] is None and ids["userId"] is None:
        ids["anonymousId"] = envelope.anonymous_id
    problem = _problem(what, item, ids)
    if problem is not None:
        return problem
    if what in {"identify", "group"} and not traits and isinstance(context.get("traits"), dict):
        traits = context["traits"]
    if envelope.ip and item.get("channel") in {"browser", "web", "client", "mobile"}:
        context.setdefault("ip", envelope.ip)
    original = item.get("originalTimestamp") or item.get("timestamp")
    sent = item.get("sentAt") or envelope.sent_at
    time_ms, _note = timestamps.corrected(original, sent, envelope.received_ms)
    original_ms, sent_ms = timestamps.to_ms(original), timestamps.to_ms(sent)
    return Event(
        type=what,
        message_id=_message_id(item.get("messageId"), envelope.new_id),
        timestamp=timestamps.to_iso(time_ms),
        received_at=timestamps.to_iso(envelope.received_ms),
        source=envelope.source,
        user_id=ids["userId"],
        anonymous_id=ids["anonymousId"],
        group_id=ids["groupId"],
        previous_id=ids["previousId"],
        event=_text(item.get("event")) if what == "track" else None,
        name=_name(item, properties) if what in {"page", "screen"} else None,
        category=item.get("category") if what in {"page", "screen"} else None,
        properties=properties if what not in {"identify", "group", "alias"} else {},
        traits=traits if what in {"identify", "group"} else {},
        context=context,
        integrations=integrations,
        original_timestamp=timestamps.to_iso(original_ms) if original_ms is not None else None,
        sent_at=timestamps.to_iso(sent_ms) if sent_ms is not None else None,
        channel=item["channel"] if isinstance(item.get("channel"), str) else None,
        version=item.get("version") if isinstance(item.get("version"), str | int) else None,
        dialect=envelope.dialect,
    )


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


def _objects(
    item: dict[str, Any], envelope: Envelope
) -> Bad | tuple[dict[str, Any], dict[str, Any], dict[str, Any], dict[str, Any]]:
    """properties, traits, context and integrations, the last two merged over the request's."""
    found = []
    for name, inherited in (
        ("properties", None),
        ("traits", None),
        ("context", envelope.context),
        ("integrations", envelope.integrations),
    ):
        value = item.get(name)
        if value is None:
            value = {}
        if not isinstance(value, dict):
            if name == "integrations":
                value = {}
            else:
                return Bad(f"{name}_not_object", type(value).__name__)
        found.append({**inherited, **value} if inherited else value)
    properties, traits, context, integrations = found
    return properties, traits, context, integrations


def _problem(what: str, item: dict[str, Any], ids: dict[str, str | None]) -> Bad | None:
    """What Segment's own validation would object to."""
    if what == "alias":
        return None if ids["userId"] and ids["previousId"] else Bad("id_required", "userId and previousId")
    if ids["userId"] is None and ids["anonymousId"] is None:
        return Bad("no_user_anon_id")
    if what == "track":
        event = item.get("event")
        if event is None or event == "":
            return Bad("event_not_defined")
        if not isinstance(event, str | int | float) or isinstance(event, bool):
            return Bad("event_not_string", type(event).__name__)
    if what == "group" and ids["groupId"] is None:
        return Bad("id_required", "groupId")
    if what in {"page", "screen"}:
        for name in ("name", "category"):
            if not isinstance(item.get(name), str | None):
                return Bad(f"{name}_not_string", type(item[name]).__name__)
    return None


def _name(item: dict[str, Any], properties: dict[str, Any]) -> str | None:
    """A page's or screen's name; some SDKs put it only into the properties."""
    given = item.get("name") or properties.get("name")
    return given if isinstance(given, str) else None


def _identifier(value: Any) -> str | None:
    """An id as text; None for what is none."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
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


def _too_deep(value: Any) -> bool:
    """Whether it nests deeper than is allowed; without recursion, since depth is the danger."""
    level = [value]
    for _ in range(_MAX_DEPTH):
        below = []
        for outer in level:
            for inner in outer.values() if type(outer) is dict else outer:
                if type(inner) is dict or type(inner) is list:
                    below.append(inner)  # noqa: PERF401  (a comprehension costs twice as much here)
        if not below:
            return False
        level = below
    return True
