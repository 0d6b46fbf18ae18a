"""What an action has at hand: the event, its person and account, the portal, and the plan it adds to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from millstream.delivery.operation import Job, Key, Lane, Stamped, Write
from millstream.delivery.outcome import Outcome, Reason, State
from millstream.delivery.plan import Plan, Records, Waiting
from millstream.destinations.hubspot import names, values
from millstream.destinations.hubspot.portal import DOMAIN_PROPERTY, GROUP, Portal
from millstream.eventlog.resolved import ProfileView, Resolved
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
    lane: Lane = Lane.LIVE
    as_of_now: bool = False
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

    def contact_key(self, email: Any) -> Key | None:
        """The contact that an address names, or the profile's. None when there is no address.

        Under `email_change: move` the person's own contact, by id, when the address is new to us (SEMANTICS 7).
        """
        address = email_of(email) or (self.person.email if self.person else None)
        if not address:
            return None
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
        self, object_type: str, traits: Mapping[str, Any], view: ProfileView | None, key: Key
    ) -> tuple[dict[str, Stamped], tuple[Key, ...]] | None:
        """Traits as properties of the record `key`, and the properties that must be made first. None: dead-lettered."""
        special = names.CONTACT_FIELDS if object_type == "contacts" else names.COMPANY_FIELDS
        schema = self.portal.schema.properties.get(object_type, {})
        flat, notes = names.flatten(traits, special, schema)
        self.notes += notes
        found: dict[str, Stamped] = {}
        requires: list[Key] = []
        for name, (trait, value) in flat.items():
            if name in {"hs_object_id", "email"} or (name == "domain" and object_type == "companies"):
                continue
            if name not in schema:
                missing = self._missing(object_type, name, trait, value)
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

    def _missing(self, object_type: str, name: str, trait: str, value: Any) -> Key | None:
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
        if not self.portal.want_property(object_type, name, trait[:100], kind):
            self.notes.append(f"property_limit:{name}")
            return None
        self.plan.operations.append(Write("property", key, {}, lane=self.lane, extra={"object": object_type}))
        return key

    def require_domain_property(self) -> tuple[Key, ...]:
        """Our unique company property, made when it is missing."""
        if DOMAIN_PROPERTY in self.portal.schema.properties.get("companies", {}):
            return ()
        key = Key("property", "companies", DOMAIN_PROPERTY)
        self.portal.wanted_properties.setdefault(
            ("companies", DOMAIN_PROPERTY), {"label": "Millstream domain", "kind": "string", "unique": True}
        )
        self.plan.operations.append(
            Write("property", key, {}, lane=self.lane, extra={"object": "companies", "group": GROUP})
        )
        return (key,)

    def ensure_contact(self, key: Key) -> None:
        """Make the contact, with everything the profile knows, when HubSpot is not known to have it."""
        if self.records.get(key) is not None or not self.portal.settings["ensure_contact"]:
            return
        stamped = Stamped(key.value, self.resolved.time_ms, self.resolved.offset)
        found: dict[str, Stamped] = {"email": stamped}
        requires: tuple[Key, ...] = ()
        whose = self.person if self.person is not None and self.person.email == key.value else None
        if whose is not None:
            notes = list(self.notes)
            made = self.properties("contacts", {k: t.value for k, t in whose.traits.items()}, whose, key)
            self.notes = notes
            if made is not None:
                found |= made[0]
                requires = made[1]
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
