"""The kind `hubspot`: its settings, presets and actions, and how planner and sink are built."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, Literal
from urllib.parse import urlencode

from millstream.destinations.hubspot import settings as hubspot_settings
from millstream.destinations.hubspot.actions import ACTIONS
from millstream.destinations.hubspot.mapped_types import object_types_of, object_types_problems
from millstream.destinations.hubspot.planner import HubSpotPlanner
from millstream.destinations.hubspot.portal import Portal
from millstream.destinations.hubspot.presets import PRESETS
from millstream.destinations.hubspot.presets.events import mappings_of, problems_of
from millstream.destinations.hubspot.settings import HubSpotSettings
from millstream.destinations.hubspot.sink import HubSpotSink
from millstream.destinations.hubspot.web import WEB_ACTIONS, region_of
from millstream.destinations.hubspot.web import problems as web_problems
from millstream.destinations.kit import Action, Change, Written
from millstream.destinations.made import MadeStore
from millstream.hubspot_api.budget import Budget
from millstream.hubspot_api.client import API_URL, Client
from millstream.hubspot_api.portal_day import PortalDay
from millstream.hubspot_api.rehearsal import RecordingClient, RehearsingClient
from millstream.hubspot_api.requests import Operations
from millstream.hubspot_api.schema_cache import SchemaCache
from millstream.mapping.compile import ROOT_DIRECTIVE, compile_mapping
from millstream.mapping.errors import MappingInvalid
from millstream.mapping.paths import PathError, path_getter
from millstream.mapping.trigger import TriggerError, parse_trigger
from millstream.mapping.triggers import tree
from millstream.workspace.model import Destination, Mapping, Problem

OnCall = Callable[[str, int, float], None]
Manner = Literal["live", "record", "rehearse"]
_CLIENTS: Final[dict[Manner, type[Client]]] = {
    "live": Client,
    "record": RecordingClient,
    "rehearse": RehearsingClient,
}
_FORMS_API_URL: Final = "https://api.hsforms.com"
_FORMS_PER_10_S: Final = 50
_TRACK_URLS: Final = {"us": "https://track.hubspot.com", "eu1": "https://track-eu1.hubspot.com"}


@dataclass(frozen=True, slots=True)
class Built:
    """A destination ready to run."""

    planner: HubSpotPlanner
    sink: HubSpotSink
    settings: HubSpotSettings
    budget: Budget

    def taken(self) -> tuple[list[Written], list[Change]]:
        """What was written since the last call, and what it changes; kept only under `record` and `rehearse`."""
        written: list[Written] = []
        changes: list[Change] = []
        for client in self.sink.clients:
            if isinstance(client, RecordingClient):
                written += [Written(r.method, r.path + _query(r.query), r.body) for r in client.written]
                changes += [Change(*c) for c in client.changes]
                client.written.clear()
                client.changes.clear()
        return written, changes


def _query(given: dict[str, str]) -> str:
    return f"?{urlencode(given)}" if given else ""


def default_trigger(action: str) -> str:
    """The trigger of a mapping that gives none."""
    known = ACTIONS.get(action) or WEB_ACTIONS.get(action)
    return known.default_trigger if known is not None else "none"


def expand(destination: Destination) -> Destination:
    """The preset's mappings and those of chosen events, then the destination's own; the same name replaces.

    So with the preset's settings.
    """
    preset = PRESETS.get(destination.preset or "")
    given = (*(preset.mappings if preset else ()), *mappings_of(destination.settings.get("events")))
    own = {m.name for m in destination.mappings}
    if destination.settings.get("events"):  # chosen events are all that is sent of track calls
        own |= {m.name for m in given if m.action == "custom_event" and m.trigger == 'type = "track"'}
    return replace(
        destination,
        settings={**(preset.settings if preset else {}), **destination.settings},
        mappings=(*(m for m in given if m.name not in own), *destination.mappings),
    )


def check(destination: Destination) -> list[Problem]:
    """Problems of settings, preset, mappings and filters; paths relative to the destination."""
    problems = hubspot_settings.check(destination.settings)
    problems += problems_of(destination.settings.get("events"))
    if destination.preset is not None and destination.preset not in PRESETS:
        problems.append(
            Problem("preset", f"no preset {destination.preset!r}", f"there are: {', '.join(PRESETS)}")
        )
    for i, mapping in enumerate(destination.mappings):
        found = _check_mapping(f"mappings[{i}]", mapping)
        if not mapping.enabled:  # it does not run: worth knowing, no reason to stop
            found = [replace(p, severity="warning") for p in found]
        problems += found
    for i, given in enumerate(destination.filters):
        problems += _trigger(f"filters[{i}].trigger", given.trigger, given.compat)
        try:
            path_getter(given.path)
        except PathError as error:
            problems.append(Problem(f"filters[{i}].path", str(error)))
    return problems


def _check_mapping(where: str, mapping: Mapping) -> list[Problem]:
    """Problems of action, fields and trigger."""
    problems: list[Problem] = []
    action = ACTIONS.get(mapping.action) or WEB_ACTIONS.get(mapping.action)
    if action is None:
        hint = f"there are: {', '.join([*ACTIONS, *WEB_ACTIONS])}"
        problems.append(Problem(f"{where}.action", f"no action {mapping.action!r}", hint))
    else:
        problems += object_types_problems(where, mapping.fields)
        known = {f.name for f in action.fields}
        hint = f"fields of {action.slug}: {', '.join(sorted(known))}"
        problems += [
            Problem(f"{where}.fields", f"{f.name} is required", f.description)
            for f in action.fields
            if f.required and f.default is None and not {f.name, ROOT_DIRECTIVE} & set(mapping.fields)
        ]
        unknown = [n for n in mapping.fields if n not in known and n != ROOT_DIRECTIVE]
        problems += [Problem(f"{where}.fields.{name}", "unknown field", hint) for name in unknown]
    if mapping.action in WEB_ACTIONS:
        problems += web_problems(where, mapping)
    try:
        # With the action's defaults, as it will run: they count when a mapping is too large.
        compile_mapping(action.mapping(mapping.fields) if action else mapping.fields)
    except MappingInvalid as error:
        problems += [
            Problem(f"{where}.fields{p.path.rstrip('/').replace('/', '.')}", p.message, p.hint)
            for p in error.problems
        ]
    return problems + _trigger(f"{where}.trigger", mapping.trigger, mapping.compat, action)


def _trigger(where: str, text: str, compat: str | None, action: Action | None = None) -> list[Problem]:
    """What is wrong with a trigger, also for the action that it starts."""
    try:
        trigger = parse_trigger(text, compat)
    except TriggerError as error:
        return [Problem(where, str(error))]
    problems = [Problem(where, warning, severity="warning") for warning in trigger.warnings]
    if action is not None and trigger.node == tree.ALWAYS:
        hint = f"leave `trigger` out for the action's own: {action.default_trigger}"
        if action.irrevocable:
            message = f"{action.slug} cannot be undone and would run for every event"
            problems.append(Problem(where, message, hint))
        else:
            problems.append(Problem(where, f"{action.slug} runs for every event", hint, "warning"))
    return problems


def build(
    destination: Destination,
    now_ms: Callable[[], int],
    made: MadeStore,
    on_call: OnCall,
    api_url: str | None = None,
    manner: Manner = "live",
    is_browser: Callable[[str], bool | None] = lambda _source: None,
) -> Built:
    """Planner and sink of one destination. Connects on first use, inside the running event loop.

    `is_browser` tells whether a source's events come from browsers; None when nobody says.
    `record` also keeps what is written (`Built.taken`), `rehearse` keeps it instead of writing it.
    """
    connect = _CLIENTS[manner]
    settings = hubspot_settings.read(destination.settings)
    day = PortalDay(now_ms)
    budget = Budget(share=float(settings["budget_share"]), day_left_s=day.quota_left_s)
    client = connect(
        str(settings["access_token"]),
        budget,
        base_url=str(settings["api_url"] or api_url or API_URL),
        timeout_s=float(settings["timeout_s"]),
        proxy=settings["proxy"],
        ca_file=settings["ca_file"],
        on_call=on_call,
    )
    operations = Operations(str(settings["api_version"]))
    pixel = connect(
        None,
        Budget(),
        base_url=str(settings["track_url"] or _TRACK_URLS[region_of(settings)]),
        timeout_s=float(settings["timeout_s"]),
        proxy=settings["proxy"],
        ca_file=settings["ca_file"],
        on_call=on_call,
    )
    forms = connect(
        None,
        Budget(_FORMS_PER_10_S),
        base_url=str(settings["forms_api_url"] or _FORMS_API_URL),
        timeout_s=float(settings["timeout_s"]),
        proxy=settings["proxy"],
        ca_file=settings["ca_file"],
        on_call=on_call,
    )
    if isinstance(client, RehearsingClient):
        client.portal_id = str(settings["portal_id"])
    types = object_types_of(destination)
    cache = SchemaCache(
        client,
        operations,
        types,
        sensitive=_writes_sensitive(destination),
        custom_events=settings["tier"] in {"auto", "enterprise"},
    )
    portal = Portal(settings, client, operations, cache, now_ms, day, made, is_browser, pixel, forms)
    return Built(HubSpotPlanner(destination, portal), HubSpotSink(portal), settings, budget)


def _writes_sensitive(destination: Destination) -> bool:
    """Whether any mapping writes properties that HubSpot lists apart."""
    return any("sensitive_properties" in m.fields for m in destination.mappings if m.enabled)
