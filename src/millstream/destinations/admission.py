"""Who may pass to a destination, and with what: source, origin, consent, `integrations`, filters, in this order.

Filters run in Segment's order whatever the file's: samples, then drop and only, then properties dropped, then
properties allowed. A filter that cannot be evaluated stops the event, visibly (fail closed).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Final

from millstream.delivery.outcome import Reason, State
from millstream.destinations.consent import consented
from millstream.mapping.paths import path_getter
from millstream.mapping.trigger import Trigger, parse_trigger
from millstream.mapping.values import missing
from millstream.spec.events import Event
from millstream.workspace.model import Destination, Filter

_ORDER: Final = {"sample": 0, "drop": 1, "only": 1, "drop_properties": 2, "allow_properties": 3}
# Segment lets this one through whatever it says: it is how a destination learns of the consent itself.
_CONSENT_UPDATED: Final = "Segment Consent Preference Updated"
# What a page can deliver, and the libraries that do it. A server that passes a page's context on names its own.
_OF_PAGES: Final = frozenset({"page", "identify", "track"})
_BROWSER_LIBRARIES: Final = frozenset({"analytics.js", "rudderlabs javascript sdk"})

View = dict[str, Any]


class FilterFailed(Exception):
    """A filter could not be evaluated; the message says which and why."""


@dataclass(frozen=True, slots=True)
class Stopped:
    """The event goes no further: what its outcome says."""

    state: State
    reason: Reason
    detail: str = ""


@dataclass(frozen=True, slots=True)
class _Ready:
    """A filter with its trigger compiled."""

    given: Filter
    trigger: Trigger

    def draws(self, message_id: str, view: View) -> bool:
        """Whether an event is among the sample: all that have the same value at its path are, or none of them is."""
        given = self.given
        value = path_getter(given.path)(view) if given.path else None
        return sampled(message_id if missing(value) else json.dumps(value), given.name, given.percent)


class Admission:
    """The rules of one destination. `names`: how events call it in `integrations`, besides its own name."""

    def __init__(self, destination: Destination, names: frozenset[str]) -> None:
        self._destination = destination
        self._names = names | {destination.name.lower()}
        ready = [_Ready(f, parse_trigger(f.trigger, f.compat)) for f in destination.filters if f.enabled]
        ordered = sorted(ready, key=lambda r: _ORDER[r.given.kind])
        self._gates = [r for r in ordered if _ORDER[r.given.kind] < 2]
        self._edits = [r for r in ordered if _ORDER[r.given.kind] >= 2]

    def judge(self, event: Event, view: View) -> Stopped | None:
        """Why the event does not pass; None when it does."""
        destination = self._destination
        if destination.sources and event.source not in destination.sources:
            return Stopped(State.FILTERED, Reason.SOURCE_NOT_CONNECTED)
        if event.origin == destination.name:
            return Stopped(State.FILTERED, Reason.OWN_EVENT)
        if destination.connection == "device" and delivered_by_page(event, destination.name):
            return Stopped(State.FILTERED, Reason.MESSAGE_SENT_CLIENT_SIDE)
        if not _updates_consent(event) and not consented(event.context, destination):
            return Stopped(State.FILTERED, Reason.FILTERED_BY_CONSENT)
        if not self.named(event.integrations):
            return Stopped(State.FILTERED, Reason.FILTERED_BY_INTEGRATIONS)
        return self.gate(event.message_id, view)

    def gate(self, message_id: str, view: View) -> Stopped | None:
        """Why filters let nothing of the event through; None when they do."""
        for ready in self._gates:
            given = ready.given
            try:
                matches = ready.trigger.matches(view)
            except Exception as error:  # noqa: BLE001  (whatever it is: nothing passes a filter that does not work)
                detail = f"{given.name}: {type(error).__name__}: {error}"[:500]
                return Stopped(State.DEAD_LETTERED, Reason.FILTER_FAILED, detail)
            if given.kind == "sample":
                if matches and not ready.draws(message_id, view):
                    return Stopped(State.FILTERED, Reason.FILTERED_BY_SAMPLE, given.name)
            elif matches is (given.kind == "drop"):
                return Stopped(State.FILTERED, Reason.FILTERED_BY_RULES, given.name)
        return None

    def edit(self, view: View, *seen: View) -> View:
        """What is left of an event once filters took properties away. The view itself when none does.

        A filter applies when its trigger holds for the view or for one of `seen`: the event as it came, where the view
        was made of it and lacks what a trigger may ask for. Raises `FilterFailed`: nobody may see what a filter that
        does not work was to take away.
        """
        for ready in self._edits:
            try:
                matches = any(map(ready.trigger.matches, (view, *seen)))
            except Exception as error:
                raise FilterFailed(f"{ready.given.name}: {type(error).__name__}: {error}"[:500]) from error
            if matches:
                change = _without if ready.given.kind == "drop_properties" else _only
                view = change(view, ready.given.fields)
        return view

    def named(self, integrations: Mapping[str, Any]) -> bool:
        """Whether `integrations` lets the event through: this destination's word counts before `All`."""
        everything = True
        for key, value in integrations.items():
            low = key.strip().lower()
            if low in self._names:
                return value is not False
            if low == "all" and value is False:
                everything = False
        return everything


