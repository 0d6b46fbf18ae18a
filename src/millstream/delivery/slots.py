"""The scheduler: order per record, folding, batches formed when a call is free. No I/O, no clock (DESIGN engine 1 to 3).

- Per record at most one write is in flight and one waits; later writes fold into the waiting one.
- A send goes behind the newest writes of the records that it names; sends commute.
- Rows become ready when nothing holds them back; `take` forms a batch of one kind, the oldest head first.
- Two names of one record become one slot when an answer teaches the alias (`join`).
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from millstream.delivery.operation import Job, Key, Lane, Send, Write
from millstream.delivery.sink import CallKind, SendRow, WriteRow


class Entry:
    """A row in the scheduler: what it will become, what holds it back, what hangs on it."""

    __slots__ = ("after", "contributions", "kind", "lane", "need", "row", "since", "slots", "state", "tries")

    def __init__(self, row: WriteRow | SendRow, since: float) -> None:
        self.row = row
        self.since = since
        self.lane = row.lane
        self.need = 0
        self.kind = ""
        self.state = "held"  # held → ready → flying; resting on the way back
        self.after: list[Entry] = []
        self.slots: list[Slot] = []
        self.contributions: list[Write] = []
        self.tries = 0


class Slot:
    """A record: the entry that flies or is next, and the one that waits."""

    __slots__ = ("current", "names", "waiting")

    def __init__(self, name: Key) -> None:
        self.names = {name}
        self.current: Entry | None = None
        self.waiting: Entry | None = None


class Slots:
    """The scheduler of one destination."""

    def __init__(self, kinds: Mapping[str, CallKind], route: Callable[[WriteRow | SendRow], str]) -> None:
        self._kinds = kinds
        self._route = route
        self._slots: dict[Key, Slot] = {}
        self._ready: defaultdict[tuple[str, Lane], deque[Entry]] = defaultdict(deque)
        self.pending = 0

    # --- adding ------------------------------------------------------------------------------------------------------

    def write(self, op: Write, now: float) -> Entry:
        """Add a write: folded into the one that has not left yet, or behind the one that flies."""
        slot = self._slot(op.key)
        target = slot.waiting
        if target is None and slot.current is not None and slot.current.state in {"held", "ready"}:
            target = slot.current
        if target is not None and self._folds(target, op):
            self._fold(target, op)
            if op.lane is Lane.LIVE:
                self._hurry(target)
            return target
        entry = Entry(
            WriteRow(
                op.family,
                op.key,
                op.said,
                [],
                op.requires,
                op.profile,
                op.partial,
                op.extra,
                op.lane,
                op.between,
            ),
            now,
        )
        entry.contributions.append(op)
        if op.job is not None:
            entry.row.jobs.append(op.job)  # type: ignore[union-attr]
        entry.slots.append(slot)
        self.pending += 1
        self._hang(entry, op.requires)
        if slot.current is None:
            slot.current = entry
        else:
            newest = slot.waiting or slot.current
            newest.after.append(entry)
            entry.need += 1
            slot.waiting = entry
            if op.lane is Lane.LIVE:
                self._hurry(newest)
        self._maybe_ready(entry)
        return entry

    def send(self, op: Send, now: float) -> Entry:
        """Add a send behind the newest writes of the records that it names."""
        entry = Entry(SendRow(op.family, op.requires, op.payload, op.job, op.profile, op.lane), now)
        self.pending += 1
        self._hang(entry, op.requires)
        self._maybe_ready(entry)
        return entry

    # --- taking ------------------------------------------------------------------------------------------------------

    def next_kind(
        self, now: float, linger: float, delay_s: Callable[[str, Lane], float]
    ) -> tuple[tuple[str, Lane] | None, float]:
        """The queue to take from, or None and after how many seconds to ask again.

        A full batch, or a head older than `linger`; live before backfill; among several the oldest head.
        """
        best: tuple[int, float, tuple[str, Lane]] | None = None
        wait = 60.0
        for queue, entries in self._ready.items():
            if not entries:
                continue
            kind = self._kinds[queue[0]]
            age = now - entries[0].since
            due = linger * (kind.linger_s / 0.5)
            if age < due and len(entries) < kind.limit:
                wait = min(wait, due - age)
                continue
            delay = delay_s(*queue)
            if delay > 0:
                wait = min(wait, delay)
                continue
            rank = (int(queue[1]), entries[0].since, queue)
            if best is None or rank < best:
                best = rank
        return (best[2], 0.0) if best is not None else (None, max(wait, 0.001))

    def take(self, queue: tuple[str, Lane]) -> list[Entry]:
        """Up to a batch's worth of ready entries; they fly from now on."""
        entries = self._ready[queue]
        taken = [entries.popleft() for _ in range(min(len(entries), self._kinds[queue[0]].limit))]
        for entry in taken:
            entry.state = "flying"
        return taken

    # --- settling ----------------------------------------------------------------------------------------------------

    def done(self, entry: Entry) -> None:
        """The entry has its result: what hung on it may go."""
        self.pending -= 1
        for slot in entry.slots:
            if slot.current is entry:
                slot.current, slot.waiting = slot.waiting, None
            elif slot.waiting is entry:
                slot.waiting = None
            if slot.current is None:
                for name in slot.names:
                    if self._slots.get(name) is slot:
                        del self._slots[name]
        entry.state = "done"
        hung, entry.after = entry.after, []
        for follower in hung:
            follower.need -= 1
            self._maybe_ready(follower)

    def rehang(self, entry: Entry) -> None:
        """What hangs on the entry goes behind what was written of the same records since."""
        for follower in entry.after:
            self._hang(follower, follower.row.requires)

    def again(self, entry: Entry) -> None:
        """Back to the front of its queue; a waiting write of its record folds into it."""
        for slot in entry.slots:
            follower = slot.waiting
            if slot.current is entry and follower is not None and self._only_behind(follower, entry):
                self._absorb(entry, follower, slot)
        entry.state = "held"
        self._maybe_ready(entry, front=True)

    def join(self, key: Key, canonical: Key) -> None:
        """Both names are one record from now on."""
        if key == canonical:
            return
        ours, theirs = self._slots.get(key), self._slots.get(canonical)
        if ours is None and theirs is None:
            return
        if ours is None or theirs is None or ours is theirs:
            slot = ours or theirs
            if slot is not None:
                slot.names |= {key, canonical}
                self._slots[key] = self._slots[canonical] = slot
            return
        self._merge(ours, theirs)

    def rename(self, entry: Entry, name: Key) -> bool:
        """A taken entry's record turns out to be called `name`. False when another write of it has left: it waits."""
        row = entry.row
        assert isinstance(row, WriteRow)
        slot = self._slots.get(name)
        other = slot.current if slot is not None and slot not in entry.slots else None
        late = other is not None and other.state in {"flying", "resting"}
        if late:
            entry.state = "held"
        self.join(row.key, name)
        row.key = name
        return not late

    # --- within ------------------------------------------------------------------------------------------------------

    def _slot(self, key: Key) -> Slot:
        slot = self._slots.get(key)
        if slot is None:
            slot = self._slots[key] = Slot(key)
        return slot

    def _hang(self, entry: Entry, requires: Iterable[Key]) -> None:
        """Behind the newest write of each record that is required."""
        for key in requires:
            slot = self._slots.get(key)
            newest = (slot.waiting or slot.current) if slot is not None else None
            if newest is not None and newest is not entry and entry not in newest.after:
                newest.after.append(entry)
                entry.need += 1
                if entry.lane is Lane.LIVE:
                    self._hurry(newest)

    def _folds(self, target: Entry, op: Write) -> bool:
        """Whether a write may join one that has not left: the same family, and no new prerequisites."""
        row = target.row
        if not isinstance(row, WriteRow) or row.family != op.family or target.state == "done":
            return False
        if not op.requires or target.state == "held":
            return True
        return all(k in row.requires or k not in self._slots for k in op.requires)

    def _hurry(self, entry: Entry) -> None:
        """Live traffic hangs on it: it goes live, and so does whatever it waits for itself."""
        if entry.lane is Lane.LIVE:
            return
        if entry.state == "ready":
            self.unready(entry)
            entry.state = "held"
        entry.lane = entry.row.lane = Lane.LIVE
        self._maybe_ready(entry)
        named = [self._slots[key] for key in entry.row.requires if key in self._slots]
        for slot in (*entry.slots, *named):
            for before in (slot.current, slot.waiting):
                if before is not None and entry in before.after:
                    self._hurry(before)

    def _fold(self, target: Entry, op: Write) -> None:
        row = target.row
        assert isinstance(row, WriteRow)
        if row.said is target.contributions[0].said:  # shared until another write joins
            row.said = row.said.copy()
        row.said.fold(op.said)
        if op.job is not None:
            row.jobs.append(op.job)
        row.partial = row.partial and op.partial
        row.profile = op.profile or row.profile
        if op.extra:
            row.extra = {**row.extra, **op.extra}
        target.contributions.append(op)
        if op.requires:
            fresh = tuple(k for k in op.requires if k not in row.requires)
            row.requires += fresh
            if target.state == "held":
                self._hang(target, fresh)

    def _absorb(self, entry: Entry, follower: Entry, slot: Slot) -> None:
        """A waiting write joins the one that comes back."""
        for op in follower.contributions:
            self._fold(entry, op)
        entry.after = [e for e in entry.after if e is not follower] + follower.after
        follower.after = []
        follower.state = "done"
        slot.waiting = None
        self.pending -= 1

    def _only_behind(self, follower: Entry, entry: Entry) -> bool:
        return follower.need == 1 and follower in entry.after and isinstance(follower.row, WriteRow)

    def _maybe_ready(self, entry: Entry, *, front: bool = False) -> None:
        if entry.need > 0 or entry.state != "held":
            return
        entry.state = "ready"
        entry.kind = self._route(entry.row)
        queue = self._ready[entry.kind, entry.lane]
        if front:
            queue.appendleft(entry)
        else:
            queue.append(entry)

    def unready(self, entry: Entry) -> None:
        """Take a ready entry out of its queue (it is settled without a call)."""
        queue = self._ready.get((entry.kind, entry.lane))
        if queue is not None and entry in queue:
            queue.remove(entry)

    def _merge(self, ours: Slot, theirs: Slot) -> None:
        """Two slots were one record: what waits anywhere goes behind whatever has already left."""
        names = ours.names | theirs.names
        entries = [e for e in (theirs.current, theirs.waiting, ours.current, ours.waiting) if e is not None]
        flying = [e for e in entries if e.state in {"flying", "resting"}]
        rest = [e for e in entries if e not in flying]
        theirs.names = names
        for name in names:
            self._slots[name] = theirs
        for entry in entries:
            entry.slots = [theirs]
        if rest:
            keep, *others = rest
            for other in others:
                self.unready(other)
                for entry in entries:
                    if other in entry.after:
                        entry.after.remove(other)
                        other.need -= 1
                for op in other.contributions:
                    self._fold(keep, op)
                if other.lane is Lane.LIVE:
                    self._hurry(keep)
                keep.after += [e for e in other.after if e is not keep]
                other.after = []
                other.state = "done"
                self.pending -= 1
            if flying:
                self.unready(keep)
                keep.state = "held"
                for entry in flying:
                    if keep not in entry.after:
                        entry.after.append(keep)
                        keep.need += 1
            theirs.current = flying[0] if flying else keep
            theirs.waiting = keep if flying else None
        else:
            theirs.current = flying[0] if flying else None
            theirs.waiting = None


def jobs_of(entry: Entry) -> list[Job]:
    """The jobs that get the entry's result."""
    row: Any = entry.row
    return list(row.jobs) if isinstance(row, WriteRow) else [row.job]
