"""What a trigger is made of: frozen nodes, their text in the language, and the JSON tree that browsers evaluate."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, Final

_PLAIN_KEY: Final = re.compile(r"[A-Za-z_$][\w$-]*\Z")


@dataclass(frozen=True, slots=True)
class Literal:
    """Text, a number, true, false or null."""

    value: str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Path:
    """A field of the event."""

    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Call:
    """A function of its arguments: `name` is one of `grammar.FUNCTIONS`."""

    name: str
    arguments: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Compare:
    """`operator` is one of = != < <= > >=."""

    operator: str
    left: Node
    right: Node


@dataclass(frozen=True, slots=True)
class In:
    """Whether a value equals one of several."""

    value: Node
    options: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """The contrary."""

    inner: Node


@dataclass(frozen=True, slots=True)
class And:
    """All of them; with none, true."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """Any of them; with none, false."""

    parts: tuple[Node, ...]


Node = Literal | Path | Call | Compare | In | Not | And | Or

ALWAYS: Final = And(())
NEVER: Final = Or(())


def text(node: Node) -> str:
    """The node in the language; parsing it gives the node again."""
    match node:
        case Literal(value):
            return json.dumps(value, ensure_ascii=False)
        case Path(keys):
            first, *rest = keys
            return _key(first, first=True) + "".join(map(_key, rest))
        case Call(name, arguments):
            return f"{name}({', '.join(map(text, arguments))})"
        case Compare(operator, left, right):
            return f"{text(left)} {operator} {text(right)}"
        case In(value, options):
            return f"{text(value)} in [{', '.join(map(text, options))}]"
        case Not(inner):
            return f"not {_grouped(inner)}"
        case And(parts):
            return " and ".join(map(_grouped, parts)) if parts else "all"
        case Or(parts):
            return (
                " or ".join(p if not isinstance(n, Or) else f"({p})" for n in parts for p in [text(n)])
                or "none"
            )


def tree(node: Node) -> Any:
    """The node as JSON: `["and", …]`, `["=", left, right]`, `["$", "properties", "plan"]`, a literal as itself."""
    match node:
        case Literal(value):
            return value
        case Path(keys):
            return ["$", *keys]
        case Call(name, arguments):
            return [name, *map(tree, arguments)]
        case Compare(operator, left, right):
            return [operator, tree(left), tree(right)]
        case In(value, options):
            return ["in", tree(value), *map(tree, options)]
        case Not(inner):
            return ["not", tree(inner)]
        case And(parts):
            return ["and", *map(tree, parts)]
        case Or(parts):
            return ["or", *map(tree, parts)]


def types(node: Node) -> frozenset[str] | None:
    """The event types for which the node can hold; None when it may hold for any."""
    match node:
        case Compare("=", Path(("type",)), Literal(str() as value)):
            return frozenset({value})
        case In(Path(("type",)), options) if all(isinstance(o, Literal) for o in options):
            return frozenset(str(o.value) for o in options if isinstance(o, Literal))
        case And(parts):
            known = [t for t in map(types, parts) if t is not None]
            return frozenset.intersection(*known) if known else None
        case Or(parts):
            found = [types(p) for p in parts]
            if any(t is None for t in found):
                return None
            return frozenset().union(*(t for t in found if t is not None))
        case _:
            return None


def _key(key: str, *, first: bool = False) -> str:
    if _PLAIN_KEY.match(key):
        return key if first else f".{key}"
    if key.isdigit() and not first:
        return f"[{key}]"
    quoted = json.dumps(key, ensure_ascii=False)
    return f"$[{quoted}]" if first else f"[{quoted}]"


def _grouped(node: Node) -> str:
    return f"({text(node)})" if isinstance(node, And | Or | Compare | In) and not _alone(node) else text(node)


def _alone(node: Node) -> bool:
    """Comparisons stand in an `and` without parentheses; after `not` they need none either: it binds weaker."""
    return isinstance(node, Compare | In) or (isinstance(node, And | Or) and not node.parts)
