"""A planner that never raises: an event that cannot be planned ends as a dead letter, and stops no other (SEMANTICS 26)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from millstream.delivery.operation import Job, Key
from millstream.delivery.outcome import Outcome, Reason, State
from millstream.delivery.plan import Plan, Planner, Records
from millstream.eventlog.failure import StorageFailed
from millstream.eventlog.resolved import ProfileView, Resolved
from millstream.telemetry.fault import fault_of


class Guard:
    """Implements `delivery.plan.Planner` around another one."""

    def __init__(self, planner: Planner) -> None:
        self._planner = planner
        self.prepare = planner.prepare
        self.reachable = planner.reachable

    def names(self, events: Sequence[Resolved], profiles: Mapping[str, ProfileView]) -> Iterable[Key]:
        """The records that the planner names; none when it fails, since `plan` will say of which event."""
        try:
            return list(self._planner.names(events, profiles))
        except StorageFailed:
            raise
        except Exception:  # noqa: BLE001  (a hint: it costs time, nothing else)
            return []

    def plan(
        self, event: Resolved, profiles: Mapping[str, ProfileView], records: Records, now_ms: int
    ) -> Plan:
        """The plan of one event."""
        return _planned(event, lambda: self._planner.plan(event, profiles, records, now_ms))

    def plan_as_of_now(
        self,
        event: Resolved,
        profiles: Mapping[str, ProfileView],
        records: Records,
        now_ms: int,
        as_new: str = "",
    ) -> Plan:
        """The same for replay and redelivery."""
        return _planned(event, lambda: self._planner.plan_as_of_now(event, profiles, records, now_ms, as_new))


def _planned(event: Resolved, plan: Callable[[], Plan]) -> Plan:
    try:
        return plan()
    except StorageFailed:
        raise
    except Exception as error:  # noqa: BLE001  (whatever it is: it would come again with this event, for ever)
        job = Job(event.offset, "", "")
        return Plan(outcomes=[Outcome(job, State.DEAD_LETTERED, Reason.QUARANTINED, fault_of(error))])
