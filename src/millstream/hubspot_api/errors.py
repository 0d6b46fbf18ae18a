"""Every refusal of HubSpot, classified in one place: status and body → what the caller must do.

HubSpotError           base: carries the `Refusal`
└── Unreachable        no answer; `certain` tells whether the request cannot have been executed
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

import msgspec


class Failure(Enum):
    """What kind of refusal it is."""

    UNKNOWN_PROPERTY = "unknown_property"
    INVALID_VALUE = "invalid_value"
    INVALID_EMAIL = "invalid_email"
    READ_ONLY = "read_only"
    MISSING_REQUIRED = "missing_required_property"
    CONFLICT = "conflict"
    DUPLICATE_IN_BATCH = "duplicate_in_batch"
    NOT_FOUND = "not_found"
    NON_UNIQUE = "non_unique_upsert"
    EXISTS = "already_exists"
    GDPR_BLOCKED = "gdpr_blocked"
    LIMITED = "limited"
    DAILY = "daily"
    UNAUTHORIZED = "unauthorized"
    FORBIDDEN = "forbidden"
    DOWN = "down"
    LOCKED = "locked"
    MALFORMED = "malformed"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Refusal:
    """A refusal with the facts that HubSpot gave: names of properties, ids, trace ids, what its support asks for."""

    failure: Failure
    status: int
    message: str
    properties: tuple[str, ...] = ()
    ids: tuple[str, ...] = ()
    traces: tuple[str, ...] = ()
    policy: str = ""
    scopes: tuple[str, ...] = ()
    correlation_id: str = ""


class HubSpotError(Exception):
    """HubSpot refused a call. `wait_s`: after how many seconds its limit lets calls through again."""

    def __init__(self, refusal: Refusal, wait_s: float = 0.0) -> None:
        super().__init__(f"{refusal.status} {refusal.failure.value}: {refusal.message[:300]}")
        self.refusal = refusal
        self.wait_s = wait_s


class Unreachable(Exception):
    """No answer. `certain`: the request cannot have been executed (refused connection, unknown host)."""

    def __init__(self, detail: str, *, certain: bool) -> None:
        super().__init__(detail)
        self.detail = detail
        self.certain = certain


_CODES: Final = {
    "PROPERTY_DOESNT_EXIST": Failure.UNKNOWN_PROPERTY,
    "INVALID_EMAIL": Failure.INVALID_EMAIL,
    "READ_ONLY_VALUE": Failure.READ_ONLY,
    "MISSING_REQUIRED_PROPERTY": Failure.MISSING_REQUIRED,
    "MISSING_CONDITIONAL_REQUIRED_PROPERTY": Failure.MISSING_REQUIRED,
    "CONTACT_EXISTS": Failure.CONFLICT,
    "CONFLICTING_UNIQUE_VALUE": Failure.CONFLICT,
}
_INVALID: Final = re.compile(r"^INVALID_|_TOO_|OPTION|NOT_VALID")
_QUOTED: Final = re.compile(r'[Pp]roperty\s+\\?["\']([A-Za-z0-9_]+)')
_ENTRIES: Final = re.compile(r"\[\{.*\}\]", re.DOTALL)


def classify(status: int, body: bytes | dict[str, Any]) -> Refusal:
    """Classify an answer that is not a success, or one entry of a batch's `errors`."""
    found = body if isinstance(body, dict) else _json(body)
    message = str(
        found.get("message") or (body[:300].decode("utf-8", "replace") if isinstance(body, bytes) else "")
    )
    given = found.get("context")
    context: dict[str, Any] = given if isinstance(given, dict) else {}
    entries = _entries(found, message)
    properties = _properties(entries, context, message)
    return Refusal(
        _failure(status, found, message, entries),
        status,
        message,
        properties,
        tuple(str(i) for i in _list(context, "ids") or _list(context, "id")),
        tuple(str(i) for i in _list(context, "objectWriteTraceId")),
        str(found.get("policyName") or ""),
        tuple(str(s) for s in _list(context, "requiredGranularScopes")),
        str(found.get("correlationId") or ""),
    )


