"""Memory over stores that are only read: for rehearsals beside a running server."""

from __future__ import annotations

from collections.abc import Iterable

from millstream.delivery.operation import Key
from millstream.delivery.record_state import RecordState
from millstream.delivery.store import DeliveryCommit, DeliveryStore
from millstream.eventlog.record import Offset
from millstream.pipeline.store import ProcessorStore
from millstream.profiles.profile import ExternalId, Profile
from millstream.storage.memory.deliveries import MemoryDeliveryStore
from millstream.storage.memory.processor import MemoryProcessorStore


class OverlayProcessorStore(MemoryProcessorStore):
    """Identity and profiles of `below`, changed in memory alone. Begins at `position`."""

    def __init__(self, below: ProcessorStore, position: Offset) -> None:
        super().__init__()
        self._below = below
        self._position = position

    def find(self, ids: Iterable[ExternalId]) -> dict[ExternalId, str]:
        """The profile of each known external id."""
        wanted = list(ids)
        found = super().find(wanted)
        below = self._below.find([i for i in wanted if i not in found])
        return found | {external: self._survivor(profile) for external, profile in below.items()}

    def load(self, ids: Iterable[str]) -> dict[str, Profile]:
        """The profiles under the ids asked for."""
        wanted = list(ids)
        found = super().load(wanted)
        missing = {i: self._survivor(i) for i in wanted if i not in found}
        below = self._below.load(set(missing.values()))
        return found | {i: below[s] for i, s in missing.items() if s in below}


class OverlayDeliveryStore(MemoryDeliveryStore):
    """Records that `below` knows, changed in memory alone. What is pending there is nobody's business here."""

    def __init__(self, below: DeliveryStore) -> None:
        super().__init__()
        self._below = below
        self._gone: set[tuple[str, Key]] = set()

    async def commit(self, commit: DeliveryCommit) -> None:
        """One transaction."""
        self._gone |= {(commit.destination, key) for key in commit.forgotten}
        self._gone -= {(commit.destination, state.key) for state in commit.records}
        await super().commit(commit)

    def record(self, destination: str, key: Key) -> RecordState | None:
        """The record under any of its names."""
        own = super().record(destination, key)
        if own is not None:
            return own
        below = self._below.record(destination, key)
        if below is None or (destination, below.key) in self._gone:
            return None
        return super().record(destination, below.key) or below

    def aliases_of(self, destination: str, key: Key) -> list[Key]:
        """All names of a record."""
        return list(
            dict.fromkeys([*super().aliases_of(destination, key), *self._below.aliases_of(destination, key)])
        )
