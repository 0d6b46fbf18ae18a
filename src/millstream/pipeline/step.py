"""One step of the processor: the profiles it touches, as the store had them and as the step leaves them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from hashlib import blake2b

from millstream.eventlog.record import Offset
from millstream.eventlog.resolved import Resolution, Status
from millstream.pipeline.store import ProcessorCommit, ProcessorStore
from millstream.profiles import traits
from millstream.profiles.identifiers import EMAIL, EventIds, event_ids
from millstream.profiles.identity import Decision, decide
from millstream.profiles.profile import ExternalId, Profile
from millstream.profiles.stored import pack, unpack
from millstream.profiles.traits import Traits
from millstream.spec.events import Claim


@dataclass(slots=True)
class Mark:
    """A step as it was before an event: what `Step.restore` puts back."""

    owners: dict[ExternalId, str]
    profiles: dict[str, Profile]
    touched: dict[str, None]
    identities: dict[ExternalId, str]
    merged: dict[str, str]


class Step:
    """An overlay over the store: reads in batches, collects one commit."""

    def __init__(self, store: ProcessorStore, group_types: Iterable[str], end: Offset) -> None:
        self._store = store
        self._group_types = frozenset(group_types)
        self.commit = ProcessorCommit(position=end)
        self._owners: dict[ExternalId, str] = {}
        self._known: set[ExternalId] = set()
        self._profiles: dict[str, Profile] = {}
        self._touched: dict[str, None] = {}
        self._survivors: set[str] = set()  # of merges of this step

    def prefetch(self, claims: Iterable[Claim]) -> list[EventIds]:
        """The ids of these events, their profiles read with one look-up of ids and one of profiles."""
        ids = [event_ids(claim, self._group_types) for claim in claims]
        wanted = {external for each in ids for external in each.all()}
        missing = wanted - self._known
        self._known |= missing
        owners = {e: self._survivor(p) for e, p in self._store.find(missing).items()}
        for external, owner in owners.items():
            self._owners.setdefault(external, owner)
        unread = {p for p in owners.values() if p not in self._profiles}
        self._profiles.update(self._store.load(unread))
        return ids

    def resolve(self, claim: Claim, said: EventIds, offset: Offset, time_ms: int) -> Resolution:
        """Find the event's person and account, apply its traits."""
        account = self._account(claim, said.account, offset, time_ms) if said.account is not None else None
        ids = said.person
        if not ids:
            note = None if claim.type == "group" else "no identifier that identifies"
            return Resolution(Status.NEW, account=account.id if account else None, note=note)
        person, absorbed_waiting, note = self._person(ids, offset, time_ms)
        had_email = "email" in person.ids or bool(person.borrowed)
        if note is None:
            person.see(ids, time_ms)
        else:
            self._see_divided(person, ids, time_ms)
        change = self._apply_traits(person, claim, offset, time_ms)
        for member in said.members:
            owner = self._owners.get(member) or self._new(member, "account", offset, time_ms).id
            person.accounts[owner] = max(time_ms, person.accounts.get(owner, time_ms))
        person.updated_ms = max(person.updated_ms, time_ms)
        self._touched[person.id] = None
        email = person.email()
        gained = email is not None and (not had_email or absorbed_waiting)
        if change.note:
            note = f"{note}; {change.note}" if note else change.note
        return Resolution(
            Status.NEW,
            person.id,
            account.id if account else None,
            email,
            change.superseded,
            gained,
            note,
            change.results,
        )

    def fold(self, ids: Iterable[EventIds]) -> None:
        """Fold the profiles that events with these ids have opened, while they are in the processor's cache."""
        for said in ids:
            for external in said.all():
                if (owner := self._owners.get(external)) is not None:
                    self._profiles[owner].fold()

    def finish(self) -> ProcessorCommit:
        """The commit with every profile that was touched and is still its own."""
        self.commit.profiles = [self._profiles[i] for i in self._touched if i in self._profiles]
        self.commit.owners = self._owners
        return self.commit

    def mark(self, said: EventIds) -> Mark:
        """The step as it is, with copies of the profiles that an event with these ids can touch."""
        mine = {self._owners[e] for e in said.all() if e in self._owners}
        profiles = {i: unpack(pack(p)) if i in mine else p for i, p in self._profiles.items()}
        commit = self.commit
        return Mark(
            dict(self._owners), profiles, dict(self._touched), dict(commit.identities), dict(commit.merged)
        )

    def restore(self, mark: Mark) -> None:
        """Undo what an event that raised has half done."""
        self._owners, self._profiles, self._touched = mark.owners, mark.profiles, mark.touched
        self.commit.identities, self.commit.merged = mark.identities, mark.merged

    def _survivor(self, profile: str) -> str:
        while profile in self.commit.merged:
            profile = self.commit.merged[profile]
        return profile

    def _account(self, claim: Claim, external: ExternalId, offset: Offset, time_ms: int) -> Profile:
        owner = self._owners.get(external)
        account = self._profiles[owner] if owner else self._new(external, "account", offset, time_ms)
        traits.apply(account.traits, claim.traits, time_ms, offset)
        if claim.operations:
            traits.operate(account.traits, claim.operations, time_ms, offset)
        account.updated_ms = max(account.updated_ms, time_ms)
        self._touched[account.id] = None
        return account

    def _person(
        self, ids: list[ExternalId], offset: Offset, time_ms: int
    ) -> tuple[Profile, bool, str | None]:
        """The person that the ids decide on; whether somebody without an address was absorbed; the refusal."""
        if (sole := self._sole_owner(ids)) is not None:
            return self._profiles[sole], False, None
        owners = {e: self._profiles[self._owners[e]] for e in ids if e in self._owners}
        decision = decide(ids, owners) if owners else Decision(None, (), tuple(ids))
        if decision.profile is None:
            person = self._new(decision.gains[0] if decision.gains else ids[0], "person", offset, time_ms)
        else:
            person = self._profiles[decision.profile]
        absorbed_waiting = False
        for gone in decision.absorbs:
            absorbed = self._profiles.pop(gone)
            absorbed_waiting = absorbed_waiting or absorbed.email() is None or person.email() is None
            person.absorb(absorbed)
            for external in absorbed.externals():
                self._own(external, person.id)
            if gone in self._survivors:
                self.commit.merged = {
                    a: (person.id if s == gone else s) for a, s in self.commit.merged.items()
                }
            self.commit.merged[gone] = person.id
            self._survivors.add(person.id)
            self._touched.pop(gone, None)
        for external in decision.gains:
            self._own(external, person.id)
        return person, absorbed_waiting, decision.note

    def _sole_owner(self, ids: list[ExternalId]) -> str | None:
        """Whoever has all of the ids: nothing has to be decided."""
        owners = self._owners
        first = owners.get(ids[0])
        for external in ids:
            if owners.get(external) != first:
                return None
        return first

    def _see_divided(self, person: Profile, ids: list[ExternalId], time_ms: int) -> None:
        """Note ids that are not all the person's: an address among the others was said of them all the same."""
        mine = [e for e in ids if self._owners.get(e) == person.id]
        person.see(mine, time_ms)
        for external in ids:
            if external.namespace == EMAIL and external not in mine:
                person.borrow(external.value, time_ms)

    def _new(self, external: ExternalId, kind: str, offset: Offset, time_ms: int) -> Profile:
        """A profile whose id follows from the offset and what it is made for: the same when run again.

        Ids begin with the offset: the table of profiles then grows at its end, and who came together lies together.
        """
        digest = blake2b("\x00".join(external).encode(), digest_size=6).hexdigest()
        if kind == "account":
            profile = Profile(f"acc_{offset:012x}{digest}", "account", time_ms)
            profile.see((external,), time_ms)
            self._own(external, profile.id)
        else:
            profile = Profile(f"use_{offset:012x}{digest}", "person", time_ms)
        profile.open(Traits())
        self._profiles[profile.id] = profile
        self._touched[profile.id] = None
        return profile

    def _own(self, external: ExternalId, profile: str) -> None:
        self._owners[external] = profile
        self._known.add(external)
        self.commit.identities[external] = profile

    def _apply_traits(self, person: Profile, claim: Claim, offset: Offset, time_ms: int) -> traits.Change:
        change = traits.NOTHING
        if claim.traits and claim.type in {"identify", "track"}:
            change = traits.apply(person.traits, claim.traits, time_ms, offset)
        if claim.operations and claim.type != "group":
            change = replace(change, results=traits.operate(person.traits, claim.operations, time_ms, offset))
        if claim.context and claim.type in {"track", "page", "screen"}:
            context = claim.context.get("traits")
            if context and isinstance(context, dict):
                fill_only = claim.dialect == "rudderstack"
                late = traits.apply(person.traits, context, time_ms, offset, fill_only=fill_only)
                change = replace(
                    change, superseded=(*change.superseded, *late.superseded), note=change.note or late.note
                )
        return change
