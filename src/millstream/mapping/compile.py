"""Mapping JSON → one closure, compiled once. What is undefined is left out of objects and is null in arrays."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from millstream.mapping.directives import DIRECTIVES, Evaluate, MappingError
from millstream.mapping.values import UNDEFINED

MAX_DEPTH: Final = 64


class CompiledMapping:
    """A mapping ready to run."""

    __slots__ = ("_evaluate",)

    def __init__(self, evaluate: Evaluate) -> None:
        self._evaluate = evaluate

    def evaluate(self, event: Mapping[str, Any]) -> Any:
        """The output for an event; UNDEFINED when there is none."""
        return self._evaluate(event)


def compile_mapping(mapping: Any) -> CompiledMapping:
    """Compile a mapping. Raises `MappingError` with the path of what is wrong."""
    return CompiledMapping(_compile(mapping, "$"))


def _compile(mapping: Any, where: str) -> Evaluate:
    if where.count(".") + where.count("[") > MAX_DEPTH:
        raise MappingError(where[:60], f"nested deeper than {MAX_DEPTH}")
    if isinstance(mapping, dict):
        named = [k for k in mapping if isinstance(k, str) and k.startswith("@")]
        if named:
            if len(mapping) != 1:
                raise MappingError(
                    where, f"{named[0]} must stand alone in its object", "one directive per object"
                )
            directive = DIRECTIVES.get(named[0])
            if directive is None:
                raise MappingError(where, f"no directive {named[0]}", f"there are: {', '.join(DIRECTIVES)}")
            return directive(mapping[named[0]], f"{where}.{named[0]}", _compile)
        return _object({str(k): _compile(v, f"{where}.{k}") for k, v in mapping.items()})
    if isinstance(mapping, list):
        return _array([_compile(v, f"{where}[{i}]") for i, v in enumerate(mapping)])
    return lambda _event: mapping


def _object(fields: dict[str, Evaluate]) -> Evaluate:
    items = tuple(fields.items())

    def evaluate(event: Mapping[str, Any]) -> Any:
        return {key: value for key, get in items if (value := get(event)) is not UNDEFINED}

    return evaluate


def _array(items: list[Evaluate]) -> Evaluate:
    def evaluate(event: Mapping[str, Any]) -> Any:
        return [None if (value := get(event)) is UNDEFINED else value for get in items]

    return evaluate
