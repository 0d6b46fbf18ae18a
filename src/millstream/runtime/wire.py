"""The composition root: which adapters stand behind which ports. The only place that chooses a storage."""

from __future__ import annotations

import asyncio
import random
import shutil
import time
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.routing import BaseRoute
from starlette.types import ASGIApp

from millstream.delivery.delivery import Delivery
from millstream.delivery.outcome import Reason, State
from millstream.delivery.store import DeliveryCommit, DeliveryStore, Position
from millstream.delivery.works import DeliverySettings
from millstream.destinations.hubspot import destination as hubspot
from millstream.devicemode.api import DeviceMode, Edge, Prefixed
from millstream.devicemode.assets import Assets
from millstream.eventlog import rejection
from millstream.eventlog.dedupe import Dedupe
from millstream.eventlog.log import LogError
from millstream.eventlog.reader import LogReader
from millstream.eventlog.record import Offset
from millstream.ingest import answers, writekey
from millstream.ingest.api import TrackingAPI
from millstream.pipeline.processor import Processor, ProcessorSettings, rebuild
from millstream.runtime.configuration import StartError, read_workspace
from millstream.runtime.persons import erase, profiles_of
from millstream.runtime.settings import Settings
from millstream.runtime.standing import standing
from millstream.spec.timestamps import DAY_MS, to_iso
from millstream.storage.memory.made import MemoryMadeStore
from millstream.storage.sqlite.folder import DataFolder, FolderInUse
from millstream.storage.sqlite.log import SqliteLog
from millstream.storage.sqlite.state import SqliteState, StateOfOtherVersion
from millstream.telemetry.metrics import Metric, Metrics
from millstream.workspace.model import Destination, Workspace


def now_ms() -> int:
    """The clock: read here and nowhere below."""
    return time.time_ns() // 1_000_000


@dataclass(frozen=True, slots=True)
class OnlineReport:
    """What HubSpot said of one destination."""

    destination: str
    ok: bool
    findings: list[tuple[str, str]]


async def check_online(workspace: Workspace, settings: Settings, *, probe: bool) -> list[OnlineReport]:
    """Ask each destination's HubSpot what the token may do."""
    from millstream.destinations.hubspot.online import examine  # noqa: PLC0415  (only this command needs it)

    reports = []
    for destination in workspace.destinations:
        built = hubspot.build(
            destination, now_ms, MemoryMadeStore(), lambda *_: None, settings.hubspot_api_url
        )
        try:
            ok, findings = await examine(built, probe=probe)
        finally:
            await built.sink.close()
        reports.append(OnlineReport(destination.name, ok, findings))
    return reports


