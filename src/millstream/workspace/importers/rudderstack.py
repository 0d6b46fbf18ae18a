"""A RudderStack workspace export → our configuration: its sources, and its HubSpot destinations in cloud mode.

RudderStack sends only the events that are configured, with only the configured properties; each becomes a mapping.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from millstream.mapping.trigger import TriggerError, parse_trigger
from millstream.workspace.importers import rudderstack_consent
from millstream.workspace.importers.report import (
    Imported,
    Report,
    Variables,
    convert,
    first,
    literal,
    portal_id,
    shown,
    unwrapped,
)

# The preset sends every track event; a mapping of the same name takes its place.
_NO_OTHER_EVENTS: Final = {
    "name": "track to event",
    "action": "custom_event",
    "trigger": 'type = "track"',
    "enabled": False,
    "fields": {},
}
_KINDS: Final = frozenset({"hs", "hubspot"})
_EMAIL: Final = first("$.traits.email", "$.context.traits.email", "$.properties.email", "$.profile.email")
_TIME: Final = first("$.properties.occurred_at", "$.timestamp")
_LISTS: Final = {"whitelistedEvents": "only", "blacklistedEvents": "drop"}


def read(document: Any) -> Imported:
    """The configuration for an export. Never raises; what cannot be read is an error note."""
    return convert(document, _build)


@dataclass(slots=True)
class _Found:
    """A destination of the export, with the ids of the sources that are connected to it."""

    where: str
    given: dict[str, Any]
    sources: list[str] = field(default_factory=list)


def _build(document: Any, report: Report) -> dict[str, Any]:
    _, document = unwrapped(document, "data", "workspace")
    if not isinstance(document, dict):
        report.error("", f"must be an object with `sources`, not {shown(document)}")
        return {}
    given = document.get("sources")
    if given is None and document.get("source") is not None:
        given = [document["source"]]
    listed = report.objects(given, "sources")
    names, sources = _sources(listed, report)
    taken: set[str] = set()
    everything = list(_destinations(document, listed, report))
    connected = any(found.sources for found in everything)
    destinations = [
        _destination(found, names, report, taken, connected=connected)
        for found in everything
        if _is_hubspot(found, report)
    ]
    if not sources and not destinations:
        report.error("", "no source and no HubSpot destination is in the document")
        return {}
    if not destinations:
        report.error("", "no HubSpot destination is in the document")
    return {"sources": sources, "destinations": destinations}


def _sources(
    listed: list[tuple[str, dict[str, Any]]], report: Report
) -> tuple[dict[str, str], list[dict[str, Any]]]:
    """The names of the sources by their ids, and the sources."""
    names: dict[str, str] = {}
    made: list[dict[str, Any]] = []
    taken: set[str] = set()
    keys: set[str] = set()
    for where, given in listed:
        if given.get("deleted") is True:
            report.info(where, "deleted: left out")
            continue
        name = report.name(given.get("name"), "source", taken, where)
        names[_id(given, where)] = name
        key = given.get("writeKey")
        if not isinstance(key, str) or not key or key in keys:
            variable = f"WRITE_KEY_{len(made) + 1}"
            said = "no write key is given" if key in (None, "") else f"no write key of its own: {shown(key)}"
            say = report.warn if key is None or isinstance(key, str) else report.error
            say(f"{where}.writeKey", f"{said}: set {variable}")
            written = f"${{{variable}}}"
        else:
            keys.add(key)
            written = literal(key)
        made.append({"name": name, "write_keys": [written], "enabled": report.flag(given, "enabled", where)})
    return names, made


def _destinations(
    document: dict[str, Any], listed: list[tuple[str, dict[str, Any]]], report: Report
) -> Iterator[_Found]:
    """All destinations, inside their sources or beside them, each once."""
    found: dict[str, _Found] = {}
    everything = [("", p, d) for p, d in report.objects(document.get("destinations"), "destinations")]
    for where, source in listed:
        inner = report.objects(source.get("destinations"), f"{where}.destinations")
        everything += [(_id(source, where), path, given) for path, given in inner]
    for source_id, path, given in everything:
        one = found.setdefault(_id(given, path), _Found(path, given))
        if source_id:
            one.sources.append(source_id)
    for source_id, destination_id in _connections(document, listed, report):
        if destination_id in found and source_id not in found[destination_id].sources:
            found[destination_id].sources.append(source_id)
    yield from found.values()


def _connections(
    document: dict[str, Any], listed: list[tuple[str, dict[str, Any]]], report: Report
) -> Iterator[tuple[str, str]]:
    """Pairs of ids, from a list or from an object by id."""
    places = [("connections", document.get("connections"), "")]
    places += [(f"{where}.connections", s.get("connections"), _id(s, where)) for where, s in listed]
    for where, given, source_id in places:
        items = list(given.values()) if isinstance(given, dict) else given
        for _, pair in report.objects(items, where):
            if pair.get("enabled") is not False and pair.get("deleted") is not True:
                yield str(pair.get("sourceId") or source_id), str(pair.get("destinationId"))


def _is_hubspot(found: _Found, report: Report) -> bool:
    given = found.given
    if given.get("deleted") is True:
        report.info(found.where, "deleted: left out")
        return False
    definition = report.table(given.get("destinationDefinition"), f"{found.where}.destinationDefinition")
    kind = definition.get("name") or given.get("type") or definition.get("displayName")
    if kind is None:
        config = given.get("config")
        if isinstance(config, dict) and ("hubID" in config or "hubspotEvents" in config):
            return True
    if isinstance(kind, str) and kind.lower() in _KINDS:
        return True
    say = report.info if isinstance(kind, str) else report.error
    say(found.where, f"{shown(kind)} is not HubSpot: left out")
    return False


def _destination(
    found: _Found, names: dict[str, str], report: Report, taken: set[str], *, connected: bool
) -> dict[str, Any]:
    where, given = found.where, found.given
    config = report.table(given.get("config"), f"{where}.config")
    at = f"{where}.config"
    portal, variables = portal_id(config.get("hubID")), Variables.of(len(taken) + 1)
    if portal is None:
        report.warn(f"{at}.hubID", f"no Hub ID: {shown(config.get('hubID'))}; set {variables.portal_id}")
    _notes(config, given, where, report, variables.token)
    settings = variables.settings(portal)
    mappings = _events(config, at, report)
    if any(mapping["enabled"] for mapping in mappings):
        settings["create_definitions"] = False
        report.info(at, "create_definitions is off, as at RudderStack: events need a definition in HubSpot")
    if config.get("apiVersion") != "legacyApi":
        report.info(f"{at}.hubspotEvents", "no track event but those configured is sent, as at RudderStack")
        mappings = [dict(_NO_OTHER_EVENTS), *mappings]
    mappings = [*_lookup(config.get("lookupField")), *mappings]
    sources = [names[i] for i in dict.fromkeys(found.sources) if i in names]
    enabled = report.flag(given, "enabled", where)
    if connected and not sources:
        report.warn(where, "no source is connected to it: disabled, because here it would take from all")
        enabled = False
    elif not connected:
        report.info(where, "the document does not say which sources are connected: all are")
    return {
        "name": report.name(given.get("name"), "hubspot", taken, where),
        "kind": "hubspot",
        "enabled": enabled,
        "preset": "rudderstack",
        "settings": settings,
        "sources": sources,
        "filters": literal(_filters(config, at, report)),
        "mappings": literal(mappings),
        **rudderstack_consent.read(config, at, report),
    }


def _notes(config: dict[str, Any], given: dict[str, Any], where: str, report: Report, token: str) -> None:
    """What of the settings does something else here, or nothing."""
    at = f"{where}.config"
    auth = config.get("authorizationType")
    if auth == "legacyApiKey" or (config.get("apiKey") and not config.get("accessToken")):
        report.warn(
            f"{at}.authorizationType",
            f"HubSpot ended API keys in 2022: make a private app and set {token} to its token",
        )
    else:
        report.info(f"{at}.accessToken", f"secrets are not copied: set {token}")
    if auth not in (None, "legacyApiKey", "newPrivateAppApi"):
        report.error(f"{at}.authorizationType", f"not known: {shown(auth)}")
    version = config.get("apiVersion")
    if version == "legacyApi":
        report.warn(
            f"{at}.apiVersion",
            "the old tracking API is gone here: track calls become custom events, and definitions are made for them",
        )
    elif version not in (None, "newApi"):
        report.error(f"{at}.apiVersion", f"not known: {shown(version)}")
    lookup = config.get("lookupField")
    if lookup is not None and not isinstance(lookup, str):
        report.error(f"{at}.lookupField", f"must be text, not {shown(lookup)}: contacts are found by email")
    elif lookup is not None and _lookup_name(lookup) != lookup.strip().lower():
        report.warn(
            f"{at}.lookupField",
            f"{shown(lookup)} is taken for the property {_lookup_name(lookup)}: see what HubSpot calls it",
        )
    if config.get("doAssociation"):
        report.info(
            f"{at}.doAssociation", "the preset associates what traits.hubspot.objects and group calls name"
        )
    for key in ("connectionMode", "useNativeSDK"):
        mode = config.get(key)
        if mode == "device" or (isinstance(mode, dict) and {"device", "hybrid", True} & _scalars(mode)):
            report.warn(
                f"{at}.{key}", f"device mode is not taken over ({shown(mode)}): see `connection: device`"
            )
    if given.get("transformations") or given.get("areTransformationsConnected") is True:
        report.warn(f"{where}.transformations", "user transformations are not taken over")


def _lookup(field: Any) -> list[dict[str, Any]]:
    """The preset's mapping of contacts with another property to find them by."""
    name = _lookup_name(field) if isinstance(field, str) else ""
    if name in {"", "email"}:
        return []
    return [
        {
            "name": "identify to contact",
            "action": "upsert_contact",
            "trigger": 'type = "identify"',
            "fields": {
                "email": first("$.traits.email", "$.context.traits.email", "$.profile.email"),
                "properties": {"@path": "$.traits"},
                "lookup_field": name,
                "lookup_value": first(*(f"{at}.{field}" for at in ("$", "$.traits", "$.context.traits"))),
            },
        }
    ]


