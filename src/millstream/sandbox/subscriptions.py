"""Communication preferences: subscription types and every address's statuses, v3, v4 and dated."""

from __future__ import annotations

from typing import Any, Final

from millstream.sandbox import payload
from millstream.sandbox.errors import Refused
from millstream.sandbox.portal import Portal
from millstream.sandbox.properties import EMAIL
from millstream.sandbox.routing import Call, Reply, Route, complete, route

TYPES: Final[tuple[dict[str, Any], ...]] = tuple(
    {
        "id": str(number),
        "name": name,
        "description": about,
        "purpose": purpose,
        "communicationMethod": "Email",
        "isActive": True,
        "isDefault": number == 1,
        "isInternal": False,
        "createdAt": "2026-01-01T00:00:00.000Z",
        "updatedAt": "2026-01-01T00:00:00.000Z",
    }
    for number, name, about, purpose in (
        (1, "Marketing Information", "Marketing offers and updates.", "Marketing"),
        (2, "Product News", "What is new in the product.", "Marketing"),
        (3, "One to One", "One to one emails.", "Sales"),
    )
)
_STATES: Final = ("SUBSCRIBED", "UNSUBSCRIBED", "NOT_SPECIFIED")
ALL: Final = "all"


def _address(value: str) -> str:
    text = value.strip().lower()
    if not EMAIL.match(text):
        raise Refused(400, f"Email address {value} is invalid")
    return text


def _type(subscription_id: str) -> dict[str, Any]:
    found = next((t for t in TYPES if t["id"] == subscription_id), None)
    if found is None:
        raise Refused(400, f"Subscription {subscription_id} does not exist", "VALIDATION_ERROR")
    return found


def _status(portal: Portal, address: str, kind: dict[str, Any]) -> dict[str, Any]:
    known = portal.subscriptions.get((address, kind["id"]), {})
    state = "UNSUBSCRIBED" if (address, ALL) in portal.subscriptions else known.get("state", "NOT_SPECIFIED")
    return {
        "businessUnitId": 0,
        "channel": "EMAIL",
        "subscriberIdString": address,
        "subscriptionId": int(kind["id"]),
        "subscriptionName": kind["name"],
        "status": state,
        "source": "PUBLIC_STATUS_API" if known else "",
        "legalBasis": known.get("legalBasis"),
        "legalBasisExplanation": known.get("legalBasisExplanation"),
        "setStatusSuccessReason": "REQUESTED_CHANGE_OCCURRED" if known else None,
        "timestamp": known.get("at", portal.stamp()),
    }


def _write(portal: Portal, address: str, body: dict[str, Any]) -> dict[str, Any]:
    kind = _type(payload.text(body, "subscriptionId"))
    state, channel = payload.text(body, "statusState"), payload.text(body, "channel")
    if state not in _STATES:
        raise payload.Misfit(body, "statusState", f'"{state}" is not one of {", ".join(_STATES)}')
    if channel not in {"", "EMAIL"}:
        raise payload.Misfit(body, "channel", f'"{channel}" is not a channel')
    portal.subscriptions[address, kind["id"]] = {
        "state": state,
        "at": portal.stamp(),
        "legalBasis": payload.text(body, "legalBasis") or None,
        "legalBasisExplanation": payload.text(body, "legalBasisExplanation") or None,
    }
    return _status(portal, address, kind)


def definitions(portal: Portal, call: Call) -> Reply:
    """`GET /definitions`."""
    if call.version == "v3":
        return 200, {"subscriptionDefinitions": list(TYPES)}
    return complete(portal, list(TYPES))


def by_email(portal: Portal, call: Call) -> Reply:
    """`GET /status/email/{emailAddress}`."""
    address = _address(call["emailAddress"])
    rows = [_older(t, _status(portal, address, t)) for t in TYPES]
    return 200, {"recipient": address, "subscriptionStatuses": rows}


def _older(kind: dict[str, Any], status: dict[str, Any]) -> dict[str, Any]:
    """A status in the older form, which knows two states only."""
    return {
        "id": kind["id"],
        "name": kind["name"],
        "description": kind["description"],
        "status": "SUBSCRIBED" if status["status"] == "SUBSCRIBED" else "NOT_SUBSCRIBED",
        "sourceOfStatus": "SUBSCRIPTION_STATUS" if status["source"] else "PORTAL_WIDE_STATUS",
        **{n: status[n] for n in ("legalBasis", "legalBasisExplanation") if status[n]},
    }


def change(portal: Portal, call: Call) -> Reply:
    """`POST /subscribe` and `/unsubscribe` of the older form."""
    body = call.object
    address = _address(payload.text(body, "emailAddress"))
    state = (
        "SUBSCRIBED"
        if call.path.endswith("/subscribe") or call.path.endswith("/resubscribe")
        else "UNSUBSCRIBED"
    )
    now = portal.subscriptions.get((address, payload.text(body, "subscriptionId")), {}).get("state")
    if state == "SUBSCRIBED" and now == "UNSUBSCRIBED" and not call.path.endswith("/resubscribe"):
        raise Refused(
            400, f"{address} has unsubscribed and cannot be subscribed by the API", "VALIDATION_ERROR"
        )
    made = _write(portal, address, {**body, "statusState": state})
    return 200, _older(_type(str(made["subscriptionId"])), made)


