"""Triggers (FQL): `type = "track" and event = "Order Completed"`. One grammar, compiled to a closure.

    expression = and ("or" and)*          and = not ("and" not)*
    not        = ["not" | "!"] primary    primary = "(" expression ")" | call | comparison | field
    comparison = operand ("=" | "!=" | ">" | ">=" | "<" | "<=") operand  |  operand "in" list
    call       = "contains" "(" operand "," operand ")" | "match" "(" operand "," pattern ")" | …

`and` binds tighter than `or`. Comparison is strict in types; a field that is not there equals only `null`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final, Literal

from millstream.mapping.paths import PathError, getter, steps
from millstream.mapping.values import UNDEFINED

Event = Mapping[str, Any]
Test = Callable[[Event], bool]
Operand = Callable[[Event], Any]

_TOKEN: Final = re.compile(
    r"""\s*(?:(?P<number>-?\d+(?:\.\d+)?)(?![\w.])|(?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')"""
    r"""|(?P<op>!=|>=|<=|[=<>!(),\[\]])|(?P<word>[A-Za-z_$](?:[\w$.\-]|\\.|\[(?:\d+|'[^']*'|"[^"]*")\])*))"""
)
_MAX_LENGTH: Final = 10_000
_MAX_DEPTH: Final = 64


class TriggerError(Exception):
    """A trigger cannot be read: where (0-based character), and what was expected there."""

    def __init__(self, message: str, position: int, expected: str = "") -> None:
        super().__init__(
            f"at character {position + 1}: {message}" + (f"; expected {expected}" if expected else "")
        )
        self.position = position
        self.expected = expected


class Trigger:
    """A compiled trigger."""

    __slots__ = ("_test", "text")

    def __init__(self, text: str, test: Test) -> None:
        self.text = text
        self._test = test

    def matches(self, event: Event) -> bool:
        """Whether it holds for the event."""
        return self._test(event)

    def __str__(self) -> str:
        """As it was written."""
        return self.text


def parse_trigger(text: str, compat: Literal["segment"] | None = None) -> Trigger:
    """Compile a trigger; an empty one or `all` always holds. Raises `TriggerError`."""
    if compat is not None:
        raise TriggerError(f"compat: {compat} is not a reading of this version", 0, "no `compat`")
    if len(text) > _MAX_LENGTH:
        raise TriggerError(f"longer than {_MAX_LENGTH} characters", _MAX_LENGTH)
    if text.strip() in {"", "all"}:
        return Trigger(text, lambda _event: True)
    parser = _Parser(text)
    test = parser.expression(0)
    parser.end()
    return Trigger(text, test)


class _Parser:
    """Recursive descent over the tokens."""

    def __init__(self, text: str) -> None:
        self._tokens: list[tuple[str, str, int]] = []
        at = 0
        end = len(text.rstrip())
        while at < end:
            match = _TOKEN.match(text, at)
            if match is None:
                raise TriggerError(f"cannot read {text[at : at + 12].strip()!r}", at)
            kind = str(match.lastgroup)
            self._tokens.append((kind, match[kind], match.start(kind)))
            at = match.end()
        self._tokens.append(("end", "", end))
        self._i = 0

    def end(self) -> None:
        kind, text, at = self._tokens[self._i]
        if kind != "end":
            raise TriggerError(f"unexpected {text!r}", at, "`and`, `or` or the end")

    def expression(self, depth: int) -> Test:
        if depth > _MAX_DEPTH:
            raise TriggerError("nested too deeply", self._tokens[self._i][2])
        tests = [self._and(depth)]
        while self._word("or"):
            tests.append(self._and(depth))
        return tests[0] if len(tests) == 1 else lambda event: any(test(event) for test in tests)

    def _and(self, depth: int) -> Test:
        tests = [self._not(depth)]
        while self._word("and"):
            tests.append(self._not(depth))
        return tests[0] if len(tests) == 1 else lambda event: all(test(event) for test in tests)

    def _not(self, depth: int) -> Test:
        negate = False
        while self._op("!") or self._word("not"):
            negate = not negate
        test = self._primary(depth)
        return (lambda event: not test(event)) if negate else test

    def _primary(self, depth: int) -> Test:
        if self._op("("):
            inner = self.expression(depth + 1)
            self._expect(")")
            return inner
        kind, text, at = self._tokens[self._i]
        if kind == "word" and text in {"contains", "match"} and self._tokens[self._i + 1][1] == "(":
            self._i += 2
            return self._call(text)
        left = self._operand()
        kind, text, at = self._tokens[self._i]
        if kind == "op" and text in _COMPARE:
            self._i += 1
            right = self._operand()
            return _comparison(text, left, right)
        if self._word("in"):
            options = self._list()
            return lambda event: any(_equal(left(event), option(event)) for option in options)
        if kind == "end" or text in {")", "and", "or"}:
            return lambda event: left(event) is True
        raise TriggerError(f"unexpected {text!r}", at, "an operator")

    def _call(self, name: str) -> Test:
        left = self._operand()
        self._expect(",")
        kind, text, at = self._tokens[self._i]
        right = self._operand()
        self._expect(")")
        if name == "contains":

            def contains(event: Event) -> bool:
                whole, part = left(event), right(event)
                if isinstance(whole, str) and isinstance(part, str):
                    return part in whole
                return isinstance(whole, list) and any(_equal(item, part) for item in whole)

            return contains
        if kind != "text":
            raise TriggerError("match takes a pattern in quotes", at, 'a pattern such as "*@example.com"')
        pattern = _glob(_unquote(text))
        return lambda event: isinstance(value := left(event), str) and pattern.fullmatch(value) is not None

    def _list(self) -> list[Operand]:
        closing = "]" if self._op("[") else ")"
        if closing == ")":
            self._expect("(")
        options = [self._operand()]
        while self._op(","):
            options.append(self._operand())
        self._expect(closing)
        return options

    def _operand(self) -> Operand:
        kind, text, at = self._tokens[self._i]
        if kind == "text":
            self._i += 1
            value: Any = _unquote(text)
        elif kind == "number":
            self._i += 1
            value = float(text) if "." in text else int(text)
        elif kind == "word" and text in _WORDS:
            self._i += 1
            value = _WORDS[text]
        elif kind == "word" and text not in {"and", "or", "in", "not"}:
            self._i += 1
            try:
                get = getter(steps(re.sub(r"\\(.)", r"\1", text)))
            except PathError as error:
                raise TriggerError(str(error), at) from None
            return lambda event: None if (found := get(event)) is UNDEFINED else found
        else:
            raise TriggerError(f"unexpected {text!r}" if text else "it ends here", at, "a field or a value")
        return lambda _event: value

    def _word(self, word: str) -> bool:
        kind, text, _ = self._tokens[self._i]
        if kind == "word" and text.lower() == word:
            self._i += 1
            return True
        return False

    def _op(self, op: str) -> bool:
        kind, text, _ = self._tokens[self._i]
        if kind == "op" and text == op:
            self._i += 1
            return True
        return False

    def _expect(self, op: str) -> None:
        if not self._op(op):
            _, text, at = self._tokens[self._i]
            raise TriggerError(f"unexpected {text!r}" if text else "it ends here", at, f"`{op}`")


_WORDS: Final[dict[str, Any]] = {"true": True, "false": False, "null": None}


def _equal(left: Any, right: Any) -> bool:
    if isinstance(left, bool) is not isinstance(right, bool):
        return False
    return bool(left == right)


def _ordered(left: Any, right: Any) -> bool:
    numbers = all(isinstance(v, int | float) and not isinstance(v, bool) for v in (left, right))
    return numbers or (isinstance(left, str) and isinstance(right, str))


_COMPARE: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "=": _equal,
    "!=": lambda a, b: not _equal(a, b),
    ">": lambda a, b: _ordered(a, b) and a > b,
    ">=": lambda a, b: _ordered(a, b) and a >= b,
    "<": lambda a, b: _ordered(a, b) and a < b,
    "<=": lambda a, b: _ordered(a, b) and a <= b,
}


def _comparison(op: str, left: Operand, right: Operand) -> Test:
    compare = _COMPARE[op]
    return lambda event: compare(left(event), right(event))


def _unquote(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text[1:-1])


def _glob(pattern: str) -> re.Pattern[str]:
    """`*` any run, `?` one character, everything else itself. Linear: runs of `*` are one."""
    parts = [
        ".*" if p.startswith("*") else "." if p == "?" else re.escape(p)
        for p in re.findall(r"\*+|\?|[^*?]+", pattern)
    ]
    return re.compile("".join(parts), re.DOTALL)
