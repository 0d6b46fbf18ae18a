"""Webhooks of an app: settings, subscriptions, and the signed delivery of what happens in the portal.

Deliveries collect events (fewer than 100) and go out in the background, with HubSpot's v1 and v3 signatures; an answer
that is not 2xx within five seconds is tried again ten times, which HubSpot spreads over a day and the sandbox over half
a minute.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.client
import json
import re
import threading
import time
import urllib.request
from collections import deque
from typing import Any, Final

from millstream.sandbox import payload
from millstream.sandbox.errors import Refused
from millstream.sandbox.portal import Portal
from millstream.sandbox.routing import Call, Reply, Route, complete, route

_KINDS: Final = {
    "contacts": "contact",
    "companies": "company",
    "deals": "deal",
    "tickets": "ticket",
    "products": "product",
    "line_items": "line_item",
}
_TYPES: Final = (*_KINDS.values(), "conversation", "object")
_ACTIONS: Final = (
    "creation",
    "propertyChange",
    "deletion",
    "privacyDeletion",
    "merge",
    "associationChange",
    "restore",
    "newMessage",
)
_RETRIES: Final = 10
_MOST: Final = 99
# HubSpot decodes only these in the address before it signs.
_DECODED: Final = re.compile("%(3A|2F|3F|40|21|24|27|28|29|2A|2C|3B)", re.IGNORECASE)


def signature_v1(secret: str, body: bytes) -> str:
    """`X-HubSpot-Signature`, version v1."""
    return hashlib.sha256(secret.encode() + body).hexdigest()


def signature_v2(secret: str, method: str, url: str, body: bytes) -> str:
    """`X-HubSpot-Signature`, version v2: of workflow actions and cards."""
    return hashlib.sha256(secret.encode() + method.encode() + url.encode() + body).hexdigest()


def signature_v3(secret: str, method: str, url: str, body: bytes, timestamp_ms: str) -> str:
    """`X-HubSpot-Signature-v3`: over the decoded address."""
    decoded = _DECODED.sub(lambda m: chr(int(m[1], 16)), url)
    message = method.encode() + decoded.encode() + body + timestamp_ms.encode()
    return base64.b64encode(hmac.new(secret.encode(), message, hashlib.sha256).digest()).decode()


class Deliveries:
    """What waits to be delivered, and the thread that does it once there is something."""

    def __init__(self, portal: Portal) -> None:
        self._portal = portal
        self.pause_s = 0.1
        self._waiting: deque[dict[str, Any]] = deque()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        portal.listeners.append(self.happened)

    def happened(self, object_type: str, action: str, record_id: str, more: dict[str, Any]) -> None:
        """Something changed: an event for each active subscription that asks for it."""
        hooks = self._portal.webhooks
        if not hooks.get("settings"):
            return
        type_id = self._portal.type_id(object_type)
        for subscription in hooks["subscriptions"].values():
            noun, _, wanted = subscription["eventType"].partition(".")
            if not subscription["active"] or wanted != action:
                continue
            if noun == "object":
                if subscription["objectTypeId"] not in {None, type_id}:
                    continue
            elif noun != _KINDS.get(object_type):
                continue
            if action == "propertyChange" and subscription.get("propertyName") != more.get("propertyName"):
                continue
            self._waiting.append(
                {
                    "eventId": self._portal.number("webhook"),
                    "subscriptionId": int(subscription["id"]),
                    "portalId": self._portal.config.portal_id,
                    "appId": int(hooks["appId"]),
                    "occurredAt": int(self._portal.seconds() * 1000),
                    "subscriptionType": subscription["eventType"],
                    "attemptNumber": 0,
                    "objectId": int(record_id),
                    "changeSource": "INTEGRATION",
                    **({"changeFlag": "NEW"} if action == "creation" else {}),
                    **({"objectTypeId": type_id} if noun == "object" else {}),
                    **more,
                }
            )
        with self._lock:
            if self._waiting and self._thread is None:
                self._thread = threading.Thread(target=self._run, name="webhooks", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        time.sleep(0.05)  # let events come together
        while True:
            some = [self._waiting.popleft() for _ in range(min(len(self._waiting), _MOST))]
            if some:
                self._deliver(some)
            with self._lock:
                if not self._waiting:
                    self._thread = None
                    return

    def _deliver(self, events: list[dict[str, Any]]) -> None:
        settings = self._portal.webhooks.get("settings")
        if not settings:
            return
        url = settings["targetUrl"]
        for attempt in range(_RETRIES + 1):
            body = json.dumps([{**e, "attemptNumber": attempt} for e in events]).encode()
            stamp = str(int(time.time() * 1000))
            secret = self._portal.config.client_secret
            headers = {
                "Content-Type": "application/json",
                "X-HubSpot-Signature": signature_v1(secret, body),
                "X-HubSpot-Signature-Version": "v1",
                "X-HubSpot-Signature-v3": signature_v3(secret, "POST", url, body, stamp),
                "X-HubSpot-Request-Timestamp": stamp,
            }
            try:
                with urllib.request.urlopen(urllib.request.Request(url, body, headers), timeout=5) as answer:  # noqa: S310  (the user's own target)
                    status = answer.status
            except (OSError, ValueError, http.client.HTTPException) as error:
                status = getattr(error, "code", 0)
            self._portal.webhooks.setdefault("deliveries", []).append(
                {"events": len(events), "attempt": attempt, "status": status, "at": self._portal.stamp()}
            )
            if 200 <= int(status or 0) < 300:
                return
            if attempt < _RETRIES:
                time.sleep(min(self.pause_s * 2**attempt, 50 * self.pause_s))


def _hooks(portal: Portal, call: Call) -> dict[str, Any]:
    hooks = portal.webhooks
    hooks.setdefault("subscriptions", {})
    hooks["appId"] = call["appId"] if re.fullmatch("[0-9]{1,18}", call["appId"]) else "1"
    return hooks


def settings(portal: Portal, call: Call) -> Reply:
    """`GET`, `PUT` and `DELETE /{appId}/settings`."""
    hooks = _hooks(portal, call)
    if call.method == "PUT":
        url = payload.text(call.object, "targetUrl")
        if not url.startswith(("http://", "https://")):
            raise Refused(400, "targetUrl must be an address")
        throttling = payload.mapping(call.object, "throttling") or {
            "maxConcurrentRequests": 10,
            "period": "SECONDLY",
        }
        hooks["settings"] = {
            "targetUrl": url,
            "throttling": throttling,
            "createdAt": portal.stamp(),
            "updatedAt": portal.stamp(),
        }
    elif call.method == "DELETE":
        hooks.pop("settings", None)
        return 204, None
    if "settings" not in hooks:
        raise Refused(404, "No webhook settings for this app", "OBJECT_NOT_FOUND")
    return 200, hooks["settings"]


def subscriptions(portal: Portal, call: Call) -> Reply:
    """`GET /{appId}/subscriptions`."""
    return 200, {"results": list(_hooks(portal, call)["subscriptions"].values())}


def subscribe(portal: Portal, call: Call) -> Reply:
    """`POST /{appId}/subscriptions`."""
    hooks, body = _hooks(portal, call), call.object
    kind = payload.text(body, "eventType")
    noun, _, action = kind.partition(".")
    if noun not in _TYPES or action not in _ACTIONS:
        raise payload.Misfit(body, "eventType", f'"{kind}" is not an event type')
    if action == "propertyChange" and not payload.text(body, "propertyName"):
        raise Refused(400, "propertyName is required for propertyChange")
    number = str(portal.number("webhook"))
    hooks["subscriptions"][number] = {
        "id": number,
        "eventType": kind,
        "propertyName": payload.text(body, "propertyName") or None,
        "objectTypeId": payload.text(body, "objectTypeId") or None,
        "active": payload.text(body, "active") == "true",
        "createdAt": portal.stamp(),
        "updatedAt": portal.stamp(),
    }
    return 201, hooks["subscriptions"][number]


def one(portal: Portal, call: Call) -> Reply:
    """`GET`, `PATCH` and `DELETE /{appId}/subscriptions/{subscriptionId}`."""
    listed = _hooks(portal, call)["subscriptions"]
    found = listed.get(call["subscriptionId"])
    if found is None:
        raise Refused(404, f"Subscription {call['subscriptionId']} does not exist", "OBJECT_NOT_FOUND")
    if call.method == "DELETE":
        del listed[call["subscriptionId"]]
        return 204, None
    if call.method == "PATCH":
        found["active"], found["updatedAt"] = payload.text(call.object, "active") == "true", portal.stamp()
    return 200, found


def activate(portal: Portal, call: Call) -> Reply:
    """`POST /{appId}/subscriptions/batch/update`."""
    listed = _hooks(portal, call)["subscriptions"]
    results = []
    for item in call.rows:
        found = listed.get(payload.text(item, "id"))
        if found is None:
            raise Refused(404, f"Subscription {payload.text(item, 'id')} does not exist", "OBJECT_NOT_FOUND")
        found["active"] = payload.text(item, "active") == "true"
        results.append(found)
    return complete(portal, results)


_APPS: Final = [
    f"{base}/{{appId}}" for base in ("/webhooks/v3", "/webhooks/2026-03", "/app-webhooks/2026-09")
]
_SUBSCRIPTIONS: Final = [f"{a}/subscriptions" for a in _APPS]
_ONE: Final = [f"{s}/{{subscriptionId}}" for s in _SUBSCRIPTIONS]
ROUTES: Final[list[Route]] = [
    *(r for m in ("GET", "PUT", "DELETE") for r in route(m, [f"{a}/settings" for a in _APPS], settings)),
    *route("GET", _SUBSCRIPTIONS, subscriptions),
    *route("POST", _SUBSCRIPTIONS, subscribe),
    *route("POST", [f"{s}/batch/update" for s in _SUBSCRIPTIONS], activate),
    *(r for m in ("GET", "PATCH", "DELETE") for r in route(m, _ONE, one)),
]
