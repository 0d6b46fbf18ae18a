"""The thirteen directives of the mapping language: one function each that compiles its argument to a closure.

The docstring of a function is the directive's documentation: first line, then examples that a test executes. What
Segment's own engine does in odd cases is kept, since its users bring their mappings (docs/mapping.md lists them).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, Final

from millstream.mapping.bounds import weight
from millstream.mapping.errors import MappingFailed, MappingInvalid, MappingProblem
from millstream.mapping.liquid import compile_liquid
from millstream.mapping.output import produce, produce_items, repeat
from millstream.mapping.paths import PathError, path_getter, steps
from millstream.mapping.values import (
    UNDEFINED,
    kind_of,
    missing,
    to_json,
    to_text,
    truthy,
    without_nulls,
)

Evaluate = Callable[[Any], Any]
Compile = Callable[[Any, str], Evaluate]
Directive = Callable[[Any, str, Compile], Evaluate]

_HOLE: Final = re.compile(r"\{\{\{([^}]+)\}\}\}|\{\{([^}]+)\}\}")


def path(argument: Any, where: str, compile_: Compile) -> Evaluate:
    """The value at a path of the event.

    {"@path": "$.traits.email"}
    """
    if isinstance(argument, str):
        return _getter(argument, where)
    dynamic = compile_(argument, where)

    def evaluate(event: Any) -> Any:
        wanted = dynamic(event)
        if not isinstance(wanted, str):
            raise MappingFailed(f"@path: expected string, got {kind_of(wanted)}")
        return _getter(wanted, where)(event)

    return evaluate


def template(argument: Any, where: str, compile_: Compile) -> Evaluate:
    """Text with values of the event in it; what is not there is empty. Three braces do the same as two.

    {"@template": "Hi {{traits.name}}"}
    """
    if isinstance(argument, str):
        return _template(argument, where)
    dynamic = compile_(argument, where)

    def evaluate(event: Any) -> Any:
        text = dynamic(event)
        if not isinstance(text, str):
            raise MappingFailed(f"@template: expected string, got {kind_of(text)}")
        return _template(text, where)(event)

    return evaluate


def literal(argument: Any, where: str, compile_: Compile) -> Evaluate:
    """The value itself; directives inside it are evaluated.

    {"@literal": "{{not a template}}"}
    """
    return compile_(argument, where)


def condition(argument: Any, where: str, compile_: Compile) -> Evaluate:
    """One of two values. `exists` asks for neither null nor undefined; `blank`, despite its name, for not blank.

    {"@if": {"exists": {"@path": "$.traits.name"}, "then": "named", "else": "nameless"}}
    """
    then = compile_(argument["then"], f"{where}/then") if "then" in argument else _undefined
    otherwise = compile_(argument["else"], f"{where}/else") if truthy(argument.get("else")) else _undefined
    if truthy(argument.get("exists", UNDEFINED)):
        test = compile_(argument["exists"], f"{where}/exists")
        # Equal in Python, which is quick to see, is not yet equal in JSON: 1 and true, the order of keys.
        same = argument["exists"] == argument.get("then")
        itself = same and to_json(argument["exists"]) == to_json(argument["then"])

        def exists(event: Any) -> Any:
            value = test(event)
            if value is None or value is UNDEFINED:
                return otherwise(event)
            return value if itself else then(event)

        return exists
    if truthy(argument.get("blank", UNDEFINED)):
        test = compile_(argument["blank"], f"{where}/blank")

        def not_blank(event: Any) -> Any:
            value = test(event)
            # JavaScript's loose comparison: 0, false and [] equal "" as well.
            blank = (
                missing(value) or value == "" or (value == 0 and not isinstance(value, str)) or value == []
            )
            return otherwise(event) if blank else then(event)

        return not_blank
    return _fails('@if requires an "exists" key or a "blank" key')


def case(argument: Any, where: str, compile_: Compile) -> Evaluate:
    """Text in lower or upper case; anything else as it is.

    {"@case": {"operator": "lower", "value": {"@path": "$.traits.email"}}}
    """
    if not argument.get("operator"):
        return _fails('@case requires a "operator" key')
    if not truthy(argument.get("value", UNDEFINED)):
        return _undefined
    value = compile_(argument["value"], f"{where}/value")
    operator = argument["operator"]

    def evaluate(event: Any) -> Any:
        found = value(event)
        if not isinstance(found, str):
            return found
        if operator == "lower":
            return found.lower()
        if operator == "upper":
            return found.upper()
        raise MappingFailed('operator key should have a value of "lower" or "upper"')

    return evaluate


def replace(argument: Any, where: str, compile_: Compile) -> Evaluate:
    """Plain text replaced in text, numbers and booleans; up to two patterns of at most ten characters.

    {"@replace": {"value": {"@path": "$.traits.phone"}, "pattern": " ", "replacement": ""}}
    """
    if not truthy(argument["value"]):
        return _undefined
    value = compile_(argument["value"], f"{where}/value")
    flags = re.IGNORECASE if argument.get("ignorecase") else re.NOFLAG
    count = 0 if argument.get("global", True) else 1
    pairs = [(argument["pattern"], argument.get("replacement") or "")]
    if isinstance(argument.get("pattern2"), str) and argument["pattern2"]:
        pairs.append((argument["pattern2"], str(argument.get("replacement2") or "")))
    patterns = [(re.compile(re.escape(p), flags), _substitution(r)) for p, r in pairs]

    def evaluate(event: Any) -> Any:
        found = value(event)
        if isinstance(found, bool | int | float):
            found = to_text(found)
        if not isinstance(found, str):
            return ""
        for pattern, substitution in patterns:
            found = pattern.sub(substitution, produce(found, 2), count=count)
        return produce(found)

    return evaluate


def array_path(argument: Any, where: str, compile_: Compile) -> Evaluate:
    """Each item of an array (or one object) in a new shape; paths of the shape begin at the item.

    {"@arrayPath": ["$.properties.products", {"sku": {"@path": "$.id"}}]}
    """
    root = _getter(argument[0], where) if isinstance(argument[0], str) else compile_(argument[0], where)
    shape = argument[1] if len(argument) > 1 else None
    if not isinstance(shape, dict) or not shape:
        return root
    item_of = compile_(shape, where)
    cost = weight(shape)

    def evaluate(event: Any) -> Any:
        found = root(event)
        if isinstance(found, dict):
            found = [found]
        if not isinstance(found, list):
            return found
        repeat(len(found), cost)
        return [None if (made := item_of(item)) is UNDEFINED else made for item in found]

    return evaluate


def flatten(argument: Any, where: str, compile_: Compile) -> Evaluate:
    """Nested objects and arrays as one object with joined keys; empty ones vanish.

    {"@flatten": {"value": {"@path": "$.traits.address"}, "separator": "_"}}
    """
    separator = argument.get("separator")
    if not separator:
        return _fails('@flatten requires a "separator" key')
    value = compile_(argument.get("value"), f"{where}/value")
    omit_arrays = bool(argument.get("omitArrays"))

    def evaluate(event: Any) -> Any:
        found: dict[str, Any] = {}
        root = value(event)
        if root is UNDEFINED:
            return found
        pending: list[tuple[str, Any]] = [("", root)]
        while pending:
            prefix, inner = pending.pop()
            if isinstance(inner, dict) or (isinstance(inner, list) and not (omit_arrays and prefix)):
                items = list(inner.items() if isinstance(inner, dict) else enumerate(inner))
                produce_items(len(items) + len(prefix) * len(items) // 16)
                joined = [(f"{prefix}{separator}{k}" if prefix else str(k), v) for k, v in items]
                pending.extend(reversed(joined))
            else:
                found[prefix] = inner
        return found

    return evaluate


def json_text(argument: Any, where: str, compile_: Compile) -> Evaluate:
    """JSON text of a value (`encode`), or the value of JSON text (`decode`; what is no JSON stays as it is).

    {"@json": {"mode": "encode", "value": {"@path": "$.properties"}}}
    """
    if not truthy(argument.get("value", UNDEFINED)):
        return _fails('@json requires a "value" key')
    value = compile_(argument["value"], f"{where}/value")
    mode = argument.get("mode")
    if mode == "encode":

        def encode(event: Any) -> Any:
            found = value(event)
            return UNDEFINED if found is UNDEFINED else produce(to_json(found), 4)

        return encode
    if mode != "decode":
        return _undefined if mode else _fails('@json requires a "mode" key')

    def decode(event: Any) -> Any:
        found = value(event)
        if not isinstance(found, str):
            return found
        produce(found)
        try:
            return json.loads(found, parse_constant=_no_constant)
        except (ValueError, RecursionError):
            return found

    return decode


def merge(argument: Any, where: str, compile_: Compile) -> Evaluate:
    """Objects merged, not deeply; with `right` later ones win, with `left` earlier ones.

    {"@merge": {"direction": "right", "objects": [{"plan": "free"}, {"@path": "$.traits"}]}}
    """
    direction = argument.get("direction")
    if not direction:
        return _fails('@merge requires a "direction" key')
    parts = [compile_(o, f"{where}/objects") for o in argument["objects"]]
    if direction == "left":
        parts.reverse()

    def evaluate(event: Any) -> Any:
        found: dict[str, Any] = {}
        for part in parts:
            value = part(event)
            if isinstance(value, dict):
                produce_items(len(value))
                found.update(value)
            elif isinstance(value, list | str):
                produce_items(len(value))
                found.update({str(i): v for i, v in enumerate(value)})
        return found

    return evaluate


def transform(argument: Any, where: str, compile_: Compile) -> Evaluate:
    """A mapping applied to the result of another; the event itself is out of its sight.

    {"@transform": {"apply": {"who": {"@path": "$.userId"}}, "mapping": {"@path": "$.who"}}}
    """
    apply = compile_(argument["apply"], f"{where}/apply")
    mapping = compile_(argument["mapping"], f"{where}/mapping")

    def evaluate(event: Any) -> Any:
        return mapping(apply(event))

    return evaluate


def exclude_when_null(argument: Any, where: str, compile_: Compile) -> Evaluate:
    """The value without nulls: null itself is left out, and every null in an object, but not in arrays.

    {"@excludeWhenNull": {"@path": "$.traits.address"}}
    """
    value = compile_(argument, where)

    def evaluate(event: Any) -> Any:
        found = value(event)
        return UNDEFINED if found is None else without_nulls(found)

    return evaluate


def liquid(argument: Any, _where: str, _compile: Compile) -> Evaluate:
    """A Liquid template of at most 1,000 characters. No loops, no `case`, no includes, no filters that need loops.

    {"@liquid": "{% if traits.plan == 'pro' %}paying{% else %}{{ traits.plan | default: 'none' }}{% endif %}"}
    """
    return compile_liquid(argument)


DIRECTIVES: Final[dict[str, Directive]] = {
    "@path": path,
    "@template": template,
    "@literal": literal,
    "@if": condition,
    "@case": case,
    "@replace": replace,
    "@arrayPath": array_path,
    "@flatten": flatten,
    "@json": json_text,
    "@merge": merge,
    "@transform": transform,
    "@excludeWhenNull": exclude_when_null,
    "@liquid": liquid,
}


def _getter(text: str, where: str) -> Evaluate:
    try:
        return path_getter(text)
    except PathError as error:
        raise MappingInvalid([MappingProblem(where, str(error))]) from None


def _template(text: str, where: str) -> Evaluate:
    parts: list[str | Evaluate] = []
    at = 0
    for hole in _HOLE.finditer(text):
        parts.append(text[at : hole.start()])
        name = (hole[1] or hole[2]).strip()
        # Inside a template `$.` is no root: only `get` applies.
        parts.append(_getter(name, where) if "$." not in name else _verbatim(name))
        at = hole.end()
    parts.append(text[at:])
    compiled = tuple(p for p in parts if p != "")

    def evaluate(event: Any) -> Any:
        return "".join([produce(p if type(p) is str else to_text(p(event))) for p in compiled])  # type: ignore[operator]

    return evaluate


def _verbatim(name: str) -> Evaluate:
    """A path whose `$` is a key of its own."""
    keys = ("$", *steps(name.replace("$.", "", 1)))

    def evaluate(event: Any) -> Any:
        at = event
        for key in keys:
            at = at.get(key, UNDEFINED) if isinstance(at, dict) else UNDEFINED
        return at

    return evaluate


def _substitution(replacement: str) -> Callable[[re.Match[str]], str]:
    """JavaScript's `$$`, `$&`, `` $` `` and `$'` in a replacement."""
    if "$" not in replacement:
        return lambda _match: replacement

    def substitute(match: re.Match[str]) -> str:
        whole = match.string
        special = {"$$": "$", "$&": match[0], "$`": whole[: match.start()], "$'": whole[match.end() :]}
        return re.sub(r"\$[$&`']", lambda m: special[m[0]], replacement)

    return substitute


def _fails(message: str) -> Evaluate:
    """What Segment notices only when it runs: a branch that is not taken does no harm."""

    def evaluate(_event: Any) -> Any:
        raise MappingFailed(message)

    return evaluate


def _undefined(_event: Any) -> Any:
    return UNDEFINED


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")
