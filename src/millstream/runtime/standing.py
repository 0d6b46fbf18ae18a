"""How a data folder stands, as its stores tell it; a server adds what only it knows."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from millstream.delivery.store import DeliveryStore
from millstream.pipeline.store import ProcessorStore
from millstream.storage.sqlite.log import SqliteLog
from millstream.workspace.model import Destination


def standing(
    log: SqliteLog,
    processor: ProcessorStore,
    deliveries: DeliveryStore,
    destinations: Iterable[Destination],
) -> dict[str, Any]:
    """What `status` shows where no server runs: `server` is None, nothing is in the works."""
    bounds, processed = log.bounds(), processor.position()
    return {
        "server": None,
        "log": {"start": bounds.start, "end": bounds.end, "bytes": log.size_bytes()},
        "processor_lag": bounds.end - processed,
        "destinations": {d.name: _at(d, deliveries, processed) for d in destinations},
    }


def _at(destination: Destination, deliveries: DeliveryStore, processed: int) -> dict[str, Any]:
    name = destination.name
    position = deliveries.position(name)
    return {
        "mode": destination.mode,
        "state": "stopped" if destination.enabled and destination.mode != "off" else "disabled",
        "detail": "",
        "until": None,
        "lag": max(processed - position.decided, 0) if position else 0,
        "in_works": 0,
        "calls_in_flight": 0,
        "switched_off": [],
        "waiting": deliveries.waiting_count(name),
        "parked": deliveries.parked_count(name),
        "dead_letters": deliveries.dead_letter_count(name),
        "daily_remaining": None,
        "events": {f"{s.name.lower()}:{r}": n for (s, r), n in sorted(deliveries.tally(name).items())},
    }
