"""The port of what the processor writes: one commit, one transaction, over identity, profiles, annotations,
rejections and position. Adapters: `storage.memory.processor`, `storage.sqlite.processor`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Protocol

from millstream.eventlog.record import Offset
from millstream.eventlog.rejection import Rejection
from millstream.eventlog.resolved import Annotation
from millstream.profiles.profile import ExternalId, Profile


@dataclass(slots=True)
class ProcessorCommit:
    """What one step of the processor changed.

    `profiles` are whole profiles to store. `identities` maps external ids that are new or have moved to profile ids;
    `owners` maps all ids that the step met, for the store to remember or not. `merged` maps absorbed profile ids to
    their survivors, whose ids are all in `identities`: waiting rows of every destination and later look-ups follow.
    `rejections` go to the list of them, in log order; its oldest leave when it has more than `rejection.KEPT`.
    """

    position: Offset
    annotations: list[Annotation] = field(default_factory=list)
    profiles: list[Profile] = field(default_factory=list)
    identities: dict[ExternalId, str] = field(default_factory=dict)
    owners: dict[ExternalId, str] = field(default_factory=dict)
    merged: dict[str, str] = field(default_factory=dict)
    rejections: list[Rejection] = field(default_factory=list)


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

    def rejections(self, offset: Offset) -> list[Rejection]:
        """The kept rejections from an offset on, in log order."""

    async def forget(self, profile_id: str) -> None:
        """Erase a profile and its external ids."""

    def drop_annotations_before(self, offset: Offset) -> None:
        """Give space back where the log was dropped."""

    def drop_rejections_before(self, received_ms: int) -> None:
        """Let go of rejections that were received before that time."""

    async def close(self) -> None:
        """Finish commits in flight, then refuse."""
