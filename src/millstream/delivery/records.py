"""What is known of a destination's records: a cache over the store, with what is not committed yet on top."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from typing import Final

from millstream.delivery.operation import Key, RecordState
from millstream.delivery.outcome import Reason
from millstream.delivery.store import DeliveryStore

_CACHED: Final = 50_000
_REFUSED: Final = 1000


class RecordBook:
    """Implements `plan.Records`. `learn` and `forget` are visible at once; `take_changes` goes into the next commit."""

    def __init__(self, store: DeliveryStore, destination: str) -> None:
        self._store = store
        self._destination = destination
        self._names: OrderedDict[Key, RecordState | None] = OrderedDict()
        self._pinned: dict[Key, RecordState | None] = {}
        self._changed: dict[Key, RecordState] = {}
        self._aliases: dict[Key, Key] = {}
        self._forgotten: dict[Key, None] = {}
        self._refused: OrderedDict[Key, tuple[Reason, str]] = OrderedDict()

    def get(self, key: Key) -> RecordState | None:
        """The record under this or another of its names."""
        if key in self._pinned:
            return self._pinned[key]
        if key in self._names:
            self._names.move_to_end(key)
            return self._names[key]
        return self._take(key, self._store.record(self._destination, key))

    def prefetch(self, keys: Iterable[Key]) -> None:
        """Read what is not known yet of these, in one go."""
        unread = {k for k in keys if k not in self._pinned and k not in self._names}
        if not unread:
            return
        found = self._store.records(self._destination, unread)
        for key in unread:
            self._take(key, found.get(key))

    def reread(self) -> None:
        """Read everything anew that is not waiting to be committed."""
        self._names.clear()

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
        self._forgotten.pop(state.key, None)
        for name in (state.key, *aliases):
            self._refused.pop(name, None)
        self._changed[state.key] = state
        self._pinned[state.key] = state
        for alias in aliases:
            if alias != state.key:
                self._aliases[alias] = state.key
                self._pinned[alias] = state

    def forget(self, key: Key) -> None:
        """The destination no longer has it."""
        state = self.get(key)
        canonical = state.key if state is not None else key
        for name in self._store.aliases_of(self._destination, canonical):
            self._pinned[name] = None
        for name, known in [*self._pinned.items(), *self._names.items()]:
            if known is not None and known.key == canonical:
                self._pinned[name] = None
        self._aliases = {a: c for a, c in self._aliases.items() if c != canonical}
        self._changed.pop(canonical, None)
        self._pinned[canonical] = None
        self._forgotten[canonical] = None

    def take_changes(self) -> tuple[list[RecordState], list[tuple[Key, Key]], list[Key]]:
        """Records, aliases and forgotten keys since the last call, for one commit."""
        taken = list(self._changed.values()), list(self._aliases.items()), list(self._forgotten)
        self._changed, self._aliases, self._forgotten = {}, {}, {}
        return taken

    def committed(self) -> None:
        """The changes taken are durable: the cache may let go of them."""
        waiting = {*self._changed, *self._aliases, *self._forgotten}
        for key in [k for k in self._pinned if k not in waiting]:
            self._keep(key, self._pinned.pop(key))

    def _take(self, key: Key, state: RecordState | None) -> RecordState | None:
        if state is not None:
            # One object per record, whatever it is asked for by.
            state = self._pinned.get(state.key) or self._names.get(state.key) or state
            self._keep(state.key, state)
        self._keep(key, state)
        return state

    def _keep(self, key: Key, state: RecordState | None) -> None:
        self._names[key] = state
        self._names.move_to_end(key)
        while len(self._names) > _CACHED:
            self._names.popitem(last=False)
