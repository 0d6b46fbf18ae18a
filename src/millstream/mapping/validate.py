"""Static validation of mappings: every problem with its path, in Segment's words, before anything runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

from millstream.mapping.errors import MappingProblem
from millstream.mapping.values import UNDEFINED, kind_of

Problems = Iterator[MappingProblem]
Check = Callable[[Any, str], Problems]

# Segment keeps what its editor needs beside a directive.
METADATA: Final = "_metadata"


def validate(mapping: Any, path: str = "") -> Problems:
    """All problems of a mapping within `bounds`. Arrays are not looked into, as Segment does not."""
    if not isinstance(mapping, dict):
        return
    named = [k for k in mapping if k.startswith("@")]
    if not named:
        for key, value in mapping.items():
            yield from validate(value, f"{path}/{key}")
        return
    count = sum(1 for k in mapping if k != METADATA)
    if count != 1:
        yield MappingProblem(
            path or "/",
            f"should only have one @-prefixed key but it has {count} keys",
            "put the directive into a field of its own",
        )
        return
    name = named[0]
    check = CHECKS.get(name)
    if check is None:
        known = ", ".join(CHECKS)
        yield MappingProblem(path or "/", f"has an invalid directive: {name}", f"there are: {known}")
        return
    yield from check(mapping[name], f"{path}/{name}")


def is_directive(value: Any) -> bool:
    """Whether it is an object with exactly one `@name` (and perhaps metadata)."""
    return (
        isinstance(value, dict)
        and any(k.startswith("@") for k in value)
        and sum(1 for k in value if k != METADATA) == 1
    )


def _named(value: Any) -> str:
    """`a number`, `an object`, `a directive`."""
    kind = "directive" if is_directive(value) else kind_of(value)
    return f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}"


def _wrong(path: str, expected: str, value: Any) -> MappingProblem:
    return MappingProblem(path, f"should be {expected} but it is {_named(value)}")


def text_or_directive(value: Any, path: str) -> Problems:
    """`"$.a"` or a directive that gives text."""
    if is_directive(value):
        yield from validate(value, path)
    elif not isinstance(value, str):
        yield _wrong(path, "a string or a mapping directive", value)


def anything(value: Any, path: str) -> Problems:
    """A directive or a raw value."""
    if isinstance(value, dict):
        yield from validate(value, path)


def text(value: Any, path: str) -> Problems:
    """Text, not a directive."""
    if not isinstance(value, str):
        yield _wrong(path, "a string", value)


def short_text(least: int) -> Check:
    """Text of at most ten characters."""

    def check(value: Any, path: str) -> Problems:
        if not isinstance(value, str):
            yield _wrong(path, "a string", value)
        elif len(value) > 10:
            yield MappingProblem(path, "should be a string of length 10 or less")
        elif len(value) < least:
            yield MappingProblem(path, f"should be a string of length {least} or greater")

    return check


def flag(value: Any, path: str) -> Problems:
    """True or false."""
    if not isinstance(value, bool):
        yield _wrong(path, "a boolean", value)


def one_of(*options: str) -> Check:
    """One of these words, whatever their case."""

    def check(value: Any, path: str) -> Problems:
        if not isinstance(value, str):
            yield _wrong(path, "a string", value)
        elif value.lower() not in options:
            yield MappingProblem(path, f'should be one of {", ".join(options)} but it is "{value.lower()}"')

    return check


def list_of_objects(value: Any, path: str) -> Problems:
    """What `@merge` merges."""
    if not isinstance(value, list):
        yield _wrong(path, "an array", value)
        return
    for item in value:
        if isinstance(item, dict):
            yield from validate(item, path)
        else:
            yield MappingProblem("/", f"should be a object or a mapping directive but it is {_named(item)}")


def fields(required: dict[str, Check], optional: dict[str, Check]) -> Check:
    """An object with these fields."""

    def check(value: Any, path: str) -> Problems:
        if not isinstance(value, dict) or is_directive(value):
            yield _wrong(path, "an object", value)
            return
        for name, inner in required.items():
            if name not in value:
                yield MappingProblem(path, f'should have field "{name}" but it doesn\'t')
            else:
                yield from inner(value[name], f"{path}/{name}")
        for name, inner in optional.items():
            if name in value:
                yield from inner(value[name], f"{path}/{name}")

    return check


def _array_path(value: Any, path: str) -> Problems:
    if not isinstance(value, list):
        yield _wrong(path, "an array", value)
        return
    yield from text_or_directive(value[0] if value else UNDEFINED, path)
    if len(value) > 1:
        yield from anything(value[1], path)


def _liquid(value: Any, path: str) -> Problems:
    yield from text(value, path)


def _nothing(_value: Any, _path: str) -> Problems:
    return iter(())


CHECKS: Final[dict[str, Check]] = {
    "@path": text_or_directive,
    "@template": text_or_directive,
    "@literal": _nothing,
    "@if": fields({}, {"exists": anything, "then": anything, "else": anything}),
    "@case": fields({}, {"operator": text, "value": anything}),
    "@replace": fields(
        {"pattern": short_text(1), "value": anything},
        {"replacement": short_text(0), "ignorecase": flag, "global": flag},
    ),
    "@arrayPath": _array_path,
    "@flatten": fields({}, {"separator": text, "value": anything, "omitArrays": flag}),
    "@json": fields({}, {"value": anything, "mode": one_of("encode", "decode")}),
    "@merge": fields({"objects": list_of_objects}, {"direction": one_of("left", "right")}),
    "@transform": fields({"apply": anything, "mapping": anything}, {}),
    "@excludeWhenNull": anything,
    "@liquid": _liquid,
}