def _lookup_name(field: str) -> str:
    """The internal name of a property that may be given by its label; HubSpot makes one of the other like this."""
    return re.sub(r"[^a-z0-9_]+", "_", field.strip().lower()).strip("_")


def _scalars(value: dict[str, Any]) -> set[Any]:
    return {v for v in value.values() if isinstance(v, str | bool)}


def _events(config: dict[str, Any], where: str, report: Report) -> list[dict[str, Any]]:
    """One mapping per configured event. The old API had no such configuration: then they are there, disabled."""
    made: list[dict[str, Any]] = []
    taken: set[str] = set()
    seen: set[str] = set()
    old = config.get("apiVersion") == "legacyApi"
    for path, given in report.objects(config.get("hubspotEvents"), f"{where}.hubspotEvents"):
        theirs, ours = given.get("rsEventName"), given.get("hubspotEventName")
        if theirs in ("", None) and ours in ("", None):
            continue  # the row that the form shows first
        if not isinstance(theirs, str) or not isinstance(ours, str) or not theirs.strip() or not ours.strip():
            report.error(path, f"needs rsEventName and hubspotEventName: {shown(given)}")
            continue
        wanted = theirs.strip().lower()
        enabled = not old and wanted not in seen
        if wanted in seen:
            report.warn(path, f"{shown(theirs)} is configured before: disabled")
        elif old:
            report.warn(path, "the old API does not use this: disabled")
        seen.add(wanted)
        fields = {
            "name": ours.strip(),
            "email": _EMAIL,
            "occurred_at": _TIME,
            "properties": _properties(given.get("eventProperties"), f"{path}.eventProperties", report),
        }
        made.append(
            {
                "name": report.name(theirs, "event", taken, path),
                "action": "custom_event",
                "trigger": f'type = "track" and lowercase(event) = {_quoted(wanted)}',
                "enabled": report.usable(fields, path) and enabled,
                "fields": fields,
            }
        )
    if made:
        report.info(
            f"{where}.hubspotEvents", "HubSpot's own properties (hs_city, hs_device_name, …) are not filled"
        )
    return made


