"""Values as HubSpot's property types take them (SEMANTICS 10, 13 to 15, 17, 19). Pure."""

from __future__ import annotations

import json
from datetime import UTC, datetime, tzinfo
from functools import lru_cache
from typing import Any, Final
from zoneinfo import ZoneInfo

from millstream.hubspot_api.schema import Property
from millstream.spec.timestamps import to_ms

CLEAR: Final = ""
LONGEST: Final = 65_536  # characters that HubSpot keeps of a text


class Unconvertible(Exception):
    """The value does not fit the property's type."""


def text(value: Any) -> str:
    """A value as text: numbers as they are, arrays of scalars joined by `;`, other structures as JSON."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return value
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, list) and not any(isinstance(v, dict | list) for v in value):
        return ";".join(text(v) for v in value if v is not None)
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def convert(prop: Property, value: Any, zone: tzinfo = UTC) -> str:
    """The value for a property; "" clears. Raises `Unconvertible`."""
    if value in (None, "", []) and not isinstance(value, bool):
        return CLEAR
    kind = prop.type
    if kind in {"date", "datetime"}:
        return _moment(kind, value, zone)
    if kind == "number":
        return _number(value)
    if kind == "bool":
        return _bool(value)
    if kind == "enumeration":
        return _option(prop, value)
    return text(value)[:LONGEST]


def inferred_type(value: Any) -> str:
    """The type of a property that is to be made for this value. Numeric text stays text."""
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int | float):
        return "number"
    if isinstance(value, str) and len(value) >= 10 and value[4:5] == "-" and value[7:8] == "-":
        if len(value) == 10 and to_ms(value) is not None:
            return "date"
        if "T" in value and to_ms(value) is not None:
            return "datetime"
    return "string"


def event_text(name: str, value: Any) -> tuple[str, bool]:
    """An event property's value as text, and whether it was cut."""
    longest = _longest(name)
    whole = text(value)
    return whole[:longest], len(whole) > longest


@lru_cache(maxsize=16_384)
def _longest(name: str) -> int:
    return 1024 if any(w in name for w in ("url", "referrer", "link")) else 256


def number(value: Any) -> str:
    """A number as HubSpot takes it. Raises `Unconvertible`."""
    return _number(value)


def _number(value: Any) -> str:
    if isinstance(value, bool):
        raise Unconvertible
    if isinstance(value, int | float):
        if value != value or abs(value) == float("inf"):  # noqa: PLR0124  (NaN differs from itself)
            raise Unconvertible
        return text(value)
    if isinstance(value, str):
        trimmed = value.strip()
        try:
            as_float = float(trimmed)
        except ValueError:
            raise Unconvertible from None
        if as_float == as_float and abs(as_float) != float("inf") and "_" not in trimmed:  # noqa: PLR0124
            return trimmed
    raise Unconvertible


def _bool(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float) and value in {0, 1}:
        return "true" if value else "false"
    low = str(value).strip().lower()
    if low in {"true", "yes", "1"}:
        return "true"
    if low in {"false", "no", "0"}:
        return "false"
    raise Unconvertible


def _option(prop: Property, value: Any) -> str:
    """An option by value or label; several for multi-selects."""
    multi = prop.field_type == "checkbox"
    parts = value if isinstance(value, list) else [value]
    if multi and isinstance(value, str):
        parts = [p for p in value.split(";") if p]
    found = []
    for part in parts:
        option = _chosen(prop.options, text(part).strip())
        if option is None:
            raise Unconvertible
        found.append(option)
    if len(found) > 1 and not multi:
        raise Unconvertible
    return ";".join(dict.fromkeys(found))


def _chosen(options: tuple[tuple[str, str], ...], said: str) -> str | None:
    """The value of the option that is meant: by its value, by its label, then by either without regard to case."""
    for spelled, wanted in ((str, said), (str.lower, said.lower())):
        for part in (0, 1):
            for option in options:
                if spelled(option[part].strip()) == wanted:
                    return option[0]
    return None


def _moment(kind: str, value: Any, zone: tzinfo) -> str:
    if kind == "date" and isinstance(value, str) and inferred_type(value.strip()) == "date":
        return value.strip()  # ten digits are epoch seconds
    ms = to_ms(value)
    if ms is None:
        raise Unconvertible
    moment = datetime.fromtimestamp(ms / 1000, UTC)
    if not 1900 <= moment.year <= 2200:
        raise Unconvertible
    if kind == "date":
        return moment.astimezone(zone).strftime("%Y-%m-%d")
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def zone_of(name: str) -> tzinfo:
    """A time zone by name; raises `ValueError` for one that does not exist."""
    return UTC if name.upper() == "UTC" else ZoneInfo(name)
