"""The state of one portal: records, associations, event definitions and occurrences; its clock and its calls."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from millstream.sandbox.associated import Associations
from millstream.sandbox.calllog import CallLog
from millstream.sandbox.config import SandboxConfig
from millstream.sandbox.errors import Refused
from millstream.sandbox.latency import Latency
from millstream.sandbox.records import Records
from millstream.sandbox.rules import Book

_FIRST_IDS: Final = {"contacts": 101, "companies": 50001, "deals": 70001, "tickets": 90001}
# type id → singular, plural; the plural is the name that the sandbox uses.
STANDARD_TYPES: Final[dict[str, tuple[str, str]]] = {
    "0-1": ("contact", "contacts"),
    "0-2": ("company", "companies"),
    "0-3": ("deal", "deals"),
    "0-5": ("ticket", "tickets"),
    "0-7": ("product", "products"),
    "0-8": ("line_item", "line_items"),
    "0-14": ("quote", "quotes"),
    "0-18": ("communication", "communications"),
    "0-19": ("feedback_submission", "feedback_submissions"),
    "0-27": ("task", "tasks"),
    "0-46": ("note", "notes"),
    "0-47": ("meeting", "meetings"),
    "0-48": ("call", "calls"),
    "0-49": ("email", "emails"),
    "0-53": ("invoice", "invoices"),
    "0-54": ("marketing_event", "marketing_events"),
    "0-69": ("subscription", "subscriptions"),
    "0-74": ("goal_target", "goal_targets"),
    "0-84": ("discount", "discounts"),
    "0-85": ("fee", "fees"),
    "0-86": ("tax", "taxes"),
    "0-101": ("commerce_payment", "commerce_payments"),
    "0-115": ("user", "users"),
    "0-116": ("postal_mail", "postal_mail"),
    "0-123": ("order", "orders"),
    "0-136": ("lead", "leads"),
    "0-142": ("cart", "carts"),
    "0-162": ("service", "services"),
    "0-410": ("course", "courses"),
    "0-420": ("listing", "listings"),
    "0-421": ("appointment", "appointments"),
    "0-970": ("project", "projects"),
}
TYPES: Final = {
    name: plural for i, (single, plural) in STANDARD_TYPES.items() for name in (i, single, plural)
} | {"meeting_event": "meetings"}
TYPE_IDS: Final = {plural: i for i, (_, plural) in STANDARD_TYPES.items()}
Listener = Callable[[str, str, str, dict[str, Any]], None]


class Portal:
    """Everything a portal holds."""

    def __init__(self, config: SandboxConfig) -> None:
        self.config = config
        self.offset_s = 0.0
        self.latency = Latency(config.latency)
        self.listeners: list[Listener] = []
        self.reset()

    def reset(self) -> None:
        """Empty, as on the first day; configuration and clock stay."""
        self.records: dict[str, Records] = {
            plural: Records(
                plural, type_id, _FIRST_IDS.get(plural, 100_000 + 10_000 * i), self.config.portal_id
            )
            for i, (plural, type_id) in enumerate(TYPE_IDS.items())
        }
        self.shuffle = random.Random(1)
        self.schemas: dict[str, dict[str, Any]] = {}
        self.groups: dict[str, dict[str, dict[str, Any]]] = {}
        self.associations = Associations()
        self.labels: dict[tuple[str, str], dict[int, dict[str, Any]]] = {}
        self.pair_types: dict[tuple[str, str], int] = {}
        self.definitions: dict[str, dict[str, Any]] = {}
        self.burnt: set[str] = set()
        self.occurrences: list[dict[str, Any]] = []
        self.uuids: set[tuple[str, str]] = set()
        self.lists: dict[str, dict[str, Any]] = {}
        self.members: dict[str, dict[str, str]] = {}
        self.pipelines: dict[str, dict[str, dict[str, Any]]] = {}
        self.subscriptions: dict[tuple[str, str], dict[str, Any]] = {}
        self.submissions: list[dict[str, Any]] = []
        self.page_views: list[dict[str, Any]] = []
        self.legacy_events: list[dict[str, Any]] = []
        self.visitors: dict[str, str] = {}
        self.rules = Book()
        self.webhooks: dict[str, Any] = {}
        self.codes: dict[str, dict[str, Any]] = {}
        self.access_tokens: dict[str, dict[str, Any]] = {}
        self.refresh_tokens: dict[str, dict[str, Any]] = {}
        self.calls = CallLog()
        self.calls_today = 0
        self.numbers: dict[str, int] = {}

    def number(self, what: str) -> int:
        """The next number of its kind, from 1 (labels from 101, schemas from 2001)."""
        first = {"label": 100, "schema": 2000, "pipeline": 5000}.get(what, 0)
        self.numbers[what] = self.numbers.get(what, first) + 1
        return self.numbers[what]

    def secret(self, what: str) -> str:
        """A token: the sandbox's own, so that nobody takes it for a real one."""
        return f"sandbox-{what}-{self.number(what):06d}-{self.config.portal_id}"

    def seconds(self) -> float:
        """The portal's time as epoch seconds."""
        return time.time() + self.offset_s

    def midnight(self) -> str:
        """When the day ends in the portal's zone."""
        local = self.now().astimezone(ZoneInfo(self.config.time_zone))
        following = (local + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
        return following.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def utc_offset_s(self) -> int:
        """The zone's distance from UTC now."""
        offset = self.now().astimezone(ZoneInfo(self.config.time_zone)).utcoffset()
        return int(offset.total_seconds()) if offset is not None else 0

    def property_ready_at(self) -> float:
        """From when on a property that is made now takes values."""
        return time.time() + self.config.property_lag_ms / 1000 if self.config.property_lag_ms else 0.0

    def happened(self, object_type: str, action: str, record_id: str, **more: Any) -> None:
        """Tell whoever listens (webhooks)."""
        for listener in self.listeners:
            listener(object_type, action, record_id, more)

    def type_id(self, name: str) -> str:
        """The id of a type under any of its names. Raises `Refused`."""
        plural = self.type(name).type
        return TYPE_IDS.get(plural) or str(self.schemas[plural]["objectTypeId"])

    def now(self) -> datetime:
        """The portal's time, which the control API can move."""
        return datetime.fromtimestamp(time.time() + self.offset_s, UTC)

    def stamp(self, seconds: float | None = None) -> str:
        """The portal's time, or these epoch seconds, as it is shown."""
        at = self.now() if seconds is None else datetime.fromtimestamp(seconds, UTC)
        return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def type(self, name: str) -> Records:
        """The records of a type under any of its names. Raises `Refused`."""
        plural = TYPES.get(name.lower())
        if plural is None:
            plural = next(
                (
                    key
                    for key, schema in self.schemas.items()
                    if name.lower()
                    in {key, f"p_{key}", schema["fullyQualifiedName"].lower(), schema["objectTypeId"]}
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
