"""How Segment's own engine reads a trigger (`compat: segment`): its tokens, its one flat loop, its surprises.

It has no precedence (the last `and` or `or` of a level rules all of it), ends a group at the first `)`, forgets
negations of groups, and skips what it does not know. The result is a tree of our own language, so that one evaluator
runs both and `text` shows what the expression really does. Behaviour recorded in `data/fql_cases.json`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from millstream.mapping.triggers.tree import NEVER, And, Call, Compare, Literal, Node, Not, Or, Path

_KEY = r"(?:[A-Za-z_]|\\.)(?:[A-Za-z0-9_-]|\\.)*"
_IDENTIFIER: Final = re.compile(rf"{_KEY}(?:\.{_KEY})*")
_NUMBER: Final = re.compile(r"[+-]?\d+(?:\.\d+)?")
_STRING: Final = re.compile(r'"([^"]*)"')
_QUOTED: Final = re.compile(r"'[^'\s]*'?")
_SPACE: Final = " \t\n"
_AFTER_STRING: Final = " ,])\t\n"
_AFTER_IDENTIFIER: Final = " \t\n.,()="
_PLAIN_FIELDS: Final = frozenset({"type", "event", "name", "userId"})
_OBJECTS: Final = ("properties", "traits", "context")


class Unreadable(Exception):
    """Segment's engine gives this expression up: then it never matches."""


@dataclass(slots=True)
class _Token:
    kind: str
    value: str


def parse(source: str) -> Node:
    """The tree of what Segment's engine does with the expression. Raises `Unreadable`."""
    return _group(_tokens(source))


def _tokens(source: str) -> list[_Token]:
    """Tokens. After text with something strange behind it the rest is silently dropped. Raises `Unreadable`."""
    found: list[_Token] = []
    at = 0
    while at < len(source):
        if source[at] in _SPACE:
            at += 1
            continue
        token, at = _token(source, at)
        found.append(token)
        if token.kind == "string" and at < len(source) and source[at] not in _AFTER_STRING:
            return found
    found.append(_Token("eos", "eos"))
    return found


def _token(source: str, at: int) -> tuple[_Token, int]:
    character = source[at]
    if character in "()[],.":
        return _Token({"(": "open", ")": "close"}.get(character, character), character), at + 1
    if character == '"' and (text := _STRING.match(source, at)):
        return _Token("string", text[1]), text.end()
    if (number := _NUMBER.match(source, at)) and character.isascii():
        after = source[number.end() : number.end() + 2]
        if after == "." or (after[:1] == "." and "." in number[0]):
            raise Unreadable("a number is not one")
        return _Token("number", number[0]), number.end()
    if character in "=<>!":
        return _operator(source, at)
    if character == "'" and (quoted := _QUOTED.match(source, at)):
        return _Token("ident", quoted[0]), quoted.end()
    word = _IDENTIFIER.match(source, at)
    following = source[word.end() : word.end() + 1] if word else ""
    if word is None or (following and following not in _AFTER_IDENTIFIER):
        raise Unreadable(f"it stops at character {(word.end() if word else at) + 1}")
    if word[0] in {"and", "or"} and following and following in _SPACE:
        return _Token("conditional", word[0]), word.end()
    return _Token("ident", word[0]), word.end()


def _operator(source: str, at: int) -> tuple[_Token, int]:
    """`=` may stand anywhere; `!` before what it negates; the others need a space behind them."""
    character, following = source[at], source[at + 1 : at + 2]
    if character == "=" or (character == "!" and following != "="):
        return _Token("operator", character), at + 1
    if following == "=" and source[at + 2 : at + 3] in {*_SPACE, ""}:
        return _Token("operator", character + "="), at + 2
    if character != "!" and following in {*_SPACE, "=", ""}:
        return _Token("operator", character), at + 1
    raise Unreadable(f"it stops at character {at + 1}")


