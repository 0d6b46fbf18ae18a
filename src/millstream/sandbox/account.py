"""Account details, API usage, limits of the schema."""

from __future__ import annotations

from typing import Any, Final

from millstream.sandbox.config import PER_DAY
from millstream.sandbox.portal import STANDARD_TYPES, Portal
from millstream.sandbox.routing import DATED, Call, Reply, Route, family, route

_RECORDS: Final = 15_000_000
_CUSTOM_RECORDS: Final = 1_500_000


def details(portal: Portal, _call: Call) -> Reply:
    """`GET /account-info/…/details`."""
    offset = portal.utc_offset_s()
    sign, minutes = ("-" if offset < 0 else "+"), abs(offset) // 60
    return 200, {
        "portalId": portal.config.portal_id,
        "accountType": "DEVELOPER_TEST",
        "timeZone": portal.config.time_zone,
        "companyCurrency": "EUR",
        "additionalCurrencies": [],
        "utcOffset": f"{sign}{minutes // 60:02d}:{minutes % 60:02d}",
        "utcOffsetMilliseconds": offset * 1000,
        "uiDomain": "app.hubspot.com",
        "dataHostingLocation": "na1",
    }


def usage(portal: Portal, _call: Call) -> Reply:
    """`GET /account-info/…/api-usage/daily/private-apps`."""
    limit = PER_DAY[portal.config.tier]
    return 200, {
        "results": [
            {
                "name": "private-apps-api-calls-daily",
                "usageLimit": limit,
                "currentUsage": portal.calls_today,
                "collectedAt": portal.stamp(),
                "fetchStatus": "SUCCESS",
                "resetsAt": portal.midnight(),
            }
        ]
    }


def _named(portal: Portal, name: str) -> dict[str, str]:
    """A type as limits name it."""
    own = portal.schemas.get(name)
    if own is not None:
        labels = own["labels"]["singular"], own["labels"]["plural"]
    else:
        single, plural = STANDARD_TYPES[portal.type_id(name)]
        labels = single.replace("_", " ").capitalize(), plural.replace("_", " ").capitalize()
    return {"objectTypeId": portal.type_id(name), "singularLabel": labels[0], "pluralLabel": labels[1]}


def custom_properties(portal: Portal, _call: Call) -> Reply:
    """`GET /limits/custom-properties`."""
    rows: list[dict[str, Any]] = []
    for name, records in portal.records.items():
        used = sum(not d["hubspotDefined"] for d in records.definitions.values())
        rows.append({**_named(portal, name), "limit": 1000, "usage": used, "percentage": used / 10})
    whole = sum(r["usage"] for r in rows)
    return 200, {
        "overallLimit": 10_000,
        "overallUsage": whole,
        "overallPercentage": whole / 100,
        "byObjectType": rows,
    }


def record_limits(portal: Portal, _call: Call) -> Reply:
    """`GET /limits/records`: standard types each have a limit, custom types share one."""
    used = {name: len(records.by_id) for name, records in portal.records.items()}
    standard = [
        {**_named(portal, n), "limit": _RECORDS, "usage": u, "percentage": 100 * u / _RECORDS}
        for n, u in used.items()
        if n not in portal.schemas
    ]
    custom: list[dict[str, Any]] = [
        {**_named(portal, n), "usage": u} for n, u in used.items() if n in portal.schemas
    ]
    whole = sum(r["usage"] for r in custom)
    return 200, {
        "hubspotDefinedObjectTypes": standard,
        "customObjectTypes": {
            "overallLimit": _CUSTOM_RECORDS,
            "overallUsage": whole,
            "overallPercentage": 100 * whole / _CUSTOM_RECORDS,
            "byObjectType": custom,
        },
    }


_ACCOUNT: Final = [f"/account-info/{v}" for v in ("v3", *DATED)]
_LIMITS: Final = ("/crm/v3/limits", "/crm/limits/{}")
ROUTES: Final[list[Route]] = [
    *route("GET", [f"{a}/details" for a in _ACCOUNT], details),
    *route("GET", [f"{a}/api-usage/daily/private-apps" for a in _ACCOUNT], usage),
    *route("GET", family(*_LIMITS, "/custom-properties"), custom_properties),
    *route("GET", family(*_LIMITS, "/records"), record_limits),
]
