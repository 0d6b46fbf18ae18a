"""What an import gives: the configuration and notes on everything that is not as it was; the tools that both readers use."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from millstream.mapping.compile import compile_mapping
from millstream.mapping.errors import MappingInvalid

Severity = Literal["info", "warning", "error"]

_MAX_DEPTH: Final = 150
_MAX_BITS: Final = 1024
_SHOWN: Final = 1000
_WRAPPERS: Final = 8
_NAME_LENGTH: Final = 64
_VARIABLE: Final = re.compile(r"\$(?=\{)")


@dataclass(frozen=True, slots=True)
class Note:
    """One thing to know about an import: `where` is the path in the document that was read."""

    severity: Severity
    where: str
    message: str


@dataclass(frozen=True, slots=True)
class Imported:
    """A configuration as `millstream.yaml` holds it, and the notes in the order of the document."""

    config: dict[str, Any]
    notes: list[Note]


@dataclass(frozen=True, slots=True)
class Variables:
    """The environment variables of one destination, so that two portals do not share a token."""

    token: str
    portal_id: str

    @classmethod
    def of(cls, n: int) -> Variables:
        """Those of the n-th destination of the file, from 1 on; the first have no number."""
        number = f"_{n}" if n > 1 else ""
        return cls(f"HUBSPOT_TOKEN{number}", f"HUBSPOT_PORTAL_ID{number}")

    def settings(self, portal_id: str | None) -> dict[str, Any]:
        """The settings that every destination needs."""
        return {"portal_id": portal_id or f"${{{self.portal_id}}}", "access_token": f"${{{self.token}}}"}


class TooDeep(Exception):
    """The document nests deeper than any export does."""


@dataclass(slots=True)
class Report:
    """Collects notes while a document is read."""

    notes: list[Note] = field(default_factory=list)

    def info(self, where: str, message: str) -> None:
        """Something is written in another way, and does the same."""
        self.notes.append(Note("info", where, message))

    def warn(self, where: str, message: str) -> None:
        """Something does not do the same, or is disabled."""
        self.notes.append(Note("warning", where, message))

    def error(self, where: str, message: str) -> None:
        """Something could not be read."""
        self.notes.append(Note("error", where, message))

    def flag(self, given: dict[str, Any], key: str, where: str) -> bool:
        """A switch that is on when it is absent, and off when it is no switch at all."""
        value = given.get(key, True)
        if not isinstance(value, bool):
            self.error(at(where, key), f"must be true or false, not {shown(value)}: disabled")
            return False
        return value

    def objects(self, value: Any, where: str) -> list[tuple[str, dict[str, Any]]]:
        """The objects of a list, each with its path; what is none is an error. Absent is empty."""
        if value is None:
            return []
        if not isinstance(value, list):
            self.error(where, f"must be a list, not {shown(value)}")
            return []
        found = []
        for i, item in enumerate(value):
            if isinstance(item, dict):
                found.append((f"{where}[{i}]", item))
            else:
                self.error(f"{where}[{i}]", f"must be an object, not {shown(item)}")
        return found

    def table(self, value: Any, where: str) -> dict[str, Any]:
        """An object; what is none is an error and counts as empty, like an absent one."""
        if value is not None and not isinstance(value, dict):
            self.error(where, f"must be an object, not {shown(value)}")
        return value if isinstance(value, dict) else {}

    def usable(self, fields: dict[str, Any], where: str) -> bool:
        """Whether the fields of a mapping compile; every problem is a warning."""
        try:
            compile_mapping(fields)
        except MappingInvalid as error:
            for problem in error.problems:
                self.warn(f"{where}{problem.path.replace('/', '.')}", f"{problem.message}: disabled")
            return False
        return True

    def name(self, value: Any, fallback: str, taken: set[str], where: str) -> str:
        """A name that our file takes and nobody else has: letters, digits, `_`, `-`, `.`, at most 64."""
        if value is not None and not isinstance(value, str):
            self.error(at(where, "name"), f"must be text, not {shown(value)}")
        said = value if isinstance(value, str) else ""
        made = re.sub(r"[^A-Za-z0-9_.-]+", "-", said).strip("-._")[:_NAME_LENGTH] or fallback
        found, n = made, 1
        while found in taken:
            n += 1
            found = f"{made[: _NAME_LENGTH - 1 - len(str(n))]}-{n}"
        taken.add(found)
        if said and found != said:
            self.info(at(where, "name"), f"{shown(said)} is called `{found}` here")
        return found


@dataclass(slots=True)
class Fields:
    """The fields of one mapping, taken one by one; what is left has no counterpart."""

    given: dict[str, Any]
    where: str
    report: Report
    broken: bool = False

    def warn(self, name: str, message: str) -> None:
        """A note on one field."""
        self.report.warn(f"{self.where}.{name}", message)

    def break_off(self, name: str, message: str) -> None:
        """A note on a field without which the mapping would do something else: it is disabled."""
        self.warn(name, f"{message}: disabled")
        self.broken = True

    def renamed(self, **names: str) -> dict[str, Any]:
        """Those that are given, by our names: `ours="theirs"`."""
        return {ours: self.given.pop(theirs) for ours, theirs in names.items() if theirs in self.given}

    def note_rest(self) -> None:
        """One note for every field that nothing took."""
        for name, value in self.given.items():
            self.warn(name, f"no field of ours does this; not taken over: {shown(value)}")


def convert(document: Any, build: Callable[[Any, Report], dict[str, Any]]) -> Imported:
    """Run a reader on a document; whatever the document is, the result is a value and never an exception."""
    report = Report()
    try:
        return Imported(build(plain(document), report), report.notes)
    except (TooDeep, RecursionError):
        report.error("", f"the document is nested deeper than {_MAX_DEPTH}: nothing is taken over")
        return Imported({}, report.notes)


def plain(value: Any, depth: int = 0) -> Any:
    """The value as JSON has it: text as keys, no lone surrogates, nothing that holds itself. Raises `TooDeep`."""
    if depth > _MAX_DEPTH:
        raise TooDeep
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode("utf-8")
    if isinstance(value, int) and value.bit_length() > _MAX_BITS:
        return hex(value)
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, dict):
        return {str(plain(k, depth + 1)): plain(v, depth + 1) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [plain(v, depth + 1) for v in value]
    return f"<{type(value).__name__}>"


def literal(value: Any) -> Any:
    """The value so that reading the file gives it back: a `${NAME}` of the document is text, no variable of ours."""
    if isinstance(value, str):
        return _VARIABLE.sub("${MILLSTREAM_LITERAL:-$}", value)
    if isinstance(value, list):
        return [literal(v) for v in value]
    if isinstance(value, dict):
        return {k: literal(v) for k, v in value.items()}
    return value


def shown(value: Any) -> str:
    """The value as short JSON, for a note."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def at(where: str, key: str) -> str:
    """The path of a key below a path, which may be the document itself."""
    return f"{where}.{key}" if where else key


def unwrapped(document: Any, *keys: str) -> tuple[str, Any]:
    """What is inside objects and lists that only wrap the document under one of these keys, and its path."""
    where = ""
    for _ in range(_WRAPPERS):
        key = next((k for k in keys if isinstance(document, dict) and document.get(k)), None)
        if key is None or not isinstance(document[key], dict | list):
            break
        document, where = document[key], at(where, key)
    return where, document


def portal_id(value: Any) -> str | None:
    """The digits of a Hub ID, given as text or number; None when it is none."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        return None
    text = str(value).strip()
    return text if text.isascii() and text.isdigit() and len(text) <= 20 else None


def first(*paths: str) -> Any:
    """The mapping for the first of these paths that is there."""
    *rest, last = paths
    found: Any = {"@path": last}
    for path in reversed(rest):
        found = {"@if": {"exists": {"@path": path}, "then": {"@path": path}, "else": found}}
    return found
