"""Whether a visitor consented to a destination's categories, as Segment's and RudderStack's SDKs say it. Pure.

    Segment       context.consent            {categoryPreferences: {ads: true, analytics: false}}
    RudderStack   context.consentManagement  {allowedConsentIds: […], deniedConsentIds: […], resolutionStrategy: and}

An event that says nothing of consent is not held back. Once it says something, a category that it does not name is not
consented to; only where RudderStack's older SDKs name nothing but denied ids is everything else allowed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from millstream.workspace.model import Destination

_COMBINE: Final[dict[str, Callable[[Iterable[bool]], bool]]] = {"and": all, "or": any}


def consented(context: Mapping[str, Any], destination: Destination) -> bool:
    """Whether everything that the event's context says lets it pass to the destination."""
    categories = destination.consent_categories
    if not categories:
        return True
    combine = _COMBINE[destination.consent_resolution]
    return _segment(context, categories, combine) and _rudderstack(context, categories, combine)


def _segment(
    context: Mapping[str, Any], categories: tuple[str, ...], combine: Callable[[Iterable[bool]], bool]
) -> bool:
    said = context.get("consent")
    given = said.get("categoryPreferences") if isinstance(said, dict) else None
    return not isinstance(given, dict) or combine(given.get(c) is True for c in categories)


def _rudderstack(
    context: Mapping[str, Any], categories: tuple[str, ...], combine: Callable[[Iterable[bool]], bool]
) -> bool:
    """The event's own strategy counts before the destination's: all providers but `custom` send one."""
    said = context.get("consentManagement")
    if not isinstance(said, dict):
        return True
    allowed, denied = _ids(said.get("allowedConsentIds")), _ids(said.get("deniedConsentIds")) or ()
    if not allowed and not denied:  # how its browser SDK writes that the visitor was not asked yet
        return True
    strategy = said.get("resolutionStrategy")
    if isinstance(strategy, str):
        combine = _COMBINE.get(strategy.lower(), combine)
    return combine(c not in denied and (allowed is None or c in allowed) for c in categories)


def _ids(given: Any) -> list[Any] | None:
    """The ids of a list, or ids and names of an object (OneTrust's, of older SDKs); None when there is neither."""
    if isinstance(given, dict):
        return [*given, *given.values()]
    return given if isinstance(given, list) else None
