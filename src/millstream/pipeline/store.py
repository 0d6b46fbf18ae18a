"""The port of what the processor writes: one commit, one transaction, over identity, profiles, annotations, dedupe
and position. Adapters: `storage.memory.state`, `storage.sqlite.state`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Protocol

from millstream.eventlog.record import Offset
from millstream.eventlog.resolved import Annotation
from millstream.profiles.profile import ExternalId, Profile


@dataclass(slots=True)
class ProcessorCommit:
    """What one step of the processor changed.

    `profiles` are whole profiles to store. `identities` maps external ids to profile ids. `merged` maps absorbed
    profile ids to their survivors: identities, waiting rows of every destination and later look-ups follow.
    """

    position: Offset
    annotations: list[Annotation] = field(default_factory=list)
    profiles: list[Profile] = field(default_factory=list)
    identities: dict[ExternalId, str] = field(default_factory=dict)
    merged: dict[str, str] = field(default_factory=dict)


class ProcessorStore(Protocol):
    """Durable memory of the processor. Reads are synchronous, short and batched."""

    async def commit(self, commit: ProcessorCommit) -> None:
        """Write everything in one transaction; return when it is durable."""

    def position(self) -> Offset:
        """The first offset that has no annotation yet."""

    def annotations(self, offset: Offset, end: Offset) -> list[Annotation]:
        """The annotations that overlap the range, by base."""

    def find(self, ids: Iterable[ExternalId]) -> dict[ExternalId, str]:
        """The profile id of each external id that is known; merges are followed."""

    def load(self, ids: Iterable[str]) -> dict[str, Profile]:
        """The profiles with these ids under the ids asked for; merges are followed; unknown ids left out."""

    async def forget(self, profile_id: str) -> None:
        """Erase a profile and its external ids."""

    def drop_annotations_before(self, offset: Offset) -> None:
        """Give space back where the log was dropped."""

    async def close(self) -> None:
        """Finish commits in flight, then refuse."""
