"""A profile: a person or an account, its external ids, and its traits by event time. Values only."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from millstream.eventlog.resolved import ProfileView, TraitValue


class ExternalId(NamedTuple):
    """An identifier: `("user_id", "u1")`, `("email", "jane@x.co")`, `("anonymous_id", …)`, `("group_id", …)`, or in a
    destination's own namespace. Emails are trimmed and lower-cased.
    """

    namespace: str
    value: str


@dataclass(slots=True)
class Profile:
    """A person (`use_…`) or an account (`acc_…`).

    `external_ids` maps each id to the event time (ms) it was last seen; `emails` among them: the newest by event time
    is `email()`. `accounts` maps the profile ids of accounts a person belongs to to the event time. `removed` keeps
    the time at which a trait was removed, so that an older value does not come back.
    """

    id: str
    kind: Literal["person", "account"]
    created_ms: int
    external_ids: dict[ExternalId, int] = field(default_factory=dict)
    traits: dict[str, TraitValue] = field(default_factory=dict)
    removed: dict[str, tuple[int, int]] = field(default_factory=dict)
    accounts: dict[str, int] = field(default_factory=dict)
    updated_ms: int = 0

    def email(self) -> str | None:
        """The newest email address by event time."""
        newest: tuple[int, str] | None = None
        for (namespace, value), seen in self.external_ids.items():
            if namespace == "email" and (newest is None or (seen, value) > newest):
                newest = (seen, value)
        return newest[1] if newest is not None else None

    def copy(self) -> Profile:
        """A profile of its own to change; the values are shared, nobody changes those."""
        return Profile(
            self.id,
            self.kind,
            self.created_ms,
            self.external_ids.copy(),
            self.traits.copy(),
            self.removed.copy(),
            self.accounts.copy(),
            self.updated_ms,
        )


def view(profile: Profile) -> ProfileView:
    """A profile as delivery sees it."""
    ids: dict[str, list[str]] = {}
    seen = profile.external_ids
    for external in sorted(seen, key=seen.__getitem__, reverse=True):
        ids.setdefault(external.namespace, []).append(external.value)
    newest = sorted(profile.accounts, key=profile.accounts.__getitem__, reverse=True)
    return ProfileView(profile.id, profile.email(), profile.traits, ids, newest)
