"""Triggers (FQL): `type = "track" and event = "Order Completed"`. Parsed once, compiled to a closure."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, Literal

from millstream.mapping.triggers import grammar, segment, tree
from millstream.mapping.triggers.evaluate import test_of
from millstream.mapping.triggers.grammar import TriggerError

__all__ = ["Trigger", "TriggerError", "parse_trigger"]

Compat = Literal["segment"] | None


class Trigger:
    """A compiled trigger. `warnings` says where Segment's reading differs from what the expression says."""

    __slots__ = ("_test", "node", "source", "warnings")

    def __init__(self, source: str, node: tree.Node, warnings: tuple[str, ...] = ()) -> None:
        self.source = source
        self.node = node
        self.warnings = warnings
        self._test: Callable[[Any], bool] = test_of(node)

    def matches(self, event: Any) -> bool:
        """Whether it holds for the event; what is no event never matches."""
        return isinstance(event, dict) and self._test(event)

    @property
    def types(self) -> frozenset[str] | None:
        """The event types for which it can hold; None when it may hold for any."""
        return tree.types(self.node)

    def tree(self) -> Any:
        """The JSON tree that browsers evaluate."""
        return tree.tree(self.node)

    def __str__(self) -> str:
        """In the language; under `compat: segment` this is what the expression really does."""
        return tree.text(self.node)


@lru_cache(maxsize=1024)
def parse_trigger(source: str, compat: Compat = None) -> Trigger:
    """Compile a trigger; an empty one or `all` always holds. Raises `TriggerError`.

    With `compat="segment"` the expression is read as Segment's engine reads it, which gives up silently on what it
    does not understand: such an expression never matches, and its warnings say so.
    """
    if compat is None:
        return Trigger(source, grammar.parse(source))
    if compat != "segment":
        raise TriggerError(f"compat: {compat} is not known", 0, "`segment`")
    if len(source) > grammar.MAX_LENGTH:
        raise TriggerError(f"longer than {grammar.MAX_LENGTH} characters", grammar.MAX_LENGTH)
    try:
        node = segment.parse(source)
    except segment.Unreadable as error:
        return Trigger(source, tree.NEVER, (f"Segment cannot read this, so it never matches: {error}",))
    return Trigger(source, node, _differences(source, node))


def _differences(source: str, node: tree.Node) -> tuple[str, ...]:
    try:
        says = tree.text(grammar.parse(source))
    except TriggerError as error:
        return (f"Segment reads this as: {tree.text(node)}; as it stands it is wrong {error}",)
    does = tree.text(node)
    return () if says == does else (f"Segment reads this as: {does}; it says: {says}",)
