"""Segment's destination with its subscriptions and filters, as the Public API gives them → our configuration.

A subscription becomes a mapping. Field mappings are taken over as they are, under our field names; what has no
counterpart is named in a note with its value, so that nothing is lost. What cannot run is there, disabled.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from millstream.mapping.trigger import TriggerError, parse_trigger
from millstream.workspace.importers.report import (
    Imported,
    Report,
    TooDeep,
    Variables,
    at,
    convert,
    literal,
    plain,
    portal_id,
    shown,
    unwrapped,
)
from millstream.workspace.importers.segment_actions import (
    CONVERTERS,
    WEB_CONVERTERS,
    Converter,
    SegmentFields,
)

# Segment's filter actions, by their names of today and of the older API.
_FILTERS: Final = {
    "DROP": "drop",
    "DROP_EVENT": "drop",
    "SAMPLE": "sample",
    "SAMPLE_EVENT": "sample",
    "DROP_PROPERTIES": "drop_properties",
    "BLOCKLIST_FIELDS": "drop_properties",
    "ALLOW_PROPERTIES": "allow_properties",
    "WHITELIST_FIELDS": "allow_properties",
}


def read(document: Any) -> Imported:
    """The configuration for an export. Never raises; what cannot be read is an error note."""
    return convert(document, _build)


def _build(document: Any, report: Report) -> dict[str, Any]:
    taken: set[str] = set()
    found = [_destination(where, item, report, taken) for where, item in _destinations(document, report)]
    if not found:
        if not report.notes:
            report.error("", "no destination, subscription or filter is in the document")
        return {}
    report.info(
        "", "write keys are not in a destination's export: set SEGMENT_WRITE_KEY, or list your sources"
    )
    return {"sources": [{"name": "segment", "write_keys": ["${SEGMENT_WRITE_KEY}"]}], "destinations": found}


def _destinations(document: Any, report: Report) -> Iterator[tuple[str, dict[str, Any]]]:
    """The destinations of the document, each with its `subscriptions` and `filters`, whatever they are wrapped in."""
    where, document = unwrapped(document, "data")
    if isinstance(document, list):
        yield from _listed(document, where, report)
        return
    if not isinstance(document, dict):
        report.error(where, f"must be a destination or a list of subscriptions, not {shown(document)}")
        return
    if document.get("destinations") is not None:
        yield from report.objects(document["destinations"], at(where, "destinations"))
    elif document.get("destination") is not None:
        inner = report.table(document["destination"], at(where, "destination"))
        beside = {k: document[k] for k in ("subscriptions", "filters") if document.get(k) is not None}
        if inner or beside:
            yield where, inner | beside
    elif document.get("subscription") is not None:
        yield where, {"subscriptions": [document["subscription"]]}
    elif "actionSlug" in document:
        yield where, {"subscriptions": [document]}
    elif any(document.get(k) is not None for k in ("subscriptions", "filters", "settings", "metadata")):
        yield where, document
    else:
        report.error(where, f"no destination is in {shown(document)}")


def _listed(items: list[Any], where: str, report: Report) -> Iterator[tuple[str, dict[str, Any]]]:
    """A list of destinations, or of subscriptions (and filters), which are then those of one destination."""
    beside: dict[str, Any] = {}
    for path, item in report.objects(items, where):
        if "subscriptions" in item or "metadata" in item:
            yield path, item
        elif "actionSlug" not in item and ("if" in item or "actions" in item):
            beside.setdefault("filters", []).append(item)
        else:
            beside.setdefault("subscriptions", []).append(item)
    if beside:
        yield where, beside


def _destination(where: str, item: dict[str, Any], report: Report, taken: set[str]) -> dict[str, Any]:
    settings = report.table(item.get("settings"), at(where, "settings"))
    variables = Variables.of(len(taken) + 1)
    kind = report.table(item.get("metadata"), at(where, "metadata"))
    slug = str(kind.get("slug") or kind.get("name") or "").lower()
    enabled = report.flag(item, "enabled", where)
    if slug and "hubspot" not in slug:
        report.error(at(where, "metadata"), f"{shown(slug)} is not HubSpot: disabled")
        enabled = False
    web = "web" in slug
    preset: str | None = None
    if web:
        report.info(
            at(where, "metadata"),
            "subscriptions of HubSpot Web run in the page (docs/device-mode.md); `preset: classic` would make the "
            "server deliver what a page could not",
        )
    elif slug in {"hubspot", "hubspot (classic)"}:
        report.info(at(where, "metadata"), "this is HubSpot (Classic): `preset: classic` does what it did")
        preset = "classic"
    portal = portal_id(settings.get("portalId"))
    if portal is None:
        report.warn(at(where, "settings.portalId"), f"no Hub ID is given: set {variables.portal_id}")
    report.info(
        at(where, "settings"), f"set {variables.token} to a private app's token; Segment's OAuth stays there"
    )
    made: dict[str, Any] = {
        "name": report.name(item.get("name"), "hubspot", taken, where),
        "kind": "hubspot",
        "enabled": enabled,
        **({"preset": preset} if preset else {}),
        "settings": variables.settings(portal),
    }
    names: set[str] = set()
    mappings = [
        mapping
        for path, given in report.objects(item.get("subscriptions"), at(where, "subscriptions"))
        for mapping in _mappings(path, given, report, names, WEB_CONVERTERS if web else CONVERTERS)
    ]
    if web:
        made["connection"] = "device"
        made["settings"] |= _web_settings(settings)
    filters = [
        made
        for path, given in report.objects(item.get("filters"), at(where, "filters"))
        for made in _filters(path, given, report)
    ]
    if filters:
        made["filters"] = literal(filters)
    return made | {"mappings": literal(mappings)}


def _web_settings(given: dict[str, Any]) -> dict[str, Any]:
    """What HubSpot Web is told, in our words."""
    made: dict[str, Any] = {
        ours: given[theirs]
        for ours, theirs in (
            ("flush_identify_immediately", "flushIdentifyImmediately"),
            ("format_event_names", "formatCustomBehavioralEventNames"),
            ("load_forms_sdk", "loadFormsSDK"),
        )
        if isinstance(given.get(theirs), bool)
    }
    return made | ({"region": "eu1"} if given.get("enableEuropeanDataCenter") is True else {})


def _mappings(
    where: str,
    given: dict[str, Any],
    report: Report,
    names: set[str],
    converters: Mapping[str, Converter],
) -> Iterator[dict[str, Any]]:
    """The mapping of a subscription; for a company that is associated with its contact, another one."""
    slug = given.get("actionSlug")
    name = report.name(given.get("name"), "mapping", names, where)
    enabled = report.flag(given, "enabled", where)
    trigger, compat, readable = _trigger(given.get("trigger"), f"{where}.trigger", report)
    said, key = _field_mapping(given, where, report)
    fields_of = converters.get(slug) if isinstance(slug, str) else None
    fields = SegmentFields(said or {}, f"{where}.{key}", report)
    if fields_of is None:
        say = report.warn if isinstance(slug, str) else report.error
        say(f"{where}.actionSlug", f"no action of ours does what {shown(slug)} does: disabled")
        made = [(str(slug or "unknown"), said or {})]
    else:
        made = [(a, fields.rooted(f) if said is not None else {}) for a, f in fields_of(fields)]
        fields.note_rest()
    for does, mapping in made:
        usable = report.usable(mapping, f"{where}.{key}")
        yield {
            "name": name if does == made[0][0] else report.name(None, f"{name[:50]}-{does}", names, where),
            "action": does,
            "trigger": trigger,
            **({"compat": compat} if compat else {}),
            "enabled": all(
                (enabled, readable, usable, said is not None, fields_of is not None, not fields.broken)
            ),
            "fields": mapping,
        }


def _field_mapping(given: dict[str, Any], where: str, report: Report) -> tuple[dict[str, Any] | None, str]:
    """The fields of a subscription (None when they cannot be read), and the key that holds them."""
    key = "mapping" if given.get("mapping") is not None else "settings"
    found = given.get(key)
    if isinstance(found, str):
        try:
            found = plain(json.loads(found))
        except (ValueError, RecursionError, TooDeep):
            report.error(f"{where}.{key}", f"cannot be read as JSON: {shown(found)}: disabled")
            return None, key
    if found is not None and not isinstance(found, dict):
        report.error(f"{where}.{key}", f"must be an object of fields, not {shown(found)}: disabled")
        return None, key
    return found or {}, key


def _trigger(text: Any, where: str, report: Report) -> tuple[str, str | None, bool]:
    """The trigger, `segment` where Segment reads it otherwise than it says, and whether it can be used."""
    if not isinstance(text, str):
        say = report.warn if text is None else report.error
        say(where, f"must be text, not {shown(text)}: disabled")
        return "none", None, False
    try:
        theirs = parse_trigger(text, "segment")
    except TriggerError as error:
        report.warn(where, f"{error}: disabled")
        return text, None, False
    try:
        if parse_trigger(text).node == theirs.node:
            return text, None, True
    except TriggerError:
        pass
    report.warn(where, " ".join(theirs.warnings) or f"Segment reads this as: {theirs}")
    return text, "segment", True


def _filters(where: str, given: dict[str, Any], report: Report) -> Iterator[dict[str, Any]]:
    """A destination filter, one of ours for each of its actions. Segment reads these as they say."""
    enabled = report.flag(given, "enabled", where)
    title = str(given.get("title") or given.get("name") or where)
    text = given.get("if")
    if not isinstance(text, str):
        report.error(f"{where}.if", f"must be text, not {shown(text)}: disabled")
        text, enabled = "none", False
    try:
        parse_trigger(text)
    except TriggerError as error:
        report.error(f"{where}.if", f"{error}: disabled, so what it kept back is sent")
        enabled = False
    actions = report.objects(given.get("actions"), f"{where}.actions")
    if not actions:
        report.warn(where, "does nothing: not taken over")
    for n, (path, action) in enumerate(actions):
        name = title if n == 0 else f"{title} {n + 1}"
        kind = _FILTERS.get(str(action.get("type")).upper())
        made: dict[str, Any] = {"name": name, "trigger": text, "kind": kind or "drop", "enabled": enabled}
        if kind is None:
            report.warn(path, f"no filter of ours does this; not taken over: {shown(action)}")
            continue
        if kind == "sample":
            made["percent"] = _percent(action.get("percent"), path, report)
            made |= _drawn_by(action.get("path"), path, report)
        elif kind != "drop":
            made["fields"] = _paths(action.get("fields"), path, report)
            made["enabled"] = enabled and bool(made["fields"])
        yield made


def _percent(given: Any, where: str, report: Report) -> float:
    """Segment writes a share of 0 to 1; ours is of 100."""
    if isinstance(given, bool) or not isinstance(given, int | float) or not 0 <= given <= 1:
        report.error(f"{where}.percent", f"must be from 0 to 1, not {shown(given)}: everything passes")
        return 100.0
    return round(float(given) * 100, 6)


def _drawn_by(given: Any, where: str, report: Report) -> dict[str, str]:
    """The path whose value is in the sample or is not; Segment hashes otherwise, so others are chosen."""
    if given in (None, ""):
        return {}
    if not isinstance(given, str):
        report.error(f"{where}.path", f"must be text, not {shown(given)}: chosen by message id")
        return {}
    report.info(f"{where}.path", f"as many of the values of {shown(given)} are chosen, but not the same ones")
    return {"path": given}


def _paths(given: Any, where: str, report: Report) -> dict[str, list[str]]:
    """Part of the event → paths in it; older filters wrap the list in an object."""
    found: dict[str, list[str]] = {}
    for part, paths in given.items() if isinstance(given, dict) else ():
        listed = paths.get("fields") if isinstance(paths, dict) else paths
        if isinstance(listed, list) and all(isinstance(p, str) for p in listed):
            found[part] = listed
        else:
            report.warn(f"{where}.fields.{part}", f"must be a list of paths, not {shown(paths)}")
    if not found:
        report.error(f"{where}.fields", f"names nothing: {shown(given)}: disabled")
    return found
