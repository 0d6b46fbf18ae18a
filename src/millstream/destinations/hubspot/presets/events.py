"""`settings.events`: events chosen one by one, each a plain mapping. For the presets amplitude and rudderstack.

events:
  - event: Order Completed            # as the source names it
    name: order_completed             # HubSpot's internal name; default: the event's
    when: properties.total > 10       # a trigger: only these
    properties: [total, currency]     # event properties, or {hubspot name: path in the properties}
    user_properties: [plan]           # user properties, sent as text
    email: $.profile.email            # or utk, or object_id: paths
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping as AnyMapping
from hashlib import blake2b
from typing import Any, Final

from millstream.destinations.hubspot import names
from millstream.mapping.trigger import TriggerError, parse_trigger
from millstream.workspace.model import Mapping, Problem

_KEYS: Final = ("event", "name", "when", "properties", "user_properties", "email", "utk", "object_id")
_ODD: Final = re.compile(r"[^A-Za-z0-9_. -]+")
_LONGEST: Final = 64
_UTK: Final = "$.context.hubspotutk"


def mappings_of(events: Any) -> tuple[Mapping, ...]:
    """One mapping for each event that can be read; `problems_of` says what is wrong with the others."""
    found = [_mapping(given) for given in events if _usable(given)] if isinstance(events, list) else []
    return tuple(found)


def problems_of(events: Any) -> list[Problem]:
    """What is wrong with `settings.events`."""
    if events in (None, []):
        return []
    if not isinstance(events, list):
        return [Problem("settings.events", "must be a list")]
    problems: list[Problem] = []
    seen: set[str] = set()
    for i, given in enumerate(events):
        where = f"settings.events[{i}]"
        if not _usable(given):
            problems.append(
                Problem(where, "needs an event", "as in {event: Order Completed, properties: [total]}")
            )
            continue
        problems += [
            Problem(f"{where}.{key}", "unknown key", f"there are: {', '.join(_KEYS)}")
            for key in given
            if key not in _KEYS
        ]
        name = _name(given)
        if name in seen:
            problems.append(Problem(where, f"{name!r} is there twice", "one entry for each event and name"))
        seen.add(name)
        for key in ("properties", "user_properties"):
            if not isinstance(given.get(key, []), list | dict):
                problems.append(Problem(f"{where}.{key}", "must be a list of names or {name: path}"))
        try:
            parse_trigger(str(given.get("when") or "all"))
        except TriggerError as error:
            problems.append(Problem(f"{where}.when", str(error)))
    return problems


def _usable(given: Any) -> bool:
    return isinstance(given, dict) and isinstance(given.get("event"), str) and bool(given["event"].strip())


def _name(given: AnyMapping[str, Any]) -> str:
    """A name that a file may hold; one that had to change or to be cut says by 4 digits which event it is."""
    whole = f"event {given['event'].strip()}" + (f" as {given['name']}" if given.get("name") else "")
    plain = _ODD.sub("-", whole)
    if plain == whole and len(whole) <= _LONGEST:
        return whole
    return f"{plain[: _LONGEST - 5]}-{blake2b(whole.encode(), digest_size=2).hexdigest()}"


def _mapping(given: AnyMapping[str, Any]) -> Mapping:
    event = given["event"].strip()
    trigger = f'type = "track" and lowercase(event) = {json.dumps(event.lower(), ensure_ascii=False)}'
    if given.get("when"):
        trigger += f" and ({given['when']})"
    fields: dict[str, Any] = {
        "name": str(given.get("name") or event),
        "label": event,
        "email": {"@path": str(given.get("email") or "$.profile.email")},
        "utk": {"@path": str(given.get("utk") or _UTK)},
        "properties": _chosen(given.get("properties"), "$.properties"),
        "text_properties": _chosen(given.get("user_properties"), "$.profile.traits"),
    }
    if given.get("object_id"):
        fields["object_id"] = {"@path": str(given["object_id"])}
    return Mapping(_name(given), "custom_event", trigger, fields)


def _chosen(given: Any, below: str) -> dict[str, Any]:
    """Names, or HubSpot's name → path, as a mapping. Nothing chosen: nothing sent."""
    if isinstance(given, list):
        return {names.property_name(str(n), 50): {"@path": f"{below}.{n}"} for n in given}
    if isinstance(given, dict):
        return {str(n): {"@path": f"{below}.{path}"} for n, path in given.items()}
    return {}
