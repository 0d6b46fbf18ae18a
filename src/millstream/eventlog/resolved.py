"""A logged event with what the processor found out about it: what delivery and replay read. Pure.

The processor writes one annotation per log block, in the transaction of profiles and its own position. Readers join
log and annotation and resolve nothing again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import IntEnum
from functools import cached_property
from typing import Any, NamedTuple, Protocol

import msgspec

from millstream.eventlog.record import Offset
from millstream.spec.events import Event


class Status(IntEnum):
    """What the processor made of a record. Stored; never renumber."""

    NEW = 0
    DUPLICATE = 1
    REJECTED = 2
    QUARANTINED = 3


class Resolution(msgspec.Struct, frozen=True, array_like=True, omit_defaults=True):
    """The annotation of one event, as of its offset.

    `profile` is the person's profile id, `account` the account's. `email` is the profile's newest address at that
    offset. `superseded` names traits whose value in this event is older than what the profile has. `gained_address`
    is true when this event gave its profile its first way to be reached (email, contact id, user token), also by
    merging: whatever waits for that profile goes out behind it. `note` is the trace's remark (a refused merge, the
    fault of a quarantined event). `results` holds what this event made of traits other than by saying them:
    the values after Amplitude's operations, None for removed ones.
    """

    status: Status
    profile: str | None = None
    account: str | None = None
    email: str | None = None
    superseded: tuple[str, ...] = ()
    gained_address: bool = False
    note: str | None = None
    results: dict[str, Any] = {}


class Annotation(msgspec.Struct, frozen=True):
    """The annotations of one log block, in the block's order."""

    base: Offset
    resolutions: list[Resolution]


class Resolved(msgspec.Struct, frozen=True, gc=False):
    """One event, ready to be planned. `event` is None for rejected and undecodable records."""

    offset: Offset
    source: str
    received_ms: int
    time_ms: int
    event: Event | None
    resolution: Resolution


class TraitValue(NamedTuple):
    """A trait and when it was said: epoch milliseconds of event time; the offset breaks ties."""

    value: Any
    time_ms: int
    offset: Offset


class ProfileView(msgspec.Struct, frozen=True, dict=True):
    """A person or an account as delivery sees it: the present state, read when an event is planned.

    `external_ids` maps a namespace (`user_id`, `anonymous_id`, `email`, `group_id`, a destination's name, …) to its
    values, newest first. Most plans need no traits: `read_traits` is asked for them at first use.
    """

    id: str
    email: str | None = None
    read_traits: Callable[[], dict[str, TraitValue]] = dict
    external_ids: Mapping[str, Sequence[str]] = {}
    accounts: Sequence[str] = ()

    @cached_property
    def traits(self) -> dict[str, TraitValue]:
        """Each trait with when it was said."""
        return self.read_traits()


class ProfileReader(Protocol):
    """Read access to profiles for whoever plans deliveries. Follows merges: an absorbed id reads its survivor."""

    def views(self, ids: Iterable[str]) -> dict[str, ProfileView]:
        """The profiles with these ids, under the ids that were asked for; unknown ids are left out."""


class ResolvedReader(Protocol):
    """Read access to log and annotations joined."""

    def read(self, offset: Offset, limit: int) -> list[Resolved]:
        """At most `limit` events from `offset` on, as far as the processor has come. Synchronous, short."""

    def end(self) -> Offset:
        """The offset after the last annotated event: the processor's position."""
