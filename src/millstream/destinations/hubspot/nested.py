"""What an object or a list inside traits and event properties becomes: `nested: flatten | json` (SEMANTICS 13). Pure.

{"plan": {"tier": "pro"}, "tags": ["a", "b"]}
flatten   plan_tier = pro             tags = a;b
json      plan = {"tier":"pro"}       tags = ["a","b"]
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from millstream.destinations.hubspot import names
from millstream.hubspot_api.schema import Property

# How many keys a flattened name is made of at most; what is deeper is JSON text.
DEEPEST: Final = 3


def as_json(
    traits: Mapping[str, Any], well_known: Mapping[str, str], known: Mapping[str, Property]
) -> Mapping[str, Any]:
    """The traits with objects and lists as JSON text, as RudderStack sends them.

    Of a company its name stays, of an address the parts that `well_known` has properties for. A list for a property
    with options stays a list: it may name several of them. What is empty stays as it is, and clears or says nothing.
    """
    if not {dict, list} & set(map(type, traits.values())):
        return traits
    found = dict(traits)
    for key, value in traits.items():
        low = key.lower()
        if not isinstance(value, dict | list) or not value:
            continue
        if isinstance(value, dict) and low in {"address", "company"} and well_known:
            found[key] = {part: v for part, v in value.items() if f"{low}.{part.lower()}" in well_known}
        elif isinstance(value, dict) or not _has_options(key, low, known):
            found[key] = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return found


def of_event(properties: dict[str, Any], manner: str) -> dict[str, Any]:
    """An event's properties, which have no well-known names; flattened ones are called by their paths."""
    if not {dict, list} & set(map(type, properties.values())):
        return properties
    if manner == "json":
        return dict(as_json(properties, {}, {}))
    found: dict[str, Any] = {}

    def walk(path: str, value: Any, depth: int) -> None:
        if isinstance(value, dict) and value and depth < DEEPEST:
            for key, inner in value.items():
                walk(f"{path}.{key}", inner, depth + 1)
        elif value != {}:
            found[path] = value

    for key, value in properties.items():
        walk(key, value, 1)
    return found


def _has_options(key: str, low: str, known: Mapping[str, Property]) -> bool:
    found = known.get(low) or known.get(names.property_name(key))
    return found is not None and found.type == "enumeration"
