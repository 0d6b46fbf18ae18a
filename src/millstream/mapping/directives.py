"""The directives of the mapping language: one function each that compiles its argument to a closure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from millstream.mapping.paths import PathError, getter, steps
from millstream.mapping.values import UNDEFINED, to_text

Event = Mapping[str, Any]
Evaluate = Callable[[Event], Any]
Compile = Callable[[Any, str], Evaluate]
Directive = Callable[[Any, str, Compile], Evaluate]

MAX_TEXT: Final = 1_000_000
_HOLE: Final = re.compile(r"\{\{\{?\s*([^{}]*?)\s*\}?\}\}")


class MappingError(Exception):
    """A mapping cannot be compiled: `path` says where in it, the message what, `hint` what to do."""

    def __init__(self, path: str, message: str, hint: str = "") -> None:
        super().__init__(f"{path}: {message}" + (f" ({hint})" if hint else ""))
        self.path = path
        self.message = message
        self.hint = hint


def path(argument: Any, where: str, _compile: Compile) -> Evaluate:
    """`{"@path": "$.traits.email"}`: the value at a path of the event."""
    if not isinstance(argument, str):
        raise MappingError(where, "@path takes text", 'as in {"@path": "$.traits.email"}')
    try:
        found = steps(argument)
    except PathError as error:
        raise MappingError(where, str(error)) from None
    return getter(found) if found else dict


def template(argument: Any, where: str, _compile: Compile) -> Evaluate:
    """`{"@template": "Hi {{traits.name}}"}`: text with values of the event; what is not there is empty."""
    if not isinstance(argument, str):
        raise MappingError(where, "@template takes text")
    parts: list[str | Evaluate] = []
    at = 0
    for hole in _HOLE.finditer(argument):
        parts.append(argument[at : hole.start()])
        try:
            parts.append(getter(steps(hole[1])))
        except PathError as error:
            raise MappingError(where, str(error)) from None
        at = hole.end()
    parts.append(argument[at:])
    return lambda event: "".join(p if isinstance(p, str) else to_text(p(event)) for p in parts)[:MAX_TEXT]


def literal(argument: Any, _where: str, _compile: Compile) -> Evaluate:
    """`{"@literal": 1}`: the value itself, whatever it looks like."""
    return lambda _event: argument


def condition(argument: Any, where: str, compile_: Compile) -> Evaluate:
    """`{"@if": {"exists": …, "then": …, "else": …}}`: exists = neither null nor undefined; blank = that or ""."""
    if not isinstance(argument, dict) or not ({"exists", "blank"} & set(argument)):
        raise MappingError(where, "@if needs `exists` or `blank`")
    unknown = set(argument) - {"exists", "blank", "then", "else"}
    if unknown:
        raise MappingError(where, f"@if has unknown keys: {', '.join(sorted(unknown))}")
    asks_blank = "blank" in argument
    test = compile_(
        argument["blank" if asks_blank else "exists"], f"{where}.{'blank' if asks_blank else 'exists'}"
    )
    then = compile_(argument["then"], f"{where}.then") if "then" in argument else _undefined
    otherwise = compile_(argument["else"], f"{where}.else") if "else" in argument else _undefined

    def evaluate(event: Event) -> Any:
        value = test(event)
        missing = value is None or value is UNDEFINED
        holds = (missing or value == "") if asks_blank else not missing
        return then(event) if holds else otherwise(event)

    return evaluate


def _undefined(_event: Event) -> Any:
    return UNDEFINED


DIRECTIVES: Final[dict[str, Directive]] = {
    "@path": path,
    "@template": template,
    "@literal": literal,
    "@if": condition,
}
