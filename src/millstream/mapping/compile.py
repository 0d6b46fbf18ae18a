"""Mapping JSON → one closure, compiled once. What is undefined is left out of objects and is null in arrays."""

from __future__ import annotations

from typing import Any, Final

from millstream.mapping import bounds
from millstream.mapping.directives import DIRECTIVES, Evaluate
from millstream.mapping.errors import MappingFailed, MappingInvalid, MappingProblem
from millstream.mapping.output import begin, held
from millstream.mapping.validate import METADATA, validate
from millstream.mapping.values import UNDEFINED, kind_of

ROOT_DIRECTIVE: Final = "__segment_internal_directive"


class CompiledMapping:
    """A mapping ready to run."""

    __slots__ = ("_evaluate",)

    def __init__(self, evaluate: Evaluate) -> None:
        self._evaluate = evaluate

    def evaluate(self, event: Any) -> Any:
        """The output for an event; UNDEFINED when there is none. Raises `MappingFailed`."""
        if not isinstance(event, dict):
            raise MappingFailed(f"data must be an object, got {kind_of(event)}")
        begin()
        try:
            return held(self._evaluate(event))
        except RecursionError:
            raise MappingFailed("the event is nested too deeply for this mapping") from None


def compile_mapping(mapping: Any) -> CompiledMapping:
    """Compile a mapping. Raises `MappingInvalid` with every problem and its path."""
    problems = list(bounds.problems(mapping))
    if problems:
        raise MappingInvalid(problems)
    mapping = _rooted(mapping)
    problems = list(validate(mapping))
    if problems:
        raise MappingInvalid(problems)
    return CompiledMapping(_compile(mapping, ""))


def _rooted(mapping: Any) -> Any:
    """The mapping under its root directive, as Segment's editor stores it; anything but an object becomes one."""
    if isinstance(mapping, list | str):
        return {str(i): item for i, item in enumerate(mapping)}
    if not isinstance(mapping, dict):
        return {}
    directive = mapping.get(ROOT_DIRECTIVE)
    if directive is None:
        return mapping
    if not isinstance(directive, dict) or len(directive) != 1:
        raise MappingInvalid(
            [MappingProblem("", "The root mapping must only have a single directive object")]
        )
    ((name, argument),) = directive.items()
    if not isinstance(argument, dict):
        raise MappingInvalid([MappingProblem("", "The root directive must be an object")])
    rest = {k: v for k, v in mapping.items() if k != ROOT_DIRECTIVE}
    return {name: {**argument, "mapping": rest}}


def _compile(mapping: Any, where: str) -> Evaluate:
    """A part that was validated; in arrays and literals Segment looks only when it runs."""
    if isinstance(mapping, dict):
        named = _directive_of(mapping)
        if named is None:
            return _object({str(k): _compile(v, f"{where}/{k}") for k, v in mapping.items()})
        inner = _unseen if named == "@literal" else _compile
        return DIRECTIVES[named](mapping[named], f"{where}/{named}", inner)
    return _unseen(mapping, where)


def _unseen(mapping: Any, where: str) -> Evaluate:
    """A part that nobody has validated yet: a directive in it that is wrong fails when it runs."""
    if isinstance(mapping, list):
        return _array([_unseen(v, where) for v in mapping])
    if not isinstance(mapping, dict):
        return lambda _event: mapping
    named = _directive_of(mapping)
    if named is None:
        return _object({str(k): _unseen(v, f"{where}/{k}") for k, v in mapping.items()})
    if named not in DIRECTIVES or any(k not in {named, METADATA} for k in mapping):
        return _fails(f"{named} is not a valid directive, got undefined")
    problems = list(validate(mapping, where))
    return _fails(" ".join(map(str, problems))) if problems else _compile(mapping, where)


def _directive_of(mapping: dict[str, Any]) -> str | None:
    return next((k for k in mapping if k.startswith("@")), None)


def _object(fields: dict[str, Evaluate]) -> Evaluate:
    items = tuple(fields.items())

    def evaluate(event: Any) -> Any:
        return {key: value for key, get in items if (value := get(event)) is not UNDEFINED}

    return evaluate


def _array(items: list[Evaluate]) -> Evaluate:
    def evaluate(event: Any) -> Any:
        return [None if (value := get(event)) is UNDEFINED else value for get in items]

    return evaluate


def _fails(message: str) -> Evaluate:
    def evaluate(_event: Any) -> Any:
        raise MappingFailed(message)

    return evaluate
