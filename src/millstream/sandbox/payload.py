"""JSON bodies: read strictly, and refused as HubSpot's own reader (Jackson) refuses them, with line and column.

Operations take fields out of a body with `mapping`, `rows`, `text` …; what does not fit raises `Misfit`, which knows
the field. Where the field is in the request's text is only looked up then.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, Final

from millstream.sandbox.errors import Refused

MAP: Final = "java.util.Map"
LIST: Final = "java.util.List"
STRING: Final = "java.lang.String"
NUMBER: Final = "long"
DECIMAL: Final = "double"
_DEPTH: Final = 500
# A value or a name with its colon. An unfinished string reaches to the end.
_TOKEN: Final = re.compile(
    r'"(?:[^"\\]++|\\.)*+(?:"(?P<name>\s*:)?|\Z)|[{\[]|-?\d[-+.\deE]*+|true|false|null', re.DOTALL
)
_BRACKETS: Final = re.compile(r'"(?:[^"\\]++|\\.)*+(?:"|\Z)|[\[\]{}]', re.DOTALL)


class Misfit(ValueError):
    """A field of a body cannot be what it is. `within` is the object or list that holds it (None: the body itself)."""

    def __init__(self, within: Any, key: Any, why: str) -> None:
        super().__init__(why)
        self.within = within
        self.key = key
        self.why = why

    def refusal(self, raw: bytes, body: Any) -> Refused:
        """As the answer to a request with this body."""
        if body is None and raw.strip() != b"null":
            return _refused(1, 0, "No content to map due to end-of-input")
        source = raw.decode("utf-8-sig", "replace")
        return _refused(*_line_and_column(source, self._offset(source, body)), self.why)

    def _offset(self, source: str, body: Any) -> int:
        starts = [m.start() for m in _TOKEN.finditer(source) if not m["name"]]
        held = list(_values(body))
        if len(starts) != len(held):  # a name was there twice
            return starts[0] if starts else 0
        same = (i for i, (w, k) in enumerate(held) if w is self.within and k == self.key)
        return starts[next(same, 0)]


def wrong(within: Any, key: Any, value: Any, wanted: str) -> Misfit:
    """A value of the wrong kind."""
    kind, token = next(
        (k, t)
        for test, k, t in (
            (dict, "Object", "START_OBJECT"),
            (list, "Array", "START_ARRAY"),
            (str, "String", "VALUE_STRING"),
            (bool, "Boolean", "VALUE_TRUE" if value else "VALUE_FALSE"),
            (int, "Integer", "VALUE_NUMBER_INT"),
            (float, "Floating-point", "VALUE_NUMBER_FLOAT"),
            (object, "Null", "VALUE_NULL"),
        )
        if isinstance(value, test)
    )
    return Misfit(
        within,
        key,
        f"Cannot deserialize value of type `{wanted}` from {kind} value (token `JsonToken.{token}`)",
    )


def unset(within: Any, *names: str) -> Misfit:
    """Fields that must be there and are not."""
    return Misfit(within, None, f"Some required fields were not set: [{', '.join(names)}]")


def whole_object(body: Any) -> dict[str, Any]:
    """The body, which must be an object. Raises `Misfit`."""
    if not isinstance(body, dict):
        raise wrong(None, None, body, MAP)
    return body


def whole_list(body: Any) -> list[Any]:
    """The body, which must be a list. Raises `Misfit`."""
    if not isinstance(body, list):
        raise wrong(None, None, body, LIST)
    return body


def mapping(within: Any, key: Any) -> dict[str, Any]:
    """A field that is an object; absent is empty. Raises `Misfit`."""
    value = within.get(key) if isinstance(within, dict) else within[key]
    if value is None and isinstance(within, dict):
        return {}
    if not isinstance(value, dict):
        raise wrong(within, key, value, MAP)
    return value


def rows(within: dict[str, Any], key: str) -> list[Any]:
    """A field that is a list; absent is empty. Raises `Misfit`."""
    value = within.get(key)
    if value is None:
        return []
    if not isinstance(value, list):
        raise wrong(within, key, value, LIST)
    return value


def mappings(within: dict[str, Any], key: str) -> list[dict[str, Any]]:
    """A field that is a list of objects. Raises `Misfit`."""
    found = rows(within, key)
    return [mapping(found, i) for i in range(len(found))]


def text(within: Any, key: Any) -> str:
    """A field that is text, or a number or a truth as text; absent is empty. Raises `Misfit`."""
    value = within.get(key) if isinstance(within, dict) else within[key]
    if value is None:
        return ""
    if isinstance(value, dict | list):
        raise wrong(within, key, value, STRING)
    return str(value).lower() if isinstance(value, bool) else str(value)


def texts(within: dict[str, Any], key: str) -> list[str]:
    """A field that is a list of texts. Raises `Misfit`."""
    found = rows(within, key)
    return [text(found, i) for i in range(len(found))]


def number(within: dict[str, Any], key: str, default: int = 0) -> int:
    """A field that is a whole number, or text of one. Raises `Misfit`."""
    value = within.get(key)
    if value is None or value == "":
        return default
    if isinstance(value, bool) or not re.fullmatch(r"-?[0-9]{1,18}(\.0)?", str(value)):
        raise wrong(within, key, value, NUMBER)
    return int(str(value).removesuffix(".0"))


def decimal(within: dict[str, Any], key: str, default: float) -> float:
    """A field that is a number. Raises `Misfit`."""
    value = within.get(key)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) > 1e18:
        raise wrong(within, key, value, DECIMAL)
    return float(value)


def read(raw: bytes) -> Any:
    """The value of a request's body. Raises `Refused` (400) with the place where it stops being JSON."""
    try:
        source = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = raw[: error.start].decode("utf-8", "replace")
        byte = raw[error.start]
        raise _refused(
            *_line_and_column(before, len(before)), f"Invalid UTF-8 start byte 0x{byte:x}"
        ) from None
    if len(source) > _DEPTH and source.count("[") + source.count("{") > _DEPTH:
        _not_too_deep(source)
    try:
        found = json.loads(source, parse_constant=_constant, parse_float=_float)
    except json.JSONDecodeError as error:
        raise _refused(*_syntax(source, error)) from None
    except _Number as bad:
        raise _refused(*_line_and_column(source, max(source.find(bad.token), 0)), str(bad)) from None
    except ValueError:  # Python reads no whole number of more than 4,300 digits
        long = re.search(r"\d{4300}", source)
        place = _line_and_column(source, long.start() if long else 0)
        raise _refused(*place, "Number value length exceeds the maximum allowed (1000)") from None
    if "\\ud" in source or "\\uD" in source:  # half a character is a question mark, as in Java
        found = json.loads(json.dumps(found, ensure_ascii=False).encode("utf-8", "replace"))
    return found


