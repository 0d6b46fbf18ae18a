"""Reading a data folder, also beside a running server, without writing: what `tail`, `status`, `deadletter` show."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Self

from millstream.delivery.outcome import Outcome
from millstream.delivery.store import DeliveryStore
from millstream.eventlog.reader import LogReader
from millstream.eventlog.record import Kind, Offset, message_hash
from millstream.eventlog.resolved import Resolved
from millstream.pipeline.store import ProcessorStore
from millstream.runtime import stories
from millstream.runtime.configuration import read_workspace
from millstream.runtime.failure import Failure
from millstream.runtime.settings import Settings
from millstream.runtime.standing import standing
from millstream.spec.events import Event
from millstream.spec.timestamps import to_iso
from millstream.storage.sqlite import backup
from millstream.storage.sqlite.log import SqliteLog
from millstream.storage.sqlite.state import SqliteState, StateOfOtherVersion
from millstream.workspace.model import Workspace


class InspectionError(Failure):
    """The data folder cannot be read."""


def present(settings: Settings) -> None:
    """Nothing when a server has run with the data folder. Raises `InspectionError` with what else to try."""
    folder = settings.data_dir
    if not (folder / "state.db").exists():
        what = "holds no data" if folder.exists() else "is not there"
        raise InspectionError(f"{folder} {what}: no server has run with it; --data-dir names another folder")


def copy(settings: Settings, target: Path) -> dict[str, Any]:
    """A consistent copy of the data folder in a new one. Raises `InspectionError`."""
    present(settings)
    try:
        return backup.copy(settings.data_dir, target)
    except FileExistsError:
        raise InspectionError(f"{target} is there already: a backup goes into a new folder") from None
    except (OSError, sqlite3.Error) as error:
        raise InspectionError(f"{target}: {error}; what is there is no backup") from None


class Inspection:
    """A read-only look at a data folder."""

    def __init__(self, settings: Settings, env: Mapping[str, str]) -> None:
        present(settings)
        self._workspace = read_workspace(settings, env).workspace
        try:
            self._log = SqliteLog(settings.data_dir / "log", read_only=True)
            self._state = SqliteState(settings.data_dir / "state.db", read_only=True)
        except (sqlite3.Error, StateOfOtherVersion) as error:
            raise InspectionError(f"{settings.data_dir}: {error}") from None
        self._reader = LogReader(self._log, self._state.processor)

    def __enter__(self) -> Self:
        """Open."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close."""
        with contextlib.suppress(sqlite3.Error):
            self._state.close()

    def status(self) -> dict[str, Any]:
        """How everything stands, as far as it is on disk."""
        stores = self._state.processor, self._state.deliveries
        return standing(self._log, *stores, self._workspace.destinations)

    def last(self, n: int, *, rejected: bool) -> Offset:
        """Where to begin to show the last `n` records."""
        bounds = self._log.bounds()
        if rejected:
            last = self._state.processor.rejections(0)[-n:]
            return last[0].offset if last else bounds.end
        return max(bounds.end - n, bounds.start)

    def columns(self, *, rejected: bool) -> tuple[str, ...]:
        """The headings of `rows`."""
        if rejected:
            return ("offset", "received", "source", "reason", "detail", "payload")
        return (
            "offset",
            "received",
            "source",
            "type",
            "event",
            "message_id",
            *(d.name for d in self._workspace.destinations),
        )

    def rows(self, offset: Offset, *, rejected: bool) -> tuple[Offset, list[tuple[Any, ...]]]:
        """Records from an offset on, as rows; and where to go on."""
        return self._rejections(offset) if rejected else self._events(offset)

    def _rejections(self, offset: Offset) -> tuple[Offset, list[tuple[Any, ...]]]:
        found = self._state.processor.rejections(offset)
        rows = [
            (r.offset, to_iso(r.received_ms), r.source, r.reason, r.detail, r.payload[:200]) for r in found
        ]
        return (found[-1].offset + 1 if found else offset), rows

    def _events(self, offset: Offset) -> tuple[Offset, list[tuple[Any, ...]]]:
        found: list[tuple[Any, ...]] = []
        for block in self._log.read(offset, 1000):
            for at in range(max(offset, block.base), block.end):
                i = at - block.base
                received = to_iso(block.received_ms[i])
                if block.kinds[i] == Kind.REJECTED:
                    continue
                body = json.loads(block.bodies[i])
                outcomes = (
                    _short(self._state.deliveries.outcomes(d.name, at)) for d in self._workspace.destinations
                )
                what = body.get("event") or body.get("name")
                found.append(
                    (at, received, block.sources[i], body["type"], what, body["messageId"], *outcomes)
                )
            offset = max(offset, block.end)
        return offset, found

    @property
    def stores(self) -> tuple[ProcessorStore, DeliveryStore]:
        """What is known of profiles, and of records at destinations."""
        return self._state.processor, self._state.deliveries

    @property
    def workspace(self) -> Workspace:
        """The configuration."""
        return self._workspace

    def between(self, since_ms: int, until_ms: int | None) -> Iterator[Resolved]:
        """Events by receipt, as far as the processor has come."""
        at = self._log.find_time(since_ms)
        end = (
            self._reader.end() if until_ms is None else min(self._log.find_time(until_ms), self._reader.end())
        )
        while at < end and (found := self._reader.read(at, min(1000, end - at))):
            yield from found
            at = found[-1].offset + 1

    def outcomes(self, destination: str, offset: Offset) -> list[Outcome]:
        """What became of one event at a destination."""
        return self._state.deliveries.outcomes(destination, offset)

    @property
    def end(self) -> Offset:
        """The offset after the last event that the processor has seen."""
        return self._reader.end()

    def events(self, message_id: str) -> list[Event]:
        """The first event of the log with this messageId."""
        found = [r.event for o in self._find(message_id)[:1] for r in self._reader.read(o, 1)]
        return [event for event in found if event is not None]

    def stories(self, wanted: str) -> list[dict[str, Any]]:
        """The whole story of each event with this messageId, or of the one at this offset."""
        offsets = (
            [int(wanted)] if wanted.isdigit() and int(wanted) < self._log.bounds().end else self._find(wanted)
        )
        return [self._story(r) for o in offsets for r in self._reader.read(o, 1) if r.offset == o]

    def dead_letters(
        self,
        destination: str | None,
        *,
        reason: str | None,
        since_ms: int,
        until_ms: int | None,
        ids: list[int],
    ) -> list[dict[str, Any]]:
        """Dead letters as rows."""
        found = []
        for configured in self._workspace.destinations:
            if destination is not None and configured.name != destination:
                continue
            after = 0
            while letters := self._state.deliveries.dead_letters(
                configured.name, reason=reason, since_ms=since_ms, until_ms=until_ms, after_id=after
            ):
                after = letters[-1].id
                found += [
                    {
                        "id": x.id,
                        "destination": configured.name,
                        "at": to_iso(x.at_ms),
                        "reason": x.reason.value,
                        "detail": x.detail,
                        "mapping": x.job.mapping,
                        "effect": x.job.effect,
                        "offset": x.job.offset,
                        "message_id": x.message_id,
                        "event": json.loads(x.body) if x.body else None,
                        "request": json.loads(x.request) if x.request else None,
                    }
                    for x in letters
                    if not ids or x.id in ids
                ]
        return found

    def _find(self, message_id: str) -> list[Offset]:
        """The events with this messageId, or else with this insert_id of Amplitude, whatever the device."""
        return self._of_id(message_id) or self._of_insert_id(message_id)

    def _of_insert_id(self, insert_id: str) -> list[Offset]:
        """By the end of their messageIds, `device:insert_id`: every body is looked through, few are decoded."""
        ending = json.dumps(f":{insert_id}", ensure_ascii=False)[1:].encode()
        found: list[Offset] = []
        offset = self._log.bounds().start
        while blocks := [b for b in self._log.read(offset, 20_000) if b.end > offset]:
            for block in blocks:
                found += [
                    block.base + i
                    for i, body in enumerate(block.bodies)
                    if ending in body
                    and block.kinds[i] != Kind.REJECTED
                    and json.loads(body)["messageId"].endswith(f":{insert_id}")
                ]
            offset = blocks[-1].end
        return found

    def _of_id(self, message_id: str) -> list[Offset]:
        """By the header columns: no body is read."""
        hashes = {message_hash(s.name, message_id) for s in self._workspace.sources}
        found: list[Offset] = []
        offset = self._log.bounds().start
        while blocks := [b for b in self._log.read_headers(offset, 20_000) if b.end > offset]:
            for block in blocks:
                found += [block.base + i for i, h in enumerate(block.id_hashes) if h in hashes]
            offset = blocks[-1].end
        return found

    def _story(self, resolved: Resolved) -> dict[str, Any]:
        profile = resolved.resolution.profile
        person = self._state.processor.views([profile]) if profile else {}
        story = stories.head(resolved, next(iter(person.values()), None))
        for destination in self._workspace.destinations:
            outcomes = self._state.deliveries.outcomes(destination.name, resolved.offset)
            story[f"destination {destination.name}"] = stories.at_destination(resolved, destination, outcomes)
        return story


def _short(outcomes: list[Outcome]) -> str:
    if not outcomes:
        return "…"
    worst = max(outcomes, key=lambda o: o.state)
    notes = {n for o in outcomes for n in o.notes}
    reason = "" if worst.reason == "ok" else f" ({worst.reason})"
    return f"{worst.state.name.lower()}{reason}" + (
        f" +{len(notes)} note{'s' * (len(notes) > 1)}" if notes else ""
    )
