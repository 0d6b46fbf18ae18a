"""What identifies a person or an account in an event, and what never does (SEMANTICS 1). Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final, NamedTuple

from millstream.profiles.profile import ExternalId
from millstream.spec.events import Event

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


class EventIds(NamedTuple):
    """Everything that an event says about whom it belongs to, worked out once.

    `person` by priority; `account` is the one that a group call describes; `members` the accounts (that one first)
    that the person belongs to.
    """

    person: list[ExternalId]
    account: ExternalId | None
    members: list[ExternalId]

    def all(self) -> Iterable[ExternalId]:
        """Every id whose owner has to be known."""
        return (*self.person, *self.members)


def event_ids(event: Event, group_types: frozenset[str]) -> EventIds:
    """The ids of an event. An alias (also RudderStack's merge) joins its anonymous previousId to the userId."""
    person = person_ids(event)
    if event.type == "alias" and event.previous_id and not blocked(event.previous_id):
        person = [*person[:1], ExternalId(ANONYMOUS_ID, event.previous_id)]
    if event.type != "group" and not event.groups:
        return EventIds(person, None, [])
    return EventIds(person, account_id(event, group_types), member_ids(event, group_types))


def person_ids(event: Event) -> list[ExternalId]:
    """The person's external ids by priority. An email in the properties addresses, it does not identify."""
    found: list[ExternalId] = []
    if event.user_id and not blocked(event.user_id):
        found.append(ExternalId(USER_ID, event.user_id))
    email = email_of(event.traits.get("email")) if event.type != "group" else None
    if email is None and isinstance(traits := event.context.get("traits"), dict):
        email = email_of(traits.get("email"))
    if email:
        found.append(ExternalId(EMAIL, email))
    if event.anonymous_id and not blocked(event.anonymous_id):
        found.append(ExternalId(ANONYMOUS_ID, event.anonymous_id))
    return found


def account_id(event: Event, group_types: frozenset[str]) -> ExternalId | None:
    """The account that a group call describes. Amplitude's group types count only when they are companies' types."""
    if event.type != "group" or not event.group_id or blocked(event.group_id):
        return None
    if event.groups and event.groups[0].type not in group_types:
        return None
    return ExternalId(GROUP_ID, event.group_id)


def member_ids(event: Event, group_types: frozenset[str]) -> list[ExternalId]:
    """Accounts that the event says its person belongs to."""
    found = [
        ExternalId(GROUP_ID, f"{g.type}:{g.id}")
        for g in event.groups
        if g.type in group_types and not blocked(g.id)
    ]
    own = account_id(event, group_types)
    return [own, *(f for f in found if f != own)] if own else found
