"""What a sandbox portal is told: plan, identity, token, latency, and the switches of what nobody has established."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final, Literal

Tier = Literal["free", "starter", "professional", "enterprise"]

# name → (variants, the first is the default; what it is about). Marked as the sandbox's own: HubSpot's docs are silent.
SWITCHES: Final[dict[str, tuple[tuple[str, ...], str]]] = {
    "partial_upsert_by_email": (
        ("works", "all_or_nothing", "clears"),
        (
            "batch upsert by email with a subset of properties: keeps the others, fails the whole batch when one row is "
            "bad, or clears what was not sent"
        ),
    ),
    "unknown_email_on_event": (
        ("creates", "dangles", "400"),
        "an event for an email that no contact has: makes the contact, is kept without one, or is refused",
    ),
    "repeated_uuid": (("silent", "400"), "an event whose uuid was seen: ignored silently, or refused"),
    "trace_ids_on_upsert": (
        ("207", "whole_400"),
        "trace ids on upsert: partial success, or the whole batch fails",
    ),
    "upsert_by_additional_email": (
        ("keeps_primary", "swaps"),
        "upsert by one of a contact's additional addresses: its primary address stays, or becomes that one",
    ),
    "unknown_event_name": (("404", "400"), "an event without a definition: not found, or refused as invalid"),
    "custom_events_without_enterprise": (
        ("403", "400"),
        "custom events on a lower plan: forbidden, or refused as invalid",
    ),
    "legacy_events": (
        ("counted", "ignored"),
        "the tracking pixel of legacy events: still counted, or answered and forgotten",
    ),
    "list_change_limit": (
        ("100000", "1000"),
        "how many records one call may add to a list or remove from it",
    ),
}

PER_10_S: Final = {"free": 100, "starter": 100, "professional": 190, "enterprise": 190}
PER_DAY: Final = {"free": 250_000, "starter": 250_000, "professional": 625_000, "enterprise": 1_000_000}
ASSOCIATIONS_PER_10_S: Final = {"free": 100, "starter": 100, "professional": 150, "enterprise": 150}
SCOPES: Final = (
    "crm.objects.contacts.read",
    "crm.objects.contacts.write",
    "crm.objects.companies.read",
    "crm.objects.companies.write",
    "crm.schemas.contacts.read",
    "crm.schemas.contacts.write",
    "crm.schemas.companies.read",
    "crm.schemas.companies.write",
    "behavioral_events.event_definitions.read_write",
    "behavioral_events.send.write",
    "business-intelligence",
)


@dataclass(slots=True)
class SandboxConfig:
    """One portal."""

    tier: Tier = "enterprise"
    portal_id: int = 20001
    token: str = "sandbox-token"  # noqa: S105  (of a portal that exists only here)
    latency_ms: float = 0.0  # in front of every answer
    latency: dict[str, Any] = field(default_factory=dict)  # beside it, a distribution: see `latency.py`
    time_zone: str = "Europe/Berlin"
    rate_limits: bool = True
    search_lag_ms: float = 1000.0
    property_lag_ms: float = 300.0
    client_id: str = "sandbox-client"
    client_secret: str = "sandbox-secret"  # noqa: S105  (of a portal that exists only here)
    scopes: tuple[str, ...] = SCOPES
    switches: dict[str, str] = field(default_factory=lambda: {k: v[0][0] for k, v in SWITCHES.items()})
