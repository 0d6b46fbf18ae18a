"""What is known of a destination's records: a cache over the store, with what is not committed yet on top."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from typing import Final

from millstream.delivery.operation import Key
from millstream.delivery.outcome import Reason
from millstream.delivery.record_state import RecordState
from millstream.delivery.store import DeliveryStore

_GENERATION: Final = 25_000
_REFUSED: Final = 1000


class RecordBook:
    """Implements `plan.Records`. `learn` and `forget` are visible at once; `take_changes` goes into the next commit."""

    def __init__(self, store: DeliveryStore, destination: str) -> None:
        self._store = store
        self._destination = destination
        # Two generations: what is asked for moves to the young one, and when that is full the old one goes.
        self._young: dict[Key, RecordState | None] = {}
        self._old: dict[Key, RecordState | None] = {}
        # Not committed yet: stays until `committed`.
        self._pinned: dict[Key, RecordState | None] = {}
        self._changed: dict[Key, RecordState] = {}
        self._aliases: dict[Key, Key] = {}
        self._forgotten: dict[Key, None] = {}
        self._refused: OrderedDict[Key, tuple[Reason, str]] = OrderedDict()

    def get(self, key: Key) -> RecordState | None:
        """The record under this or another of its names."""
        if key in self._young:
            return self._young[key]
        if key in self._old:
            return self._keep(key, self._old[key])
        return self._keep(key, self._store.record(self._destination, key))

    def prefetch(self, keys: Iterable[Key]) -> None:
        """Read what is not known yet of these, in one go."""
        young, old = self._young, self._old
        unread = {k for k in keys if k not in young and k not in old}
        if not unread:
            return
        found = self._store.records(self._destination, unread)
        for key in unread:
            self._keep(key, found.get(key))

    def reread(self) -> None:
        """Read everything anew that is not waiting to be committed."""
        self._young, self._old = dict(self._pinned), {}

    def resolve(self, key: Key) -> Key:
        """The record's canonical name, or the key itself."""
        state = self.get(key)
        return state.key if state is not None else key

    def refused(self, key: Key) -> tuple[Reason, str] | None:
        """Why a support write of this record was refused lately."""
        return self._refused.get(key)

    def refuse(self, key: Key, reason: Reason, detail: str) -> None:
        """A write without an outcome of its own was refused: whoever needs the record can say why."""
        self._refused[key] = (reason, detail)
        if len(self._refused) > _REFUSED:
            self._refused.popitem(last=False)

    def learn(self, state: RecordState, aliases: Iterable[Key] = ()) -> None:
        """A destination confirmed this; further names of it."""
        canonical = state.key
        self._forgotten.pop(canonical, None)
        self._refused.pop(canonical, None)
        self._changed[canonical] = state
        self._pin(canonical, state)
        for alias in aliases:
            self._refused.pop(alias, None)
            # A name that leads here already is stored, or waits to be.
            if alias != canonical and self._young.get(alias) is not state:
                self._aliases[alias] = canonical
                self._pin(alias, state)

    def forget(self, key: Key) -> None:
        """The destination no longer has it."""
        state = self.get(key)
        canonical = state.key if state is not None else key
        for name in self._store.aliases_of(self._destination, canonical):
            self._pin(name, None)
        for name, known in [*self._old.items(), *self._young.items()]:
            if known is not None and known.key == canonical:
                self._pin(name, None)
        self._aliases = {a: c for a, c in self._aliases.items() if c != canonical}
        self._changed.pop(canonical, None)
        self._pin(canonical, None)
        self._forgotten[canonical] = None

    def take_changes(self) -> tuple[list[RecordState], list[tuple[Key, Key]], list[Key]]:
        """Records, aliases and forgotten keys since the last call, for one commit."""
        taken = list(self._changed.values()), list(self._aliases.items()), list(self._forgotten)
        self._changed, self._aliases, self._forgotten = {}, {}, {}
        return taken

    def committed(self) -> None:
        """The changes taken are durable: the cache may let go of them."""
        waiting = {*self._changed, *self._aliases, *self._forgotten}
        self._pinned = {name: self._pinned[name] for name in waiting}

    def _pin(self, name: Key, state: RecordState | None) -> None:
        """What holds until it is committed, whatever the store says."""
        self._pinned[name] = state
        self._add(name, state)

    def _keep(self, key: Key, state: RecordState | None) -> RecordState | None:
        if state is not None:
            # One object per record, whatever it is asked for by: in the same generation or a younger one.
            state = self._young.get(state.key) or self._old.get(state.key) or state
            self._add(state.key, state)
        self._add(key, state)
        return state

    def _add(self, name: Key, state: RecordState | None) -> None:
        if len(self._young) >= _GENERATION and name not in self._young:
            self._old, self._young = self._young, dict(self._pinned)
        self._young[name] = state
