"""Implements `delivery.plan.Planner` for HubSpot: who may pass, which mappings match, what they ask for."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from millstream.delivery.operation import WHOLE, Job, Key, Lane
from millstream.delivery.outcome import Outcome, Reason, State
from millstream.delivery.plan import Plan, Records
from millstream.delivery.sink import CallFailed
from millstream.destinations.admission import Admission, FilterFailed, Stopped
from millstream.destinations.fields import Fields, FieldsInvalid
from millstream.destinations.hubspot.actions import ACTIONS
from millstream.destinations.hubspot.context import Context, property_map
from millstream.destinations.hubspot.failures import call_failed
from millstream.destinations.hubspot.portal import Portal
from millstream.destinations.hubspot.shapes import Shapes
from millstream.destinations.hubspot.web import known_events
from millstream.destinations.kit import Action
from millstream.eventlog.failure import StorageFailed
from millstream.eventlog.record import Offset
from millstream.eventlog.resolved import ProfileView, Resolved
from millstream.hubspot_api.errors import HubSpotError, Unreachable
from millstream.mapping.errors import MappingFailed
from millstream.mapping.sight import may_see
from millstream.mapping.trigger import Trigger, parse_trigger
from millstream.profiles.identifiers import ANONYMOUS_ID, USER_ID, email_of
from millstream.spec.events import Event, type_names
from millstream.telemetry.fault import fault_of
from millstream.workspace.model import Destination

# Every spelling of HubSpot destinations in `integrations`, without regard to case.
INTEGRATION_NAMES: Final = frozenset(
    {
        "hubspot",
        "hs",
        "hubspot (classic)",
        "hubspot cloud mode (actions)",
        "actions hubspot cloud",
        "hubspot web (actions)",
        "hubspot web",
        "actions hubspot web",
    }
)
_BACKFILL_MS: Final = 3_600_000
# What nearly all mappings read of a profile.
_PROFILE: Final = frozenset({"$.profile.id", "$.profile.email"})


@dataclass(frozen=True, slots=True)
class _Ready:
    """A mapping compiled."""

    name: str
    action: Action
    trigger: Trigger
    fields: Fields


class HubSpotPlanner:
    """Pure given the portal's schema."""

    def __init__(self, destination: Destination, portal: Portal) -> None:
        self._portal = portal
        self._shapes = Shapes(portal)
        self._admission = Admission(destination, INTEGRATION_NAMES)
        self._edit = self._admission.edit
        self._mappings = [
            _Ready(
                m.name,
                ACTIONS[m.action],
                parse_trigger(m.trigger, m.compat),
                Fields(ACTIONS[m.action], m.fields),
            )
            for m in destination.mappings
            if m.enabled and m.action in ACTIONS
        ]
        seeing: list[Any] = [
            ACTIONS[m.action].mapping(m.fields) for m in destination.mappings if m.action in ACTIONS
        ]
        seeing += [str(m.trigger) for m in self._mappings] + [f.trigger for f in destination.filters]
        self._whole_profile = may_see(seeing, "profile", _PROFILE)
        self._by_type = {
            t: [m for m in self._mappings if m.trigger.types is None or t in m.trigger.types]
            for t in type_names
        }

    def known_events(self) -> dict[str, str | list[str]]:
        """The custom events that HubSpot has, as pages ask for them; safe from any thread."""
        return known_events(self._portal.schema)

    async def prepare(self) -> None:
        """Ask for the portal's time zone and schema when they are missing."""
        try:
            await self._portal.prepare()
        except (HubSpotError, Unreachable) as error:
            failed = call_failed(error)
            raise CallFailed(failed.cause, failed.detail, retry_after_s=failed.retry_after_s) from None

    def names(self, events: Sequence[Resolved], profiles: Mapping[str, ProfileView]) -> Iterable[Key]:
        """The contacts of these events' persons, and those that the events name themselves."""
        for resolved in events:
            event = resolved.event
            person = profiles.get(resolved.resolution.profile or "")
            own = person.email if person is not None else None
            if own is not None:
                yield Key("contact", "email", own)
            said = event.properties.get("email") if event is not None else None
            if said is not None and said != own and (address := email_of(said)) is not None:
                yield Key("contact", "email", address)

    def reachable(self, profile: ProfileView, records: Records) -> bool:
        """By address, or as a contact that HubSpot is known to have."""
        return bool(profile.email) or records.get(Key("contact", "profile", profile.id)) is not None

    def plan(
        self, event: Resolved, profiles: Mapping[str, ProfileView], records: Records, now_ms: int
    ) -> Plan:
        """The plan of one event."""
        return self._plan(event, profiles, records, now_ms, as_of_now=False)

    def plan_as_of_now(
        self,
        event: Resolved,
        profiles: Mapping[str, ProfileView],
        records: Records,
        now_ms: int,
        as_new: str = "",
    ) -> Plan:
        """The same with values left out that are older than the profile's."""
        return self._plan(event, profiles, records, now_ms, as_of_now=True, as_new=as_new)

    def _plan(
        self,
        resolved: Resolved,
        profiles: Mapping[str, ProfileView],
        records: Records,
        now_ms: int,
        *,
        as_of_now: bool,
        as_new: str = "",
    ) -> Plan:
        event = resolved.event
        assert event is not None
        plan = Plan()
        person = profiles.get(resolved.resolution.profile or "")
        account = profiles.get(resolved.resolution.account or "")
        view = self._view(event, resolved, person)
        stopped = self._admission.judge(event, view) or _no_account(event, resolved)
        if stopped is not None:
            job = Job(resolved.offset, "", "")
            plan.outcomes.append(Outcome(job, stopped.state, stopped.reason, stopped.detail))
            return plan
        old = now_ms - min(resolved.time_ms, resolved.received_ms) > _BACKFILL_MS
        lane = Lane.BACKFILL if as_of_now or old or event.imported else Lane.LIVE
        settled: dict[str, Any] | None = None
        try:
            left = self._edit(view)  # filters come before mappings: not even triggers see what they took away
            for mapping in self._by_type.get(event.type, ()):
                if not mapping.trigger.matches(left):
                    continue
                if settled is None:
                    settled = self._edit(_settled(view, resolved, person, as_of_now=as_of_now), view)
                context = Context(
                    self._portal,
                    self._shapes,
                    resolved,
                    event,
                    person,
                    account,
                    records,
                    mapping.name,
                    plan,
                    view,
                    settled,
                    mapping.fields,
                    self._edit,
                    self._of_profile,
                    lane,
                    as_new,
                )
                _apply(mapping, context)
        except FilterFailed as error:  # nothing was planned yet
            job = Job(resolved.offset, "", "")
            plan.outcomes.append(Outcome(job, State.DEAD_LETTERED, Reason.FILTER_FAILED, str(error)))
            return plan
        _decide_nothing(plan, resolved.offset, event)
        return plan

    def _of_profile(self, person: ProfileView, event: Event, view: dict[str, Any]) -> dict[str, Any]:
        """What the mappings of identify calls make of everything that a profile knows, as properties of a contact.

        An event (`view`: as it came) is reason for it, and no more may be written than an identify call beside it could
        have: filters judge the profile as such a call, and as the event itself.
        """
        traits = {k: t.value for k, t in person.traits.items()}
        bare: dict[str, Any] = {"type": "identify", "context": {}, "integrations": {}, "traits": traits}
        bare |= {"profile": self._profile(person)}
        call = {**view, "type": "identify", "traits": traits}
        for name, namespace in (("userId", USER_ID), ("anonymousId", ANONYMOUS_ID)):
            if known := person.external_ids.get(namespace):
                call.setdefault(name, known[0])
        if self._admission.gate(event.message_id, call) is not None:
            return {}
        try:
            left = self._edit(bare, call, view)
        except FilterFailed:
            return {}
        found: dict[str, Any] = {}
        for mapping in self._by_type["identify"]:
            if mapping.action.slug == "upsert_contact" and mapping.trigger.matches(left):
                with contextlib.suppress(MappingFailed, FieldsInvalid):
                    found |= property_map(mapping.fields.of(left))
        return found

    def _view(self, event: Event, resolved: Resolved, person: ProfileView | None) -> dict[str, Any]:
        """What a mapping sees: the event in Segment's shape, and the profile.

        User properties on an Amplitude event are what Segment keeps in `context.traits`, with the results of operations.
        """
        view = event.view()
        if event.dialect == "amplitude" and event.type == "track":
            said = {**(view.pop("traits", None) or {}), **resolved.resolution.results}
            if said:
                view["context"] = {**event.context, "traits": said}
        view["profile"] = self._profile(person) if person is not None else {"id": None}
        return view

    def _profile(self, person: ProfileView) -> dict[str, Any]:
        seen: dict[str, Any] = {"id": person.id, "email": person.email}
        if self._whole_profile:
            seen["traits"] = {k: t.value for k, t in person.traits.items()}
            seen["external_ids"] = {k: list(v) for k, v in person.external_ids.items()}
        return seen


