"""Which profile an event belongs to, and which profiles become one (SEMANTICS 1). Pure decisions.

Two profiles merge only if the result has at most one userId. Otherwise the event goes to the profile of its
highest-priority identifier, the others stay where they are, and the refusal is noted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from millstream.profiles.identifiers import USER_ID
from millstream.profiles.profile import ExternalId, Profile


class Decision(msgspec.Struct, frozen=True):
    """Where the event goes: `profile` (None: a new one), what it absorbs, which ids it gains, and why not more."""

    profile: str | None
    absorbs: tuple[str, ...] = ()
    gains: tuple[ExternalId, ...] = ()
    note: str | None = None


def user_ids(profile: Profile) -> set[str]:
    """The profile's userIds."""
    return set(profile.ids.get(USER_ID, ()))


def decide(ids: Sequence[ExternalId], owners: Mapping[ExternalId, Profile]) -> Decision:
    """`ids` by priority; `owners` holds the profile of each id that is known."""
    owned: list[Profile] = []
    for external in ids:
        owner = owners.get(external)
        if owner is not None and all(o.id != owner.id for o in owned):
            owned.append(owner)
    if not owned:
        return Decision(None, (), tuple(ids))
    free = tuple(e for e in ids if e not in owners) if len(owners) < len(ids) else ()
    first = ids[0]
    home = owners.get(first)
    if home is not None and len(owned) == 1:
        return Decision(home.id, (), free)
    said = {e.value for e in ids if e.namespace == USER_ID}
    if home is None:
        # The best identifier is new: it may join a profile that has none of its kind.
        fitting = [p for p in owned if len(user_ids(p) | said) <= 1]
        if not fitting:
            return Decision(
                None, (), free, f"{first.namespace} differs from that of the other identifiers' profile"
            )
        home = fitting[0]
    kept = user_ids(home) | said
    absorbed: list[Profile] = []
    refused: list[str] = []
    for other in owned:
        if other.id == home.id:
            continue
        if len(kept | user_ids(other)) <= 1:
            kept |= user_ids(other)
            absorbed.append(other)
        else:
            refused.append(other.id)
    note = f"not merged with {', '.join(refused)}: another userId" if refused else None
    survivor = min([home, *absorbed], key=lambda p: (p.created_ms, p.id))
    gone = tuple(p.id for p in [home, *absorbed] if p.id != survivor.id)
    return Decision(survivor.id, gone, free, note)
