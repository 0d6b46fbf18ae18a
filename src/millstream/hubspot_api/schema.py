"""What a portal's schema says: properties by object type, event definitions. Frozen values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

# Properties that every custom event has. Source: HubSpot's docs, "default event properties".
EVENT_DEFAULTS: Final = frozenset(
    {
        "hs_asset_description",
        "hs_asset_type",
        "hs_browser",
        "hs_campaign_id",
        "hs_city",
        "hs_country",
        "hs_device_name",
        "hs_device_type",
        "hs_element_class",
        "hs_element_id",
        "hs_element_text",
        "hs_language",
        "hs_link_href",
        "hs_operating_system",
        "hs_operating_version",
        "hs_page_content_type",
        "hs_page_id",
        "hs_page_title",
        "hs_page_url",
        "hs_parent_module_id",
        "hs_referrer",
        "hs_region",
        "hs_screen_height",
        "hs_screen_width",
        "hs_touchpoint_source",
        "hs_tracking_name",
        "hs_user_agent",
        "hs_utm_campaign",
        "hs_utm_content",
        "hs_utm_medium",
        "hs_utm_source",
        "hs_utm_term",
    }
)


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
    sensitive: bool = False


@dataclass(frozen=True, slots=True)
class Definition:
    """One custom event definition: short name, fully qualified name, label, its own properties' types, its object."""

    name: str
    full_name: str
    label: str
    properties: Mapping[str, str] = field(default_factory=dict)
    primary_object: str = "CONTACT"


@dataclass(frozen=True, slots=True)
class PortalSchema:
    """A portal's schema at one moment. `properties` by canonical object type (`object_types`).

    `custom` maps every name of a custom object to its canonical one, `type_ids` that to its object type id.
    """

    properties: Mapping[str, Mapping[str, Property]] = field(default_factory=dict)
    definitions: Mapping[str, Definition] = field(default_factory=dict)
    definitions_known: bool = True
    custom: Mapping[str, str] = field(default_factory=dict)
    type_ids: Mapping[str, str] = field(default_factory=dict)
    texts: Mapping[str, frozenset[str]] = field(init=False, repr=False, compare=False)
    _named: Mapping[str, Definition] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Index what takes text as it is, and definitions by every name.

        A definition's short name wins over another's full one, that over a label.
        """
        texts = {
            object_type: frozenset(name for name, p in listed.items() if p.type == "string")
            for object_type, listed in self.properties.items()
        }
        object.__setattr__(self, "texts", texts)
        found: dict[str, Definition] = {}
        for definition in self.definitions.values():
            found.setdefault(definition.label.strip().lower(), definition)
        for definition in self.definitions.values():
            found[definition.full_name.lower()] = definition
        found.update(self.definitions)
        object.__setattr__(self, "_named", found)

    def with_property(self, object_type: str, prop: Property) -> PortalSchema:
        """The schema with one property more."""
        known = {**self.properties, object_type: {**self.properties.get(object_type, {}), prop.name: prop}}
        return replace(self, properties=known)

    def with_definition(self, definition: Definition) -> PortalSchema:
        """The schema with one definition more, or another in its place."""
        known = {**self.definitions, definition.name.lower(): definition}
        return replace(self, definitions=known)

    def definition(self, wanted: str) -> Definition | None:
        """The definition by fully qualified name, name or label, without regard to case."""
        return self._named.get(wanted.strip().lower())


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
        str(raw.get("dataSensitivity") or "non_sensitive") != "non_sensitive",
    )


def read_definition(raw: Mapping[str, Any]) -> Definition:
    """An event definition as HubSpot gives it."""
    own = {str(p["name"]): str(p.get("type") or "string") for p in raw.get("properties") or []}
    return Definition(
        str(raw.get("name") or ""),
        str(raw.get("fullyQualifiedName") or ""),
        str(raw.get("label") or ""),
        own,
        str(raw.get("primaryObject") or "CONTACT"),
    )