def _apply(mapping: _Ready, context: Context) -> None:
    """What a mapping whose trigger holds asks for; what that raises costs it alone."""
    plan = context.plan
    mark = plan.mark()
    try:
        mapping.action.plan(context, mapping.fields.of(context.view))
    except (MappingFailed, FieldsInvalid) as error:
        context.end(WHOLE, State.DEAD_LETTERED, Reason.MAPPING_FAILED, str(error)[:1000])
    except StorageFailed:
        raise
    except Exception as error:  # noqa: BLE001  (whatever it is: the event's other mappings are not to blame)
        plan.back_to(mark)
        context.end(WHOLE, State.DEAD_LETTERED, Reason.QUARANTINED, fault_of(error))


def _no_account(event: Event, resolved: Resolved) -> Stopped | None:
    """A group of a type that is no account (Amplitude's teams, leagues, …) is no company (SEMANTICS 24)."""
    if event.type != "group" or resolved.resolution.account is not None:
        return None
    return Stopped(State.FILTERED, Reason.UNSUPPORTED_EVENT_TYPE, "a group type that is no account")


def _decide_nothing(plan: Plan, offset: Offset, event: Event) -> None:
    """An event that no mapping asked anything for has that for an outcome."""
    for operation in reversed(plan.operations):  # what nobody asked for stands before what needs it
        if operation.job is not None:
            return
    if plan.outcomes or plan.waiting:
        return
    supported = event.type in {"identify", "track", "group", "screen"}
    reason = Reason.NO_MATCHING_MAPPING if supported else Reason.UNSUPPORTED_EVENT_TYPE
    plan.outcomes.append(Outcome(Job(offset, "", ""), State.FILTERED, reason))