def _failure(status: int, found: dict[str, Any], message: str, entries: list[dict[str, Any]]) -> Failure:
    by_status = {401: Failure.UNAUTHORIZED, 403: Failure.FORBIDDEN, 423: Failure.LOCKED, 477: Failure.LIMITED}
    if status in by_status:
        return by_status[status]
    if status == 429:
        return Failure.DAILY if "DAILY" in str(found.get("policyName", "")).upper() else Failure.LIMITED
    if status >= 500 or status == 408:
        return Failure.DOWN
    category = str(found.get("category") or "")
    if category == "INTERNAL_ERROR":  # one row's, in a 207
        return Failure.DOWN
    low = message.lower()
    codes = [str(e.get("code") or e.get("error") or "") for e in entries]
    for code in codes:
        if code in _CODES:
            return _CODES[code]
    if any(_INVALID.search(code) for code in codes):
        return Failure.INVALID_VALUE
    by_text = (
        ("email address" in low and "invalid" in low, Failure.INVALID_EMAIL),
        ("duplicate ids found" in low, Failure.DUPLICATE_IN_BATCH),
        ("non-unique" in low, Failure.NON_UNIQUE),
        ("gdpr" in low or "blocklist" in low or "blacklist" in low, Failure.GDPR_BLOCKED),
        ("required propert" in low or category == "MISSING_REQUIRED_PROPERTY", Failure.MISSING_REQUIRED),
        ("does not exist" in low and "property" in low, Failure.UNKNOWN_PROPERTY),
        ("read only" in low or "calculated property" in low, Failure.READ_ONLY),
        (
            category == "OBJECT_ALREADY_EXISTS" or ("already exists" in low and "contact" not in low),
            Failure.EXISTS,
        ),
        (status == 409 or category == "CONFLICT", Failure.CONFLICT),
        (status == 404 or category == "OBJECT_NOT_FOUND" or "no contact with id" in low, Failure.NOT_FOUND),
        ("was not" in low or "not valid" in low or "not one of the allowed" in low, Failure.INVALID_VALUE),
        ("invalid input json" in low, Failure.MALFORMED),
    )
    return next((failure for holds, failure in by_text if holds), Failure.OTHER)


def _entries(found: dict[str, Any], message: str) -> list[dict[str, Any]]:
    """HubSpot's single complaints: from `errors`, and from the JSON inside the message, which is never cut."""
    entries = [e for e in found.get("errors") or [] if isinstance(e, dict)]
    inner = _ENTRIES.search(message)
    if inner:
        try:
            more = msgspec.json.decode(inner[0].encode())
            entries += [e for e in more if isinstance(e, dict)]
        except (msgspec.DecodeError, UnicodeEncodeError):
            pass
    return entries


def _properties(entries: list[dict[str, Any]], context: dict[str, Any], message: str) -> tuple[str, ...]:
    names: dict[str, None] = {}
    for entry in entries:
        inner = entry.get("context")
        for name in _list(inner, "propertyName") if isinstance(inner, dict) else []:
            names[str(name)] = None
        if isinstance(entry.get("name"), str):
            names[entry["name"]] = None
    for name in _list(context, "propertyName"):
        names[str(name)] = None
    if not names:
        names.update(dict.fromkeys(_QUOTED.findall(message)))
    return tuple(names)


def _list(context: Any, key: str) -> list[Any]:
    value = context.get(key) if isinstance(context, dict) else None
    return value if isinstance(value, list) else [value] if value is not None else []


def _json(body: bytes) -> dict[str, Any]:
    try:
        found = msgspec.json.decode(body) if body else {}
    except msgspec.DecodeError:
        return {}
    return found if isinstance(found, dict) else {}
