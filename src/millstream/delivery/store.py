"""The port of everything that delivery remembers. One commit is one transaction.

Adapters: `storage.memory.state`, `storage.sqlite.state`; one conformance suite for all. Reads are synchronous and
short; `commit` returns only after the transaction is durable.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from millstream.delivery.operation import Job, Key
from millstream.delivery.outcome import Outcome, Reason, State
from millstream.delivery.record_state import RecordState
from millstream.eventlog.record import Offset


@dataclass(frozen=True, slots=True)
class WaitingRow:
    """An effect that waits for its profile to gain an address; the event stays in the log."""

    profile: str
    job: Job
    since_ms: int


@dataclass(frozen=True, slots=True)
class ParkedRow:
    """An effect whose record was refused for the moment: how often it was tried, and when it is due again."""

    job: Job
    profile: str | None
    tries: int
    due_ms: int


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """An effect that should have gone and did not. `body` is the encoded event, kept apart from the log."""

    id: int
    job: Job
    reason: Reason
    detail: str
    at_ms: int
    message_id: str
    body: bytes
    profile: str | None = None
    email: str | None = None
    request: bytes = b""


@dataclass(frozen=True, slots=True)
class Position:
    """Where a destination stands. `start` is its first offset, `decided` the first undecided one, `read_to` how far
    it had read.
    """

    start: Offset
    decided: Offset
    read_to: Offset


@dataclass(slots=True)
class DeliveryCommit:
    """One transaction of one destination. Lists of rows replace rows with the same identity.

    `outcomes` holds the outcomes of each offset that changed; they replace what was stored for that offset.
    `tally` counts changes of events' states: (state, reason) → difference, for metrics and Σ outcomes.
    """

    destination: str
    position: Position
    outcomes: dict[Offset, list[Outcome]] = field(default_factory=dict)
    waiting_added: list[WaitingRow] = field(default_factory=list)
    waiting_removed: list[Job] = field(default_factory=list)
    parked_added: list[ParkedRow] = field(default_factory=list)
    parked_removed: list[Job] = field(default_factory=list)
    dead: list[DeadLetter] = field(default_factory=list)
    dead_removed: list[int] = field(default_factory=list)
    records: list[RecordState] = field(default_factory=list)
    aliases: list[tuple[Key, Key]] = field(default_factory=list)
    forgotten: list[Key] = field(default_factory=list)
    tally: dict[tuple[State, Reason], int] = field(default_factory=dict)
    shadow_requests: list[tuple[Offset, bytes]] = field(default_factory=list)


class DeliveryStore(Protocol):
    """Durable memory of deliveries."""

    async def commit(self, commit: DeliveryCommit) -> None:
        """Write everything in one transaction; return when it is durable."""

    def position(self, destination: str) -> Position | None:
        """Where the destination stands; None when it has never committed."""

    def states(self, destination: str, base: Offset, end: Offset) -> bytes:
        """The state byte of each offset of the range; UNDECIDED where nothing is stored."""

    def outcomes(self, destination: str, offset: Offset) -> list[Outcome]:
        """The outcomes of one event."""

    def tally(self, destination: str) -> dict[tuple[State, Reason], int]:
        """How many events are in each (state, reason): the event's worst effect."""

    def waiting(self, destination: str, profiles: Sequence[str]) -> list[WaitingRow]:
        """What waits for these profiles, by offset."""

    def waiting_before(self, destination: str, since_ms: int, limit: int) -> list[WaitingRow]:
        """The oldest waiting rows from before that time."""

    def waiting_count(self, destination: str, profile: str | None = None) -> int:
        """How many rows wait, of one profile or of all."""

    def first_reference(self, destination: str) -> Offset | None:
        """The lowest offset that a waiting or parked row refers to: the log must keep it."""

    def parked(self, destination: str) -> list[ParkedRow]:
        """All parked rows, by due time."""

    def parked_count(self, destination: str) -> int:
        """How many are parked."""

    def dead_letters(
        self,
        destination: str,
        *,
        reason: str | None = None,
        since_ms: int = 0,
        until_ms: int | None = None,
        after_id: int = 0,
        limit: int = 100,
    ) -> list[DeadLetter]:
        """Dead letters by id."""

    def dead_letter_count(self, destination: str) -> int:
        """How many dead letters there are."""

    def record(self, destination: str, key: Key) -> RecordState | None:
        """The record under any of its names."""

    def records(self, destination: str, keys: Iterable[Key]) -> dict[Key, RecordState]:
        """The records under any of their names, read together; unknown names are left out."""

    def aliases_of(self, destination: str, key: Key) -> list[Key]:
        """All names of a record."""

    async def forget(self, profile: str, names: Iterable[Key]) -> int:
        """Erase a person everywhere: what waits, is parked or dead ends as filtered `forgotten`, and records with
        these names (whatever their destination) are no longer known. Returns how many effects ended.
        """
