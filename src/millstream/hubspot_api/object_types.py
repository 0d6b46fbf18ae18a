"""Names of HubSpot's object types: one canonical name for each, whichever of its names somebody uses. Pure.

Standard types are named by their plural; custom ones by their fully qualified name (`p123_machine`), which is what
HubSpot wants since April 2025. Source: HubSpot's table of object type ids.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

# plural → (singular, object type id)
STANDARD: Final[dict[str, tuple[str, str]]] = {
    "contacts": ("contact", "0-1"),
    "companies": ("company", "0-2"),
    "deals": ("deal", "0-3"),
    "tickets": ("ticket", "0-5"),
    "products": ("product", "0-7"),
    "line_items": ("line_item", "0-8"),
    "quotes": ("quote", "0-14"),
    "communications": ("communication", "0-18"),
    "feedback_submissions": ("feedback_submission", "0-19"),
    "tasks": ("task", "0-27"),
    "notes": ("note", "0-46"),
    "meetings": ("meeting", "0-47"),
    "calls": ("call", "0-48"),
    "emails": ("email", "0-49"),
    "invoices": ("invoice", "0-53"),
    "marketing_events": ("marketing_event", "0-54"),
    "subscriptions": ("subscription", "0-69"),
    "goal_targets": ("goal_target", "0-74"),
    "discounts": ("discount", "0-84"),
    "fees": ("fee", "0-85"),
    "taxes": ("tax", "0-86"),
    "commerce_payments": ("commerce_payment", "0-101"),
    "users": ("user", "0-115"),
    "postal_mail": ("postal_mail", "0-116"),
    "orders": ("order", "0-123"),
    "leads": ("lead", "0-136"),
    "carts": ("cart", "0-142"),
    "services": ("service", "0-162"),
    "courses": ("course", "0-410"),
    "listings": ("listing", "0-420"),
    "appointments": ("appointment", "0-421"),
    "projects": ("project", "0-970"),
}
_NAMES: Final = {name: plural for plural, others in STANDARD.items() for name in (plural, *others)}


def standard(name: str) -> str | None:
    """The plural of a standard type under any of its names; None when it is no standard type."""
    return _NAMES.get(name.strip().lower())


def canonical(name: str, custom: Mapping[str, str] | None = None) -> str:
    """The canonical name; what nobody knows is returned as it is, trimmed. `custom`: see `names_of`."""
    trimmed = name.strip()
    return standard(trimmed) or (custom or {}).get(trimmed.lower()) or trimmed


def type_id(canonical_name: str, ids: Mapping[str, str] | None = None) -> str:
    """The object type id of a canonical name; custom types' ids come from their schemas."""
    known = STANDARD.get(canonical_name)
    return known[1] if known is not None else (ids or {}).get(canonical_name, canonical_name)


def names_of(schemas: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Every name of the portal's custom objects → fully qualified name, from `GET …/schemas`."""
    found: dict[str, str] = {}
    for schema in schemas:
        full = str(schema.get("fullyQualifiedName") or schema.get("name") or "")
        name = str(schema.get("name") or "")
        for alias in (full, name, f"p_{name}", str(schema.get("objectTypeId") or "")):
            if alias:
                found[alias.lower()] = full
    return found
