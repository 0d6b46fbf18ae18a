"""What an action has at hand: the event, its person and account, the portal, and the plan it adds to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from millstream.delivery.operation import Job, Key, Lane, Stamped, Write
from millstream.delivery.outcome import Outcome, Reason, State
from millstream.delivery.plan import Plan, Records, Waiting
from millstream.destinations.admission import FilterFailed
from millstream.destinations.fields import FieldsInvalid, prepare
from millstream.destinations.hubspot import names, values
from millstream.destinations.hubspot.portal import GROUP, Portal
from millstream.destinations.kit import Action
from millstream.eventlog.resolved import ProfileView, Resolved
from millstream.mapping.compile import CompiledMapping
from millstream.mapping.errors import MappingFailed
from millstream.profiles.identifiers import email_of
from millstream.spec.events import Event

_BROWSERS = ("analytics.js", "rudderlabs javascript sdk", "amplitude-ts", "amplitude-js")


@dataclass(slots=True)
class Context:
    """One mapping applied to one event."""

    portal: Portal
    resolved: Resolved
    event: Event
    person: ProfileView | None
    account: ProfileView | None
    records: Records
    mapping: str
    plan: Plan
    view: Mapping[str, Any]
    action: Action
    compiled: CompiledMapping
    edit: Callable[[dict[str, Any]], dict[str, Any]]
    of_profile: Callable[[ProfileView], dict[str, Any]]
    lane: Lane = Lane.LIVE
    as_new: str = ""
    notes: list[str] = field(default_factory=list)

    def job(self, effect: str) -> Job:
        """The outcome to come of one effect."""
        return Job(self.resolved.offset, self.mapping, effect)

    def end(self, effect: str, state: State, reason: Reason, detail: str = "") -> None:
        """The effect is decided here."""
        self.plan.outcomes.append(Outcome(self.job(effect), state, reason, detail, tuple(self.notes)))

    def wait(self, effect: str) -> None:
        """The effect waits for an address; without anybody to wait for it ends."""
        if self.person is None:
            self.end(effect, State.FILTERED, Reason.NO_IDENTITY)
        else:
            self.plan.waiting.append(Waiting(self.job(effect), self.person.id))

    def fields_with(self, traits: Mapping[str, Any]) -> dict[str, Any]:
        """The mapping's fields for the same event, had it said all of these traits (what it did say wins)."""
        said = self.view.get("traits")
        view = {**self.view, "traits": {**traits, **said} if isinstance(said, dict) else dict(traits)}
        context = view.get("context")
        if isinstance(context, dict) and isinstance(context.get("traits"), dict):
            view["context"] = {**context, "traits": {**traits, **context["traits"]}}
        try:
            return prepare(self.action, self.compiled.evaluate(self.edit(view)))
        except (MappingFailed, FieldsInvalid, FilterFailed):
            return {}

    def contact_key(self, email: Any) -> Key | None:
        """The contact that an address names, or the profile's. None when there is no address.

        Under `email_change: move` the person's own contact, by id, when the address is new to us (SEMANTICS 7).
        """
        address = email_of(email) or (self.person.email if self.person else None)
        if not address:
            known = self.records.get(Key("contact", "profile", self.person.id)) if self.person else None
            return known.key if known is not None else None
        key = Key("contact", "email", address)
        moves = self.portal.settings["email_change"] == "move" and self.person is not None
        if (
            moves
            and self.person is not None
            and self.person.email == address
            and self.records.get(key) is None
        ):
            own = self.records.get(Key("contact", "profile", self.person.id))
            if own is not None:
                return own.key
        return key

    def stamped(self, view: ProfileView | None, trait: str, value: Any) -> Stamped:
        """A value with the time at which its trait was said; what is no trait is as old as the event."""
        known = view.traits.get(trait) if view is not None else None
        if known is not None:
            said, time_ms, offset = known
            if said is value or said == value or isinstance(said, dict):
                return tuple.__new__(Stamped, (value, time_ms, offset))
        return tuple.__new__(Stamped, (value, self.resolved.time_ms, self.resolved.offset))

    def properties(
        self,
        object_type: str,
        traits: Mapping[str, Any],
        view: ProfileView | None,
        key: Key,
        *,
        special: Mapping[str, str],
        own: frozenset[str] = frozenset(),
        sensitive: bool = False,
    ) -> tuple[dict[str, Stamped], tuple[Key, ...]] | None:
        """Traits as properties of the record `key`, and the properties that must be made first. None: dead-lettered.

        `special` renames well-known traits; `own` names the properties that the action sets itself.
        """
        schema = self.portal.schema.properties.get(object_type, {})
        flat, notes = names.flatten(traits, special, schema)
        self.notes += notes
        found: dict[str, Stamped] = {}
        requires: list[Key] = []
        for name, (trait, value) in flat.items():
            if name == "hs_object_id" or name in own:
                continue
            if name not in schema:
                missing = self._missing(object_type, name, trait, value, sensitive=sensitive)
                if missing is None:
                    if self.portal.settings["unknown_properties"] == "reject":
                        return None
                    continue
                requires.append(missing)
            elif schema[name].read_only:
                self.notes.append(f"read_only:{name}")
                continue
            if name == "lifecyclestage" and self._keeps_lifecycle(object_type, key, value):
                self.notes.append("lifecycle_kept")
                continue
            found[name] = self.stamped(view, trait, value)
        return found, tuple(requires)

    def _keeps_lifecycle(self, object_type: str, key: Key, value: Any) -> bool:
        """Whether the lifecycle stage stays as it is: never cleared, and backwards only under `allow_back`."""
        mode = self.portal.settings["lifecycle"]
        if value in (None, "", []) or mode == "never":
            return True
        record = self.records.get(key)
        last = record.confirmed.get("lifecyclestage") if record is not None else None
        if mode != "forward_only" or last is None:
            return False
        stages = self.portal.schema.properties[object_type]["lifecyclestage"].options
        order = {text.strip().lower(): i for i, stage in enumerate(stages) for text in stage}
        wanted, now = order.get(str(value).strip().lower()), order.get(str(last[0]).strip().lower())
        return wanted is not None and now is not None and wanted < now

    def _missing(self, object_type: str, name: str, trait: str, value: Any, *, sensitive: bool) -> Key | None:
        """A property that HubSpot lacks: the key of its making, or None when it is left out."""
        settings = self.portal.settings
        key = Key("property", object_type, name)
        if settings["unknown_properties"] == "reject":
            self.notes.append(f"unknown_property:{name}")
            return None
        if (
            settings["unknown_properties"] == "drop"
            or value in (None, "", [])
            or name in settings["create_deny"]
        ):
            self.notes.append(f"unknown_property_dropped:{name}")
            return None
        if self._from_browser() and not settings["create_from_browser"]:
            self.notes.append(f"not_created_from_browser:{name}")
            return None
        kind = settings["properties"].get(name) or values.inferred_type(value)
        if not self.portal.want_property(object_type, name, trait[:100], kind, sensitive=sensitive):
            self.notes.append(f"property_limit:{name}")
            return None
        self.plan.operations.append(Write("property", key, {}, lane=self.lane, extra={"object": object_type}))
        return key

    def attributed(self, key: Key) -> tuple[Key, ...]:
        """The form that keeps a new contact's original source, when the visitor's token is known (opt-in)."""
        utk = self.event.context.get("hubspotutk")
        form = self.portal.settings["attribution_form"]
        if not form or not isinstance(utk, str) or not utk or key.by != "email" or self.records.get(key):
            return ()
        page = self.event.context.get("page")
        page = page if isinstance(page, dict) else {}
        submission = Key("form", str(form), key.value)
        stamped = Stamped(True, self.resolved.time_ms, self.resolved.offset)
        self.plan.operations.append(
            Write(
                "form",
                submission,
                {"submitted": stamped},
                extra={"hutk": utk, "pageUri": page.get("url"), "pageName": page.get("title")},
                lane=self.lane,
            )
        )
        return (submission,)

    def require_unique_property(self, name: str, label: str) -> tuple[Key, ...]:
        """A unique company property of ours, made when it is missing."""
        if name in self.portal.schema.properties.get("companies", {}):
            return ()
        key = Key("property", "companies", name)
        self.portal.wanted_properties.setdefault(
            ("companies", name), {"label": label, "kind": "string", "unique": True}
        )
        self.plan.operations.append(
            Write("property", key, {}, lane=self.lane, extra={"object": "companies", "group": GROUP})
        )
        return (key,)

    def ensure_contact(self, key: Key) -> None:
        """Make the contact, as the identify mappings would, when HubSpot is not known to have it."""
        known = self.records.get(key) is not None or key.by == "id"
        if known or not self.portal.settings["ensure_contact"]:
            return
        stamped = Stamped(key.value, self.resolved.time_ms, self.resolved.offset)
        found: dict[str, Stamped] = {"email": stamped}
        requires = self.attributed(key)
        whose = self.person if self.person is not None and self.person.email == key.value else None
        if whose is not None:
            notes = list(self.notes)
            made = self.properties(
                "contacts",
                self.of_profile(whose),
                whose,
                key,
                special=names.CONTACT_FIELDS,
                own=frozenset({"email"}),
            )
            self.notes = notes
            if made is not None:
                found |= made[0]
                requires += made[1]
        self.plan.operations.append(
            Write(
                "contact",
                key,
                found,
                None,
                requires,
                whose.id if whose else None,
                partial=False,
                lane=self.lane,
            )
        )

    def _from_browser(self) -> bool:
        library = self.event.context.get("library")
        name = (
            str(library.get("name", "")).lower() if isinstance(library, dict) else str(library or "").lower()
        )
        return self.event.channel in {"browser", "web", "client"} or name.startswith(_BROWSERS)


def without_nulls(given: Mapping[str, Any]) -> dict[str, Any]:
    """The properties that are given; a null says nothing (Segment's actions)."""
    return {k: v for k, v in given.items() if v is not None}


def property_map(fields: Mapping[str, Any], name: str = "properties") -> dict[str, Any]:
    """An object field with its nulls as the mapping wants them."""
    given = fields.get(name)
    if not isinstance(given, dict):
        return {}
    return dict(given) if fields.get("null_clears", True) else without_nulls(given)
