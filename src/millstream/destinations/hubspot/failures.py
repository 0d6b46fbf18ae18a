"""HubSpot's refusals in the engine's words: what failed as a whole, and what only one row did."""

from __future__ import annotations

from typing import Final

from millstream.delivery.outcome import Reason
from millstream.delivery.sink import CallFailed, Cause, Filtered, Later, Rejected, Result
from millstream.hubspot_api.errors import Failure, HubSpotError, Refusal, Unreachable

_WHOLE: Final = {
    Failure.LIMITED: Cause.LIMITED,
    Failure.DAILY: Cause.DAILY,
    Failure.UNAUTHORIZED: Cause.UNAUTHORIZED,
    Failure.FORBIDDEN: Cause.FORBIDDEN,
    Failure.DOWN: Cause.DOWN,
}
_REASONS: Final = {
    Failure.INVALID_EMAIL: Reason.INVALID_EMAIL,
    Failure.MISSING_REQUIRED: Reason.MISSING_REQUIRED_PROPERTY,
    Failure.NOT_FOUND: Reason.RECORD_NOT_FOUND,
    Failure.UNKNOWN_PROPERTY: Reason.UNKNOWN_PROPERTY,
}


def call_failed(error: HubSpotError | Unreachable) -> CallFailed:
    """A whole call's failure."""
    if isinstance(error, Unreachable):
        return CallFailed(Cause.DOWN if error.certain else Cause.IN_DOUBT, error.detail)
    refusal = error.refusal
    cause = _WHOLE.get(refusal.failure)
    traced = f" (correlationId {refusal.correlation_id})" if refusal.correlation_id else ""
    detail = f"{refusal.status}: {refusal.message[:500]}{traced}"
    if cause is not None:
        wait = error.wait_s if cause is Cause.DAILY else 1.0 if refusal.policy == "SECONDLY" else 0.3
        return CallFailed(cause, detail, retry_after_s=wait)
    return CallFailed(Cause.BATCH_REJECTED, detail, rejected=row_result(refusal))


def row_result(refusal: Refusal) -> Result:
    """One row's refusal, of a 207 or of a call with that row alone."""
    if refusal.failure is Failure.GDPR_BLOCKED:
        return Filtered(Reason.GDPR_BLOCKED, refusal.message[:500])
    if refusal.failure in {Failure.LOCKED, Failure.DOWN, Failure.LIMITED}:
        return Later(refusal.message[:500], 2.0)
    blamed = refusal.properties
    if refusal.failure is Failure.MISSING_REQUIRED or (
        refusal.failure is Failure.INVALID_EMAIL and not blamed
    ):
        blamed = ()
    if "email" in blamed:
        return Rejected(Reason.INVALID_EMAIL, refusal.message[:1000])
    return Rejected(_REASONS.get(refusal.failure, Reason.REJECTED), refusal.message[:1000], blamed)