def _group(tokens: list[_Token]) -> Node:
    nodes: list[Node] = []
    rule = "and"
    queue = list(tokens)
    while queue:
        token = queue.pop(0)
        if token.kind == "eos":
            break
        if token.kind == "conditional":
            rule = token.value
        elif token.kind == "open":
            inner: list[_Token] = []
            while True:
                if not queue:
                    raise Unreadable("a group has no end")
                following = queue.pop(0)
                if following.kind == "close":
                    break
                inner.append(following)
            nodes.append(_group(inner))
        elif token.kind == "operator" and token.value == "!":
            if queue and queue[0].kind == "ident" and queue[0].value in {"contains", "match"}:
                _function(queue.pop(0).value, queue, nodes, negated=True)
        elif token.kind == "ident":
            if token.value in {"contains", "match"}:
                _function(token.value, queue, nodes, negated=False)
            else:
                _condition(token.value, queue, nodes)
    if not nodes:
        raise Unreadable("no condition that Segment knows")
    if len(nodes) == 1:
        return nodes[0]
    return Or(tuple(nodes)) if rule == "or" else And(tuple(nodes))


def _field(name: str) -> Path | None:
    """The field that an identifier names; None for one that Segment does not know."""
    if name in _PLAIN_FIELDS:
        return Path((name,))
    first = name.split(".", 1)[0]
    if first not in _OBJECTS:
        return None
    rest = name[len(first) + 1 :] if name.startswith(f"{first}.") else name
    # A backslash only makes a character part of an identifier: the path is split at every dot.
    return Path((first, *rest.replace("\\", "").split(".")))


def _condition(name: str, queue: list[_Token], nodes: list[Node]) -> None:
    field = _field(name)
    if field is None:
        return
    if not queue:
        raise Unreadable("Operator token is missing")
    operator = queue.pop(0)
    if not queue:
        raise Unreadable("Value token is missing")
    value = queue.pop(0)
    nodes.append(_comparison(field, operator.value, value))


def _comparison(field: Path, operator: str, value: _Token) -> Node:
    plain = value.value
    kind = field.keys[0]
    is_word = value.kind != "string"
    if kind not in {"type", "event"} and is_word and plain == "null" and operator in {"=", "!="}:
        return Compare(operator, field, Literal(None))
    if kind in {"userId", *_OBJECTS} and is_word and plain in {"true", "false"} and operator == "=":
        return Compare("=", field, Literal(plain == "true"))
    if kind in _OBJECTS and value.kind == "number" and operator in {"=", "!="}:
        same = Compare(operator, field, Literal(_number(plain)))
        return same if operator == "=" else And((_is(field, "number"), same))
    if operator in {"=", "!="}:
        return Compare(operator, field, Literal(plain))
    if operator in {"<", "<=", ">", ">="}:
        try:
            wanted = _number(plain.strip() or "0")
        except ValueError:
            return NEVER
        return Compare(operator, field, Literal(wanted))
    return NEVER


def _function(name: str, queue: list[_Token], nodes: list[Node], *, negated: bool) -> None:
    taken = [queue.pop(0) if queue else None for _ in range(5)]  # ( field , value )
    given, value = taken[1], taken[3]
    if given is None or value is None:
        raise Unreadable("a function is not complete")
    field = _field(given.value)
    if field is None or field.keys == ("type",):
        return
    if name == "contains":
        test = Call("contains", (field, Literal(value.value)))
    elif value.value.endswith("*"):
        test = Call("starts_with", (field, Literal(value.value[:-1])))
    else:
        test = Call("ends_with", (field, Literal(value.value[1:])))
    # Neither holds for what is not text.
    nodes.append(And((_is(field, "string"), Not(test) if negated else test)))


def _is(field: Path, kind: str) -> Node:
    return Compare("=", Call("typeof", (field,)), Literal(kind))


def _number(text: str) -> int | float:
    found = float(text)
    return int(found) if found.is_integer() and "." not in text and abs(found) < 1e15 else found
