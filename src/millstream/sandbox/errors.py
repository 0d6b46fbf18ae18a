"""HubSpot's refusals as bodies, worded as recorded answers are."""

from __future__ import annotations

import json
import uuid
from typing import Any, Final

# Codes whose complaints recorded bodies repeat under `errors`; the others are only in the message.
_LISTED: Final = frozenset(
    {
        "PROPERTY_DOESNT_EXIST",
        "INVALID_EMAIL",
        "READ_ONLY_VALUE",
        "MISSING_REQUIRED_PROPERTY",
        "MISSING_CONDITIONAL_REQUIRED_PROPERTY",
    }
)
STAGE: Final = "is not a valid pipeline stage ID."


class Refused(Exception):
    """A request is refused with this status and body."""

    def __init__(self, status: int, message: str, category: str = "VALIDATION_ERROR", **more: Any) -> None:
        super().__init__(message)
        self.status = status
        self.headers: dict[str, str] = {}
        self.body: dict[str, Any] = {
            "status": "error",
            "message": message,
            "correlationId": str(uuid.uuid4()),
            **({"category": category} if category else {}),
            **more,
        }

    def entry(self, **context: list[str]) -> dict[str, Any]:
        """As one of the `errors` of a 207."""
        found = {k: v for k, v in self.body.items() if k != "correlationId"}
        return {**found, "context": context} if context else found


class Complaint(Exception):
    """One row of a batch is bad."""

    def __init__(
        self, status: int, message: str, category: str, context: dict[str, list[str]], problems: Any = ()
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.category = category
        self.context = context
        self.problems = list(problems)

    def whole(self) -> Refused:
        """As the refusal of a whole request: its context is only in the text."""
        more: dict[str, Any] = {}
        errors = [
            {"message": p["message"], "code": p["error"], "context": {"propertyName": [p["name"]]}}
            for p in self.problems
            if p["error"] in _LISTED
        ]
        if errors:
            more["errors"] = errors[:3]
        if any(STAGE in p["message"] for p in self.problems):
            more["error"] = "INVALID_OPTION"
        return Refused(self.status, self.message, self.category, **more)

    def entry(self, trace: str | None) -> dict[str, Any]:
        """As one of the `errors` of a 207."""
        context = {**self.context, **({"objectWriteTraceId": [trace]} if trace is not None else {})}
        return {"status": "error", "category": self.category, "message": self.message, "context": context}


def invalid_properties(problems: list[dict[str, Any]]) -> Complaint:
    """Property values that do not fit."""
    listed = json.dumps(problems, separators=(",", ":"), ensure_ascii=False)
    return Complaint(400, f"Property values were not valid: {listed}", "VALIDATION_ERROR", {}, problems)


def missing_records(single: str, ids: list[str]) -> Complaint:
    """Ids of a batch that no record has."""
    return Complaint(
        404,
        f"Could not get some {single.upper()} objects, they may be deleted or not exist. Check that ids are valid.",
        "OBJECT_NOT_FOUND",
        {"ids": ids},
    )


def unauthenticated() -> Refused:
    """No token, or not this portal's."""
    return Refused(
        401,
        "Authentication credentials not found. This API supports OAuth 2.0 authentication and you can find more "
        "details at https://developers.hubspot.com/docs/methods/auth/oauth-overview",
        "INVALID_AUTHENTICATION",
    )


def expired(seconds: int, since: str) -> Refused:
    """An access token of OAuth has had its half hour."""
    return Refused(
        401,
        f"The OAuth token used to make this call expired {seconds} second(s) ago.",
        "EXPIRED_AUTHENTICATION",
        context={"expire time": [since]},
    )


def missing_scopes(scopes: list[str]) -> Refused:
    """The token may not do this."""
    return Refused(
        403,
        "One or more of the following scopes are required.",
        "MISSING_SCOPES",
        context={"requiredGranularScopes": scopes, "links": ["https://developers.hubspot.com/scopes"]},
    )


def missing_scopes_old() -> Refused:
    """The same in the words of older operations, which do not say what is missing."""
    return Refused(
        403,
        "This app hasn't been granted all required scopes to make this call. Read more about required scopes here: "
        "https://developers.hubspot.com/scopes.",
        "MISSING_SCOPES",
    )


def limited(policy: str) -> Refused:
    """Too many calls."""
    return Refused(
        429,
        f"You have reached your {policy.lower()} limit.",
        "",
        errorType="RATE_LIMIT",
        policyName=policy,
        requestId=str(uuid.uuid4()),
    )
