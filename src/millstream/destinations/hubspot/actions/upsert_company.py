"""Create or update a company from a group call, by the domain of its website (SEMANTICS 23)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from millstream.delivery.operation import Key, Stamped, Write
from millstream.delivery.outcome import Reason, State
from millstream.destinations.hubspot import names
from millstream.destinations.hubspot.context import Context
from millstream.destinations.hubspot.portal import DOMAIN_PROPERTY
from millstream.destinations.kit import Action, Field


def company_key(context: Context, website: Any) -> Key | None:
    """The company that a group call means: by its website, or by the one its account had before."""
    domain = names.domain_of(website)
    if domain is None and context.account is not None:
        known = context.account.traits.get("website")
        domain = names.domain_of(known.value) if known is not None else None
    return Key("company", DOMAIN_PROPERTY, domain) if domain else None


def plan(context: Context, fields: Mapping[str, Any]) -> None:
    """One write of the company."""
    key = company_key(context, fields.get("website"))
    if key is None:
        context.end("company", State.FILTERED, Reason.GROUP_WITHOUT_WEBSITE)
        return
    given = fields.get("properties")
    traits: dict[str, Any] = dict(given) if isinstance(given, dict) else {}
    unknown = context.records.get(key) is None
    if unknown and context.account is not None:
        traits = {k: t.value for k, t in context.account.traits.items()} | traits
    made = context.properties("companies", traits, context.account, key)
    if made is None:
        context.end("company", State.DEAD_LETTERED, Reason.UNKNOWN_PROPERTY, ", ".join(context.notes))
        return
    values, requires = made
    values[DOMAIN_PROPERTY] = Stamped(key.value, context.resolved.time_ms, context.resolved.offset)
    context.plan.operations.append(
        Write(
            "company",
            key,
            values,
            context.job("company"),
            (*context.require_domain_property(), *requires),
            context.account.id if context.account else None,
            partial=not unknown,
            notes=tuple(context.notes),
            lane=context.lane,
        )
    )


ACTION: Final = Action(
    "upsert_company",
    "Upsert company",
    "Creates or updates a company by the domain of its website.",
    'type = "group"',
    (
        Field("website", "Website", "string", "Its host names the company.", {"@path": "$.traits.website"}),
        Field("properties", "Properties", "object", "Property names and values.", {"@path": "$.traits"}),
    ),
    plan,
)