class _Number(Exception):
    def __init__(self, token: str, why: str) -> None:
        super().__init__(why)
        self.token = token


def _constant(token: str) -> Any:
    raise _Number(
        token, f"Non-standard token '{token}': enable `JsonReadFeature.ALLOW_NON_NUMERIC_NUMBERS` to allow"
    )


def _float(token: str) -> float:
    value = float(token)
    if value in {float("inf"), float("-inf")}:
        raise _Number(token, f"Numeric value ({token[:50]}) out of range of `double`")
    return value


def _not_too_deep(source: str) -> None:
    depth = 0
    for found in _BRACKETS.finditer(source):
        depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(found[0], 0)
        if depth > _DEPTH:
            raise _refused(
                *_line_and_column(source, found.start()),
                f"Document nesting depth ({depth}) exceeds the maximum allowed ({_DEPTH})",
            )


def _syntax(source: str, error: json.JSONDecodeError) -> tuple[int, int, str]:
    line, column = error.lineno, error.colno
    if error.msg.startswith("Unterminated"):
        why = "Unexpected end-of-input: was expecting closing quote for a string value"
        return *_line_and_column(source, len(source)), why
    if error.pos >= len(source):
        return line, column, "Unexpected end-of-input"
    at = source[error.pos]
    if error.msg.startswith("Invalid control"):
        why = f"Illegal unquoted character ((CTRL-CHAR, code {ord(at)})): has to be escaped using backslash"
        return line, column, why
    if error.msg.startswith("Invalid \\"):
        return line, column, f"Unrecognized character escape (code {ord(at)})"
    word = re.compile(r"\w+").match(source, error.pos)
    if word and not at.isdigit():
        why = "was expecting (JSON String, Number, Array, Object or token 'null', 'true' or 'false')"
        return line, column, f"Unrecognized token '{word[0][:50]}': {why}"
    shown = at if at.isprintable() else "?"
    return line, column, f"Unexpected character ('{shown}' (code {ord(at)}))"


def _values(body: Any) -> Iterator[tuple[Any, Any]]:
    """Every value of a body in the order of its text, as the place that holds it."""
    waiting: list[tuple[Any, Any, Any]] = [(None, None, body)]
    while waiting:
        within, key, value = waiting.pop()
        yield within, key
        if isinstance(value, dict):
            waiting += [(value, k, v) for k, v in reversed(value.items())]
        elif isinstance(value, list):
            waiting += [(value, i, value[i]) for i in range(len(value) - 1, -1, -1)]


def _line_and_column(source: str, offset: int) -> tuple[int, int]:
    return source.count("\n", 0, offset) + 1, offset - source.rfind("\n", 0, offset)


def _refused(line: int, column: int, why: str) -> Refused:
    return Refused(400, f"Invalid input JSON on line {line}, column {column}: {why}", "")
