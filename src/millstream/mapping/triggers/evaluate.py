"""Tree → closure. Comparison is strict in types; what is not there is null; functions of null are null; never raises.

The browser plugin evaluates the same tree; `tests/golden/triggers.json` holds the two together.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final, assert_never

from millstream.mapping.paths import getter
from millstream.mapping.triggers.tree import And, Call, Compare, In, Literal, Node, Not, Or, Path
from millstream.mapping.values import UNDEFINED, kind_of

Test = Callable[[Any], bool]
Value = Callable[[Any], Any]

_WORDS: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W\d_a-zA-Z]+")


def test_of(node: Node) -> Test:
    """A predicate of events."""
    match node:
        case And(parts):
            return _all([test_of(p) for p in parts])
        case Or(parts):
            return _any([test_of(p) for p in parts])
        case Not(inner):
            holds = test_of(inner)
            return lambda event: not holds(event)
        case Compare(operator, left, right):
            return _compare(operator, left, right)
        case In(value, options):
            return _in(value, options)
        case Call(name, arguments):
            return _predicate(name, arguments)
        case Literal() | Path():
            is_true = value_of(node)
            return lambda event: is_true(event) is True
        case _:
            assert_never(node)


def value_of(node: Node) -> Value:
    """A value of events; None for what is not there."""
    match node:
        case Literal(value):
            return lambda _event: value
        case Path(keys):
            get = getter(keys)

            def found(event: Any) -> Any:
                value = get(event)
                return None if value is UNDEFINED else value

            return found
        case Call(name, arguments) if name in _FUNCTIONS:
            inner = value_of(arguments[0])
            function = _FUNCTIONS[name]
            return lambda event: function(inner(event))
        case _:
            return test_of(node)


def equal(left: Any, right: Any) -> bool:
    """Equal in value and type; 1 equals 1.0, but neither true nor "1"."""
    if type(left) is type(right):
        return bool(left == right) and not isinstance(left, list | dict)
    if isinstance(left, bool) or isinstance(right, bool):
        return False
    return isinstance(left, int | float) and isinstance(right, int | float) and left == right


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _all(tests: list[Test]) -> Test:
    match tests:
        case []:
            return lambda _event: True
        case [one]:
            return one
        case [one, two]:
            return lambda event: one(event) and two(event)
        case [one, two, *rest]:
            others = _all(rest)
            return lambda event: one(event) and two(event) and others(event)
    raise AssertionError(tests)


def _any(tests: list[Test]) -> Test:
    match tests:
        case []:
            return lambda _event: False
        case [one]:
            return one
        case [one, two]:
            return lambda event: one(event) or two(event)
        case [one, two, *rest]:
            others = _any(rest)
            return lambda event: one(event) or two(event) or others(event)
    raise AssertionError(tests)


def _compare(operator: str, left: Node, right: Node) -> Test:
    a, b = value_of(left), value_of(right)
    if operator == "=":
        return _equals(left, right)
    if operator == "!=":
        holds = _equals(left, right)
        return lambda event: not holds(event)
    if operator == "<":
        return lambda event: _number(x := a(event)) and _number(y := b(event)) and x < y
    if operator == "<=":
        return lambda event: _number(x := a(event)) and _number(y := b(event)) and x <= y
    if operator == ">":
        return lambda event: _number(x := a(event)) and _number(y := b(event)) and x > y
    return lambda event: _number(x := a(event)) and _number(y := b(event)) and x >= y


def _equals(left: Node, right: Node) -> Test:
    a, b = value_of(left), value_of(right)
    if isinstance(left, Literal) and not isinstance(right, Literal):
        left, right, a, b = right, left, b, a
    if isinstance(right, Literal):
        wanted = right.value
        if isinstance(wanted, str):
            if isinstance(left, Path) and len(left.keys) == 1:
                key = left.keys[0]
                return lambda event: bool(event.get(key) == wanted) if type(event) is dict else False
            return lambda event: bool(a(event) == wanted)
        if wanted is None:
            return lambda event: a(event) is None
        if isinstance(wanted, bool):
            return lambda event: a(event) is wanted
    return lambda event: equal(a(event), b(event))


def _in(value: Node, options: tuple[Node, ...]) -> Test:
    found = value_of(value)
    if all(isinstance(o, Literal) and isinstance(o.value, str) for o in options):
        texts = frozenset(o.value for o in options if isinstance(o, Literal))
        return lambda event: type(x := found(event)) is str and x in texts
    others = [value_of(o) for o in options]

    def test(event: Any) -> bool:
        x = found(event)
        return any(equal(x, other(event)) or (x is None and other(event) is None) for other in others)

    return test


def _predicate(name: str, arguments: tuple[Node, ...]) -> Test:
    value = value_of(arguments[0])
    if name in _FUNCTIONS:
        function = _FUNCTIONS[name]
        return lambda event: function(value(event)) is True
    if name == "exists":
        return lambda event: value(event) is not None
    if name == "match":
        assert isinstance(arguments[1], Literal)
        return _glob(value, str(arguments[1].value))
    part = value_of(arguments[1])
    if name == "contains":

        def contains(event: Any) -> bool:
            whole, wanted = value(event), part(event)
            if isinstance(whole, list):
                return any(equal(item, wanted) for item in whole)
            return isinstance(whole, str) and isinstance(wanted, str) and wanted in whole

        return contains
    check = str.startswith if name == "starts_with" else str.endswith
    return lambda event: (
        isinstance(x := value(event), str) and isinstance(y := part(event), str) and check(x, y)
    )


def _glob(value: Value, pattern: str) -> Test:
    """`*` is any text, `?` one character, a backslash takes the meaning away."""
    matches = glob(pattern)
    return lambda event: isinstance(x := value(event), str) and matches(x)


def glob(pattern: str) -> Callable[[str], bool]:
    """A glob as a predicate: each piece between stars is searched behind the one before, so nothing backtracks."""
    pieces = [re.compile("".join(piece), re.DOTALL) for piece in _pieces(pattern)]
    first, *middle = pieces
    if not middle:
        return lambda text: first.fullmatch(text) is not None
    last = middle.pop()
    width = len(_pieces(pattern)[-1])

    def matches(text: str) -> bool:
        found = first.match(text)
        if found is None:
            return False
        at = found.end()
        for piece in middle:
            found = piece.search(text, at)
            if found is None:
                return False
            at = found.end()
        return len(text) - width >= at and last.fullmatch(text, len(text) - width) is not None

    return matches


def _pieces(pattern: str) -> list[list[str]]:
    """The regular expressions of single characters, in lists that stars separate."""
    pieces: list[list[str]] = [[]]
    escaped = False
    for character in pattern:
        if escaped or character not in "\\*?":
            pieces[-1].append(re.escape(character))
            escaped = False
        elif character == "\\":
            escaped = True
        elif character == "*":
            pieces.append([])
        else:
            pieces[-1].append(".")
    if escaped:
        pieces[-1].append(re.escape("\\"))
    return pieces


def _words(text: str) -> list[str]:
    return _WORDS.findall(text)


def _of_text(function: Callable[[str], Any]) -> Callable[[Any], Any]:
    return lambda value: function(value) if isinstance(value, str) else None


def _length(value: Any) -> int | None:
    return len(value) if isinstance(value, str | list) else None


def _typeof(value: Any) -> str:
    return kind_of(value)


_FUNCTIONS: Final[dict[str, Callable[[Any], Any]]] = {
    "length": _length,
    "typeof": _typeof,
    "lowercase": _of_text(str.lower),
    "uppercase": _of_text(str.upper),
    "snakecase": _of_text(lambda t: "_".join(w.lower() for w in _words(t))),
    "kebabcase": _of_text(lambda t: "-".join(w.lower() for w in _words(t))),
    "titlecase": _of_text(lambda t: " ".join(w[0].upper() + w[1:].lower() for w in _words(t))),
}
