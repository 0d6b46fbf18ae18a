"""The settings documents that SDKs fetch for a write key. Pure: the workspace in, JSON values out.

`source` is None for keys that are unknown or disabled: they get a whole document without destinations, since SDKs
report anything else to their vendors.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from millstream.destinations.hubspot import web
from millstream.devicemode.filters import page_filters, routing_rules
from millstream.devicemode.language import needs_all
from millstream.workspace.model import Destination, Source, Workspace

# The custom events that HubSpot has, of a destination; None = unknown, let the page send what matches.
Events = Callable[[str], Mapping[str, Any] | None]

# What users call the destination in `integrations`, for Analytics.js and RudderStack alike.
HUBSPOT: Final = "HubSpot"
_LIBRARY: Final = "hubspot-webDestination"


@dataclass(frozen=True, slots=True)
class Address:
    """How pages reach this server: `url` without a slash at the end, prefix and all."""

    url: str

    @property
    def protocol(self) -> str:
        """`https` or `http`."""
        return urlsplit(self.url).scheme

    @property
    def host(self) -> str:
        """Host, port and path."""
        return self.url.split("://", 1)[1]


def address(settings: Mapping[str, Any], otherwise: str) -> Address:
    """The public address of a workspace; `otherwise` (scheme and host) when it has no `public_url`."""
    url = str(settings.get("public_url") or otherwise).rstrip("/")
    return Address(url + str(settings.get("device_prefix") or ""))


def device_destinations(workspace: Workspace, source: Source | None) -> list[Destination]:
    """The destinations that pages of a source deliver to themselves."""
    if source is None:
        return []
    return [
        d
        for d in workspace.destinations
        if d.kind == "hubspot" and d.connection == "device" and d.enabled and d.mode == "live"
        if not d.sources or source.name in d.sources
    ]


def plugin_settings(destination: Destination, events: Events) -> dict[str, Any]:
    """What the plugin is told, whichever SDK loads it."""
    told = web.plugin_settings(destination, events(destination.name))
    return told | {"filters": page_filters(destination.filters)}


def segment(
    workspace: Workspace,
    source: Source | None,
    key: str,
    at: Address,
    plugin_url: Callable[[bool], str | None],
    events: Events,
) -> dict[str, Any]:
    """Segment's settings, for Analytics.js and its mobile SDKs.

    `plugin_url` gives the plugin's address, of the one with the whole language if asked; None: it is not built.
    """
    api_host = f"{at.host}/v1"
    ours: dict[str, Any] = {
        "apiKey": key,
        "apiHost": api_host,
        "protocol": at.protocol,
        "retryQueue": True,
        "unbundledIntegrations": [],
        "addBundledMetadata": True,
        "maybeBundledConfigIds": {},
        "versionSettings": {"version": "4.4.7", "componentTypes": ["browser"]},
    }
    if workspace.settings.get("device_batching"):
        ours["deliveryStrategy"] = {"strategy": "batching", "config": {"size": 10, "timeout": 5000}}
    destinations = device_destinations(workspace, source) if plugin_url(False) else []
    told = [plugin_settings(d, events) for d in destinations]
    # Rules name the plugin, and all plugins have one name: with several, each applies its own filters.
    rules = routing_rules(destinations[0].filters, HUBSPOT) if len(destinations) == 1 else []
    return {
        "integrations": {"Segment.io": ours},
        "edgeFunction": {},
        "analyticsNextEnabled": True,
        "middlewareSettings": {"routingRules": rules} if rules else {},
        "enabledMiddleware": {},
        # Without it Analytics.js reports to api.segment.io.
        "metrics": {"sampleRate": 0, "host": api_host},
        "legacyVideoPluginsEnabled": False,
        "remotePlugins": [
            {
                "name": HUBSPOT,
                "creationName": HUBSPOT,
                "libraryName": _LIBRARY,
                "url": plugin_url(needs_all(settings)),
                "settings": settings,
            }
            for settings in told
        ],
    }


def rudderstack(
    workspace: Workspace, source: Source | None, key: str, events: Events, *, bundle: bool
) -> dict[str, Any]:
    """RudderStack's source configuration, for its browser and mobile SDKs. `bundle` False: it is not built."""
    name = source.name if source else "unknown"
    return {
        "source": {
            "id": name,
            "name": name,
            "writeKey": key,
            "enabled": source is not None,
            "workspaceId": "millstream",
            "config": {"statsCollection": {"errors": {"enabled": False}, "metrics": {"enabled": False}}},
            "connections": [],
            "destinations": [
                _rudderstack_destination(d, events)
                for d in (device_destinations(workspace, source) if bundle else [])
            ],
        }
    }


def amplitude() -> dict[str, Any]:
    """Amplitude's remote configuration: nothing to configure."""
    return {"configs": {}}


def _rudderstack_destination(destination: Destination, events: Events) -> dict[str, Any]:
    told = plugin_settings(destination, events)
    return {
        "id": destination.name,
        "name": destination.name,
        "enabled": True,
        "shouldApplyDeviceModeTransformation": False,
        "propagateEventsUntransformedOnError": False,
        # The SDK loads the file of this display name and no other.
        "destinationDefinition": {"name": "HS", "displayName": HUBSPOT},
        "config": {
            "hubID": told["portalId"],
            "eventFilteringOption": "disable",
            "whitelistedEvents": [],
            "blacklistedEvents": [],
            **told,
        },
    }
