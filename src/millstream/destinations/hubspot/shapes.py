"""Which property each trait becomes, worked out once for all events that say the same traits (SEMANTICS 11 to 13).

Calls of an SDK stand in code: one call says the same traits each time. What their names become is remembered by the
names, so that an event costs one look at each of its values.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from millstream.delivery.note import Note
from millstream.destinations.hubspot import names, nested
from millstream.destinations.hubspot.origins import Origins
from millstream.destinations.hubspot.portal import Portal
from millstream.hubspot_api.schema import PortalSchema

LIFECYCLE: Final = "lifecyclestage"

# Where a value is among traits: its key, or the keys of the objects around it and its own.
Leaf = str | tuple[str, ...]
# The words of a contact's full name: of one part, as nothing nested is.
_FIRST: Final = ("firstname",)
_LAST: Final = ("lastname",)
# What addresses rather than describes; mobile SDKs repeat the ids among the traits.
_NO_PROPERTIES: Final = frozenset({"hubspot", "id", "userId", "anonymousId"})
# Whoever sends new names with every event fills so many shapes of so many names, and no more.
_KEPT: Final = 512
_WIDEST: Final = 200


class Column(NamedTuple):
    """A property, the trait that it is said by, and where the value is."""

    name: str
    trait: str
    leaf: Leaf


@dataclass(frozen=True, slots=True)
class Shape:
    """What becomes of traits with certain names: `plain` is written as it is; `open` depends on the value besides."""

    plain: tuple[Column, ...]
    open: tuple[Column, ...]
    notes: tuple[str, ...]


def leaves_of(traits: Mapping[str, Any], *, of_contact: bool) -> Mapping[Leaf, Any]:
    """Traits with objects taken apart to depth 3 (a company is its name), and a contact's full name into words."""
    found: Mapping[Any, Any] = traits
    if dict in map(type, traits.values()):
        found = _taken_apart(traits)
    if of_contact and isinstance(name := traits.get("name"), str):
        first, *rest = name.strip().split(None, 1) or [""]
        found = {**found, _FIRST: first, **({_LAST: rest[0]} if rest else {})}
    return found


def _taken_apart(traits: Mapping[str, Any]) -> dict[Leaf, Any]:
    found: dict[Leaf, Any] = {}

    def walk(path: tuple[str, ...], value: dict[str, Any]) -> None:
        for key, inner in value.items():
            here = (*path, key)
            if type(inner) is dict and inner and len(here) < nested.DEEPEST:
                walk(here, inner)
            elif inner != {}:
                found[here] = inner

    for key, value in traits.items():
        if type(value) is not dict:
            found[key] = value
        elif key.lower() == "company":
            if value.get("name") is not None:
                found[key, "name"] = value["name"]
        elif key not in _NO_PROPERTIES:
            walk((key,), value)
    return found


def named(
    leaves: tuple[Leaf, ...], special: Mapping[str, str], known: Mapping[str, Any]
) -> tuple[dict[str, Leaf], list[str]]:
    """The property of each leaf, and notes on leaves that met: the one whose name needed no change wins.

    `special` renames well-known traits; `known` are the properties that HubSpot has.
    """
    found: dict[str, Leaf] = {}
    exact: dict[str, bool] = {}
    notes: list[str] = []
    for leaf in leaves:
        if leaf in _NO_PROPERTIES or leaf is _FIRST or leaf is _LAST:
            continue
        path = leaf if isinstance(leaf, str) else ".".join(leaf)
        low = path.lower()
        name = special.get(low) or (low if low in known else names.property_name(path))
        plain = name == path
        if name in found:
            notes.append(Note.NAME_COLLISION.of(name))
            if exact[name] and not plain:
                continue
        found[name], exact[name] = leaf, plain
    if _FIRST in leaves:
        found.pop("name", None)
        if "firstname" not in found and "lastname" not in found:
            found |= {leaf[0]: leaf for leaf in (_FIRST, _LAST) if leaf in leaves}
    return found, notes


class Shapes:
    """The shapes that were met lately, as the portal's schema has them."""

    def __init__(self, portal: Portal) -> None:
        self._portal = portal
        self._drops = portal.settings["unknown_properties"] == "drop"
        self._schema: PortalSchema | None = None
        self._met: dict[tuple[str, tuple[Leaf, ...], frozenset[str], bool], Shape] = {}
        self.origins = Origins()

    def of(
        self, object_type: str, leaves: tuple[Leaf, ...], own: frozenset[str], *, well_known: bool
    ) -> Shape:
        """The shape of these leaves. `own` names the properties that an action sets itself.

        `well_known`: whether `first_name`, `address.street` and their like mean HubSpot's own properties.
        """
        schema = self._portal.schema
        if schema is not self._schema:
            self._schema = schema
            self._met.clear()
        asked = object_type, leaves, own, well_known
        shape = self._met.get(asked)
        if shape is None:
            shape = self._work_out(*asked)
            if len(leaves) <= _WIDEST:
                if len(self._met) >= _KEPT:
                    self._met.clear()
                self._met[asked] = shape
        return shape

    def _work_out(
        self, object_type: str, leaves: tuple[Leaf, ...], own: frozenset[str], well_known: bool
    ) -> Shape:
        known = self._portal.schema.properties.get(object_type, {})
        special = names.WELL_KNOWN.get(object_type, {}) if well_known else {}
        found, notes = named(leaves, special, known)
        plain: list[Column] = []
        unsure: list[Column] = []
        for name, leaf in found.items():
            if name == "hs_object_id" or name in own:
                continue
            trait = leaf if isinstance(leaf, str) else "name" if len(leaf) == 1 else leaf[0]
            if name not in known and self._drops:
                notes.append(Note.UNKNOWN_PROPERTY_DROPPED.of(name))
                continue
            path = leaf if isinstance(leaf, str) else ".".join(leaf)
            if path.lower() not in special and self.origins.differ(object_type, name, path):
                notes.append(Note.NAME_COLLISION.of(name))
            if name not in known or (name == LIFECYCLE and not known[name].read_only):
                unsure.append(Column(name, trait, leaf))
            elif known[name].read_only:
                notes.append(Note.READ_ONLY.of(name))
            else:
                plain.append(Column(name, trait, leaf))
        return Shape(tuple(plain), tuple(unsure), tuple(dict.fromkeys(notes)))
