"""A seeded world in virtual time: the real delivery engine, a portal that loses answers, executes late and refuses."""

from __future__ import annotations

import asyncio
import random
import selectors
from dataclasses import replace

from millstream.delivery.delivery import Delivery
from millstream.delivery.operation import Job, Key, Lane, Send, Write
from millstream.delivery.outcome import FINAL, Reason
from millstream.delivery.plan import Plan
from millstream.delivery.sink import CallFailed, CallKind, Cause, Confirmed, Later, WriteRow
from millstream.delivery.statement import Statement
from millstream.delivery.works import DeliverySettings
from millstream.eventlog.resolved import ProfileView, Resolution, Resolved, Status, TraitValue
from millstream.spec.events import Event
from millstream.storage.memory.deliveries import MemoryDeliveryStore


class _Selector(selectors.DefaultSelector):
    """Never waits: time jumps instead."""

    loop = None

    def select(self, timeout=None):
        ready = super().select(0)
        if not ready and timeout:
            self.loop.now += timeout
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock goes forward only when nothing is left to do."""

    def __init__(self):
        self.now = 0.0
        selector = _Selector()
        selector.loop = self
        super().__init__(selector)

    def time(self):
        return self.now


class Portal:
    """What the world looks like at the other end, with the history of every property."""

    def __init__(self, rng, loop, faults):
        self.rng, self.loop, self.faults = rng, loop, faults
        self.ids: dict[Key, str] = {}
        self.history: dict[tuple[str, str], list[tuple]] = {}
        self.sent: dict[Job, int] = {}
        self.calls = 0
        self.violations: list[str] = []

    def execute(self, rows, versions):
        """Apply a batch; the ids of its records."""
        found = []
        for row in rows:
            if isinstance(row, WriteRow):
                record = self.ids.setdefault(row.key, f"r{len(self.ids)}")
                for name, value in row.said.values.items():
                    self.history.setdefault((record, name), []).append((*row.said.when(name), value))
                found.append(record)
            else:
                for key in row.requires:
                    need = versions.get((key, row.job.offset))
                    have = self.history.get((self.ids.get(key, ""), "n"), [])
                    if need is not None and not any(h[:2] >= need for h in have):
                        self.violations.append(f"send {row.job} overtook the write of {key}")
                self.sent[row.job] = 1
                found.append(None)
        return found


class World:
    """Events, planner, sink and reader in one: what the engine asks through its ports.

    The first `imported` events are there at once and old; `people` share half as many mailboxes.
    """

    def __init__(self, seed, *, events=400, imported=0, people=30, window=500, faults=True, in_doubt_s=30.0):
        self.rng = random.Random(seed)
        self.loop = VirtualLoop()
        self.portal = Portal(self.rng, self.loop, faults)
        self.store = MemoryDeliveryStore()
        self.kinds = {
            "contact": CallKind("contact", 100, "general", Reason.CONTACTS_UNAVAILABLE),
            "event": CallKind("event", 500, "events", Reason.CUSTOM_EVENTS_UNAVAILABLE),
        }
        self.in_doubt_s = in_doubt_s
        self.versions: dict[tuple[Key, int], tuple[int, int]] = {}
        self.newest: dict[Key, tuple[int, int]] = {}
        self.latest_profile: dict[str, dict] = {}
        self.imported, self.people, self.window = imported, people, window
        self.events = [self._event(offset) for offset in range(events)]
        self.window_peak = 0
        self.passed = set()

    def _event(self, offset):
        """Two profiles may share a mailbox; late events carry older times."""
        profile = f"p{self.rng.randrange(self.people)}"
        late = self.rng.random() < 0.15
        time_ms = offset * 1000 - (self.rng.randrange(50_000) if late else 0)
        email = f"m{int(profile[1:]) // 2}@x"
        kind = "identify" if self.rng.random() < 0.6 else "track"
        event = Event(
            type=kind,
            message_id=str(offset),
            timestamp="",
            received_at="",
            source="s",
            user_id=profile,
            event="E",
        )
        key = Key("contact", "email", email)
        if kind == "identify":
            self.newest[key] = max(self.newest.get(key, (-(2**60), -1)), (time_ms, offset))
        elif key in self.newest:
            self.versions[key, offset] = self.newest[key]
        return Resolved(offset, "s", offset, time_ms, event, Resolution(Status.NEW, profile, None, email))

    # reader, profiles
    def read(self, offset, limit):
        return self.events[offset : min(offset + limit, self.end())]

    def end(self):
        """Twenty events arrive in a second."""
        return min(len(self.events), self.imported + int(self.loop.now * 20))

    def views(self, ids):
        return {i: ProfileView(i, read_traits=lambda: {"n": TraitValue(0, 0, 0)}) for i in ids}

    # planner
    async def prepare(self):
        pass

    def names(self, resolved, _profiles):
        return [Key("contact", "email", r.resolution.email) for r in resolved]

    def reachable(self, profile, _records):
        return bool(profile.email)

    def plan(self, resolved, _profiles, _records, _now_ms):
        key = Key("contact", "email", resolved.resolution.email)
        job = Job(resolved.offset, "m", "e")
        # One moment and one record know both.
        old = resolved.offset < self.imported or resolved.offset % 3
        lane = Lane.BACKFILL if old else Lane.LIVE
        if resolved.event.type == "identify":
            said = Statement({"n": resolved.offset}, (resolved.time_ms, resolved.offset))
            return Plan([Write("contact", key, said, job, lane=lane)])
        return Plan([Send("event", (key,), {}, job, lane=lane)])

    plan_as_of_now = plan

    # sink
    def route(self, row, _records):
        return row.family

    def delay_s(self, _kind, _lane):
        return 0.0

    def describe(self, _kind, _rows, _records):
        return b"{}"

    async def probe(self):
        await asyncio.sleep(0.2)

    async def close(self):
        pass

    async def call(self, _kind, rows, _records):
        portal, rng = self.portal, self.rng
        portal.calls += 1
        keys = [r.key for r in rows if isinstance(r, WriteRow)]
        if len(keys) != len(set(keys)):
            portal.violations.append("one record twice in a batch")
        jobs = [job for r in rows for job in (r.jobs if isinstance(r, WriteRow) else [r.job])]
        kept = self.store.position("d")
        if jobs and (kept is None or max(job.offset for job in jobs) >= kept.read_to):
            portal.violations.append(f"sent before it was on disk that it had been read: {kept}")
        sent = [replace(r, said=r.said.copy()) if isinstance(r, WriteRow) else r for r in rows]
        await asyncio.sleep(rng.uniform(0.2, 0.4))
        fate = rng.random() if portal.faults else 1.0
        if fate < 0.05:
            raise CallFailed(Cause.DOWN, "500")
        if fate < 0.08:
            raise CallFailed(Cause.LIMITED, "429", retry_after_s=0.3)
        if fate < 0.12:  # executed up to 20 s after we have given up
            self.loop.call_later(rng.uniform(0, 20), portal.execute, sent, self.versions)
            await asyncio.sleep(5)
            raise CallFailed(Cause.IN_DOUBT, "no answer")
        if fate < 0.15:
            portal.execute(sent, self.versions)
            raise CallFailed(Cause.IN_DOUBT, "reset")
        if fate < 0.18 and len(rows) > 1:
            raise CallFailed(Cause.BATCH_REJECTED, "one of them")
        results = []
        done = portal.execute(list(sent), self.versions)
        for row, record in zip(rows, done, strict=True):
            if fate < 0.25 and rng.random() < 0.1:
                results.append(Later("a row's own", rng.choice((1.0, 20.0))))
            else:
                results.append(Confirmed(record))
            del row
        return results

    def delivery(self):
        """The engine on this world."""
        settings = DeliverySettings(
            in_doubt_s=self.in_doubt_s, window=self.window, slice_events=self.window // 5
        )
        return Delivery(
            "d",
            self,
            self,
            self.store,
            self,
            self,
            settings,
            now_ms=lambda: int(self.loop.time() * 1000),
            jitter=self.rng.random,
            observer=self,
        )

    def delivered(self, _destination, _seconds):
        pass

    def quarantined(self, _destination):
        pass

    async def _run(self, kills):
        while True:
            delivery = self.delivery()
            task = asyncio.ensure_future(delivery.run())
            stop_at = self.loop.time() + self.rng.uniform(1, 8) if kills else None
            while True:
                await asyncio.sleep(0.1)
                self.window_peak = max(self.window_peak, delivery.status().in_works)
                first = delivery._works.ledger.backlog.first
                if first is not None and first < self.imported:
                    self.passed |= {job.offset for job in self.portal.sent if job.offset >= self.imported}
                if stop_at is not None and self.loop.time() >= stop_at:
                    kills -= 1
                    await self._kill(task, delivery)
                    break
                if sum(n for (s, _), n in self.store.tally("d").items() if s in FINAL) >= len(self.events):
                    await delivery.stop()
                    await task
                    await asyncio.sleep(30)
                    return
                if self.loop.time() > 3600:
                    raise AssertionError(f"not finished: {self.store.tally('d')} {delivery.status()}")

    async def _kill(self, task, delivery):
        """The process is gone: calls in flight may still be executed, nothing more is committed."""

        async def nothing(_commit):
            return None

        delivery._works.store = type("Dead", (), {"commit": staticmethod(nothing)})()
        for call in delivery._calls._in_flight:
            call.cancel()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await asyncio.sleep(31)  # a process takes longer to come back than a lost call to be executed

    def run(self, kills=0):
        """Everything delivered; the violations."""
        asyncio.set_event_loop(self.loop)
        try:
            self.loop.run_until_complete(self._run(kills))
        finally:
            asyncio.set_event_loop(None)
            self.loop.close()
        return self.judge()

    def judge(self):
        """Order, last-write-wins, Σ outcomes, calls, memory."""
        found = list(self.portal.violations)
        for key, stamp in self.newest.items():
            history = self.portal.history[self.portal.ids[key], "n"]
            if history[-1][:2] != stamp:
                found.append(f"{key}: ended with {history[-1]}, newest is {stamp}")
            stamps = [h[:2] for h in history]
            if stamps != sorted(stamps):
                found.append(f"{key}: an older value over a newer one: {stamps}")
        tally = self.store.tally("d")
        if sum(tally.values()) != len(self.events):
            found.append(f"outcomes: {tally}")
        tracks = sum(1 for e in self.events if e.event.type == "track")
        if len(self.portal.sent) != tracks:
            found.append(f"{len(self.portal.sent)} of {tracks} sends arrived")
        if self.window_peak > self.window + 200:
            found.append(f"{self.window_peak} operations in memory")
        if self.portal.calls > len(self.events) / 2:
            found.append(f"{self.portal.calls} calls")
        return found
