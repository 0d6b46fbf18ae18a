"""The browser side: the tracking code with `_hsq`, the pixel that it calls, and the forms script.

The script is the sandbox's own. It understands the calls of `_hsq` (setPath, trackPageView, identify,
trackCustomBehavioralEvent, trackEvent, doNotTrack, addPrivacyConsentListener), keeps HubSpot's cookies and reports each
call to `/__ptq.gif`.
"""

from __future__ import annotations

import base64
import contextlib
import json
from importlib import resources
from typing import Final

from millstream.sandbox import occurrences, payload
from millstream.sandbox.errors import Complaint, Refused
from millstream.sandbox.portal import Portal
from millstream.sandbox.routing import Call, Content, Reply, Route, route

_GIF: Final = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")
_JAVASCRIPT: Final = "application/javascript; charset=utf-8"


def script(portal: Portal, call: Call) -> Reply:
    """`/{hubId}.js`, and the address that Segment's Classic plugin loads."""
    if call["portalId"] != str(portal.config.portal_id):
        raise Refused(404, "resource not found", "")
    source = resources.files("millstream.sandbox").joinpath("assets", "tracking.js").read_text()
    text = source.replace("__PORTAL__", str(portal.config.portal_id))
    return 200, Content(text.encode(), _JAVASCRIPT, {"Cache-Control": "max-age=300"})


def forms_script(_portal: Portal, _call: Call) -> Reply:
    """`/forms/v2.js`: `hbspt.forms.create` draws a form that posts to the submissions endpoint."""
    source = resources.files("millstream.sandbox").joinpath("assets", "forms.js").read_text()
    return 200, Content(source.encode(), _JAVASCRIPT)


def pixel(portal: Portal, call: Call) -> Reply:
    """`/__ptq.gif`: one call of the script. `k` says which, `i` who the visitor is; always a picture."""
    query = dict(call.query)
    picture = 200, Content(_GIF, "image/gif", {"Cache-Control": "no-store"})
    if query.get("a") != str(portal.config.portal_id):
        return picture
    visitor, kind = query.get("vi", ""), query.get("k", "")
    _identify(portal, visitor, _object(query.get("i", "")))
    if kind == "1":
        portal.page_views.append(
            {
                "url": query.get("pu", ""),
                "title": query.get("t", ""),
                "utk": visitor,
                "contact": portal.visitors.get(visitor),
                "at": portal.stamp(),
            }
        )
    elif kind == "event":
        item = {
            "eventName": query.get("n"),
            "utk": visitor,
            "objectId": portal.visitors.get(visitor),
            "properties": _object(query.get("p", "")),
        }
        with contextlib.suppress(Refused, Complaint, payload.Misfit):
            occurrences.send_one(portal, item)
    return picture


def _identify(portal: Portal, visitor: str, values: dict[str, object]) -> None:
    """The visitor's contact, made or changed. What cannot be read changes nothing."""
    email = payload.text(values, "email") if not isinstance(values.get("email"), dict | list) else ""
    if not email:
        return
    contacts, now = portal.type("contacts"), portal.stamp()
    with contextlib.suppress(Complaint, payload.Misfit):
        checked = contacts.check({n: v for n, v in values.items() if n in contacts.definitions})
        found = contacts.find(email, "email")
        if found is None:
            found = contacts.create(checked, now)
        else:
            contacts.write(found, checked, now)
        portal.visitors[visitor] = found.id


def _object(text: str) -> dict[str, object]:
    try:
        found = json.loads(text or "{}")
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


ROUTES: Final[list[Route]] = [
    *route("GET", ("/{portalId}.js", "/analytics/{cacheBuster}/{portalId}.js"), script, open=True),
    *route("GET", ("/forms/v2.js", "/forms/shell.js", "/forms/embed/v2.js"), forms_script, open=True),
    *route("GET", "/__ptq.gif", pixel, open=True),
]
