"""Implements `delivery.plan.Planner` for HubSpot: who may pass, which mappings match, what they ask for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from millstream.delivery.operation import Job, Key, Lane
from millstream.delivery.outcome import Outcome, Reason, State
from millstream.delivery.plan import Plan, Records
from millstream.delivery.sink import CallFailed
from millstream.destinations.fields import FieldsInvalid, prepare
from millstream.destinations.hubspot.actions import ACTIONS
from millstream.destinations.hubspot.context import Context
from millstream.destinations.hubspot.failures import call_failed
from millstream.destinations.hubspot.portal import Portal
from millstream.destinations.kit import Action
from millstream.eventlog.resolved import ProfileView, Resolved
from millstream.hubspot_api.errors import HubSpotError, Unreachable
from millstream.mapping.compile import CompiledMapping, compile_mapping
from millstream.mapping.errors import MappingFailed
from millstream.mapping.trigger import Trigger, parse_trigger
from millstream.spec.events import Event, type_names
from millstream.workspace.model import Destination

# Every spelling of HubSpot destinations in `integrations`, without regard to case.
INTEGRATION_NAMES: Final = frozenset(
    {"hubspot", "hs", "hubspot cloud mode (actions)", "hubspot web (actions)", "hubspot (classic)"}
)
_BACKFILL_MS: Final = 3_600_000


@dataclass(frozen=True, slots=True)
class _Ready:
    """A mapping compiled."""

    name: str
    action: Action
    trigger: Trigger
    fields: CompiledMapping


class HubSpotPlanner:
    """Pure given the portal's schema."""

    def __init__(self, destination: Destination, portal: Portal) -> None:
        self._destination = destination
        self._portal = portal
        self._mappings = [
            _Ready(
                m.name,
                ACTIONS[m.action],
                parse_trigger(m.trigger, m.compat),
                compile_mapping(ACTIONS[m.action].mapping(m.fields)),
            )
            for m in destination.mappings
            if m.enabled and m.action in ACTIONS
        ]
        self._by_type = {
            t: [m for m in self._mappings if m.trigger.types is None or t in m.trigger.types]
            for t in type_names
        }
        self._filters = [(f, parse_trigger(f.trigger)) for f in destination.filters if f.enabled]

    async def prepare(self) -> None:
        """Fetch the schema when it is missing."""
        try:
            await self._portal.cache.ensure()
        except (HubSpotError, Unreachable) as error:
            failed = call_failed(error)
            raise CallFailed(failed.cause, failed.detail, retry_after_s=failed.retry_after_s) from None

    def names(self, events: Sequence[Resolved], profiles: Mapping[str, ProfileView]) -> Iterable[Key]:
        """The contacts of these events' persons."""
        for resolved in events:
            person = profiles.get(resolved.resolution.profile or "")
            if person is not None and person.email is not None:
                yield Key("contact", "email", person.email)

    def plan(
        self, event: Resolved, profiles: Mapping[str, ProfileView], records: Records, now_ms: int
    ) -> Plan:
        """The plan of one event."""
        return self._plan(event, profiles, records, now_ms, as_of_now=False)

    def plan_as_of_now(
        self, event: Resolved, profiles: Mapping[str, ProfileView], records: Records, now_ms: int
    ) -> Plan:
        """The same with values left out that are older than the profile's."""
        return self._plan(event, profiles, records, now_ms, as_of_now=True)

    def _plan(
        self,
        resolved: Resolved,
        profiles: Mapping[str, ProfileView],
        records: Records,
        now_ms: int,
        *,
        as_of_now: bool,
    ) -> Plan:
        event = resolved.event
        assert event is not None
        plan = Plan()
        person = profiles.get(resolved.resolution.profile or "")
        account = profiles.get(resolved.resolution.account or "")
        view = _view(event, person)
        stopped = self._stopped(event, view)
        if stopped is not None:
            plan.outcomes.append(Outcome(Job(resolved.offset, "", ""), State.FILTERED, *stopped))
            return plan
        late = now_ms - resolved.time_ms > _BACKFILL_MS and now_ms - resolved.received_ms > _BACKFILL_MS
        lane = Lane.BACKFILL if as_of_now or late else Lane.LIVE
        for mapping in self._by_type.get(event.type, ()):
            if not mapping.trigger.matches(view):
                continue
            context = Context(
                self._portal, resolved, event, person, account, records, mapping.name, plan, lane, as_of_now
            )
            try:
                fields = prepare(mapping.action, mapping.fields.evaluate(view))
            except (MappingFailed, FieldsInvalid) as error:
                context.end("mapping", State.DEAD_LETTERED, Reason.MAPPING_FAILED, str(error)[:1000])
                continue
            mapping.action.plan(context, fields)
        if not plan.outcomes and not plan.waiting and all(o.job is None for o in plan.operations):
            supported = event.type in {"identify", "track", "group", "screen"}
            reason = Reason.NO_MATCHING_MAPPING if supported else Reason.UNSUPPORTED_EVENT_TYPE
            plan.outcomes.append(Outcome(Job(resolved.offset, "", ""), State.FILTERED, reason))
        return plan

    def _stopped(self, event: Event, view: Mapping[str, Any]) -> tuple[Reason, str] | None:
        """Why the event does not reach any mapping: source, origin, consent, integrations, filters."""
        destination = self._destination
        if destination.sources and event.source not in destination.sources:
            return Reason.SOURCE_NOT_CONNECTED, ""
        if event.origin == destination.name:
            return Reason.OWN_EVENT, ""
        if not _consented(event, destination.consent_categories):
            return Reason.FILTERED_BY_CONSENT, ""
        if not allowed_by_integrations(event.integrations, destination.name):
            return Reason.FILTERED_BY_INTEGRATIONS, ""
        for given, trigger in self._filters:
            if trigger.matches(view) is (given.kind == "drop"):
                return Reason.FILTERED_BY_RULES, given.name
        return None


def allowed_by_integrations(integrations: Mapping[str, Any], destination: str) -> bool:
    """Whether `integrations` lets the event through to HubSpot; our own name counts besides Segment's."""
    named = INTEGRATION_NAMES | {destination.lower()}
    everything = True
    for key, value in integrations.items():
        low = key.strip().lower()
        if low in named:
            return value is not False
        if low == "all" and value is False:
            everything = False
    return everything


def _consented(event: Event, categories: tuple[str, ...]) -> bool:
    consent = event.context.get("consent")
    given = consent.get("categoryPreferences") if isinstance(consent, dict) else None
    if not categories or not isinstance(given, dict):
        return True
    return all(given.get(c) is True for c in categories)


def _view(event: Event, person: ProfileView | None) -> dict[str, Any]:
    """What a mapping sees: the event in Segment's shape, and the profile."""
    view = event.view()
    if event.dialect == "amplitude" and event.type == "track":
        view.pop("traits", None)
    profile: dict[str, Any] = {"id": person.id if person else None}
    if person is not None:
        profile["email"] = person.email
        profile["traits"] = {k: t.value for k, t in person.traits.items()}
        profile["external_ids"] = {k: list(v) for k, v in person.external_ids.items()}
    view["profile"] = profile
    return view
