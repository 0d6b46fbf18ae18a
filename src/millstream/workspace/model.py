"""The configuration as values: sources, destinations, mappings. Pure. `millstream.yaml`'s keys are in SEMANTICS 36."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final, Literal, Protocol

# The files of device mode that can have other names than those that ad blockers know (`device_names`).
DEVICE_FILES: Final = ("analytics.min.js", "hubspot-web.js", "rsa.min.js", "amplitude.min.js")


@dataclass(frozen=True, slots=True)
class Limits:
    """Sizes after decompression, in bytes, and the rate per write key in events per second (0 = unlimited)."""

    event_bytes: int = 32 * 1024
    request_bytes: int = 4 * 1024 * 1024
    amplitude_bytes: int = 1024 * 1024
    amplitude_batch_bytes: int = 20 * 1024 * 1024
    events_per_second: float = 0


@dataclass(frozen=True, slots=True)
class Source:
    """Where events come from: its write keys, the browser origins it allows (empty = any), its limits.

    `browser`: whether they come from pages, whose write keys anybody can read; None = see `Workspace.is_browser`.
    """

    name: str
    write_keys: tuple[str, ...]
    origins: tuple[str, ...] = ()
    browser: bool | None = None
    enabled: bool = True
    limits: Limits = field(default_factory=Limits)


@dataclass(frozen=True, slots=True)
class Mapping:
    """One mapping: when `trigger` holds, `action` runs with the fields that `mapping` gives."""

    name: str
    action: str
    trigger: str
    fields: dict[str, Any] = field(default_factory=dict)
    enabled: bool = True
    compat: Literal["segment"] | None = None


@dataclass(frozen=True, slots=True)
class Filter:
    """A destination filter, for events that match `trigger`.

    `drop` them, let `only` them pass, let `percent` of them pass (`sample`: of the events, or of the values that they
    have at `path`), or change what is left of them: `drop_properties` and `allow_properties` by `fields`, part of the
    event ("" for the top) → paths in it.
    """

    name: str
    trigger: str
    kind: Literal["drop", "only", "sample", "drop_properties", "allow_properties"] = "drop"
    enabled: bool = True
    percent: float = 100.0
    path: str = ""
    fields: dict[str, tuple[str, ...]] = field(default_factory=dict)
    compat: Literal["segment"] | None = None


@dataclass(frozen=True, slots=True)
class Destination:
    """Where events go. `settings` are checked by the destination's kind; presets are expanded into `mappings`."""

    name: str
    kind: str
    enabled: bool = True
    mode: Literal["live", "shadow", "off"] = "live"
    connection: Literal["cloud", "device"] = "cloud"
    sources: tuple[str, ...] = ()
    preset: str | None = None
    settings: dict[str, Any] = field(default_factory=dict)
    filters: tuple[Filter, ...] = ()
    mappings: tuple[Mapping, ...] = ()
    consent_categories: tuple[str, ...] = ()
    consent_resolution: Literal["and", "or"] = "and"


@dataclass(frozen=True, slots=True)
class Workspace:
    """Everything the user configured. `settings` holds the top-level keys (retention_days, max_lag_days, …)."""

    sources: tuple[Source, ...] = ()
    destinations: tuple[Destination, ...] = ()
    settings: dict[str, Any] = field(default_factory=dict)

    def source_of_key(self, write_key: str) -> Source | None:
        """The enabled source with this write key."""
        return next((s for s in self.sources if s.enabled and write_key in s.write_keys), None)

    def is_browser(self, source: str) -> bool | None:
        """Whether the source's events come from pages; None when nothing in the configuration says so.

        Unless `browser` tells: a source with `origins`, or one whose pages a destination in device mode serves.
        """
        found = next((s for s in self.sources if s.name == source), None)
        if found is None or found.browser is not None:
            return found.browser if found is not None else None
        in_pages = any(
            d.enabled and d.connection == "device" and (not d.sources or source in d.sources)
            for d in self.destinations
        )
        return True if found.origins or in_pages else None


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong in the configuration: where (dotted path), what, and what to do about it."""

    path: str
    message: str
    hint: str = ""
    severity: Literal["error", "warning"] = "error"


class Catalog(Protocol):
    """What the linter asks about destinations; implemented by `destinations.catalog`."""

    def kinds(self) -> tuple[str, ...]:
        """The known kinds of destination."""

    def default_trigger(self, kind: str, action: str) -> str:
        """The trigger of a mapping that gives none: its action's; one that never holds for an unknown action."""

    def expand(self, destination: Destination) -> Destination:
        """The destination with its preset's mappings in place of the preset's name (its own mappings come after)."""

    def check(self, destination: Destination) -> list[Problem]:
        """Problems of settings, presets, actions, fields, mappings and triggers; paths relative to the destination."""
