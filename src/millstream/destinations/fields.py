"""An action's fields after mapping: empty ones dropped, types coerced, what cannot be is one visible reason.

The rules are those of Segment's actions: text of a number is a number where a number is wanted and the other way
round, a list of one is its item, an item is a list of one where a list is wanted, `null` and empty text count as not
given. What is inside an object field (`properties`) stays as it was mapped: there, null and "" may mean "clear".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from millstream.destinations.kit import Action, Field
from millstream.mapping.compile import ROOT_DIRECTIVE, compile_mapping
from millstream.mapping.values import kind_of, number_text
from millstream.spec.timestamps import to_ms


class FieldsInvalid(Exception):
    """The fields cannot be used; the message names each field and what it should be."""


class _Unfit(Exception):
    """The value does not fit the type."""


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A field that a mapping may give, with what reads its type."""

    field: Field
    read: Callable[[Any], Any]


class Fields:
    """The fields that one mapping gives one action: mapped, then in the action's types."""

    __slots__ = ("_fixed", "_mapping", "_wanted")

    def __init__(self, action: Action, mapping: Mapping[str, Any]) -> None:
        given = action.mapping(mapping)
        rooted = ROOT_DIRECTIVE in given
        # Fields that every event has alike, because the mapping writes them out.
        self._fixed = {} if rooted else {f.name: given[f.name] for f in action.fields if _is_fixed(f, given)}
        self._mapping = compile_mapping({n: v for n, v in given.items() if n not in self._fixed})
        self._wanted = tuple(
            _Wanted(f, _READERS[f.type])
            for f in action.fields
            if f.name not in self._fixed and (f.required or f.name in given or rooted)
        )

    def of(self, view: Mapping[str, Any]) -> dict[str, Any]:
        """The fields for an event as the action takes them. Raises `MappingFailed` and `FieldsInvalid`."""
        mapped = self._mapping.evaluate(view)
        given: Mapping[str, Any] = mapped if isinstance(mapped, dict) else {}
        found = self._fixed.copy()
        problems: list[str] = []
        for wanted in self._wanted:
            field = wanted.field
            value = given.get(field.name)
            if value is None or value == "":
                if field.required:
                    problems.append(f"{field.label} is required")
                continue
            alone = isinstance(value, list) and len(value) == 1 and field.type != "array"
            try:
                read = found[field.name] = wanted.read(value[0] if alone else value)
            except _Unfit:
                article = "an" if field.type[0] in "aio" else "a"
                problems.append(f"{field.label} must be {article} {field.type} but it was {_named(value)}")
                continue
            if field.choices and read not in field.choices:
                problems.append(f"{field.label} must be one of {', '.join(map(str, field.choices))}")
        if problems:
            raise FieldsInvalid("; ".join(problems))
        return found


def _is_fixed(field: Field, given: Mapping[str, Any]) -> bool:
    value = given.get(field.name)
    plain = isinstance(value, str) and field.type == "string" and value != ""
    return plain and (not field.choices or value in field.choices)


def _named(value: Any) -> str:
    kind = kind_of(value)
    return f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}"


def _string(value: Any) -> Any:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return number_text(value)
    raise _Unfit


def _number(value: Any) -> Any:
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, int | float):
        return value
    if isinstance(value, str):
        try:
            found = float(value)
        except ValueError:
            raise _Unfit from None
        if found == found and abs(found) != float("inf"):  # noqa: PLR0124
            return int(found) if found.is_integer() and abs(found) < 2**53 else found
    raise _Unfit


def _integer(value: Any) -> Any:
    found = _number(value)
    if isinstance(found, int) or found.is_integer():
        return int(found)
    raise _Unfit


def _boolean(value: Any) -> Any:
    if isinstance(value, bool):
        return value
    if isinstance(value, str | int):  # whatever else it is may not even be comparable
        if value in {"true", 1}:
            return True
        if value in {"false", 0}:
            return False
    raise _Unfit


def _datetime(value: Any) -> Any:
    if to_ms(value) is None:
        raise _Unfit
    return value


def _object(value: Any) -> Any:
    if isinstance(value, dict):
        return value
    raise _Unfit


def _array(value: Any) -> Any:
    return value if isinstance(value, list) else [value]


_READERS: Final[dict[str, Callable[[Any], Any]]] = {
    "string": _string,
    "number": _number,
    "integer": _integer,
    "boolean": _boolean,
    "datetime": _datetime,
    "object": _object,
    "array": _array,
}
