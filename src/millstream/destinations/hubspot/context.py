"""What an action has at hand: the event, its person and account, the portal, and the plan it adds to."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from millstream.delivery.note import Note
from millstream.delivery.operation import Job, Key, Lane, Write
from millstream.delivery.outcome import Outcome, Reason, State
from millstream.delivery.plan import Plan, Records, Waiting
from millstream.delivery.statement import Stamp, Statement
from millstream.destinations.admission import FilterFailed
from millstream.destinations.fields import Fields, FieldsInvalid
from millstream.destinations.hubspot import names, nested, values
from millstream.destinations.hubspot.portal import GROUP, Portal
from millstream.destinations.hubspot.shapes import LIFECYCLE, Column, Leaf, Shapes, leaves_of
from millstream.eventlog.resolved import ProfileView, Resolved, TraitValue
from millstream.mapping.errors import MappingFailed
from millstream.profiles.identifiers import email_of
from millstream.spec.events import Event

_BROWSERS = ("analytics.js", "rudderlabs javascript sdk", "amplitude-ts", "amplitude-js")


@dataclass(slots=True)
class Context:
    """One mapping applied to one event: `came` is how filters see it, `view` what they left of it."""

    portal: Portal
    shapes: Shapes
    resolved: Resolved
    event: Event
    person: ProfileView | None
    account: ProfileView | None
    records: Records
    mapping: str
    plan: Plan
    came: dict[str, Any]
    view: Mapping[str, Any]
    fields: Fields
    edit: Callable[..., dict[str, Any]]
    of_profile: Callable[[ProfileView, Event, dict[str, Any]], dict[str, Any]]
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

    def all_known(self, said: dict[str, Any], known: ProfileView) -> dict[str, Any]:
        """The properties `said`, and those that the mapping gives for the same event, had it said all that is known."""
        view = self._saying(known.traits)
        if view is None:
            return said
        try:
            return property_map(self.fields.of(self.edit(view, self.came))) | said
        except (MappingFailed, FieldsInvalid, FilterFailed):
            return said

    def _saying(self, known: Mapping[str, TraitValue]) -> dict[str, Any] | None:
        """The event with these traits besides its own (what it says wins). None: it says all of them already."""
        said, context = self.view.get("traits"), self.view.get("context")
        in_context = context.get("traits") if isinstance(context, dict) else None
        places = (said, in_context) if isinstance(in_context, dict) else (said,)
        if all(isinstance(t, dict) and known.keys() <= t.keys() for t in places):
            return None
        traits = {k: t.value for k, t in known.items()}
        view = {**self.view, "traits": {**traits, **said} if isinstance(said, dict) else traits}
        if isinstance(in_context, dict):
            view["context"] = {**self.view["context"], "traits": {**traits, **in_context}}
        return view

    def address_of(self, said: Any) -> str | None:
        """The address in what was said, normalised; None when it is none."""
        person = self.person
        return said if person is not None and said is not None and said == person.email else email_of(said)

    def contact_key(self, email: Any) -> Key | None:
        """The contact that an address names, or the profile's. None when there is no address.

        Under `email_change: move` the person's own contact, by id, when the address is new to us (SEMANTICS 7).
        """
        address = self.address_of(email) or (self.person.email if self.person else None)
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

    def is_addressed(self, email: Any, effect: str, object_id: Any = None) -> bool:
        """Whether what a mapping names its contact by can be used, also where it names none; else the effect ends.

        What is named and unusable must never come to mean the event's own person (SEMANTICS 6).
        """
        number = record_id(object_id)
        if number and not is_record_id(number):
            detail = f"the contact id {number[:60]!r} is not a number"
            self.end(effect, State.DEAD_LETTERED, Reason.MAPPING_FAILED, detail)
            return False
        if not number and email not in (None, "") and self.address_of(email) is None:
            detail = f"not an address: {str(email)[:100]!r}"
            self.end(effect, State.DEAD_LETTERED, Reason.INVALID_EMAIL, detail)
            return False
        return True

    def named_contact(self, email: Any, effect: str, object_id: Any = None) -> Key | None:
        """The contact that a mapping names by id or address, else the event's person. None: it ended, or waits."""
        if not self.is_addressed(email, effect, object_id):
            return None
        if number := record_id(object_id):
            return Key("contact", "id", number)
        contact = self.contact_key(email)
        if contact is None:
            self.wait(effect)
        return contact

    @property
    def stamp(self) -> Stamp:
        """When the event says what it says."""
        return self.resolved.time_ms, self.resolved.offset

    def says(self, name: str, value: Any) -> Statement:
        """One value that the event itself says, or is reason for."""
        return Statement({name: value}, self.stamp)

    def properties(
        self,
        object_type: str,
        traits: Mapping[str, Any],
        view: ProfileView | None,
        key: Key,
        *,
        own: frozenset[str],
        well_known: bool = True,
        sensitive: bool = False,
    ) -> tuple[Statement, tuple[Key, ...]] | None:
        """Traits as properties of the record `key`, and the properties that must be made first. None: dead-lettered.

        `own` and `well_known`: see `Shapes.of`. `view` says when each trait was said.
        """
        if traits is self.view.get("traits"):
            view = None  # as old as the event that says it: what the profile knows is not looked at
        if self.portal.settings["nested"] == "json":
            well = names.WELL_KNOWN.get(object_type, {}) if well_known else {}
            traits = nested.as_json(traits, well, self.portal.schema.properties.get(object_type, {}))
        leaves = leaves_of(traits, of_contact=well_known and object_type == "contacts")
        shape = self.shapes.of(object_type, tuple(leaves), own, well_known=well_known)
        self.notes += shape.notes
        if not shape.open:
            return self._statement(shape.plain, leaves, view), ()
        schema = self.portal.schema.properties.get(object_type, {})
        columns = list(shape.plain)
        requires: list[Key] = []
        for column in shape.open:
            name, trait, leaf = column
            if name not in schema:
                missing = self._missing(object_type, name, trait, leaves[leaf], sensitive=sensitive)
                if missing is None:
                    if self.portal.settings["unknown_properties"] == "reject":
                        return None
                    continue
                requires.append(missing)
            if name == LIFECYCLE and self._keeps_lifecycle(object_type, key, leaves[leaf]):
                self.notes.append(Note.LIFECYCLE_KEPT)
                continue
            columns.append(column)
        return self._statement(columns, leaves, view), tuple(requires)

    def _statement(
        self, columns: Collection[Column], leaves: Mapping[Leaf, Any], view: ProfileView | None
    ) -> Statement:
        """Values with the time at which their traits were said; what is no trait is as old as the event."""
        stamp = self.stamp
        made = Statement({name: leaves[leaf] for name, _, leaf in columns}, stamp)
        if view is None:
            return made
        said = view.traits.get
        for name, trait, leaf in columns:
            value, known = leaves[leaf], said(trait)
            if known is None or (when := known[1:]) == stamp:
                continue
            if known[0] == value or _holds(known[0], value):
                made.put(name, value, when)
        return made

    def _keeps_lifecycle(self, object_type: str, key: Key, value: Any) -> bool:
        """Whether the lifecycle stage stays as it is: never cleared, and backwards only under `allow_back`."""
        mode = self.portal.settings["lifecycle"]
        if value in (None, "", []) or mode == "never":
            return True
        record = self.records.get(key)
        last = record.confirmed.values.get(LIFECYCLE) if record is not None else None
        if mode != "forward_only" or last is None:
            return False
        stages = self.portal.schema.properties[object_type][LIFECYCLE].options
        order = {text.strip().lower(): i for i, stage in enumerate(stages) for text in stage}
        wanted, now = order.get(str(value).strip().lower()), order.get(str(last).strip().lower())
        return wanted is not None and now is not None and wanted < now

    def _missing(self, object_type: str, name: str, trait: str, value: Any, *, sensitive: bool) -> Key | None:
        """A property that HubSpot lacks: the key of its making, or None when it is left out."""
        settings = self.portal.settings
        key = Key("property", object_type, name)
        if settings["unknown_properties"] == "reject":
            self.notes.append(Note.UNKNOWN_PROPERTY.of(name))
            return None
        if value in (None, "", []) or name in settings["create_deny"]:
            self.notes.append(Note.UNKNOWN_PROPERTY_DROPPED.of(name))
            return None
        if self._from_browser() and not settings["create_from_browser"]:
            self.notes.append(Note.NOT_CREATED_FROM_BROWSER.of(name))
            return None
        kind = settings["properties"].get(name) or values.inferred_type(value)
        if not self.portal.want_property(object_type, name, trait[:100], kind, sensitive=sensitive):
            self.notes.append(Note.PROPERTY_LIMIT.of(name))
            return None
        self.plan.operations.append(
            Write("property", key, Statement(), lane=self.lane, extra={"object": object_type})
        )
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
        self.plan.operations.append(
            Write(
                "form",
                submission,
                self.says("submitted", True),
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
            Write("property", key, Statement(), lane=self.lane, extra={"object": "companies", "group": GROUP})
        )
        return (key,)

    def ensure_contact(self, key: Key) -> None:
        """Make the contact, as the identify mappings would, when HubSpot is not known to have it."""
        known = self.records.get(key) is not None or key.by == "id"
        if known or not self.portal.settings["ensure_contact"]:
            return
        said = self.says("email", key.value)
        requires = self.attributed(key)
        whose = self.person if self.person is not None and self.person.email == key.value else None
        if whose is not None:
            notes = list(self.notes)
            made = self.properties(
                "contacts",
                self.of_profile(whose, self.event, self.came),
                whose,
                key,
                own=frozenset({"email"}),
            )
            self.notes = notes
            if made is not None:
                said.fold(made[0])
                requires += made[1]
        self.plan.operations.append(
            Write(
                "contact",
                key,
                said,
                None,
                requires,
                whose.id if whose else None,
                partial=False,
                lane=self.lane,
            )
        )

    def _from_browser(self) -> bool:
        """As the workspace says of the source; where it says nothing, as the event says of itself."""
        known = self.portal.is_browser(self.event.source)
        if known is not None:
            return known
        library = self.event.context.get("library")
        name = (
            str(library.get("name", "")).lower() if isinstance(library, dict) else str(library or "").lower()
        )
        return self.event.channel in {"browser", "web", "client"} or name.startswith(_BROWSERS)


def record_id(given: Any) -> str:
    """What a mapping gives for a record's id, as text; empty when it gives none."""
    return "" if given is None else str(given).strip()


def is_record_id(text: str) -> bool:
    """Whether it is an id as HubSpot gives them: digits, and no others than 0 to 9."""
    return text.isascii() and text.isdigit()


def _holds(said: Any, value: Any) -> bool:
    """Whether a value can be a part of what was said, or its JSON text."""
    return isinstance(said, dict) or (isinstance(said, list) and isinstance(value, str))


def without_nulls(given: Mapping[str, Any]) -> dict[str, Any]:
    """The properties that are given; a null says nothing (Segment's actions)."""
    return {k: v for k, v in given.items() if v is not None}


def property_map(fields: Mapping[str, Any], name: str = "properties") -> dict[str, Any]:
    """An object field with its nulls as the mapping wants them. It may be the event's own: not to be changed."""
    given = fields.get(name)
    if not isinstance(given, dict):
        return {}
    return given if fields.get("null_clears", True) else without_nulls(given)
