"""Set whether an address wants mail of a subscription type."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from millstream.delivery.operation import Key, Write
from millstream.delivery.outcome import Reason, State
from millstream.destinations.hubspot.actions.fields import EMAIL
from millstream.destinations.hubspot.context import Context, is_record_id
from millstream.destinations.kit import Action, Field

_BASES: Final = (
    "LEGITIMATE_INTEREST_PQL",
    "LEGITIMATE_INTEREST_CLIENT",
    "PERFORMANCE_OF_CONTRACT",
    "CONSENT_WITH_NOTICE",
    "NON_GDPR",
    "PROCESS_AND_STORE",
    "LEGITIMATE_INTEREST_OTHER",
)


def plan(context: Context, fields: Mapping[str, Any]) -> None:
    """One status: the newest word about one address and one type wins."""
    subscription = str(fields.get("subscription_id") or "").strip()
    if not is_record_id(subscription):
        detail = f"the subscription id {subscription[:40]!r} is not a number"
        context.end("subscription", State.DEAD_LETTERED, Reason.MAPPING_FAILED, detail)
        return
    email = fields.get("email")
    if not context.is_addressed(email, "subscription"):
        return
    address = context.address_of(email) or (context.person.email if context.person else None)
    if not address:
        context.wait("subscription")
        return
    status = "SUBSCRIBED" if fields.get("subscribed") else "UNSUBSCRIBED"
    context.plan.operations.append(
        Write(
            "subscription",
            Key("subscription", subscription, address),
            context.says("status", status),
            context.job("subscription"),
            profile=context.person.id if context.person else None,
            notes=tuple(context.notes),
            extra={
                "legalBasis": fields.get("legal_basis"),
                "legalBasisExplanation": fields.get("legal_basis_explanation"),
            },
            lane=context.lane,
        )
    )


ACTION: Final = Action(
    "subscription_preference",
    "Subscription preference",
    "Subscribes an address to a type of mail, or unsubscribes it.",
    'type = "track" and (event = "Subscribed" or event = "Unsubscribed")',
    (
        EMAIL,
        Field(
            "subscription_id",
            "Subscription type",
            "string",
            "The id of the subscription type in HubSpot.",
            {"@path": "$.properties.subscription_id"},
            required=True,
        ),
        Field(
            "subscribed",
            "Subscribed",
            "boolean",
            "true subscribes, false unsubscribes.",
            {"@path": "$.properties.subscribed"},
            required=True,
        ),
        Field(
            "legal_basis",
            "Legal basis",
            "string",
            "Why the address may be written to, where the portal has data privacy on.",
            choices=_BASES,
        ),
        Field("legal_basis_explanation", "Explanation", "string", "The same in words."),
    ),
    plan,
)
