"""All operations of the portal, and which scope a call needs."""

from __future__ import annotations

import re
from typing import Final

from millstream.sandbox import (
    account,
    associations,
    custom,
    definitions,
    forms,
    legacy,
    lists,
    oauth,
    objects,
    occurrences,
    people,
    pipelines,
    schema,
    search,
    subscriptions,
    tracking,
    webhooks,
)
from millstream.sandbox.routing import Table

_FAMILIES: Final = (
    objects, search, associations, schema, custom, lists, people, pipelines, definitions, occurrences, account, oauth,
    subscriptions, forms, webhooks, legacy, tracking,
)  # fmt: skip


def table() -> Table:
    """Every path that the portal answers."""
    return Table([route for family in _FAMILIES for route in family.ROUTES])


SCOPES: Final[tuple[tuple[str, str, str], ...]] = (
    (r"^/contacts/v1/", "POST", "crm.objects.contacts.write"),
    (
        r"/contacts/batch/(create|update|upsert|archive)|^/crm/.*/contacts/?$",
        "POST",
        "crm.objects.contacts.write",
    ),
    (
        r"/companies/batch/(create|update|upsert|archive)|^/crm/.*/companies/?$",
        "POST",
        "crm.objects.companies.write",
    ),
    (r"/properties/.*contacts", "POST", "crm.schemas.contacts.write"),
    (r"/properties/.*companies", "POST", "crm.schemas.companies.write"),
    (r"/events/.*/send", "POST", "behavioral_events.send.write"),
    (r"/event-definitions", "POST", "behavioral_events.event_definitions.read_write"),
    (r"/event-definitions", "GET", "behavioral_events.event_definitions.read_write"),
)


def needed_scope(method: str, path: str) -> str | None:
    """The scope that a call needs, of those that the sandbox looks at."""
    if "/properties/" in path:
        rules = [r for r in SCOPES if "properties" in r[0]]
    else:
        rules = [r for r in SCOPES if "properties" not in r[0]]
    return next(
        (scope for pattern, verb, scope in rules if verb == method and re.search(pattern, path)), None
    )
