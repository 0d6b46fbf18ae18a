"""What identifies a person or an account in an event, and what never does (SEMANTICS 1). Pure."""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec

from millstream.profiles.profile import ExternalId
from millstream.profiles.traits import made
from millstream.spec.events import Claim

USER_ID: Final = "user_id"
EMAIL: Final = "email"
ANONYMOUS_ID: Final = "anonymous_id"
GROUP_ID: Final = "group_id"

_BLOCKED: Final = frozenset(
    {"", "null", "undefined", "none", "anonymous", "-1", "nil", "n/a", "na", "unknown", "{}", "lmy47d", "nan"}
)
_ZEROS: Final = re.compile(r"^[0-]*$")
_EMAIL: Final = re.compile(r"^[^@\s\x00-\x1f,;<>()\[\]\\\"]+@[^@\s\x00-\x1f,;<>()\[\]\\\"]+\.[^@\s.]+$")
_MAX: Final = 500


def blocked(value: str) -> bool:
    """Whether a value never identifies anybody."""
    text = value.strip().lower()
    return text in _BLOCKED or len(value) > _MAX or (text[0] in "0-" and _ZEROS.match(text) is not None)


def email_of(value: Any) -> str | None:
    """A normalised address, or None when it is none."""
    if not isinstance(value, str) or len(value) > 320:
        return None
    text = value.strip().lower()
    return text if _EMAIL.match(text) else None


class EventIds(msgspec.Struct, frozen=True, gc=False):
    """Everything that an event says about whom it belongs to, worked out once.

    `person` by priority; `account` is the one that a group call describes; `members` the accounts (that one first)
    that the person belongs to.
    """

    person: list[ExternalId]
    account: ExternalId | None = None
    members: list[ExternalId] = []

    def all(self) -> list[ExternalId]:
        """Every id whose owner has to be known."""
        return self.person + self.members if self.members else self.person


def event_ids(claim: Claim, group_types: frozenset[str]) -> EventIds:
    """The ids of an event. An alias (also RudderStack's merge) joins its anonymous previousId to the userId."""
    person = person_ids(claim)
    if claim.type == "alias" and claim.previous_id and not blocked(claim.previous_id):
        person = [*person[:1], ExternalId(ANONYMOUS_ID, claim.previous_id)]
    if claim.type != "group" and not claim.groups:
        return EventIds(person)
    return EventIds(person, account_id(claim, group_types), member_ids(claim, group_types))


def person_ids(claim: Claim) -> list[ExternalId]:
    """The person's external ids by priority. An email in the properties addresses, it does not identify."""
    found: list[ExternalId] = []
    if claim.user_id and not blocked(claim.user_id):
        found.append(made(ExternalId, (USER_ID, claim.user_id)))
    email = email_of(claim.traits.get("email")) if claim.traits and claim.type != "group" else None
    if email is None and claim.context and isinstance(traits := claim.context.get("traits"), dict):
        email = email_of(traits.get("email"))
    if email:
        found.append(made(ExternalId, (EMAIL, email)))
    if claim.anonymous_id and not blocked(claim.anonymous_id):
        found.append(made(ExternalId, (ANONYMOUS_ID, claim.anonymous_id)))
    return found


def account_id(claim: Claim, group_types: frozenset[str]) -> ExternalId | None:
    """The account that a group call describes. Amplitude's group types count only when they are companies' types."""
    if claim.type != "group" or not claim.group_id or blocked(claim.group_id):
        return None
    if claim.groups and claim.groups[0].type not in group_types:
        return None
    return ExternalId(GROUP_ID, claim.group_id)


def member_ids(claim: Claim, group_types: frozenset[str]) -> list[ExternalId]:
    """Accounts that the event says its person belongs to."""
    found = [
        ExternalId(GROUP_ID, f"{g.type}:{g.id}")
        for g in claim.groups
        if g.type in group_types and not blocked(g.id)
    ]
    own = account_id(claim, group_types)
    return [own, *(f for f in found if f != own)] if own else found
