"""One file per action: its fields, default mapping, default trigger and one function."""

from __future__ import annotations

from typing import Final

from millstream.destinations.hubspot.actions import (
    associate,
    custom_event,
    gdpr_delete,
    legacy_event,
    list_membership,
    subscription_preference,
    upsert_company,
    upsert_contact,
    upsert_object,
)
from millstream.destinations.kit import Action

ACTIONS: Final[dict[str, Action]] = {
    module.ACTION.slug: module.ACTION
    for module in (
        upsert_contact,
        upsert_company,
        upsert_object,
        custom_event,
        associate,
        list_membership,
        legacy_event,
        gdpr_delete,
        subscription_preference,
    )
}
