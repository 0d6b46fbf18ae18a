"""Liquid templates with Segment's limits, on python-liquid: no loops, bounded output, JavaScript's text.

Without loops a template's work is bounded by its 1,000 characters; what filters make is bounded one by one.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from functools import lru_cache
from typing import Any, Final

from liquid import BoundTemplate, Environment
from liquid.exceptions import LiquidError

from millstream.mapping.errors import MappingFailed
from millstream.mapping.output import MAX_BYTES, produce
from millstream.mapping.values import to_json, to_text

MAX_LENGTH: Final = 1000
DISABLED_TAGS: Final = ("case", "for", "include", "layout", "render", "tablerow")
DISABLED_FILTERS: Final = (
    "array_to_sentence_string", "concat", "find", "find_exp", "find_index", "find_index_exp", "group_by",
    "group_by_exp", "has", "has_exp", "map", "newline_to_br", "reject", "reject_exp", "reverse", "sort",
    "sort_natural", "uniq", "where_exp", "type",
)  # fmt: skip
_TAG: Final = re.compile(r"\{%-?\s*([\w#]+)")


class _Disabled(Exception):
    """A filter that Segment has switched off."""


class _Limited(Environment):
    """What one template may use."""

    output_stream_limit = MAX_BYTES
    local_namespace_limit = 4 * MAX_BYTES
    context_depth_limit = 30
    loop_iteration_limit = 1


class _Object(dict[str, Any]):
    """An object that prints as JavaScript prints it."""

    def __str__(self) -> str:
        """Never its contents."""
        return "[object Object]"


def compile_liquid(source: str) -> Callable[[Any], Any]:
    """A function from an event to text. What is wrong with the template shows when it runs, as in Segment."""
    if len(source) > MAX_LENGTH:
        return _fails(f"liquid template values are limited to {MAX_LENGTH} characters")
    for tag in _TAG.finditer(source):
        if tag[1] in DISABLED_TAGS:
            return _fails(f'tag "{tag[1]}" is disabled, {_position(source, tag.start())}')
    try:
        template = _environment().from_string(source)
    except (LiquidError, RecursionError) as error:
        return _fails(_parse_message(source, error))

    def evaluate(event: Any) -> str:
        return _render(template, event, source)

    return evaluate


def _render(template: BoundTemplate, event: Any, source: str) -> str:
    try:
        return produce(template.render(**{str(k): _plain(v) for k, v in event.items()}))
    except _Disabled as error:
        uses = (m.start() for m in re.finditer(r"\{[{%]", source) if f"| {error}" in source[m.start() :])
        at = max((u for u in uses), default=0)
        raise MappingFailed(f'filter "{error}" is disabled, {_position(source, at)}') from None
    except LiquidError as error:
        raise MappingFailed(str(error).split("\n")[0]) from None
    except (TypeError, ValueError, ArithmeticError, RecursionError) as error:
        raise MappingFailed(f"{type(error).__name__}: {error}") from None


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return _Object({k: _plain(v) for k, v in value.items()})
    if isinstance(value, list):
        return [_plain(v) for v in value]
    return value


@lru_cache(maxsize=1)
def _environment() -> Environment:
    environment = _Limited(strict_filters=False, autoescape=False)
    for name in DISABLED_TAGS:
        environment.tags.pop(name, None)
    for name in list(environment.filters):
        environment.filters[name] = _bounded(environment.filters[name])
    environment.add_filter("json", lambda value, *_: to_json(value))
    environment.add_filter("round", _round)
    environment.add_filter("join", _bounded(_join))
    environment.add_filter("replace", _replace)
    for name in DISABLED_FILTERS:
        environment.add_filter(name, _disabled(name))
    return environment


def _bounded(function: Callable[..., Any]) -> Callable[..., Any]:
    """The filter with a bound on what it gives."""

    def bounded(*arguments: Any, **named: Any) -> Any:
        found = function(*arguments, **named)
        if isinstance(found, str | list) and len(found) > MAX_BYTES:
            raise MappingFailed(f"a filter gave more than {MAX_BYTES} characters")
        if isinstance(found, int) and not isinstance(found, bool) and found.bit_length() > 4096:
            raise MappingFailed("a filter gave a number beyond any use")
        return found

    for name in ("with_context", "with_environment"):
        if hasattr(function, name):
            setattr(bounded, name, getattr(function, name))
    return bounded


def _round(value: Any, digits: Any = 0) -> Any:
    """Half away from zero, as Liquid has it."""
    try:
        places = max(min(int(digits or 0), 20), 0)
        rounded = Decimal(to_text(value)).quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)
    except (InvalidOperation, ValueError, TypeError):
        return 0
    return float(rounded) if places else int(rounded)


def _join(value: Any, separator: Any = " ") -> str:
    parts = [to_text(v) for v in value] if isinstance(value, list) else [to_text(value)]
    between = to_text(separator)
    if len(between) * len(parts) > MAX_BYTES:
        raise MappingFailed(f"a filter gave more than {MAX_BYTES} characters")
    return between.join(parts)


def _replace(value: Any, old: Any, new: Any = "") -> str:
    text, before, after = to_text(value), to_text(old), to_text(new)
    if text.count(before) * len(after) + len(text) > MAX_BYTES:
        raise MappingFailed(f"a filter gave more than {MAX_BYTES} characters")
    return text.replace(before, after)


def _disabled(name: str) -> Callable[..., Any]:
    def refuse(*_: Any, **__: Any) -> Any:
        raise _Disabled(name)

    return refuse


def _parse_message(source: str, error: Exception) -> str:
    known = _environment().tags
    ends = {f"end{name}" for name in known} | {"else", "elsif", "when", "endraw", "raw"}
    for tag in _TAG.finditer(source):
        if tag[1] not in known and tag[1] not in ends:
            return f'tag "{tag[1]}" not found, {_position(source, tag.start())}'
    return str(error).split("\n")[0]


def _position(source: str, at: int) -> str:
    line = source.count("\n", 0, at) + 1
    return f"line:{line}, col:{at - source.rfind(chr(10), 0, at)}"


def _fails(message: str) -> Callable[[Any], Any]:
    def evaluate(_event: Any) -> Any:
        raise MappingFailed(message)

    return evaluate
