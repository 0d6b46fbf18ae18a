"""Create or update a company from a group call: by the domain of its website, or by its group id (SEMANTICS 23)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from millstream.delivery.operation import Key, Write
from millstream.delivery.outcome import Reason, State
from millstream.destinations.hubspot import names
from millstream.destinations.hubspot.actions.fields import NULL_CLEARS
from millstream.destinations.hubspot.context import Context, property_map
from millstream.destinations.hubspot.portal import DOMAIN_PROPERTY
from millstream.destinations.kit import Action, Field

GROUP_ID_PROPERTY: Final = "segment_group_id"
_LABELS: Final = {DOMAIN_PROPERTY: "Millstream domain", GROUP_ID_PROPERTY: "Segment Group ID"}


def company_key(context: Context, fields: Mapping[str, Any]) -> Key | None:
    """The company that a group call means: by its group id, its website, or the one its account had before."""
    group_id = str(fields.get("group_id") or "").strip()
    if group_id:
        return Key("company", GROUP_ID_PROPERTY, group_id)
    domain = names.domain_of(fields.get("website"))
    if domain is None and context.account is not None:
        known = context.account.traits.get("website")
        domain = names.domain_of(known.value) if known is not None else None
    return Key("company", DOMAIN_PROPERTY, domain) if domain else None


def plan(context: Context, fields: Mapping[str, Any]) -> None:
    """One write of the company."""
    key = company_key(context, fields)
    if key is None:
        context.end("company", State.FILTERED, Reason.GROUP_WITHOUT_WEBSITE)
        return
    traits = property_map(fields)
    if GROUP_ID_PROPERTY in traits:
        detail = f"{GROUP_ID_PROPERTY} is what the company is found by: map it to group_id"
        context.end("company", State.DEAD_LETTERED, Reason.MAPPING_FAILED, detail)
        return
    unknown = context.records.get(key) is None
    if unknown and context.account is not None:
        traits = context.all_known(traits, context.account)
    own = {key.by} | ({"domain"} if key.by == DOMAIN_PROPERTY else set())
    made = context.properties("companies", traits, context.account, key, own=frozenset(own))
    if made is None:
        context.end("company", State.DEAD_LETTERED, Reason.UNKNOWN_PROPERTY, ", ".join(context.notes))
        return
    said, requires = made
    said.put(key.by, key.value, context.stamp)
    extra: dict[str, Any] = {"create": fields.get("create", True)}
    if key.by == DOMAIN_PROPERTY:
        extra["defaults"] = {"domain": key.value, "name": key.value}
    elif isinstance(fields.get("search"), dict):
        extra["search"] = fields["search"]
    context.plan.operations.append(
        Write(
            "company",
            key,
            said,
            context.job("company"),
            (*context.require_unique_property(key.by, _LABELS[key.by]), *requires),
            context.account.id if context.account else None,
            partial=not unknown,
            notes=tuple(context.notes),
            extra=extra,
            lane=context.lane,
        )
    )


ACTION: Final = Action(
    "upsert_company",
    "Upsert company",
    "Creates or updates a company by the domain of its website, or by a group id when one is mapped.",
    'type = "group"',
    (
        Field("website", "Website", "string", "Its host names the company.", {"@path": "$.traits.website"}),
        Field(
            "group_id",
            "Group ID",
            "string",
            "Names the company instead of the website; kept in the unique property segment_group_id.",
        ),
        Field(
            "search",
            "Search fields",
            "object",
            "With a group id: properties by which a company that is there already is adopted, any of them.",
        ),
        Field("create", "Create", "boolean", "Whether a company that is not found is made (default: yes)."),
        Field("properties", "Properties", "object", "Property names and values.", {"@path": "$.traits"}),
        NULL_CLEARS,
    ),
    plan,
)
