"""Which object types a destination's mappings write: HubSpot's schema of each is read before the first event."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from millstream.hubspot_api.object_types import standard
from millstream.workspace.model import Destination, Problem

_ALWAYS: Final = ("contacts", "companies")
_FIELD: Final = "object_type"


def object_types_of(destination: Destination) -> tuple[str, ...]:
    """Contacts, companies, and every type that an enabled mapping names; standard ones by their plural."""
    found = dict.fromkeys(_ALWAYS)
    for mapping in destination.mappings:
        if mapping.enabled:
            for _, given in _named(mapping.fields, ""):
                if (text := literal(given)) is not None:
                    found[standard(text) or text] = None
    return tuple(found)


def object_types_problems(where: str, fields: dict[str, Any]) -> list[Problem]:
    """Object types that are not written out: an event must not choose them, its schema could not be read in time."""
    return [
        Problem(f"{where}.fields{path}", "must be text", "write the type itself; one mapping for each type")
        for path, given in _named(fields, "")
        if literal(given) is None
    ]


def literal(given: Any) -> str | None:
    """The text of a constant; None for anything that an event decides."""
    if isinstance(given, dict) and set(given) == {"@literal"}:
        given = given["@literal"]
    return given if isinstance(given, str) and given.strip() else None


def _named(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Every `object_type` in a mapping, wherever it is, with its path."""
    if isinstance(value, dict):
        for key, inner in value.items():
            here = f"{path}.{key}"
            if key == _FIELD:
                yield here, inner
            else:
                yield from _named(inner, here)
    elif isinstance(value, list):
        for i, item in enumerate(value):
            yield from _named(item, f"{path}[{i}]")
