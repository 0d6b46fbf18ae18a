"""What a portal's schema says: properties by object type, event definitions. Frozen values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Property:
    """One property: HubSpot's type (string, number, bool, enumeration, date, datetime, phone_number) and options."""

    name: str
    type: str
    field_type: str = "text"
    label: str = ""
    options: tuple[tuple[str, str], ...] = ()
    unique: bool = False
    read_only: bool = False


@dataclass(frozen=True, slots=True)
class Definition:
    """One custom event definition: short name, fully qualified name, label, its own properties' types."""

    name: str
    full_name: str
    label: str
    properties: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PortalSchema:
    """A portal's schema at one moment. `properties` by plural object type."""

    properties: Mapping[str, Mapping[str, Property]] = field(default_factory=dict)
    definitions: Mapping[str, Definition] = field(default_factory=dict)
    definitions_known: bool = True

    def definition(self, wanted: str) -> Definition | None:
        """The definition by fully qualified name, name or label, without regard to case."""
        low = wanted.strip().lower()
        found = self.definitions.get(low)
        if found is not None:
            return found
        return next(
            (d for d in self.definitions.values() if low in {d.full_name.lower(), d.label.strip().lower()}),
            None,
        )


def read_property(raw: Mapping[str, Any]) -> Property:
    """A property as HubSpot gives it."""
    metadata = raw.get("modificationMetadata") or {}
    return Property(
        str(raw["name"]),
        str(raw.get("type") or "string"),
        str(raw.get("fieldType") or "text"),
        str(raw.get("label") or ""),
        tuple((str(o.get("value")), str(o.get("label") or o.get("value"))) for o in raw.get("options") or []),
        bool(raw.get("hasUniqueValue")),
        bool(metadata.get("readOnlyValue")) or bool(raw.get("calculated")),
    )


def read_definition(raw: Mapping[str, Any]) -> Definition:
    """An event definition as HubSpot gives it."""
    own = {str(p["name"]): str(p.get("type") or "string") for p in raw.get("properties") or []}
    return Definition(
        str(raw.get("name") or ""), str(raw.get("fullyQualifiedName") or ""), str(raw.get("label") or ""), own
    )
