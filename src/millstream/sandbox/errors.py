"""HubSpot's refusals as bodies, worded as recorded answers are."""

from __future__ import annotations

import json
import uuid
from typing import Any


class Refused(Exception):
    """A request is refused with this status and body."""

    def __init__(self, status: int, message: str, category: str = "VALIDATION_ERROR", **more: Any) -> None:
        super().__init__(message)
        self.status = status
        self.body: dict[str, Any] = {
            "status": "error",
            "message": message,
            "correlationId": str(uuid.uuid4()),
            **({"category": category} if category else {}),
            **more,
        }


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
        """As the refusal of a whole request."""
        more: dict[str, Any] = {}
        if self.problems:
            more["errors"] = [
                {"message": p["message"], "code": p["error"], "context": {"propertyName": [p["name"]]}}
                for p in self.problems[:3]
            ]
        elif self.context:
            more["context"] = self.context
        return Refused(self.status, self.message, self.category, **more)

    def entry(self, trace: str | None) -> dict[str, Any]:
        """As one of the `errors` of a 207."""
        context = {**self.context, **({"objectWriteTraceId": [trace]} if trace is not None else {})}
        return {"status": "error", "category": self.category, "message": self.message, "context": context}


def invalid_properties(problems: list[dict[str, Any]]) -> Complaint:
    """Property values that do not fit."""
    return Complaint(
        400, f"Property values were not valid: {json.dumps(problems)}", "VALIDATION_ERROR", {}, problems
    )


def unauthenticated() -> Refused:
    """No token, or not this portal's."""
    return Refused(
        401,
        "Authentication credentials not found. This API supports OAuth 2.0 authentication and you can find more "
        "details at https://developers.hubspot.com/docs/methods/auth/oauth-overview",
        "INVALID_AUTHENTICATION",
    )


def missing_scopes(scopes: list[str]) -> Refused:
    """The token may not do this."""
    return Refused(
        403,
        "This app hasn't been granted all required scopes to make this call. Read more about required scopes here: "
        "https://developers.hubspot.com/scopes.",
        "MISSING_SCOPES",
        errors=[
            {
                "message": "One or more of the following scopes are required.",
                "context": {"requiredGranularScopes": scopes},
            }
        ],
        context={"requiredGranularScopes": scopes},
    )


def limited(policy: str) -> Refused:
    """Too many calls."""
    return Refused(
        429, f"You have reached your {policy.lower()} limit.", "", errorType="RATE_LIMIT", policyName=policy
    )
