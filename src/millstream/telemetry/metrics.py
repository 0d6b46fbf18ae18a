"""The closed list of metrics, Prometheus style. A name that is not here cannot be emitted; a test compares the list
with `docs/operations.md` and with the code.

Names follow `millstream_<what>_<unit>[_total]`. Labels have few values: sources, destinations, states and reasons are
configured or closed; no email, id or message ever becomes a label.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import Enum
from typing import Any, NamedTuple

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 300)


class Spec(NamedTuple):
    """One metric: Prometheus kind, name, help text, labels."""

    kind: type[Counter | Gauge | Histogram]
    name: str
    help: str
    labels: tuple[str, ...] = ()


class Metric(Enum):
    """Every metric there is."""

    INGEST_REQUESTS = Spec(
        Counter, "millstream_ingest_requests_total", "Requests to the tracking API.", ("dialect", "status")
    )
    INGEST_EVENTS = Spec(
        Counter,
        "millstream_ingest_events_total",
        "Events acknowledged, durable in the log.",
        ("source", "type"),
    )
    INGEST_REJECTED = Spec(
        Counter, "millstream_ingest_rejected_total", "Items that were not valid events.", ("source", "reason")
    )
    INGEST_SECONDS = Spec(
        Histogram, "millstream_ingest_duration_seconds", "From the request's arrival to its answer."
    )
    LOG_END = Spec(Gauge, "millstream_log_end_offset", "The offset that the next event gets.")
    LOG_START = Spec(Gauge, "millstream_log_start_offset", "The first retained offset.")
    LOG_BYTES = Spec(Gauge, "millstream_log_size_bytes", "What the log takes on disk.")
    DISK_FREE = Spec(Gauge, "millstream_disk_free_bytes", "Free space where the data folder lies.")
    PROCESSOR_LAG = Spec(Gauge, "millstream_processor_lag_events", "Logged events not yet resolved.")
    EVENTS = Spec(
        Gauge,
        "millstream_destination_events",
        "Events by the state and reason of their worst effect.",
        ("destination", "state", "reason"),
    )
    DELIVERY_LAG = Spec(
        Gauge, "millstream_delivery_lag_events", "Resolved events without an outcome.", ("destination",)
    )
    DELIVERY_SECONDS = Spec(
        Histogram,
        "millstream_delivery_duration_seconds",
        "From receipt to HubSpot's confirmation of an event (p95 is the figure to alert on).",
        ("destination",),
    )
    DELIVERY_PAUSED = Spec(
        Gauge,
        "millstream_delivery_paused",
        "1 while a destination is paused or its circuit is open.",
        ("destination",),
    )
    DELIVERY_RESUMES = Spec(
        Gauge,
        "millstream_delivery_resumes_timestamp_seconds",
        "When calls are tried again after a limit, a pause or an open circuit (Unix time); 0 while they go.",
        ("destination",),
    )
    DELIVERY_FAILING = Spec(
        Gauge,
        "millstream_delivery_failing",
        "1 while a destination's delivery ends in errors and is started again.",
        ("destination",),
    )
    QUARANTINED = Spec(
        Counter,
        "millstream_quarantined_effects_total",
        "Effects that ended as dead letters because handling them raised an error of ours.",
        ("destination",),
    )
    DEAD_LETTERS = Spec(
        Gauge, "millstream_dead_letters", "Dead letters that nobody has dealt with.", ("destination",)
    )
    WAITING = Spec(
        Gauge, "millstream_waiting_effects", "Effects that wait for an identity.", ("destination",)
    )
    RETRYING = Spec(
        Gauge,
        "millstream_retrying_effects",
        "Effects whose record HubSpot refuses for now.",
        ("destination",),
    )
    HUBSPOT_CALLS = Spec(
        Counter, "millstream_hubspot_calls_total", "Calls to HubSpot.", ("destination", "family", "status")
    )
    HUBSPOT_SECONDS = Spec(
        Histogram, "millstream_hubspot_call_duration_seconds", "HubSpot's answer time.", ("destination",)
    )
    HUBSPOT_DAILY_REMAINING = Spec(
        Gauge,
        "millstream_hubspot_daily_remaining_calls",
        "What HubSpot says is left of the account's calls today.",
        ("destination",),
    )


class Metrics:
    """The metrics of one process, in a registry of its own so that tests do not share them."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._metrics: dict[Metric, Any] = {}
        self._samplers: list[Callable[[], Iterable[tuple[Metric, float, dict[str, str]]]]] = []
        self._children: dict[tuple[Any, ...], Any] = {}
        for metric in Metric:
            spec = metric.value
            extra: dict[str, Any] = {"buckets": _SECONDS} if spec.kind is Histogram else {}
            self._metrics[metric] = spec.kind(
                spec.name, spec.help, spec.labels, registry=self.registry, **extra
            )

    def count(self, metric: Metric, n: float = 1, **labels: str) -> None:
        """Add to a counter."""
        self._child(metric, labels).inc(n)

    def observe(self, metric: Metric, value: float, **labels: str) -> None:
        """Record one value of a histogram."""
        self._child(metric, labels).observe(value)

    def set(self, metric: Metric, value: float, **labels: str) -> None:
        """Set a gauge."""
        self._child(metric, labels).set(value)

    def sample_with(self, sampler: Callable[[], Iterable[tuple[Metric, float, dict[str, str]]]]) -> None:
        """Register a function that gives gauges their values at the moment somebody reads them."""
        self._samplers.append(sampler)

    def render(self) -> bytes:
        """The exposition text of `/metrics`."""
        for sampler in self._samplers:
            for metric, value, labels in sampler():
                self.set(metric, value, **labels)
        return generate_latest(self.registry)

    def _child(self, metric: Metric, labels: dict[str, str]) -> Any:
        """The series of these labels; found again without the library's checks."""
        key = (metric, *labels.values())
        child = self._children.get(key)
        if child is None:
            found = self._metrics[metric]
            child = found.labels(**labels) if metric.value.labels else found
            if tuple(labels) == tuple(metric.value.labels) and len(self._children) < 10_000:
                self._children[key] = child
        return child
