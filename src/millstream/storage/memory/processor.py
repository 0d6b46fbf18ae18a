"""`ProcessorStore` and `ProfileReader` in memory: for simulations and trials."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from millstream.eventlog.record import Offset
from millstream.eventlog.rejection import KEPT, Rejection
from millstream.eventlog.resolved import Annotation, ProfileView
from millstream.pipeline.store import ProcessorCommit
from millstream.profiles.profile import ExternalId, Profile, view
from millstream.profiles.stored import pack, unpack


class MemoryProcessorStore:
    """Implements the port; a commit is atomic because nothing interleaves. Hands out copies, as a database does."""

    def __init__(self) -> None:
        self._position: Offset = 0
        self._profiles: dict[str, bytes] = {}
        self._owners: dict[ExternalId, str] = {}
        self._merged: dict[str, str] = {}
        self._annotations: dict[Offset, Annotation] = {}
        self._rejections: deque[Rejection] = deque(maxlen=KEPT)

    async def commit(self, commit: ProcessorCommit) -> None:
        """One transaction."""
        self._profiles.update({p.id: pack(p) for p in commit.profiles})
        self._owners.update(commit.identities)
        for absorbed, survivor in commit.merged.items():
            self._merged = {a: survivor if s == absorbed else s for a, s in self._merged.items()}
            self._merged[absorbed] = survivor
            self._profiles.pop(absorbed, None)
        self._annotations.update({a.base: a for a in commit.annotations})
        self._rejections.extend(commit.rejections)
        self._position = commit.position

    def position(self) -> Offset:
        """The first offset without annotation."""
        return self._position

    def annotations(self, offset: Offset, end: Offset) -> list[Annotation]:
        """Annotations that overlap the range."""
        found = [a for b, a in self._annotations.items() if b < end and b + len(a.resolutions) > offset]
        return sorted(found, key=lambda a: a.base)

    def find(self, ids: Iterable[ExternalId]) -> dict[ExternalId, str]:
        """The profile of each known external id."""
        return {e: self._survivor(self._owners[e]) for e in ids if e in self._owners}

    def load(self, ids: Iterable[str]) -> dict[str, Profile]:
        """The profiles under the ids asked for, for the caller to change."""
        return {i: unpack(p) for i in ids if (p := self._profiles.get(self._survivor(i))) is not None}

    def views(self, ids: Iterable[str]) -> dict[str, ProfileView]:
        """The profiles as delivery sees them."""
        return {i: view(p) for i, p in self.load(ids).items()}

    def rejections(self, offset: Offset) -> list[Rejection]:
        """The kept rejections from an offset on."""
        return [r for r in self._rejections if r.offset >= offset]

    async def forget(self, profile_id: str) -> None:
        """Erase a person."""
        names = {profile_id, *(a for a, s in self._merged.items() if s == profile_id)}
        self._profiles = {i: p for i, p in self._profiles.items() if i not in names}
        self._owners = {e: p for e, p in self._owners.items() if p not in names}
        self._merged = {a: s for a, s in self._merged.items() if a not in names}

    def drop_annotations_before(self, offset: Offset) -> None:
        """Forget annotations of dropped log files."""
        kept = self._annotations.items()
        self._annotations = {b: a for b, a in kept if b + len(a.resolutions) > offset}

    def drop_rejections_before(self, received_ms: int) -> None:
        """Let go of old rejections."""
        self._rejections = deque((r for r in self._rejections if r.received_ms >= received_ms), KEPT)

    async def close(self) -> None:
        """Nothing to close."""

    def _survivor(self, profile: str) -> str:
        return self._merged.get(profile, profile)