def delivered_by_page(event: Event, destination: str) -> bool:
    """Whether the event carries the receipt of the plugin that delivered it to this destination (SEMANTICS 37).

    Anybody can write one, since the write keys of pages are public; it can only hold back the event that carries it.
    """
    if event.type not in _OF_PAGES:
        return False
    library, receipt = event.context.get("library"), event.context.get("millstream")
    name = library.get("name") if isinstance(library, dict) else None
    if not isinstance(name, str) or name.strip().lower() not in _BROWSER_LIBRARIES:
        return False
    delivered = receipt.get("delivered") if isinstance(receipt, dict) else None
    return isinstance(delivered, list) and destination in delivered


def _updates_consent(event: Event) -> bool:
    return event.type == "track" and event.event == _CONSENT_UPDATED


def sampled(what: str, name: str, percent: float) -> bool:
    """Whether it is among the sample. That follows from what it is alone, so that a redelivery decides the same."""
    digest = blake2b(f"{name}\x00{what}".encode(errors="surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64 * 100 < percent


def _without(view: View, fields: Mapping[str, tuple[str, ...]]) -> View:
    """The view without these paths; a path through a list means each of its items."""
    for part, paths in fields.items():
        for path in paths:
            whole = path if not part else f"{part}.{path}"
            view = _drop(view, whole.split("."))
    return view


def _drop(value: Any, keys: list[str]) -> Any:
    if isinstance(value, list):
        return [_drop(item, keys) for item in value]
    if not isinstance(value, dict) or keys[0] not in value:
        return value
    if len(keys) == 1:
        return {k: v for k, v in value.items() if k != keys[0]}
    return {**value, keys[0]: _drop(value[keys[0]], keys[1:])}


def _only(view: View, fields: Mapping[str, tuple[str, ...]]) -> View:
    """The view with only these paths of each named part; parts that are not named stay whole."""
    found = dict(view)
    for part, paths in fields.items():
        if not part:
            continue  # the event's own fields are what makes it an event
        if isinstance(view.get(part), dict):
            found[part] = _keep(view[part], [p.split(".") for p in paths])
    return found


def _keep(value: Any, paths: list[list[str]]) -> Any:
    if isinstance(value, list):
        return [_keep(item, paths) for item in value]
    if not isinstance(value, dict):
        return value
    kept: dict[str, Any] = {}
    for key, inner in value.items():
        mine = [p[1:] for p in paths if p[0] == key]
        if any(not rest for rest in mine):
            kept[key] = inner
        elif mine:
            kept[key] = _keep(inner, mine)
    return kept
