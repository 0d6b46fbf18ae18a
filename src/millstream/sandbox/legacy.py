"""What older integrations still call: contacts v1, properties v1, and the event pixel of the tracking host."""

from __future__ import annotations

import base64
from typing import Any, Final

from millstream.sandbox import payload
from millstream.sandbox.errors import Complaint, Refused
from millstream.sandbox.portal import Portal
from millstream.sandbox.record import Record
from millstream.sandbox.routing import Call, Content, Reply, Route, route

_GIF: Final = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")


def properties(portal: Portal, _call: Call) -> Reply:
    """`GET /properties/v1/contacts/properties`: a plain list."""
    return 200, list(portal.type("contacts").definitions.values())


def _values(body: dict[str, Any]) -> dict[str, str]:
    rows = payload.mappings(body, "properties")
    return {payload.text(r, "property"): payload.text(r, "value") for r in rows}


def _write(portal: Portal, email: str, values: dict[str, str]) -> tuple[Record, bool]:
    contacts = portal.type("contacts")
    checked = contacts.check({**values, "email": values.get("email", email)})
    found = contacts.find(email, "email")
    if found is None:
        return contacts.create(checked, portal.stamp()), True
    contacts.write(found, checked, portal.stamp())
    return found, False


def create(portal: Portal, call: Call) -> Reply:
    """`POST /contacts/v1/contact`: 409 when the address is known."""
    values = _values(call.object)
    contacts = portal.type("contacts")
    known = contacts.find(values.get("email", ""), "email") if values.get("email") else None
    if known is not None:
        raise Refused(
            409,
            "Contact already exists",
            "",
            error="CONTACT_EXISTS",
            identityProfile={"vid": int(known.id), "identity": [{"type": "EMAIL", "value": values["email"]}]},
        )
    made, _ = _write(portal, values.get("email", ""), values)
    return 200, {"vid": int(made.id), "properties": {n: {"value": v} for n, v in made.values.items()}}


def create_or_update(portal: Portal, call: Call) -> Reply:
    """`POST /contacts/v1/contact/createOrUpdate/email/{email}`."""
    made, fresh = _write(portal, call["email"], _values(call.object))
    return 200, {"vid": int(made.id), "isNew": fresh}


def batch(portal: Portal, call: Call) -> Reply:
    """`POST /contacts/v1/contact/batch/`: 1,000 at most, 202 without a body; one bad row fails all."""
    rows = payload.whole_list(call.body)
    if len(rows) > 1000:
        raise Refused(400, "At most 1000 contacts can be sent at once")
    contacts = portal.type("contacts")
    failures = []
    checked: list[tuple[str, dict[str, str]]] = []
    for i in range(len(rows)):
        row = payload.mapping(rows, i)
        try:
            values = _values(row)
            email = payload.text(row, "email") or values.get("email", "")
            contacts.check({**values, "email": email})
            checked.append((email, values))
        except Complaint as complaint:
            failures.append({"index": i, "error": {"message": complaint.message}})
    if failures:
        raise Refused(400, "Errors found processing batch update", "", failureMessages=failures)
    for email, values in checked:
        _write(portal, email, values)
    return 202, None


def event(portal: Portal, call: Call) -> Reply:
    """`GET /v1/event`: the pixel; always a picture, whatever is wrong."""
    query = dict(call.query)
    counted = portal.config.switches["legacy_events"] == "counted"
    if counted and query.get("_a") == str(portal.config.portal_id) and query.get("_n"):
        contacts = portal.type("contacts")
        email = query.get("email", "")
        found = contacts.find(email, "email") if email else None
        portal.legacy_events.append(
            {
                "event": query["_n"],
                "email": email,
                "contact": found.id if found else None,
                "revenue": query.get("_m"),
                "properties": {n: v for n, v in query.items() if n not in {"_a", "_n", "_m", "email"}},
                "at": portal.stamp(),
            }
        )
    return 200, Content(_GIF, "image/gif")


ROUTES: Final[list[Route]] = [
    *route("GET", "/properties/v1/contacts/properties", properties),
    *route("POST", "/contacts/v1/contact", create),
    *route("POST", "/contacts/v1/contact/batch", batch),
    *route("POST", "/contacts/v1/contact/createOrUpdate/email/{email}", create_or_update),
    *route("GET", "/v1/event", event, open=True),
]
