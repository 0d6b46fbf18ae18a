"""What identifies a person or an account in an event, and what never does (SEMANTICS 1). Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final

from millstream.profiles.profile import ExternalId
from millstream.spec.events import Event

USER_ID: Final = "user_id"
EMAIL: Final = "email"
ANONYMOUS_ID: Final = "anonymous_id"
GROUP_ID: Final = "group_id"
PRIORITY: Final = (USER_ID, EMAIL, ANONYMOUS_ID)

_BLOCKED: Final = frozenset(
    {"", "null", "undefined", "none", "anonymous", "-1", "nil", "n/a", "na", "unknown", "{}", "lmy47d", "nan"}
)
_ZEROS: Final = re.compile(r"^[0-]*$")
_EMAIL: Final = re.compile(r"^[^@\s\x00-\x1f,;<>()\[\]\\\"]+@[^@\s\x00-\x1f,;<>()\[\]\\\"]+\.[^@\s.]+$")
_MAX: Final = 500


def blocked(value: str) -> bool:
    """Whether a value never identifies anybody."""
    return value.strip().lower() in _BLOCKED or _ZEROS.match(value.strip()) is not None or len(value) > _MAX


def email_of(value: Any) -> str | None:
    """A normalised address, or None when it is none."""
    if not isinstance(value, str) or len(value) > 320:
        return None
    text = value.strip().lower()
    return text if _EMAIL.match(text) else None


def person_ids(event: Event) -> list[ExternalId]:
    """The person's external ids by priority. An email in the properties addresses, it does not identify."""
    found: list[ExternalId] = []
    if event.user_id and not blocked(event.user_id):
        found.append(ExternalId(USER_ID, event.user_id))
    said: list[Any] = [event.traits.get("email")] if event.type != "group" else []
    traits = event.context.get("traits")
    if isinstance(traits, dict):
        said.append(traits.get("email"))
    email = next((e for e in map(email_of, said) if e), None)
    if email:
        found.append(ExternalId(EMAIL, email))
    if event.anonymous_id and not blocked(event.anonymous_id):
        found.append(ExternalId(ANONYMOUS_ID, event.anonymous_id))
    return found


def account_id(event: Event, group_types: Iterable[str]) -> ExternalId | None:
    """The account that a group call describes. Amplitude's group types count only when they are companies' types."""
    if event.type != "group" or not event.group_id or blocked(event.group_id):
        return None
    if event.groups and event.groups[0].type not in set(group_types):
        return None
    return ExternalId(GROUP_ID, event.group_id)


def member_ids(event: Event, group_types: Iterable[str]) -> list[ExternalId]:
    """Accounts that the event says its person belongs to."""
    types = set(group_types)
    found = [
        ExternalId(GROUP_ID, f"{g.type}:{g.id}")
        for g in event.groups
        if g.type in types and not blocked(g.id)
    ]
    own = account_id(event, types)
    return [own, *(f for f in found if f != own)] if own else found
