"""The sink: how a destination executes operations. The engine knows only this protocol.

The engine folds and orders; the sink chooses the call for each row when it becomes ready, and executes whole batches.
A sink returns one result per row, in the order of the rows; a failure that no row caused is raised as `CallFailed`.

Errors
    CallFailed             a failure that no row caused; `cause` says what the engine must do
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, NamedTuple, Protocol

from millstream.delivery.operation import Job, Key, Lane
from millstream.delivery.outcome import Reason
from millstream.delivery.plan import Records
from millstream.delivery.statement import Statement


@dataclass(frozen=True, slots=True)
class CallKind:
    """A kind of call: one FIFO in the scheduler. `capability` names what a refusal switches off."""

    name: str
    limit: int
    pool: str
    capability: Reason
    linger_s: float = 0.5


@dataclass(slots=True)
class WriteRow:
    """A folded write, as handed to the sink: every contributing job gets the row's result."""

    family: str
    key: Key
    said: Statement
    jobs: list[Job]
    requires: tuple[Key, ...] = ()
    profile: str | None = None
    partial: bool = True
    extra: Mapping[str, Any] = field(default_factory=dict)
    lane: Lane = Lane.LIVE
    between: tuple[Key, ...] = ()

    def value(self, name: str) -> Any:
        """One of the values, whenever it was said."""
        return self.said.values[name]


@dataclass(slots=True)
class SendRow:
    """One send, as handed to the sink."""

    family: str
    requires: tuple[Key, ...]
    payload: Mapping[str, Any]
    job: Job
    profile: str | None = None
    lane: Lane = Lane.LIVE


Row = WriteRow | SendRow


class Confirmed(NamedTuple):
    """The destination confirmed the row. `id` is the record's id there; `aliases` are further names of it.

    `dropped` names values that were left out on the way (never recorded as confirmed); say why in `notes`. `ended`:
    the destination no longer has the record, and nothing is remembered of it. `learned` is False when nothing was
    written (shadow mode): what is known of the record stays as it was. `created`: the call made the record, so that
    nothing can be known of it yet.
    """

    id: str | None = None
    aliases: tuple[Key, ...] = ()
    notes: tuple[str, ...] = ()
    dropped: frozenset[str] = frozenset()
    ended: bool = False
    learned: bool = True
    created: bool = False


@dataclass(frozen=True, slots=True)
class Filtered:
    """Our rules decided at call time that the row is not sent."""

    reason: Reason
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Rejected:
    """The destination refused the row for good. `properties` names the values to blame, when it said so.

    With blamed properties the engine takes those values out, notes it, and tries the rest.
    """

    reason: Reason
    detail: str = ""
    properties: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Later:
    """The row, and only the row, must be tried again. `counts` is False for waits that are nobody's failure."""

    detail: str
    after_s: float = 1.0
    counts: bool = True


@dataclass(frozen=True, slots=True)
class Gone:
    """The destination no longer has the record that we knew by id: forget it, and `also`, and plan the jobs again."""

    detail: str = ""
    also: tuple[Key, ...] = ()


Result = Confirmed | Filtered | Rejected | Later | Gone


class Cause(Enum):
    """Why a whole call failed, by what the engine must do."""

    DOWN = "down"  # refused connection, 5xx with a body: certain; open the circuit, keep the rows
    IN_DOUBT = "in_doubt"  # no answer after sending: the rows rest until 30 s after sending
    LIMITED = "limited"  # 429: wait `retry_after_s`, no attempt
    DAILY = "daily"  # the day's quota is used up: wait `retry_after_s`, no attempt
    UNAUTHORIZED = "unauthorized"  # 401: pause the destination
    FORBIDDEN = "forbidden"  # 403 on this family of calls: switch the capability off for an hour
    BATCH_REJECTED = "batch_rejected"  # HubSpot rejected all rows for a fault of some: bisect


class CallFailed(Exception):
    """A failure that no row caused, or that cannot be told apart by row (`BATCH_REJECTED`)."""

    def __init__(
        self, cause: Cause, detail: str, *, retry_after_s: float = 0.0, rejected: Result | None = None
    ) -> None:
        super().__init__(f"{cause.value}: {detail}")
        self.cause = cause
        self.detail = detail
        self.retry_after_s = retry_after_s
        self.rejected = rejected


class Sink(Protocol):
    """Executes operations of one destination."""

    kinds: Mapping[str, CallKind]

    def route(self, row: Row, records: Records) -> str:
        """The name of the call kind for a row that has become ready. Decided late, so that answers count."""

    def delay_s(self, kind: str, lane: Lane) -> float:
        """Seconds until the budget allows a call of this kind; 0 when one may go now."""

    async def call(self, kind: str, rows: Sequence[Row], records: Records) -> list[Result]:
        """Execute one batch. One result per row, in order. Raises `CallFailed`."""

    def describe(self, kind: str, rows: Sequence[Row], records: Records) -> bytes:
        """The request that a call would make, as JSON: for shadow mode, dead letters and dry runs."""

    async def probe(self) -> None:
        """Ask the destination something cheap, to find out whether it answers again. Raises `CallFailed`."""

    async def close(self) -> None:
        """Close connections."""