class _Observed:
    """What ingest and delivery report, as metrics."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self.latencies: dict[str, list[float]] = {}

    def accepted(self, source: str, kind: str, events: int) -> None:
        self._metrics.count(Metric.INGEST_EVENTS, events, source=source, type=kind)

    def rejected(self, source: str, reason: str) -> None:
        self._metrics.count(Metric.INGEST_REJECTED, source=source, reason=reason)

    def answered(self, dialect: str, status: int, seconds: float) -> None:
        self._metrics.count(Metric.INGEST_REQUESTS, dialect=dialect, status=str(status))
        self._metrics.observe(Metric.INGEST_SECONDS, seconds)

    def delivered(self, destination: str, seconds: float) -> None:
        self._metrics.observe(Metric.DELIVERY_SECONDS, seconds, destination=destination)
        kept = self.latencies.setdefault(destination, [])
        if len(kept) < 100_000:
            kept.append(seconds)

    def begins(self, destination: str) -> None:
        # A counter that begins at 0 shows its first increase, which is what an alert looks for.
        self._metrics.count(Metric.QUARANTINED, 0, destination=destination)

    def quarantined(self, destination: str) -> None:
        self._metrics.count(Metric.QUARANTINED, destination=destination)


class Parts:
    """Everything a server is made of."""

    def __init__(
        self, settings: Settings, workspace: Workspace, folder: DataFolder, log: SqliteLog, state: SqliteState
    ) -> None:
        self.settings = settings
        self.workspace = workspace
        self.metrics = Metrics()
        self._started_ms = now_ms()
        self._folder = folder
        self._log = log
        self._state = state
        self._reader = LogReader(log, state.processor)
        self._observed = _Observed(self.metrics)
        self._built: dict[str, hubspot.Built] = {}
        self._deliveries: dict[str, Delivery] = {}
        self.metrics.sample_with(self._sample)

    # --- stages ------------------------------------------------------------------------------------------------------

    def tracking(self, more: Sequence[BaseRoute]) -> ASGIApp:
        """The public application: the tracking API and device mode, also under the prefix; and further routes."""
        api = TrackingAPI(
            lambda: self.workspace,
            self._log,
            self._observed,
            now_ms=now_ms,
            new_id=lambda: str(uuid.uuid4()),
            trusted_proxies=self.workspace.settings.get("trusted_proxies") or (),
        )
        edge = Edge(answers.cors, answers.allow, writekey.from_header)
        device = DeviceMode(lambda: self.workspace, Assets(), self._known_events, edge).routes()
        return Prefixed(
            lambda: str(self.workspace.settings.get("device_prefix") or ""),
            api.app(device),
            api.app([*more, *device]),
        )

    def _known_events(self, destination: str) -> Mapping[str, Any]:
        """The custom events that HubSpot is known to have; none before its schema was read: the server delivers."""
        built = self._built.get(destination)
        return built.planner.known_events() if built is not None else {}

    def processor(self) -> Processor:
        """The processor, with its dedupe index rebuilt from the log."""
        dedupe = Dedupe()
        rebuild(dedupe, self._log, self._state.processor.position(), dedupe.window_ms)
        types = self.workspace.settings.get("company_group_types")
        given = ProcessorSettings(tuple(types)) if types else ProcessorSettings()
        return Processor(self._log, self._state.processor, dedupe, given)

    async def delivery(self, destination: Destination) -> Delivery:
        """A destination's delivery. A new destination starts where the log ends now, durably."""
        store = self._state.deliveries
        if store.position(destination.name) is None:
            end = self._log.bounds().end
            await store.commit(DeliveryCommit(destination.name, Position(end, end, end)))
        built = hubspot.build(
            destination,
            now_ms,
            self._state.made,
            self._on_call(destination.name),
            self.settings.hubspot_api_url,
            is_browser=self._is_browser,
        )
        days = self.workspace.settings
        figures = DeliverySettings(
            shadow=destination.mode == "shadow",
            enabled=destination.enabled and destination.mode != "off",
            in_doubt_s=float(built.settings["in_doubt_s"]),
            resend_after_ms=int(float(built.settings["resend_after_hours"]) * 3_600_000),
            identity_wait_ms=int(float(days.get("identity_wait_days") or 30) * DAY_MS),
            max_lag_ms=int(float(days.get("max_lag_days") or 30) * DAY_MS),
        )
        self._observed.begins(destination.name)
        delivery = Delivery(
            destination.name,
            self._reader_for(),
            self._state.processor,
            store,
            built.planner,
            built.sink,
            figures,
            now_ms=now_ms,
            jitter=random.Random().random,
            observer=self._observed,
        )
        self._built[destination.name] = built
        self._deliveries[destination.name] = delivery
        return delivery

    async def release(self, name: str) -> None:
        """A delivery has ended: close its connections."""
        built = self._built.pop(name, None)
        self._deliveries.pop(name, None)
        if built is not None:
            await built.sink.close()

    def resume(self, name: str) -> None:
        """Let calls go now, whatever HubSpot said of its limits. On the engine's loop."""
        self._built[name].budget.resume()
        self._deliveries[name].resume()

    async def housekeeping(self) -> None:
        """Give back log files that everybody is done with and that are older than the retention; old rejections."""
        retention = float(self.workspace.settings.get("retention_days") or 7) * DAY_MS
        keep = self._log.find_time(int(now_ms() - retention))
        keep = min(keep, self._state.processor.position())
        for destination in self.workspace.destinations:
            position = self._state.deliveries.position(destination.name)
            first = self._state.deliveries.first_reference(destination.name)
            keep = min(
                [keep, *([position.decided] if position else []), *([first] if first is not None else [])]
            )
        start = self._log.drop_before(keep)
        self._state.processor.drop_annotations_before(start)
        self._state.processor.drop_rejections_before(now_ms() - rejection.KEPT_MS)

    async def close(self) -> None:
        """Everything durable, everything closed."""
        await self._log.close()
        await asyncio.to_thread(self._state.close)
        self._folder.close()

    # --- what commands ask -------------------------------------------------------------------------------------------

    def tally(self, destination: str) -> dict[tuple[State, Reason], int]:
        """Events by state and reason."""
        return self._state.deliveries.tally(destination)

    def latency_quantile(self, destination: str, q: float) -> float:
        """A quantile of receipt → confirmation, in seconds, of what this process delivered."""
        found = sorted(self._observed.latencies.get(destination, []))
        return round(found[min(int(len(found) * q), len(found) - 1)], 3) if found else 0.0

    def log_is_full(self) -> bool:
        """Whether ingest refuses."""
        return self._log.full

    def status(self, deliveries: Mapping[str, Delivery]) -> dict[str, Any]:
        """How everything stands: what is on disk, and what only the running deliveries know."""
        stores = self._state.processor, self._state.deliveries
        found = standing(self._log, *stores, self.workspace.destinations)
        found["server"] = {"since": to_iso(self._started_ms)}
        for name in found["destinations"].keys() & deliveries.keys():
            stands = deliveries[name].status()
            budget = self._built[name].budget if name in self._built else None
            found["destinations"][name] |= {
                "state": stands.state,
                "detail": stands.detail,
                "until": _at(stands.resumes_in_s),
                "lag": stands.lag,
                "in_works": stands.in_works,
                "calls_in_flight": stands.calls,
                "switched_off": list(stands.switched_off),
                "daily_remaining": budget.daily_remaining if budget else None,
            }
        return found

    def offsets(self, since_ms: int, until_ms: int | None) -> tuple[Offset, Offset]:
        """The range of the log that was received in a time."""
        bounds = self._log.bounds()
        end = bounds.end if until_ms is None else self._log.find_time(until_ms)
        return self._log.find_time(since_ms), end

    @property
    def delivery_store(self) -> DeliveryStore:
        """What is remembered of deliveries."""
        return self._state.deliveries

    async def forget(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """Erase whoever is known as `who`. Raises `OrderError` when nobody is."""
        profiles = profiles_of(self._state.processor, arguments)
        for delivery in self._deliveries.values():
            await delivery.forget(set(profiles))
        return await erase(self._state.processor, self._state.deliveries, profiles)

    def _is_browser(self, source: str) -> bool | None:
        """What the configuration says now: a reload replaces it under running destinations."""
        return self.workspace.is_browser(source)

    def _reader_for(self) -> LogReader:
        return LogReader(self._log, self._state.processor)

    def _on_call(self, name: str) -> Any:
        def on_call(family: str, status: int, seconds: float) -> None:
            self.metrics.count(Metric.HUBSPOT_CALLS, destination=name, family=family, status=str(status))
            self.metrics.observe(Metric.HUBSPOT_SECONDS, seconds, destination=name)

        return on_call

    def _sample(self) -> Iterable[tuple[Metric, float, dict[str, str]]]:
        bounds = self._log.bounds()
        yield Metric.LOG_START, bounds.start, {}
        yield Metric.LOG_END, bounds.end, {}
        yield Metric.LOG_BYTES, self._log.size_bytes(), {}
        yield Metric.DISK_FREE, shutil.disk_usage(self.settings.data_dir).free, {}
        yield Metric.PROCESSOR_LAG, bounds.end - self._state.processor.position(), {}
        for name, delivery in list(self._deliveries.items()):
            stands = delivery.status()
            at = {"destination": name}
            for (state, reason), n in self.tally(name).items():
                yield Metric.EVENTS, n, {**at, "state": state.name.lower(), "reason": reason.value}
            yield Metric.DELIVERY_LAG, stands.lag, at
            resumes = time.time() + stands.resumes_in_s if stands.resumes_in_s else 0.0
            yield Metric.DELIVERY_RESUMES, resumes, at
            yield Metric.DELIVERY_PAUSED, stands.state in {"paused", "circuit_open"}, at
            yield Metric.DELIVERY_FAILING, stands.state == "failing", at
            yield Metric.DEAD_LETTERS, self._state.deliveries.dead_letter_count(name), at
            yield Metric.WAITING, self._state.deliveries.waiting_count(name), at
            yield Metric.RETRYING, self._state.deliveries.parked_count(name), at
            built = self._built.get(name)
            if built is not None and built.budget.daily_remaining is not None:
                yield Metric.HUBSPOT_DAILY_REMAINING, built.budget.daily_remaining, at


def _at(seconds: float) -> str | None:
    """The moment in so many seconds, to the second; None for none."""
    return to_iso(round(now_ms() / 1000 + seconds) * 1000) if seconds else None


def open_parts(settings: Settings, env: Mapping[str, str]) -> Parts:
    """Open the data folder and read the configuration. Raises `StartError`."""
    loaded = read_workspace(settings, env)
    if not loaded.ok:
        listed = "\n  ".join(str(p) for p in loaded.problems)
        raise StartError(f"{settings.config} has errors:\n  {listed}")
    try:
        folder = DataFolder(settings.data_dir)
    except (OSError, FolderInUse) as error:
        raise StartError(str(error)) from None
    given = loaded.workspace.settings
    try:
        log = SqliteLog(
            settings.data_dir / "log",
            rotate_bytes=int(given.get("log_file_bytes") or 256 * 1024 * 1024),
            min_free_bytes=int(given.get("min_free_bytes") or 1024**3),
        )
        state = SqliteState(settings.data_dir / "state.db")
    except (OSError, LogError, StateOfOtherVersion) as error:
        folder.close()
        raise StartError(f"{settings.data_dir}: {error}") from None
    if state.processor.position() > log.bounds().end:
        folder.close()
        raise StartError(
            f"{settings.data_dir}: the state is ahead of the log ({state.processor.position()} > {log.bounds().end}): "
            "the two are not of one backup"
        )
    return Parts(settings, loaded.workspace, folder, log, state)