def _properties(given: Any, where: str, report: Report) -> dict[str, Any]:
    """`from` is a path below the event's properties, `to` HubSpot's name."""
    made: dict[str, Any] = {}
    for path, pair in report.objects(given, where):
        source, target = pair.get("from"), pair.get("to")
        if source in ("", None) and target in ("", None):
            continue
        if not isinstance(source, str) or not isinstance(target, str) or not source or not target:
            report.error(path, f"needs `from` and `to`: {shown(pair)}")
            continue
        if target in made:
            report.warn(path, f"`{target}` is filled before; not taken over: {shown(pair)}")
            continue
        made[target] = {"@path": f"$.properties.{source.removeprefix('properties.')}"}
    return made


def _filters(config: dict[str, Any], where: str, report: Report) -> list[dict[str, Any]]:
    """The list that is in force; RudderStack compares names exactly, and only those of track calls."""
    option = config.get("eventFilteringOption")
    if option in (None, "", "disable"):
        return []
    kind = _LISTS.get(option) if isinstance(option, str) else None
    if kind is None or not isinstance(option, str):
        report.error(f"{where}.eventFilteringOption", f"not known: {shown(option)}")
        return []
    words = []
    for path, item in report.objects(config.get(option), f"{where}.{option}"):
        word = item.get("eventName")
        if isinstance(word, str):
            words += [word.strip()] if word.strip() else []
        elif word is not None:
            report.error(f"{path}.eventName", f"must be text, not {shown(word)}")
    listed = f"event in [{', '.join(_quoted(w) for w in dict.fromkeys(words))}]" if words else "none"
    trigger = f'type = "track" and {listed}' if kind == "drop" else f'type != "track" or {listed}'
    if not words:
        report.warn(
            f"{where}.{option}", "the list is empty" + ("" if kind == "drop" else ": no track call passes")
        )
    try:
        parse_trigger(trigger)
    except TriggerError as error:
        report.error(f"{where}.{option}", f"the list is too long for one filter, which is disabled: {error}")
        return [{"name": option, "trigger": trigger, "kind": kind, "enabled": False}]
    return [{"name": option, "trigger": trigger, "kind": kind, "enabled": True}]


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _id(given: dict[str, Any], where: str) -> str:
    """The id, or the place of what has none."""
    found = given.get("id")
    return found if isinstance(found, str) and found else where
