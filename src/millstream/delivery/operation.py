"""What a destination is asked to do: writes and sends, named by the records they touch. Pure.

A write sets values of one record; writes of one record keep their order and fold. What two records are to each other
(associated, member of a list) is a record too, written `linked: true` or `false`. A send (an event) names records and
goes behind the earlier writes of those records. See DESIGN "The engine", rules 1 to 3.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, NamedTuple

from millstream.eventlog.record import Offset

# A value to write, and when it was said: event time in ms, offset; the newest wins, None clears. A plain tuple, since
# there is one for each property of each event in hand.
Stamped = tuple[Any, int, Offset]


class Key(NamedTuple):
    """The name of a record at a destination: object type, what identifies it, the normalised value.

    `Key("contact", "id", "512")`, `Key("contact", "email", "jane@x.co")`, `Key("company", "millstream_domain",
    "x.co")`. Prerequisites are records too: `Key("property", "contacts", "plan")`, `Key("definition", "name",
    "order_completed")`. One record may have several names; answers teach them (`record_state`, aliases).
    """

    object: str
    by: str
    value: str


class Lane(IntEnum):
    """Live traffic goes before backfill (imports, old events, replays)."""

    LIVE = 0
    BACKFILL = 1


class Job(NamedTuple):
    """One outcome to come: this effect of this mapping of the event at this offset."""

    offset: Offset
    mapping: str
    effect: str


@dataclass(slots=True)
class Write:
    """Set `values` of the record `key`.

    `family` is the destination's word for what is written ("contact", "company", "property", "definition"); the
    sink chooses the call when the write becomes ready (`Sink.route`). `job` is None for support writes that no
    mapping asked for (a missing property, an ensured contact): they have no outcome of their own. `requires` names
    records whose earlier writes must be settled first; whether they succeeded is the sink's business at call time.
    `profile` is the person or account that the values come from. `extra` is opaque to the engine; the newest wins.
    `partial` is False when `values` hold every mapped property of the profile, so that the record may be created.
    """

    family: str
    key: Key
    values: dict[str, Stamped]
    job: Job | None = None
    requires: tuple[Key, ...] = ()
    profile: str | None = None
    partial: bool = True
    notes: tuple[str, ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)
    lane: Lane = Lane.LIVE


@dataclass(slots=True)
class Send:
    """Do something that names records and that nothing later can supersede: send an event.

    Goes behind every earlier write of the records in `requires`. `payload` is the sink's.
    """

    family: str
    requires: tuple[Key, ...]
    payload: Mapping[str, Any]
    job: Job
    profile: str | None = None
    notes: tuple[str, ...] = ()
    lane: Lane = Lane.LIVE


Operation = Write | Send