def _settled(
    view: dict[str, Any], resolved: Resolved, person: ProfileView | None, *, as_of_now: bool
) -> dict[str, Any]:
    """The view with traits as they came out: older values left out, results of operations in (SEMANTICS 9, 24)."""
    resolution = resolved.resolution
    event = resolved.event
    gone = set(resolution.superseded)
    if event is not None and event.dialect == "rudderstack" and event.type != "identify":
        # Its browser SDK repeats all it stores on every event: only what this event brought counts (SEMANTICS 22).
        held = person.traits if person is not None else {}
        gone |= {k for k, t in held.items() if t.offset != resolved.offset and k != "email"}
    if as_of_now and person is not None:
        stamp = (resolved.time_ms, resolved.offset)
        gone |= {k for k, t in person.traits.items() if t[1:] > stamp}
    if not gone and not resolution.results:
        return view
    found = dict(view)
    if view["type"] == "identify":
        found["traits"] = _pruned(view.get("traits"), gone) | resolution.results
    context = view.get("context")
    if isinstance(context, dict) and isinstance(context.get("traits"), dict):
        found["context"] = {**context, "traits": _pruned(context["traits"], gone)}
    return found


def _pruned(traits: Any, gone: set[str]) -> dict[str, Any]:
    return {k: v for k, v in traits.items() if k not in gone} if isinstance(traits, dict) else {}
