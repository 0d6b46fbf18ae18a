"""The kind `hubspot`: its settings, presets and actions, and how planner and sink are built."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from millstream.destinations.hubspot import settings as hubspot_settings
from millstream.destinations.hubspot.actions import ACTIONS
from millstream.destinations.hubspot.planner import HubSpotPlanner
from millstream.destinations.hubspot.portal import Portal
from millstream.destinations.hubspot.presets import PRESETS
from millstream.destinations.hubspot.settings import HubSpotSettings
from millstream.destinations.hubspot.sink import HubSpotSink
from millstream.hubspot_api.budget import Budget
from millstream.hubspot_api.client import API_URL, Client
from millstream.hubspot_api.requests import Operations
from millstream.hubspot_api.schema_cache import SchemaCache
from millstream.mapping.compile import compile_mapping
from millstream.mapping.errors import MappingInvalid
from millstream.mapping.trigger import TriggerError, parse_trigger
from millstream.workspace.model import Destination, Problem

OnCall = Callable[[str, int, float], None]


@dataclass(frozen=True, slots=True)
class Built:
    """A destination ready to run."""

    planner: HubSpotPlanner
    sink: HubSpotSink
    settings: HubSpotSettings
    budget: Budget


def expand(destination: Destination) -> Destination:
    """The preset's mappings in front of the destination's own; one of the same name replaces the preset's."""
    preset = PRESETS.get(destination.preset or "")
    if preset is None:
        return destination
    own = {m.name for m in destination.mappings}
    return replace(
        destination, mappings=(*(m for m in preset.mappings if m.name not in own), *destination.mappings)
    )


def check(destination: Destination) -> list[Problem]:
    """Problems of settings, preset, mappings and filters; paths relative to the destination."""
    problems = hubspot_settings.check(destination.settings)
    if destination.preset is not None and destination.preset not in PRESETS:
        problems.append(
            Problem("preset", f"no preset {destination.preset!r}", f"there are: {', '.join(PRESETS)}")
        )
    for i, mapping in enumerate(destination.mappings):
        where = f"mappings[{i}]"
        action = ACTIONS.get(mapping.action)
        if action is None:
            problems.append(
                Problem(
                    f"{where}.action", f"no action {mapping.action!r}", f"there are: {', '.join(ACTIONS)}"
                )
            )
        else:
            known = {f.name for f in action.fields}
            problems += [
                Problem(
                    f"{where}.fields.{name}",
                    "unknown field",
                    f"fields of {action.slug}: {', '.join(sorted(known))}",
                )
                for name in mapping.fields
                if name not in known
            ]
        try:
            compile_mapping(mapping.fields)
        except MappingInvalid as error:
            problems += [
                Problem(f"{where}.fields{p.path.rstrip('/').replace('/', '.')}", p.message, p.hint)
                for p in error.problems
            ]
        problems += _trigger(f"{where}.trigger", mapping.trigger, mapping.compat)
    for i, given in enumerate(destination.filters):
        problems += _trigger(f"filters[{i}].trigger", given.trigger, None)
    return problems


def _trigger(where: str, text: str, compat: str | None) -> list[Problem]:
    try:
        parse_trigger(text, compat)
    except TriggerError as error:
        return [Problem(where, str(error))]
    return []


def build(
    destination: Destination, now_s: Callable[[], float], on_call: OnCall, api_url: str | None = None
) -> Built:
    """Planner and sink of one destination. Connects on first use, inside the running event loop."""
    settings = hubspot_settings.read(destination.settings)
    budget = Budget(share=float(settings["budget_share"]))
    client = Client(
        str(settings["access_token"]),
        budget,
        base_url=str(settings["api_url"] or api_url or API_URL),
        timeout_s=float(settings["timeout_s"]),
        proxy=settings["proxy"],
        ca_file=settings["ca_file"],
        on_call=on_call,
    )
    operations = Operations(str(settings["api_version"]))
    cache = SchemaCache(client, operations, ("contacts", "companies"))
    portal = Portal(settings, client, operations, cache, now_s)
    return Built(HubSpotPlanner(destination, portal), HubSpotSink(portal), settings, budget)
