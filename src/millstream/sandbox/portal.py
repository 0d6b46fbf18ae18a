"""The state of one portal: records, associations, event definitions and occurrences; its clock and its calls."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any, Final

from millstream.sandbox.config import SandboxConfig
from millstream.sandbox.errors import Refused
from millstream.sandbox.records import Records

TYPES: Final = {
    "0-1": "contacts",
    "contact": "contacts",
    "contacts": "contacts",
    "0-2": "companies",
    "company": "companies",
    "companies": "companies",
    "0-3": "deals",
    "deal": "deals",
    "deals": "deals",
    "0-5": "tickets",
    "ticket": "tickets",
    "tickets": "tickets",
}
TYPE_IDS: Final = {"contacts": "0-1", "companies": "0-2", "deals": "0-3", "tickets": "0-5"}


class Portal:
    """Everything a portal holds."""

    def __init__(self, config: SandboxConfig) -> None:
        self.config = config
        self.offset_s = 0.0
        self.reset()

    def reset(self) -> None:
        """Empty, as on the first day; configuration and clock stay."""
        self.records: dict[str, Records] = {
            t: Records(t, first)
            for t, first in (("contacts", 101), ("companies", 50001), ("deals", 70001), ("tickets", 90001))
        }
        self.schemas: dict[str, dict[str, Any]] = {}
        self.groups: dict[str, dict[str, dict[str, Any]]] = {}
        self.associations: dict[tuple[str, str, str, str], dict[int, str]] = {}
        self.definitions: dict[str, dict[str, Any]] = {}
        self.burnt: set[str] = set()
        self.occurrences: list[dict[str, Any]] = []
        self.uuids: set[tuple[str, str]] = set()
        self.calls: list[dict[str, Any]] = []

    def now(self) -> datetime:
        """The portal's time, which the control API can move."""
        return datetime.fromtimestamp(time.time() + self.offset_s, UTC)

    def stamp(self) -> str:
        """The portal's time as it is shown."""
        return self.now().isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def type(self, name: str) -> Records:
        """The records of a type under any of its names. Raises `Refused`."""
        plural = TYPES.get(name.lower())
        if plural is None:
            plural = next(
                (
                    key
                    for key, schema in self.schemas.items()
                    if name.lower()
                    in {
                        key,
                        schema["name"].lower(),
                        schema["fullyQualifiedName"].lower(),
                        schema["objectTypeId"],
                    }
                ),
                None,
            )
        if plural is None:
            raise Refused(400, f"Unable to infer object type from: {name}")
        return self.records[plural]

    def definition(self, name: str) -> dict[str, Any]:
        """An event definition by name or fully qualified name. Raises `Refused`."""
        low = name.lower()
        for short, definition in self.definitions.items():
            if low in {short, definition["fullyQualifiedName"].lower()}:
                return definition
        raise Refused(404, f"Event definition {name} does not exist", "OBJECT_NOT_FOUND")

    def canonical(self) -> dict[str, Any]:
        """What clients changed, without ids and times, in a stable order: for comparing whole portals."""

        def who(object_type: str, record_id: str) -> str:
            record = self.records[object_type].by_id.get(record_id)
            values = record.values if record else {}
            return values.get("email") or values.get("domain") or values.get("name") or record_id

        def rows(object_type: str) -> list[dict[str, Any]]:
            found = [
                dict(sorted(r.values.items()))
                for r in self.records[object_type].by_id.values()
                if not r.archived
            ]
            return sorted(found, key=lambda r: sorted(r.items()))

        return {
            "contacts": rows("contacts"),
            "companies": rows("companies"),
            "associations": sorted(
                [a, who(a, i), b, who(b, j), sorted(kinds)]
                for (a, i, b, j), kinds in self.associations.items()
            ),
            "event_definitions": sorted(
                [d["name"], d["label"], sorted([p["name"], p["type"]] for p in d["properties"])]
                for d in self.definitions.values()
            ),
            "occurrences": sorted(
                (
                    {
                        "event": o["eventName"],
                        "contact": who("contacts", o["objectId"]) if o.get("objectId") else o.get("email"),
                        "occurredAt": o["occurredAt"],
                        "properties": dict(sorted(o["properties"].items())),
                    }
                    for o in self.occurrences
                ),
                key=lambda o: (o["event"], o["contact"] or "", o["occurredAt"], str(o["properties"])),
            ),
            "properties": sorted(
                [t, d["name"], d["type"], d["fieldType"], d["label"]]
                for t, records in self.records.items()
                for d in records.definitions.values()
                if not d["hubspotDefined"]
            ),
        }
