"""One file per action: its fields, default mapping, default trigger and one function."""

from __future__ import annotations

from typing import Final

from millstream.destinations.hubspot.actions import associate, custom_event, upsert_company, upsert_contact
from millstream.destinations.kit import Action

ACTIONS: Final[dict[str, Action]] = {
    module.ACTION.slug: module.ACTION for module in (upsert_contact, upsert_company, custom_event, associate)
}
