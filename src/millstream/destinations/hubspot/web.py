"""HubSpot Web: what a page does with HubSpot's tracking code in device mode (SEMANTICS 36, 37).

Its three actions are data: the browser plugin carries them out. The server checks their fields and ships them; what a
page could not deliver, the destination's other mappings deliver from here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from millstream.destinations.hubspot import settings as hubspot_settings
from millstream.destinations.hubspot.actions.fields import first_of
from millstream.destinations.kit import Action, Field
from millstream.hubspot_api.schema import PortalSchema
from millstream.mapping.compile import ROOT_DIRECTIVE
from millstream.mapping.trigger import parse_trigger
from millstream.workspace import model
from millstream.workspace.model import Destination, Problem

# How long the plugin waits for HubSpot's script before it lets the page go on, in milliseconds.
READY_TIMEOUT_MS: Final = 3000

_SCRIPTS: Final = {"us": "https://js.hs-scripts.com", "eu1": "https://js-eu1.hs-scripts.com"}
_FORMS: Final = {"us": "https://js.hsforms.net", "eu1": "https://js-eu1.hsforms.net"}
# A private app's token says where its portal lives.
_EU_TOKEN: Final = re.compile(r"pat-eu1-")


def _in_the_page(_context: Any, _fields: Mapping[str, Any]) -> None:
    """Plans nothing: a mapping with such an action runs in the page and never here."""


_UPSERT_CONTACT: Final = Action(
    "web.upsert_contact",
    "Upsert contact (web)",
    "In the page: tells the tracking code who the visitor is. Without an email it does nothing.",
    'type = "identify"',
    (
        Field("email", "Email", "string", "The contact's address.", {"@path": "$.traits.email"}, True),
        Field("id", "External ID", "string", "An id of yours for the visitor.", {"@path": "$.userId"}),
        Field(
            "custom_properties",
            "Custom properties",
            "object",
            "Properties of the contact; objects and arrays flatten with `_`, `address` and `company` are left out.",
            {"@path": "$.traits"},
        ),
        Field("company", "Company", "string", "The company's name.", {"@path": "$.traits.company.name"}),
        Field("country", "Country", "string", "The country.", {"@path": "$.traits.address.country"}),
        Field("state", "State", "string", "The state.", {"@path": "$.traits.address.state"}),
        Field("city", "City", "string", "The city.", {"@path": "$.traits.address.city"}),
        Field("address", "Street", "string", "The street.", {"@path": "$.traits.address.street"}),
        Field(
            "zip",
            "Postal code",
            "string",
            "The postal code.",
            first_of("$.traits.address.postalCode", "$.traits.address.postal_code"),
        ),
    ),
    _in_the_page,
)
_TRACK_EVENT: Final = Action(
    "web.track_custom_behavioral_event",
    "Track custom behavioral event (web)",
    "In the page: a custom event of the visitor, when HubSpot has its definition; else the server delivers it.",
    'type = "track"',
    (
        Field("name", "Event name", "string", "The event.", {"@path": "$.event"}, True),
        Field(
            "properties",
            "Properties",
            "object",
            "Event properties, flattened with `_`; at most 50.",
            {"@path": "$.properties"},
        ),
    ),
    _in_the_page,
)
_TRACK_PAGE_VIEW: Final = Action(
    "web.track_page_view",
    "Track page view (web)",
    "In the page: a page view.",
    'type = "page"',
    (Field("path", "Path", "string", "The path to count; default: the page's own."),),
    _in_the_page,
)

WEB_ACTIONS: Final[dict[str, Action]] = {a.slug: a for a in (_UPSERT_CONTACT, _TRACK_EVENT, _TRACK_PAGE_VIEW)}
# Segment's names of them, by which the plugin knows them.
PARTNER_ACTIONS: Final = {
    "web.upsert_contact": "upsertContact",
    "web.track_custom_behavioral_event": "trackCustomBehavioralEvent",
    "web.track_page_view": "trackPageView",
}
# What runs when a device destination has no web mapping: Segment's presets.
PRESET: Final = tuple(
    model.Mapping(a.slug.replace(".", " ").replace("_", " "), a.slug, a.default_trigger)
    for a in WEB_ACTIONS.values()
)


def mappings(destination: Destination) -> tuple[model.Mapping, ...]:
    """The mappings that a page runs: the destination's own, or Segment's presets when it has none."""
    own = [m for m in destination.mappings if m.action in WEB_ACTIONS]
    return tuple(m for m in own or PRESET if m.enabled)


def problems(where: str, mapping: model.Mapping) -> list[Problem]:
    """What a page cannot do of a web mapping; everything else is checked as for any action."""
    fields = f"{where}.fields"
    found = [
        Problem(
            f"{fields}.{name}", "a page knows no Liquid", "use @template, @if or @replace in web mappings"
        )
        for name, value in mapping.fields.items()
        if _has_liquid(value)
    ]
    if ROOT_DIRECTIVE in mapping.fields:
        hint = "map each field by itself in web mappings"
        found.append(Problem(f"{fields}.{ROOT_DIRECTIVE}", "a page knows no root directive", hint))
    return found


def plugin_settings(destination: Destination, events: Mapping[str, Any] | None) -> dict[str, Any]:
    """What the plugin is told about a destination, but for its filters.

    `events`: the custom events that HubSpot has, as `known_events` says; None to let the page send whatever matches.
    """
    settings = hubspot_settings.read(destination.settings)
    portal = str(settings["portal_id"])
    region = region_of(settings)
    return {
        "destination": destination.name,
        "portalId": portal,
        "enableEuropeanDataCenter": region == "eu1",
        "scriptUrl": f"{str(settings['scripts_url'] or _SCRIPTS[region]).rstrip('/')}/{portal}.js",
        "formsUrl": f"{str(settings['forms_url'] or _FORMS[region]).rstrip('/')}/forms/v2.js",
        "flushIdentifyImmediately": settings["flush_identify_immediately"],
        "formatCustomBehavioralEventNames": settings["format_event_names"],
        "loadFormsSDK": settings["load_forms_sdk"],
        "skipFirstPageView": settings["skip_first_page_view"],
        "readyTimeoutMs": READY_TIMEOUT_MS,
        "consentCategories": list(destination.consent_categories),
        "consentResolution": destination.consent_resolution,
        "events": None if events is None else dict(events),
        "subscriptions": [_subscription(m) for m in mappings(destination)],
    }


def region_of(settings: hubspot_settings.HubSpotSettings) -> str:
    """`us` or `eu1`: as configured, else as the token says."""
    region = str(settings["region"])
    if region != "auto":
        return region
    return "eu1" if _EU_TOKEN.match(str(settings["access_token"] or "")) else "us"


def known_events(schema: PortalSchema) -> dict[str, str | list[str]]:
    """The custom events that a page may send, in lower case: those of contacts.

    By label and short name the full name; by that, the properties that HubSpot has of it, since it takes no others.
    """
    found: dict[str, str | list[str]] = {}
    for definition in schema.definitions.values():
        if definition.primary_object.upper() == "CONTACT" and definition.full_name:
            for name in (definition.label, definition.name):
                found.setdefault(name.strip().lower(), definition.full_name)
            found[definition.full_name.lower()] = sorted(definition.properties)
    found.pop("", None)
    return found


def _subscription(mapping: model.Mapping) -> dict[str, Any]:
    """One mapping as the plugin reads it; its trigger is compiled here, so that no page parses anything."""
    return {
        "name": mapping.name,
        "enabled": mapping.enabled,
        "partnerAction": PARTNER_ACTIONS[mapping.action],
        "subscribe": mapping.trigger,
        "when": parse_trigger(mapping.trigger, mapping.compat).tree(),
        "mapping": WEB_ACTIONS[mapping.action].mapping(mapping.fields),
    }


def _has_liquid(value: Any) -> bool:
    if isinstance(value, dict):
        return "@liquid" in value or any(map(_has_liquid, value.values()))
    return isinstance(value, list) and any(map(_has_liquid, value))