def statuses(portal: Portal, call: Call) -> Reply:
    """`GET /statuses/{subscriberIdString}`."""
    address = _address(call["subscriberIdString"])
    return complete(portal, [_status(portal, address, t) for t in TYPES])


def write_status(portal: Portal, call: Call) -> Reply:
    """`POST /statuses/{subscriberIdString}`."""
    return complete(portal, [_write(portal, _address(call["subscriberIdString"]), call.object)])


def batch(portal: Portal, call: Call) -> Reply:
    """`POST /statuses/batch/{read|write}`: 100 addresses at most."""
    results: list[Any] = []
    errors: list[Any] = []
    inputs = call.inputs
    if len(inputs) > 100:
        raise Refused(400, f"The maximum number of inputs is 100, but {len(inputs)} were given")
    write = call.path.endswith("/write")
    for i in range(len(inputs)):
        whole = write or isinstance(inputs[i], dict)
        given = payload.text(call.rows[i], "subscriberIdString") if whole else payload.text(inputs, i)
        try:
            address = _address(given)
            if write:
                item = call.rows[i]
                results.append(_write(portal, address, item))
            else:
                rows = [_status(portal, address, t) for t in TYPES]
                results.append({"subscriberIdString": address, "statuses": rows})
        except Refused as refused:
            errors.append(refused.entry(subscriberIdString=[given]))
    return complete(portal, results, errors)


def unsubscribed_from_all(portal: Portal, call: Call) -> Reply:
    """`GET` tells, `POST` does: unsubscribed from everything."""
    address = _address(call["subscriberIdString"])
    if call.method == "POST":
        portal.subscriptions[address, ALL] = {"state": "UNSUBSCRIBED", "at": portal.stamp()}
        return complete(portal, [_status(portal, address, t) for t in TYPES])
    return complete(portal, [_wide(portal, address)])


def _wide(portal: Portal, address: str) -> dict[str, Any]:
    known = portal.subscriptions.get((address, ALL))
    return {
        "subscriberIdString": address,
        "channel": "EMAIL",
        "wideStatusType": "PORTAL_WIDE",
        "status": "UNSUBSCRIBED" if known else "NOT_SPECIFIED",
        "timestamp": known["at"] if known else portal.stamp(),
    }


def batch_unsubscribe_all(portal: Portal, call: Call) -> Reply:
    """`POST /statuses/batch/unsubscribe-all` and its `/read`."""
    results = []
    for i in range(len(call.inputs)):
        address = _address(payload.text(call.inputs, i))
        if call.path.endswith("/read"):
            results.append({"subscriberIdString": address, "wideStatuses": [_wide(portal, address)]})
            continue
        portal.subscriptions[address, ALL] = {"state": "UNSUBSCRIBED", "at": portal.stamp()}
        verbose = call.flag("verbose")
        rows = {"statuses": [_status(portal, address, t) for t in TYPES]} if verbose else {}
        results.append({"subscriberIdString": address, **rows})
    return complete(portal, results)


def _paths(rest: str, *versions: str) -> list[str]:
    return [f"/communication-preferences/{v}{rest}" for v in versions]


_NEW: Final = ("v4", "2026-03", "2026-09")
_ONE: Final = "/statuses/{subscriberIdString}"
ROUTES: Final[list[Route]] = [
    *route("GET", _paths("/definitions", "v3", *_NEW), definitions),
    *route("GET", _paths("/status/email/{emailAddress}", "v3", "2026-09"), by_email),
    *route("POST", _paths("/subscribe", "v3", "2026-09"), change),
    *route("POST", _paths("/unsubscribe", "v3", "2026-09"), change),
    *route("POST", _paths("/resubscribe", "2026-09"), change),
    *route("POST", _paths("/statuses/batch/read", *_NEW), batch),
    *route("POST", _paths("/statuses/batch/write", *_NEW), batch),
    *route("POST", _paths("/statuses/batch/unsubscribe-all", *_NEW), batch_unsubscribe_all),
    *route("POST", _paths("/statuses/batch/unsubscribe-all/read", *_NEW), batch_unsubscribe_all),
    *route("GET", _paths(_ONE, *_NEW), statuses),
    *route("POST", _paths(_ONE, *_NEW), write_status),
    *route("GET", _paths(f"{_ONE}/unsubscribe-all", *_NEW), unsubscribed_from_all),
    *route("POST", _paths(f"{_ONE}/unsubscribe-all", *_NEW), unsubscribed_from_all),
]
