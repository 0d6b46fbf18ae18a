"""What of an event a mapping can see: what nobody sees need not be made for every event."""

from __future__ import annotations

from typing import Any, Final

# Paths to the whole event.
_EVERYTHING: Final = frozenset({"", ".", "$", "$."})
# Directives whose argument is a path or holds paths; unless it is plain text, an event decides which.
_OF_PATHS: Final = ("@path", "@template")


def may_see(mapping: Any, part: str, harmless: frozenset[str]) -> bool:
    """Whether a mapping may read a part of the event by more than these paths. In doubt it may.

    >>> may_see({"email": {"@path": "$.profile.email"}}, "profile", frozenset({"$.profile.email"}))
    False
    """
    if isinstance(mapping, dict):
        unclear = "@liquid" in mapping or any(not isinstance(mapping.get(d, ""), str) for d in _OF_PATHS)
        return unclear or any(may_see(inner, part, harmless) for inner in (*mapping, *mapping.values()))
    if isinstance(mapping, list | tuple):
        return any(may_see(item, part, harmless) for item in mapping)
    if not isinstance(mapping, str) or mapping in harmless:
        return False
    return mapping in _EVERYTHING or part in mapping
