"""The planner: what a destination makes of an event. The engine knows only this protocol.

A planner is pure given its current knowledge of the destination (its schema): it does no I/O in `plan`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Protocol

from millstream.delivery.operation import Job, Key, Operation
from millstream.delivery.outcome import Outcome, Reason
from millstream.delivery.record_state import RecordState
from millstream.eventlog.resolved import ProfileView, Resolved


@dataclass(frozen=True, slots=True)
class Waiting:
    """An effect that needs an address its profile does not have yet."""

    job: Job
    profile: str


@dataclass(slots=True)
class Plan:
    """Everything that one event asks for, in order: prerequisites before what requires them.

    Every (mapping, effect) of the event appears exactly once: as the job of an operation, as a final outcome
    (filtered or dead-lettered), or as waiting. An event that nothing applies to has one outcome with mapping ""
    and effect "".
    """

    operations: list[Operation] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)
    waiting: list[Waiting] = field(default_factory=list)

    def only(self, jobs: AbstractSet[Job]) -> Plan:
        """What these effects need of it, with the operations that nobody asked for; nothing for none."""
        return Plan(
            [o for o in self.operations if jobs and (o.job is None or o.job in jobs)],
            [o for o in self.outcomes if o.job in jobs],
            [w for w in self.waiting if w.job in jobs],
        )

    def mark(self) -> tuple[int, int, int]:
        """How far it is, for `back_to`."""
        return len(self.operations), len(self.outcomes), len(self.waiting)

    def back_to(self, mark: tuple[int, int, int]) -> None:
        """Take back what was added since."""
        operations, outcomes, waiting = mark
        del self.operations[operations:], self.outcomes[outcomes:], self.waiting[waiting:]


class Records(Protocol):
    """What is known of the destination's records. Synchronous, cached."""

    def get(self, key: Key) -> RecordState | None:
        """The record under this or another of its names; None when it was never confirmed."""

    def resolve(self, key: Key) -> Key:
        """The record's canonical name (by id when known), or the key itself."""

    def refused(self, key: Key) -> tuple[Reason, str] | None:
        """Why a write that nobody but others waited for was refused lately."""


class Planner(Protocol):
    """Turns resolved events into operations for one destination."""

    async def prepare(self) -> None:
        """Refresh what `plan` needs to know (the schema), if it is missing or stale. Single flight.

        Raises `delivery.sink.CallFailed` when the destination cannot be asked.
        """

    def names(self, events: Sequence[Resolved], profiles: Mapping[str, ProfileView]) -> Iterable[Key]:
        """Records that planning these events will ask for, so that they can be read together. A hint."""

    def plan(
        self, event: Resolved, profiles: Mapping[str, ProfileView], records: Records, now_ms: int
    ) -> Plan:
        """The plan of one event of status NEW. `profiles` holds the views of its person and account."""

    def reachable(self, profile: ProfileView, records: Records) -> bool:
        """Whether what waits for this person could be planned by now."""

    def plan_as_of_now(
        self,
        event: Resolved,
        profiles: Mapping[str, ProfileView],
        records: Records,
        now_ms: int,
        as_new: str = "",
    ) -> Plan:
        """The same for replay, redelivery and backfill: traits older than the profile's are dropped (superseded).

        `as_new`: the name of a replay whose sends are not the ones that went before.
        """


def worst(outcomes: Sequence[Outcome]) -> int:
    """The event's state: the worst of its effects' states."""
    return max((o.state for o in outcomes), default=0)
