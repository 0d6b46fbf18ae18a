"""What a destination is asked to do: writes and sends, named by the records they touch. Pure.

A write sets values of one record; writes of one record keep their order and fold. What two records are to each other
(associated, member of a list) is a record too, written `linked: true` or `false`. A send (an event) names records and
goes behind the earlier writes of those records. See DESIGN "The engine", rules 1 to 3.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, Final, NamedTuple

from millstream.delivery.statement import Statement
from millstream.eventlog.record import Offset


class Key(NamedTuple):
    """The name of a record at a destination: object type, what identifies it, the normalised value.

    `Key("contact", "id", "512")`, `Key("contact", "email", "jane@x.co")`, `Key("company", "millstream_domain",
    "x.co")`. Prerequisites are records too: `Key("property", "contacts", "plan")`, `Key("definition", "name",
    "order_completed")`. One record may have several names; answers teach them (`record_state`, aliases).
    """

    object: str
    by: str
    value: str


def relation(object_type: str, kind: str, between: Iterable[Key]) -> Key:
    """The name of what records are to each other: what it is, of which kind, and the records.

    No two relations share one: a bar within a value is doubled, and what follows a single one is the next record.
    """
    ends = (f"{k.by}:{k.value}".replace("|", "||") for k in between)
    return Key(object_type, kind, "|".join(ends))


class Lane(IntEnum):
    """Live traffic goes before backfill (imports, old events, replays)."""

    LIVE = 0
    BACKFILL = 1


# The effect of a mapping that came to none of its own: it failed before.
WHOLE: Final = "mapping"


class Job(NamedTuple):
    """One outcome to come: this effect of this mapping of the event at this offset."""

    offset: Offset
    mapping: str
    effect: str

    def covers(self, other: Job) -> bool:
        """Whether it is that effect, or stands for it: for all of a mapping that failed as a whole, or of the event."""
        if self == other or not self.mapping:
            return self.offset == other.offset
        return self.effect == WHOLE and self[:2] == other[:2]


@dataclass(slots=True)
class Write:
    """Write what was `said` of the record `key`.

    `family` is the destination's word for what is written ("contact", "company", "property", "definition"); the
    sink chooses the call when the write becomes ready (`Sink.route`). `job` is None for support writes that no
    mapping asked for (a missing property, an ensured contact): they have no outcome of their own. `requires` names
    records whose earlier writes must be settled first; whether they succeeded is the sink's business at call time.
    `profile` is the person or account that the values come from. `extra` is opaque to the engine; the newest wins.
    `between` names the records of a relation, whose key is then `relation(…)` of them.
    `partial` is False when it says every mapped property of the profile, so that the record may be created.
    """

    family: str
    key: Key
    said: Statement
    job: Job | None = None
    requires: tuple[Key, ...] = ()
    profile: str | None = None
    partial: bool = True
    notes: tuple[str, ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)
    lane: Lane = Lane.LIVE
    between: tuple[Key, ...] = ()


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
