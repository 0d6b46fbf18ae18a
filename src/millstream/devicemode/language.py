"""How much of the mapping language a page needs: the small plugin has what Segment's presets use, the other all of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

# What `browser/src/language.ts` adds.
_DIRECTIVES: Final = frozenset(
    {"@replace", "@arrayPath", "@flatten", "@json", "@merge", "@transform", "@excludeWhenNull"}
)
_FUNCTIONS: Final = frozenset({"match", "snakecase", "kebabcase", "titlecase"})


def needs_all(told: Mapping[str, Any]) -> bool:
    """Whether the plugin settings of a destination use anything that the small plugin does not know."""
    conditions = [s["when"] for s in told["subscriptions"]] + [f["when"] for f in told["filters"]]
    return any(_calls(c) for c in conditions) or any(_directs(s["mapping"]) for s in told["subscriptions"])


def _calls(tree: Any) -> bool:
    if not isinstance(tree, list) or not tree:
        return False
    # A path holds keys, not calls: `["$", "match"]` is a property.
    return tree[0] != "$" and (tree[0] in _FUNCTIONS or any(map(_calls, tree[1:])))


def _directs(mapping: Any) -> bool:
    if isinstance(mapping, list):
        return any(map(_directs, mapping))
    return isinstance(mapping, dict) and (
        bool(_DIRECTIVES & mapping.keys()) or any(map(_directs, mapping.values()))
    )
