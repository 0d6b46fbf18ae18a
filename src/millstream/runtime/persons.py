"""Who is meant by an email, a userId or a profile id; and how a person is erased from the stores."""

from __future__ import annotations

from typing import Any

from millstream.delivery.operation import Key
from millstream.delivery.store import DeliveryStore
from millstream.pipeline.store import ProcessorStore
from millstream.profiles.identifiers import EMAIL, USER_ID, email_of
from millstream.profiles.profile import ExternalId
from millstream.runtime.orders import OrderError


def profiles_of(processor: ProcessorStore, arguments: dict[str, Any]) -> set[str]:
    """The ids of whoever is known as `who`. Raises `OrderError` when nobody is."""
    who = arguments.get("who")
    if not isinstance(who, str) or not who:
        raise OrderError("`who` must be an email, a userId or a profile id")
    email = email_of(who)
    ids = [ExternalId(USER_ID, who), *([ExternalId(EMAIL, email)] if email else [])]
    found = set(processor.find(ids).values()) | {p.id for p in processor.load([who]).values()}
    if not found:
        raise OrderError(f"nobody here is known by {who}")
    return found


async def erase(processor: ProcessorStore, deliveries: DeliveryStore, profiles: set[str]) -> dict[str, Any]:
    """Erase these profiles, and end what waits, is parked or is dead of them."""
    ended = 0
    for name, profile in processor.load(profiles).items():
        addresses = profile.ids.get(EMAIL, ())
        known_as = [*(Key("contact", "email", a) for a in addresses), Key("contact", "profile", name)]
        ended += await deliveries.forget(name, known_as)
        await processor.forget(name)
    return {"forgotten": sorted(profiles), "effects_ended": ended}
