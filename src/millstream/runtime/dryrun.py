"""A dry run: what events would make a destination send, and what that would change in HubSpot as it is now.

It runs beside a server: data folder and HubSpot are only read. Without a data folder nothing is known of anybody.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any

from millstream.runtime.configuration import StartError, read_workspace
from millstream.runtime.inspection import Inspection, InspectionError
from millstream.runtime.settings import Settings
from millstream.runtime.trial import Trial, TrialFailed, Tried, as_events
from millstream.spec.events import Event
from millstream.storage.memory.deliveries import MemoryDeliveryStore
from millstream.storage.memory.overlay import OverlayDeliveryStore, OverlayProcessorStore
from millstream.storage.memory.processor import MemoryProcessorStore
from millstream.workspace.model import Destination, Workspace


def dry_run(
    settings: Settings,
    env: Mapping[str, str],
    *,
    items: list[Any] | None = None,
    message_id: str | None = None,
    source: str | None = None,
    destination: str | None = None,
) -> list[dict[str, Any]]:
    """One answer for each event: calls in Segment's shape, or the event of the log with this messageId.

    Raises `TrialFailed`, and `StartError` for the configuration.
    """
    loaded = read_workspace(settings, env)
    if not loaded.ok:
        raise StartError("\n".join(map(str, loaded.problems)))
    chosen = choose(loaded.workspace, destination)
    try:
        with Inspection(settings, env) as inspection:
            events = inspection.events(message_id) if message_id is not None else []
            if message_id is not None and not events:
                raise TrialFailed(f"no event {message_id!r} in the retained log")
            processor, deliveries = inspection.stores
            profiles = OverlayProcessorStore(processor, inspection.end)
            trial = Trial(
                chosen,
                profiles,
                OverlayDeliveryStore(deliveries),
                "rehearse",
                is_browser=loaded.workspace.is_browser,
                api_url=settings.hubspot_api_url,
            )
            return asyncio.run(_run(trial, events or _given(loaded.workspace, items, source)))
    except InspectionError as error:
        if message_id is not None:
            raise TrialFailed(str(error)) from None
        trial = Trial(
            chosen,
            MemoryProcessorStore(),
            MemoryDeliveryStore(),
            "rehearse",
            is_browser=loaded.workspace.is_browser,
            api_url=settings.hubspot_api_url,
        )
        return asyncio.run(_run(trial, _given(loaded.workspace, items, source)))


def choose(workspace: Workspace, name: str | None) -> Destination:
    """The destination of this name, or the only one. Raises `TrialFailed`."""
    known = {d.name: d for d in workspace.destinations}
    if name is None and len(known) == 1:
        return next(iter(known.values()))
    if name not in known:
        listed = ", ".join(known) or "there is none"
        raise TrialFailed(f"say which destination with --destination (in a case `destination:`): {listed}")
    return known[name]


def told(tried: Tried) -> dict[str, Any]:
    """What became of one event, as JSON."""
    return {
        "event": {
            k: v for k, v in tried.event.view().items() if k in {"type", "event", "messageId", "userId"}
        },
        "outcomes": [
            {
                "mapping": o.job.mapping,
                "effect": o.job.effect,
                "state": o.state.name.lower(),
                "reason": o.reason.value,
                "detail": o.detail,
                "notes": list(o.notes),
            }
            for o in tried.outcomes
        ],
        "requests": [
            {"request": f"{r.method} {r.path}", "body": json.loads(r.body) if r.body else None}
            for r in tried.requests
        ],
        "changes": [
            {
                "object": c.object_type,
                "record": c.record,
                "property": c.property,
                "old": c.old,
                "new": c.new,
            }
            for c in tried.changes
        ],
    }


def _given(workspace: Workspace, items: list[Any] | None, source: str | None) -> list[Event]:
    known = [s.name for s in workspace.sources]
    if source is not None and source not in known:
        raise TrialFailed(f"no source is named {source!r}; there are: {', '.join(known)}")
    return as_events(items or [], source or known[0])


async def _run(trial: Trial, events: list[Event]) -> list[dict[str, Any]]:
    async with trial:
        return [told(await trial.run(event)) for event in events]
