"""Finding records in bulk: by a unique property with `batch/read`, by any other with a search `IN`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from millstream.destinations.hubspot.calls.rows import Send
from millstream.destinations.hubspot.portal import Portal
from millstream.hubspot_api.errors import Failure, HubSpotError

_BODY: Final = 2600  # HubSpot takes search bodies of at most 3,000 characters
_VALUES: Final = 100
_PAGES: Final = 10


def is_unique(portal: Portal, object_type: str, name: str) -> bool:
    """Whether HubSpot finds records of a type by this property without a search."""
    if object_type == "contacts" and name == "email":
        return True
    known = portal.schema.properties.get(object_type, {}).get(name)
    return known is not None and known.unique


async def read_by(
    portal: Portal, object_type: str, id_property: str, values: list[str], send: Send
) -> dict[str, str]:
    """Which of these unique values exist: value → record id. Contacts are found by additional addresses too."""
    if not values or not is_unique(portal, object_type, id_property):
        return {}
    by_email = object_type == "contacts" and id_property == "email"
    wanted = [id_property, *(("hs_additional_emails",) if by_email else ())]
    request = portal.operations.batch(
        object_type, "read", [{"id": v} for v in values], idProperty=id_property, properties=wanted
    )
    try:
        answer = await send(request)
    except HubSpotError as error:
        if error.refusal.failure is Failure.NOT_FOUND:
            return {}
        raise
    asked = {v.lower(): v for v in values}
    found: dict[str, str] = {}
    for record in answer.get("results") or []:
        properties = record.get("properties") or {}
        held = [str(properties.get(id_property) or "")]
        held += str(properties.get("hs_additional_emails") or "").split(";") if by_email else []
        for value in held:
            if value.lower() in asked:
                found[asked[value.lower()]] = str(record["id"])
    return found


async def search_by(
    portal: Portal, object_type: str, name: str, values: Iterable[str], send: Send
) -> dict[str, list[str]]:
    """Records by a property that need not be unique: value (lower-cased) → ids, the oldest record first."""
    found: dict[str, list[int]] = {}
    for some in _chunks(values):
        after: str | None = None
        for _ in range(_PAGES):
            body: dict[str, Any] = {
                "filterGroups": [{"filters": [{"propertyName": name, "operator": "IN", "values": some}]}],
                "properties": [name],
                "limit": 200,
            }
            answer = await send(
                portal.operations.search(object_type, body | ({"after": after} if after else {}))
            )
            for record in answer.get("results") or []:
                held = str((record.get("properties") or {}).get(name) or "").lower()
                found.setdefault(held, []).append(int(record["id"]))
            after = ((answer.get("paging") or {}).get("next") or {}).get("after")
            if not after:
                break
    return {value: [str(i) for i in sorted(ids)] for value, ids in found.items()}


def _chunks(values: Iterable[str]) -> list[list[str]]:
    """As many values a search as fit its body."""
    chunks: list[list[str]] = []
    room = 0
    for value in dict.fromkeys(v.lower() for v in values if v):
        size = len(value.encode()) + 3
        if not chunks or size > room or len(chunks[-1]) >= _VALUES:
            chunks.append([])
            room = _BODY
        chunks[-1].append(value)
        room -= size
    return chunks
