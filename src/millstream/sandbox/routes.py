"""Paths → operations, under the v3/v4 and the dated forms alike."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from typing import Any, Final

from millstream.sandbox import activity, objects, schema
from millstream.sandbox.errors import Refused
from millstream.sandbox.portal import Portal

Reply = tuple[int, Any]
Operation = Callable[..., Reply]
_V: Final = r"(?:v3|v4|2026-03|2026-09)"
_OBJECTS: Final = rf"/crm/(?:v3/objects|v4/objects|objects/{_V})/([^/]+)"
_PROPERTIES: Final = rf"/crm/(?:v3/properties|properties/{_V})/([^/]+)"
_ASSOCIATIONS: Final = rf"/crm/(?:v4/associations|v3/associations|associations/{_V})/([^/]+)/([^/]+)"
_DEFINITIONS: Final = rf"/events/{_V}/event-definitions"


def table(portal: Portal, shuffle: random.Random) -> list[tuple[str, re.Pattern[str], Operation]]:
    """(method, path, operation); an operation takes the path's groups, the query and the body."""
    p = portal

    def route(method: str, pattern: str, work: Operation) -> tuple[str, re.Pattern[str], Operation]:
        return method, re.compile(pattern + "/?$"), work

    return [
        route(
            "POST",
            rf"{_OBJECTS}/batch/(read|create|update|upsert|archive)",
            lambda q, b, t, a: objects.batch(p, t, a, b, shuffle),
        ),
        route("POST", rf"{_OBJECTS}/search", lambda q, b, t: objects.search(p, p.type(t), b)),
        route("POST", rf"{_OBJECTS}/merge", lambda q, b, t: objects.merge(p, p.type(t), b or {})),
        route("POST", rf"{_OBJECTS}/gdpr-delete", lambda q, b, t: objects.gdpr_delete(p.type(t), b or {})),
        route(
            "PUT",
            rf"{_OBJECTS}/([^/]+)/associations/default/([^/]+)/([^/]+)",
            lambda q, b, t, i, u, j: (200, activity.associate(p, t, u, i, j)),
        ),
        route(
            "GET",
            rf"{_OBJECTS}/([^/]+)/associations/([^/]+)",
            lambda q, b, t, i, u: activity.read_associations(p, t, i, u),
        ),
        route(
            "DELETE",
            rf"{_OBJECTS}/([^/]+)/associations/([^/]+)/([^/]+)",
            lambda q, b, t, i, u, j: activity.remove_association(p, t, i, u, j),
        ),
        route("GET", _OBJECTS, lambda q, b, t: objects.page(p.type(t), q)),
        route("POST", _OBJECTS, lambda q, b, t: objects.create(p, p.type(t), b)),
        route(
            "GET",
            rf"{_OBJECTS}/([^/]+)",
            lambda q, b, t, i: objects.get(p.type(t), i, q.get("idProperty"), q),
        ),
        route(
            "PATCH",
            rf"{_OBJECTS}/([^/]+)",
            lambda q, b, t, i: objects.update(p, p.type(t), i, q.get("idProperty"), b),
        ),
        route("DELETE", rf"{_OBJECTS}/([^/]+)", lambda q, b, t, i: objects.archive(p.type(t), i)),
        route("GET", rf"{_PROPERTIES}/groups", lambda q, b, t: schema.list_groups(p, t)),
        route("POST", rf"{_PROPERTIES}/groups", lambda q, b, t: schema.create_group(p, t, b)),
        route("POST", rf"{_PROPERTIES}/batch/create", lambda q, b, t: schema.create_properties(p, t, b)),
        route("GET", _PROPERTIES, lambda q, b, t: schema.list_properties(p, t)),
        route("POST", _PROPERTIES, lambda q, b, t: schema.create_property(p, t, b)),
        route("GET", rf"{_PROPERTIES}/([^/]+)", lambda q, b, t, n: schema.get_property(p, t, n)),
        route("PATCH", rf"{_PROPERTIES}/([^/]+)", lambda q, b, t, n: schema.update_property(p, t, n, b)),
        route("DELETE", rf"{_PROPERTIES}/([^/]+)", lambda q, b, t, n: schema.archive_property(p, t, n)),
        route(
            "POST",
            rf"{_ASSOCIATIONS}/batch/associate/default",
            lambda q, b, t, u: activity.associate_batch(p, t, u, b, default=True),
        ),
        route(
            "POST",
            rf"{_ASSOCIATIONS}/batch/create",
            lambda q, b, t, u: activity.associate_batch(p, t, u, b, default=False),
        ),
        route("GET", _DEFINITIONS, lambda q, b: schema.list_definitions(_enterprise(p))),
        route("POST", _DEFINITIONS, lambda q, b: schema.create_definition(_enterprise(p), b)),
        route("GET", rf"{_DEFINITIONS}/([^/]+)", lambda q, b, n: (200, p.definition(n))),
        route("DELETE", rf"{_DEFINITIONS}/([^/]+)", lambda q, b, n: schema.delete_definition(p, n)),
        route(
            "POST", rf"{_DEFINITIONS}/([^/]+)/property", lambda q, b, n: schema.add_event_property(p, n, b)
        ),
        route(
            "POST", rf"/events/{_V}/send/batch", lambda q, b: activity.send(p, (b or {}).get("inputs") or [])
        ),
        route("POST", rf"/events/{_V}/send", lambda q, b: activity.send(p, [b])),
        route(
            "GET", rf"/events/(?:v3/events|event-occurrences/{_V})", lambda q, b: activity.occurrences(p, q)
        ),
        route("GET", rf"/account-info/{_V}/details", lambda q, b: schema.account(p)),
        route("GET", rf"/account-info/{_V}/api-usage/daily/private-apps", lambda q, b: schema.usage(p)),
        route("POST", r"/oauth/v2/private-apps/get/access-token-info", lambda q, b: schema.token_info(p, b)),
    ]


def _enterprise(portal: Portal) -> Portal:
    if portal.config.tier != "enterprise":
        raise Refused(403, "This account does not have access to custom events.", "MISSING_ENTITLEMENTS")
    return portal


SCOPES: Final[tuple[tuple[str, str, str], ...]] = (
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
