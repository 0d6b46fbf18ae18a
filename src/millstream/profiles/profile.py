"""A profile: a person or an account, its external ids, and its traits by event time. Values only."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, Literal, NamedTuple

import msgspec

from millstream.eventlog.resolved import ProfileView, TraitValue
from millstream.profiles.traits import NEVER, Traits


class ExternalId(NamedTuple):
    """An identifier: `("user_id", "u1")`, `("email", "jane@x.co")`, `("anonymous_id", …)`, `("group_id", …)`, or in a
    destination's own namespace. Emails are trimmed and lower-cased.
    """

    namespace: str
    value: str


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Traits).decode
_NO_TRAITS: Final = msgspec.Raw(_encode(Traits()))


class Profile(msgspec.Struct, array_like=True, tag=2, dict=True):
    """A person (`use_…`) or an account (`acc_…`).

    `ids` maps namespace and value of each external id to the event time (ms) it was last seen; the newest address by
    event time is `email()`. `accounts` maps the profile ids of accounts a person belongs to to the event time.
    `folded` are the traits as they are stored: most events do not touch them, so they are opened on demand.
    `borrowed` are addresses, with the same times, that were said of this person but identify somebody else: two userIds
    on one mailbox are two profiles, and both are written to at it.
    """

    id: str
    kind: Literal["person", "account"]
    created_ms: int
    updated_ms: int = 0
    ids: dict[str, dict[str, int]] = {}
    accounts: dict[str, int] = {}
    folded: msgspec.Raw = _NO_TRAITS
    borrowed: dict[str, int] = {}

    @property
    def traits(self) -> Traits:
        """The traits, to be read and changed."""
        found: Traits | None = self.__dict__.get("opened")
        return found if found is not None else self.open(_decode(self.folded))

    def stamped(self) -> dict[str, TraitValue]:
        """Each trait with when it was said."""
        return self.traits.stamped()

    def open(self, traits: Traits) -> Traits:
        """Put these in the place of what is stored."""
        self.__dict__["opened"] = traits
        return traits

    def externals(self) -> Iterator[ExternalId]:
        """All external ids."""
        return (ExternalId(namespace, value) for namespace, seen in self.ids.items() for value in seen)

    def see(self, externals: Iterable[ExternalId], time_ms: int) -> None:
        """Note that an event of that time carried these ids."""
        for namespace, value in externals:
            seen = self.ids.get(namespace)
            if seen is None:
                self.ids[namespace] = {value: time_ms}
            elif time_ms > seen.get(value, NEVER[0]):
                seen[value] = time_ms
        if self.borrowed:
            self._reclaim()

    def borrow(self, address: str, time_ms: int) -> None:
        """Note that an event of that time carried an address that identifies somebody else."""
        self.borrowed[address] = max(time_ms, self.borrowed.get(address, time_ms))

    def fold(self) -> None:
        """Put the traits back as they are stored: a tenth of the memory."""
        if self.__dict__:
            self.folded = msgspec.Raw(_encode(self.traits))
            self.__dict__.clear()

    def absorb(self, other: Profile) -> None:
        """Take over everything of another profile; the newest of each trait wins."""
        for external in other.externals():
            self.see((external,), other.ids[external.namespace][external.value])
        for address, at in other.borrowed.items():
            self.borrow(address, at)
        self._reclaim()
        for account, at in other.accounts.items():
            self.accounts[account] = max(at, self.accounts.get(account, at))
        self.traits.join(other.traits)
        self.updated_ms = max(self.updated_ms, other.updated_ms)

    def addresses(self) -> dict[str, int]:
        """Every email address that was said of this person, and the event time (ms) it was last seen."""
        own = self.ids.get("email", {})
        return own | self.borrowed if self.borrowed else own

    def email(self) -> str | None:
        """The newest email address by event time."""
        seen = self.addresses()
        if not seen:
            return None
        return max(seen, key=lambda value: (seen[value], value)) if len(seen) > 1 else next(iter(seen))

    def _reclaim(self) -> None:
        """What identifies this person by now is borrowed no more: its owner was forgotten."""
        own = self.ids.get("email", {})
        for address in own.keys() & self.borrowed.keys():
            own[address] = max(own[address], self.borrowed.pop(address))


def view(profile: Profile) -> ProfileView:
    """A profile as delivery sees it."""
    ids = profile.ids | {"email": profile.addresses()} if profile.borrowed else profile.ids
    return ProfileView(
        profile.id,
        profile.email(),
        profile.stamped,
        {namespace: _newest(seen) for namespace, seen in ids.items()},
        _newest(profile.accounts),
    )


def _newest(seen: dict[str, int]) -> list[str]:
    """Names, the last seen first."""
    return sorted(seen, key=seen.__getitem__, reverse=True) if len(seen) > 1 else list(seen)
