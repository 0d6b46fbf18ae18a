"""The grammar of triggers: text → tree, with the place and what was expected when it cannot be read.

    expression = and { "or" and }
    and        = not { "and" not }
    not        = { "not" | "!" } primary
    primary    = "(" expression ")" | "all" | "none" | test
    test       = value [ operator value | ["not"] "in" "[" value { "," value } "]" ]
    operator   = "=" | "==" | "!=" | "<" | "<=" | ">" | ">="
    value      = text | number | "true" | "false" | "null" | name "(" value { "," value } ")" | field
    field      = key { "." key | "[" number or text "]" }

`and` binds tighter than `or`, `not` tighter than both and weaker than a comparison. Keywords in any case.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Final

from millstream.mapping.triggers.tree import (
    ALWAYS,
    NEVER,
    And,
    Call,
    Compare,
    In,
    Literal,
    Node,
    Not,
    Or,
    Path,
)

MAX_LENGTH: Final = 10_000
MAX_DEPTH: Final = 64
MAX_NODES: Final = 2_000


@dataclass(frozen=True, slots=True)
class Function:
    """A function of the language: how many arguments, whether it stands alone, what it is for."""

    arguments: int
    alone: bool
    description: str
    example: str


FUNCTIONS: Final = {
    "contains": Function(
        2, True, "Text that contains text, or an array with such an item.", 'contains(event, "Order")'
    ),
    "match": Function(
        2,
        True,
        "Text that fits a pattern: `*` any text, `?` one character, `\\\\` before either means itself.",
        'match(event, "Order*")',
    ),
    "starts_with": Function(2, True, "Text that begins so.", 'starts_with(properties.sku, "A-")'),
    "ends_with": Function(2, True, "Text that ends so.", 'ends_with(traits.email, "@example.com")'),
    "exists": Function(1, True, "Neither null nor absent.", "exists(properties.coupon)"),
    "length": Function(
        1, False, "Of text in characters, of an array in items; else null.", "length(properties.items) > 2"
    ),
    "lowercase": Function(1, False, "Text in lower case; else null.", 'lowercase(event) = "order completed"'),
    "uppercase": Function(1, False, "Text in upper case; else null.", 'uppercase(traits.plan) = "PRO"'),
    "snakecase": Function(1, False, "`Order Done` as `order_done`.", 'snakecase(event) = "order_completed"'),
    "kebabcase": Function(1, False, "`Order Done` as `order-done`.", 'kebabcase(event) = "order-completed"'),
    "titlecase": Function(1, False, "`order_done` as `Order Done`.", 'titlecase(event) = "Order Completed"'),
    "typeof": Function(
        1, False, "string, number, boolean, array, object or null.", 'typeof(properties.total) = "number"'
    ),
}
_OPERATORS: Final = {"=": "=", "==": "=", "!=": "!=", "<": "<", "<=": "<=", ">": ">", ">=": ">="}
_KEYWORDS: Final = frozenset({"and", "or", "not", "in", "all", "none", "true", "false", "null"})
_TOKEN: Final = re.compile(
    r"""\s*(?:
        (?<=\.)(?P<index>\d+)(?![\w-])
      | (?P<number>[+-]?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)(?![\w.])
      | (?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
      | (?P<op>!=|==|>=|<=|[=<>!(),\[\].])
      | (?P<word>(?:[^\W\d]|\$|\\.)(?:[\w$-]|\\.)*)
    )""",
    re.VERBOSE,
)
_ESCAPES: Final = {"n": "\n", "t": "\t", "r": "\r"}


class TriggerError(Exception):
    """A trigger cannot be read: where (0-based character), and what was expected there."""

    def __init__(self, message: str, position: int, expected: str = "") -> None:
        tail = f"; expected {expected}" if expected else ""
        super().__init__(f"at character {position + 1}: {message}{tail}")
        self.position = position
        self.expected = expected


def parse(source: str) -> Node:
    """The tree of an expression; an empty one always holds. Raises `TriggerError`."""
    if len(source) > MAX_LENGTH:
        raise TriggerError(f"longer than {MAX_LENGTH} characters", MAX_LENGTH)
    if not source.strip():
        return ALWAYS
    parser = _Parser(source)
    found = parser.expression(0)
    parser.end()
    return found


class _Parser:
    """Recursive descent over the tokens."""

    def __init__(self, source: str) -> None:
        self._tokens: list[tuple[str, str, int]] = []
        at = 0
        end = len(source.rstrip())
        while at < end:
            match = _TOKEN.match(source, at)
            if match is None:
                raise _unreadable(source, at)
            kind = str(match.lastgroup)
            self._tokens.append((kind, match[kind], match.start(kind)))
            at = match.end()
        if len(self._tokens) > MAX_NODES:
            raise TriggerError(f"more than {MAX_NODES} words", self._tokens[MAX_NODES][2])
        self._tokens.append(("end", "", end))
        self._i = 0

    def end(self) -> None:
        """Nothing may follow."""
        kind, text, at = self._tokens[self._i]
        if kind != "end":
            raise TriggerError(f"unexpected {text!r}", at, "`and`, `or` or the end")

    def expression(self, depth: int) -> Node:
        """Alternatives."""
        if depth > MAX_DEPTH:
            raise TriggerError("nested too deeply", self._tokens[self._i][2])
        parts = [self._and(depth)]
        while self._keyword("or"):
            parts.append(self._and(depth))
        return parts[0] if len(parts) == 1 else Or(tuple(parts))

    def _and(self, depth: int) -> Node:
        parts = [self._not(depth)]
        while self._keyword("and"):
            parts.append(self._not(depth))
        return parts[0] if len(parts) == 1 else And(tuple(parts))

    def _not(self, depth: int) -> Node:
        negate = False
        while self._op("!") or self._keyword("not"):
            negate = not negate
        found = self._primary(depth)
        return Not(found) if negate else found

    def _primary(self, depth: int) -> Node:
        if self._op("("):
            inner = self.expression(depth + 1)
            self._expect(")")
            return inner
        if self._keyword("all"):
            return ALWAYS
        if self._keyword("none"):
            return NEVER
        at = self._tokens[self._i][2]
        left = self._value(depth)
        kind, text, place = self._tokens[self._i]
        if kind == "op" and text in _OPERATORS:
            self._i += 1
            return Compare(_OPERATORS[text], left, self._value(depth))
        if self._keyword("in"):
            return In(left, self._options(depth))
        if self._peek("not") and self._tokens[self._i + 1][1].lower() == "in":
            self._i += 2
            return Not(In(left, self._options(depth)))
        if isinstance(left, Call) and FUNCTIONS[left.name].alone:
            return left
        if isinstance(left, Path) and (kind == "end" or text in {")", "and", "or"}):
            hint = f"a comparison, as in `{'.'.join(left.keys)} = true` or `exists({'.'.join(left.keys)})`"
            raise TriggerError(f"{'.'.join(left.keys)!r} alone says nothing", at, hint)
        raise TriggerError(
            f"unexpected {text!r}" if text else "it ends here", place, "= != < <= > >= or `in`"
        )

    def _options(self, depth: int) -> tuple[Node, ...]:
        self._expect("[")
        options = [self._value(depth)]
        while self._op(","):
            options.append(self._value(depth))
        self._expect("]")
        return tuple(options)

    def _value(self, depth: int) -> Node:
        kind, text, at = self._tokens[self._i]
        if kind == "number":
            self._i += 1
            return Literal(float(text) if any(c in text for c in ".eE") else int(text))
        if kind == "text":
            self._i += 1
            return Literal(_unquoted(text))
        if kind == "word":
            low = text.lower()
            if low in {"true", "false", "null"}:
                self._i += 1
                return Literal({"true": True, "false": False, "null": None}[low])
            if low in _KEYWORDS:
                raise TriggerError(f"unexpected {text!r}", at, "a field or a value")
            if self._tokens[self._i + 1][1] == "(":
                return self._call(depth)
            return self._path()
        what = f"unexpected {text!r}" if text else "it ends here"
        raise TriggerError(what, at, "a field, a value or a function")

    def _call(self, depth: int) -> Node:
        _, name, at = self._tokens[self._i]
        function = FUNCTIONS.get(name)
        if function is None:
            raise TriggerError(f"no function {name!r}", at, f"one of {', '.join(FUNCTIONS)}")
        if depth > MAX_DEPTH:
            raise TriggerError("nested too deeply", at)
        self._i += 2
        arguments = [self._value(depth + 1)]
        while self._op(","):
            arguments.append(self._value(depth + 1))
        self._expect(")")
        if len(arguments) != function.arguments:
            raise TriggerError(f"{name} takes {function.arguments} arguments, not {len(arguments)}", at)
        if name == "match" and not (
            isinstance(arguments[1], Literal) and isinstance(arguments[1].value, str)
        ):
            raise TriggerError(
                "the pattern of match must be text", at, 'a pattern, as in match(event, "Order*")'
            )
        return Call(name, tuple(arguments))

    def _path(self) -> Path:
        keys = [_key(self._tokens[self._i][1])]
        self._i += 1
        while True:
            if self._op("."):
                kind, text, at = self._tokens[self._i]
                if kind not in {"word", "index"}:
                    raise TriggerError(
                        f"unexpected {text!r}" if text else "it ends here", at, "a field's name"
                    )
                self._i += 1
                keys.append(_key(text))
            elif self._tokens[self._i][1] == "[":
                self._i += 1
                kind, text, at = self._tokens[self._i]
                if kind not in {"text", "number"}:
                    raise TriggerError(
                        f"unexpected {text!r}" if text else "it ends here", at, "a number or text"
                    )
                self._i += 1
                keys.append(_unquoted(text) if kind == "text" else text)
                self._expect("]")
            else:
                break
        if keys[0] == "$":
            keys = keys[1:] or ["$"]
        return Path(tuple(keys))

    def _peek(self, word: str) -> bool:
        kind, text, _ = self._tokens[self._i]
        return kind == "word" and text.lower() == word

    def _keyword(self, word: str) -> bool:
        if self._peek(word) and self._tokens[self._i + 1][1] != ".":
            self._i += 1
            return True
        return False

    def _op(self, wanted: str) -> bool:
        kind, text, _ = self._tokens[self._i]
        if kind == "op" and text == wanted:
            self._i += 1
            return True
        return False

    def _expect(self, wanted: str) -> None:
        if not self._op(wanted):
            _, text, at = self._tokens[self._i]
            raise TriggerError(f"unexpected {text!r}" if text else "it ends here", at, f"`{wanted}`")


def _unreadable(source: str, at: int) -> TriggerError:
    at += len(source[at:]) - len(source[at:].lstrip())
    if source[at] in "\"'":
        return TriggerError("the text has no end", at, f"a closing {source[at]}")
    return TriggerError(f"cannot read {source[at : at + 12]!r}", at)


def _key(word: str) -> str:
    return re.sub(r"\\(.)", r"\1", word)


def _unquoted(text: str) -> str:
    if text[0] == '"':
        try:
            return str(json.loads(text))
        except ValueError:
            pass
    return re.sub(r"\\(.)", lambda m: _ESCAPES.get(m[1], m[1]), text[1:-1])
