"""What every destination is made of: actions are data (fields, default mapping, trigger) plus one function."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from millstream.workspace import model

FieldType = Literal["string", "object", "datetime", "number", "integer", "boolean", "array"]


@dataclass(frozen=True, slots=True)
class Field:
    """One field of an action; `default` is the mapping used when the user gives none."""

    name: str
    label: str
    type: FieldType
    description: str
    default: Any = None
    required: bool = False
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Action:
    """An action: what a mapping can do. `plan(context, fields)` adds operations to the context's plan.

    `default_trigger` is that of a mapping which gives none. `irrevocable`: nothing brings back what it takes away, so
    that it never runs for every event.
    """

    slug: str
    title: str
    description: str
    default_trigger: str
    fields: tuple[Field, ...]
    plan: Callable[[Any, Mapping[str, Any]], None]
    irrevocable: bool = False

    def mapping(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """The full field mapping: the user's over the defaults."""
        return {f.name: f.default for f in self.fields if f.default is not None} | dict(given)


@dataclass(frozen=True, slots=True)
class Preset:
    """Mappings to start from: plain ones, which a user can open and edit. `settings` count where the user's say nothing."""

    name: str
    title: str
    description: str
    mappings: tuple[model.Mapping, ...]
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Written:
    """One request that writes, as it goes to the destination (or would)."""

    method: str
    path: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Change:
    """What a write would do to one property of one record. `record` is its id, or `new-…`; None was not set."""

    object_type: str
    record: str
    property: str
    old: str | None
    new: str


@dataclass(frozen=True, slots=True)
class Setting:
    """One key of `settings`: its type, its default, what it is for."""

    name: str
    type: type
    description: str
    default: Any = None
    choices: tuple[str, ...] = ()
    required: bool = False
