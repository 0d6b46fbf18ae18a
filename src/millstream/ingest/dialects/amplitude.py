"""Amplitude's wire format: HTTP V2, batch, identify and group identify → canonical events.

`user_properties` on any event become `traits` (`$set` and plain keys) and `operations` (everything else): on a track
event as well, since the profile is what they change.
"""

from __future__ import annotations

from typing import Any, Final

from msgspec.structs import replace

from millstream.spec import timestamps
from millstream.spec.events import Event
from millstream.spec.parse import Bad, Envelope, amplitude_operations, memberships, too_deep

FORBIDDEN_IDS: Final = frozenset(
    {"anonymous", "nil", "none", "null", "n/a", "na", "undefined", "unknown", "", "0", "-1", "{}", "lmy47d"}
    | {"00000000-0000-0000-0000-000000000000"}
)

_CONTEXT: Final = {
    "app_version": ("app", "version"),
    "os_name": ("os", "name"),
    "os_version": ("os", "version"),
    "device_brand": ("device", "brand"),
    "device_manufacturer": ("device", "manufacturer"),
    "device_model": ("device", "model"),
    "device_id": ("device", "id"),
    "carrier": ("network", "carrier"),
    "country": ("location", "country"),
    "region": ("location", "region"),
    "city": ("location", "city"),
    "location_lat": ("location", "latitude"),
    "location_lng": ("location", "longitude"),
    "idfa": ("device", "advertisingId"),
    "adid": ("device", "advertisingId"),
    "language": ("locale", None),
    "platform": ("platform", None),
    "library": ("library", "name"),
    "user_agent": ("userAgent", None),
}


def parse_event(item: Any, envelope: Envelope, min_id_length: int = 5) -> Event | Bad:
    """One element of `events`."""
    if not isinstance(item, dict):
        return Bad("not_an_object")
    if too_deep(item):
        return Bad("too_deep")
    kind = item.get("event_type")
    if not isinstance(kind, str) or not kind:
        return Bad("missing_event_type")
    time = item.get("time")
    if time is not None and (isinstance(time, bool) or not isinstance(time, int | float)):
        return Bad("invalid_time", str(time)[:100])
    user, device = (
        _allowed(item.get("user_id"), min_id_length),
        _allowed(item.get("device_id"), min_id_length),
    )
    if user is None and device is None and kind != "$groupidentify":
        return Bad("invalid_id_lengths")
    if kind == "$groupidentify":
        pairs = memberships(item.get("groups"))
        if not pairs:
            return Bad("missing_group")
        return parse_group(
            {
                "group_type": pairs[0].type,
                "group_value": pairs[0].id,
                "group_properties": item.get("group_properties"),
            },
            envelope,
            item,
        )
    original_ms = timestamps.to_ms(time)
    time_ms = timestamps.corrected(original_ms, timestamps.to_ms(envelope.sent_at), envelope.received_ms)
    traits, operations = amplitude_operations(item.get("user_properties"))
    groups = memberships(item.get("groups"))
    # `set_group` repeats the membership as a user property: no trait of the person (SEMANTICS 24).
    traits = {k: v for k, v in traits.items() if not any(g.type == k and v in (g.id, [g.id]) for g in groups)}
    properties = item.get("event_properties")
    properties = dict(properties) if isinstance(properties, dict) else {}
    _revenue(item, properties)
    identify = kind == "$identify"
    return Event(
        type="identify" if identify else "track",
        message_id=_message_id(item, envelope),
        timestamp=timestamps.to_iso(time_ms),
        received_at=timestamps.to_iso(envelope.received_ms),
        source=envelope.source,
        user_id=user,
        anonymous_id=device,
        event=None if identify else kind,
        properties={} if identify else properties,
        traits=traits,
        operations=operations,
        groups=groups,
        context=_context(item, envelope),
        original_timestamp=timestamps.to_iso(original_ms) if original_ms is not None else None,
        dialect="amplitude",
    )


def parse_group(item: Any, envelope: Envelope, event: dict[str, Any] | None = None) -> Event | Bad:
    """One element of `identification` of `/groupidentify`, or a `$groupidentify` event."""
    if not isinstance(item, dict):
        return Bad("not_an_object")
    if too_deep(item):
        return Bad("too_deep")
    kind = item.get("group_type")
    pairs = memberships({kind: item.get("group_value")}) if isinstance(kind, str) and kind else []
    if not pairs:
        return Bad("missing_group")
    event = event or {}
    traits, operations = amplitude_operations(item.get("group_properties"))
    original_ms, sent_ms = timestamps.to_ms(event.get("time")), timestamps.to_ms(envelope.sent_at)
    time_ms = timestamps.corrected(original_ms, sent_ms, envelope.received_ms)
    return Event(
        type="group",
        message_id=_message_id(event, envelope),
        timestamp=timestamps.to_iso(time_ms),
        received_at=timestamps.to_iso(envelope.received_ms),
        source=envelope.source,
        user_id=_allowed(event.get("user_id"), 1),
        anonymous_id=_allowed(event.get("device_id"), 1),
        group_id=f"{pairs[0].type}:{pairs[0].id}",
        traits=traits,
        operations=operations,
        groups=pairs,
        context=_context(event, envelope),
        dialect="amplitude",
    )


def sender(envelope: Envelope, body: Any) -> Envelope:
    """The envelope with `client_upload_time` as the time of sending."""
    sent = body.get("client_upload_time") if isinstance(body, dict) else None
    return replace(envelope, dialect="amplitude", sent_at=sent)


def _allowed(value: Any, min_length: int) -> str | None:
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    text = str(value)
    if len(text) < min_length or len(text) > 500 or text.strip().lower() in FORBIDDEN_IDS:
        return None
    return text


def _message_id(item: dict[str, Any], envelope: Envelope) -> str:
    """`insert_id` deduplicates per device at Amplitude."""
    insert = item.get("insert_id")
    if not isinstance(insert, str) or not insert or len(insert) > 200:
        return envelope.new_id()
    return f"{_allowed(item.get('device_id'), 1) or ''}:{insert}"


def _revenue(item: dict[str, Any], properties: dict[str, Any]) -> None:
    """Top-level revenue fields join the properties under Amplitude's own names."""
    for name, key in (
        ("revenue", "$revenue"),
        ("price", "$price"),
        ("quantity", "$quantity"),
        ("productId", "$productId"),
        ("revenueType", "$revenueType"),
    ):
        if item.get(name) is not None:
            properties.setdefault(key, item[name])


def _context(item: dict[str, Any], envelope: Envelope) -> dict[str, Any]:
    context: dict[str, Any] = {}
    for name, (outer, inner) in _CONTEXT.items():
        value = item.get(name)
        if value is None or isinstance(value, dict | list):
            continue
        if inner is None:
            context[outer] = value
        else:
            context.setdefault(outer, {}).setdefault(inner, value)
    ip = item.get("ip")
    if ip == "$remote":
        ip = envelope.ip
    if isinstance(ip, str):
        context["ip"] = ip
    return context
