"""Destination filters as a page applies them. Pure.

A page that cannot apply a filter exactly leaves the event to the server, which can: such a filter becomes a `drop` of
the page alone. So an event that the page did not deliver is never lost, and never goes out untrimmed.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, Final

from millstream.mapping.trigger import parse_trigger
from millstream.mapping.triggers import tree
from millstream.mapping.triggers.tree import And, Call, Compare, In, Literal, Node, Not, Or, Path
from millstream.workspace.model import Filter

# What only the server knows of an event.
_SERVER_ONLY: Final = (("profile",), ("receivedAt",), ("sentAt",), ("originalTimestamp",), ("context", "ip"))


def page_filters(filters: Iterable[Filter]) -> list[dict[str, Any]]:
    """The filters as the plugin reads them: `{"kind": "drop" | "only", "when": tree}`."""
    found: list[dict[str, Any]] = []
    for given in filters:
        if not given.enabled:
            continue
        node = parse_trigger(given.trigger, given.compat).node
        if _asks_server(node):
            found.append({"kind": "drop", "when": tree.tree(tree.ALWAYS)})
        else:
            kind = "only" if given.kind == "only" else "drop"
            found.append({"kind": kind, "when": tree.tree(node)})
    return found


def routing_rules(filters: Iterable[Filter], destination: str) -> list[dict[str, Any]]:
    """`drop` and `only` as Segment's routing rules, which Analytics.js applies between the receipt and the delivery.

    The plugin applies all filters before it writes a receipt, so a rule must never drop what the plugin lets through:
    the event would be lost. Only filters that both read alike become rules: those of `type` and `event` by text.
    """
    found: list[dict[str, Any]] = []
    for given in filters:
        if not given.enabled or given.kind not in {"drop", "only"}:
            continue
        node = parse_trigger(given.trigger, given.compat).node
        said = None if _asks_server(node) else _segment_ir(node)
        if said is None:
            continue
        if given.kind == "only":
            said, node = ["!", said], Not(node)
        ir = json.dumps(said, separators=(",", ":"), ensure_ascii=False)
        found.append(
            {
                "destinationName": destination,
                "matchers": [{"ir": ir, "type": "fql", "config": {"expr": tree.text(node)}}],
                "transformers": [[{"type": "drop"}]],
            }
        )
    return found


def _asks_server(node: Node) -> bool:
    """Whether it depends on what a page cannot see."""
    match node:
        case Path(keys):
            return any(keys[: len(known)] == known for known in _SERVER_ONLY)
        case Call(_, parts) | And(parts) | Or(parts):
            return any(map(_asks_server, parts))
        case Compare(_, left, right):
            return _asks_server(left) or _asks_server(right)
        case In(value, options):
            return any(map(_asks_server, (value, *options)))
        case Not(inner):
            return _asks_server(inner)
        case Literal():
            return False


def _segment_ir(node: Node) -> list[Any] | None:
    """The node in the form that Segment's `tsub` evaluates; None when it might read it otherwise."""
    match node:
        case Compare("=" | "!=" as operator, Path(("type" | "event" as key,)), Literal(str() as value)) if (
            not value[:1].isdigit()  # what looks like a date is one in Analytics.js
        ):
            return [operator, key, {"value": value}]
        case In(Path() as path, options) if options:
            return _segment_ir(Or(tuple(Compare("=", path, o) for o in options)))
        case Not(inner):
            said = _segment_ir(inner)
            return None if said is None else ["!", said]
        case And(parts) | Or(parts) if parts:
            all_said = [_segment_ir(p) for p in parts]
            if any(s is None for s in all_said):
                return None
            return (
                all_said[0] if len(all_said) == 1 else ["and" if isinstance(node, And) else "or", *all_said]
            )
        case _:
            return None
