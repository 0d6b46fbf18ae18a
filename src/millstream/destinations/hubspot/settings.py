"""The settings of a HubSpot destination: one table that checks, documents and reads them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from millstream.destinations.hubspot.values import zone_of
from millstream.destinations.kit import Setting
from millstream.workspace.model import Problem

# What a property's policy may be; `calls/policy.py` applies them.
POLICIES: Final = ("overwrite", "if_empty", "if_newer", "never")
SETTINGS: Final = (
    Setting("portal_id", str, "The portal's Hub ID (digits); must be the token's portal.", required=True),
    Setting(
        "access_token", str, "A service key, private app token or OAuth token; any prefix.", required=True
    ),
    Setting("api_version", str, "HubSpot API version.", "2026-09", ("2026-09", "2026-03", "v3")),
    Setting(
        "region", str, "Data centre; picks the js, forms and track hosts only.", "auto", ("auto", "us", "eu1")
    ),
    Setting("api_url", str, "REST API address, for tests and proxies."),
    Setting(
        "tier",
        str,
        "The portal's plan: below enterprise, custom events are not even asked for; auto finds out.",
        "auto",
        ("auto", "free", "starter", "professional", "enterprise"),
    ),
    Setting(
        "unknown_properties",
        str,
        "What HubSpot does not have: leave out, make, or dead-letter.",
        "drop",
        ("drop", "create", "reject"),
    ),
    Setting(
        "nested",
        str,
        "Objects and lists: flattened (`address_city`, `a;b`), or JSON text as RudderStack sends them.",
        "flatten",
        ("flatten", "json"),
    ),
    Setting("properties", dict, "Types of properties to be made: {name: type}.", {}),
    Setting("create_deny", list, "Names that are never made.", []),
    Setting("create_from_browser", bool, "Whether events of browser sources may make properties.", False),
    Setting("contact_lookup", str, "How new contacts are written.", "upsert", ("upsert", "read_first")),
    Setting(
        "email_change", str, "A changed email of a known userId.", "new_contact", ("new_contact", "move")
    ),
    Setting("ensure_contact", bool, "Make the contact before its first event.", True),
    Setting(
        "lifecycle",
        str,
        "How lifecyclestage is written.",
        "forward_only",
        ("forward_only", "allow_back", "never"),
    ),
    Setting(
        "write_policy",
        dict,
        "What keeps its value: {object type: {property: overwrite|if_empty|if_newer|never}}.",
        {},
    ),
    Setting("track_url", str, "Host of the legacy tracking pixel, for tests and proxies."),
    Setting(
        "events", list, "Events chosen one by one: see docs/presets.md. Then no other track call is sent.", []
    ),
    Setting("scripts_url", str, "Host of the tracking code that pages load, for tests and proxies."),
    Setting("forms_api_url", str, "Host that takes submitted forms, for tests and proxies."),
    Setting("forms_url", str, "Host of the forms script that pages load, for tests and proxies."),
    Setting("flush_identify_immediately", bool, "In pages: count a page view with every identify.", False),
    Setting(
        "format_event_names",
        bool,
        "In pages: event names become HubSpot's full names (`pe<Hub ID>_order_completed`).",
        True,
    ),
    Setting("load_forms_sdk", bool, "In pages: load HubSpot's forms script as well.", False),
    Setting(
        "skip_first_page_view",
        bool,
        "In pages: leave the first page view to the tracking code, which counts it by itself.",
        True,
    ),
    Setting(
        "attribution_form",
        str,
        "A form's GUID: contacts that HubSpot does not know are submitted to it with their visitor's token.",
    ),
    Setting("date_timezone", str, "Zone in which an instant becomes a date.", "UTC"),
    Setting("create_definitions", bool, "Make event definitions that are missing.", True),
    Setting("resend_after_hours", float, "After this, unchanged values are sent again; 0 = always.", 24.0),
    Setting("budget_share", float, "Share of HubSpot's limit that our own calls may use.", 0.98),
    Setting("in_doubt_s", float, "How long records rest after a missing answer.", 30.0),
    Setting("timeout_s", float, "How long a call waits for its answer.", 30.0),
    Setting("proxy", str, "HTTP proxy for calls to HubSpot."),
    Setting("ca_file", str, "Certificate authorities, for a proxy that inspects."),
)


@dataclass(frozen=True, slots=True)
class HubSpotSettings:
    """Settings with their defaults, by name."""

    values: Mapping[str, Any]

    def __getitem__(self, name: str) -> Any:
        """One setting."""
        return self.values[name]


def read(given: Mapping[str, Any]) -> HubSpotSettings:
    """The settings with defaults in place."""
    return HubSpotSettings({s.name: given.get(s.name, s.default) for s in SETTINGS})


def check(given: Mapping[str, Any]) -> list[Problem]:
    """Problems of the settings; paths relative to the destination."""
    problems: list[Problem] = []
    known = {s.name: s for s in SETTINGS}
    for name in given:
        if name == "api_key":
            problems.append(
                Problem(
                    "settings.api_key",
                    "HubSpot ended API keys in November 2022",
                    "put a service key or private app token into access_token",
                )
            )
        elif name not in known:
            problems.append(Problem(f"settings.{name}", "unknown setting", "see docs/hubspot.md"))
    for setting in SETTINGS:
        value = given.get(setting.name)
        where = f"settings.{setting.name}"
        if value in {None, ""} if not isinstance(value, dict | list) else False:
            if setting.required and "api_key" not in given:
                problems.append(Problem(where, "is required", setting.description))
            continue
        if setting.name == "portal_id":
            if not str(value).isdigit():
                problems.append(
                    Problem(where, f"{value!r} is not a Hub ID", "digits only, as in HubSpot's settings")
                )
        elif setting.type is float:
            if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
                problems.append(Problem(where, "must be a number that is not negative"))
        elif not isinstance(value, setting.type):
            problems.append(Problem(where, f"must be {setting.type.__name__}"))
        elif setting.choices and value not in setting.choices:
            problems.append(Problem(where, f"must be one of {', '.join(setting.choices)}"))
    problems += _policies(given.get("write_policy"))
    zone = given.get("date_timezone")
    if isinstance(zone, str):
        try:
            zone_of(zone)
        except (ValueError, KeyError, OSError):
            problems.append(
                Problem("settings.date_timezone", f"no time zone is named {zone!r}", "as in Europe/Berlin")
            )
    return problems


def _policies(given: Any) -> list[Problem]:
    """Problems of `write_policy`."""
    if not isinstance(given, dict):
        return []
    problems: list[Problem] = []
    for object_type, policies in given.items():
        where = f"settings.write_policy.{object_type}"
        if not isinstance(policies, dict):
            problems.append(Problem(where, "must be a mapping of property names to policies"))
            continue
        problems += [
            Problem(f"{where}.{name}", f"no policy {policy!r}", f"there are: {', '.join(POLICIES)}")
            for name, policy in policies.items()
            if policy not in POLICIES
        ]
    return problems
