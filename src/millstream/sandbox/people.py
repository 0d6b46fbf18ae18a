"""Owners: the portal's users. Two of them, always the same, so that assignments can be tried."""

from __future__ import annotations

from typing import Any, Final

from millstream.sandbox.errors import Refused
from millstream.sandbox.portal import Portal
from millstream.sandbox.routing import Call, Reply, Route, family, page_of, route

_SINCE: Final = "2026-01-01T00:00:00.000Z"
OWNERS: Final[tuple[dict[str, Any], ...]] = tuple(
    {
        "id": str(number),
        "email": f"{first}.{last}@portal.example".lower(),
        "type": "PERSON",
        "firstName": first,
        "lastName": last,
        "userId": number - 1000,
        "userIdIncludingInactive": number - 1000,
        "createdAt": _SINCE,
        "updatedAt": _SINCE,
        "archived": False,
        "teams": [],
    }
    for number, first, last in ((1001, "Ada", "Lovelace"), (1002, "Grace", "Hopper"))
)


def owners(_portal: Portal, call: Call) -> Reply:
    """`GET /owners`, also by email."""
    if call.flag("archived"):
        return 200, {"results": []}
    email = call.query.get("email")
    return 200, page_of([o for o in OWNERS if email in {None, o["email"]}], call.query, 100, 500)


def owner(_portal: Portal, call: Call) -> Reply:
    """`GET /owners/{ownerId}`, by id or by user id."""
    key = "userId" if call.query.get("idProperty") == "userId" else "id"
    found = next((o for o in OWNERS if str(o[key]) == call["ownerId"]), None)
    if found is None:
        raise Refused(404, "resource not found", "OBJECT_NOT_FOUND")
    return 200, found


_OWNERS: Final = ("/crm/v3/owners", "/crm/owners/{}")
ROUTES: Final[list[Route]] = [
    *route("GET", family(*_OWNERS), owners),
    *route("GET", family(*_OWNERS, "/{ownerId}"), owner),
]
