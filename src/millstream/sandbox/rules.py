"""A portal's own validation rules: properties that a record must have, always or when another has a value.

HubSpot enforces them on API writes from version 2026-09 on; older versions let everything through. Set by
`POST /_sandbox/rules {"contacts": {"required": ["phone"], "conditional": [{"when": {"lifecyclestage": "customer"},
"required": ["company"]}]}}`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from millstream.sandbox import payload
from millstream.sandbox.errors import Complaint, Refused

ENFORCING: Final = frozenset({"2026-09"})


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules of one object type."""

    required: tuple[str, ...] = ()
    conditional: tuple[tuple[Mapping[str, str], tuple[str, ...]], ...] = ()

    def json(self) -> dict[str, Any]:
        """As they were given."""
        return {
            "required": list(self.required),
            "conditional": [{"when": dict(w), "required": list(r)} for w, r in self.conditional],
        }


NONE: Final = Rules()


@dataclass(slots=True)
class Book:
    """The rules of all types, by plural name."""

    by_type: dict[str, Rules] = field(default_factory=dict)

    def check(
        self, object_type: str, version: str, values: Mapping[str, str], held: Mapping[str, str] | None
    ) -> None:
        """A write of `values` to a record that holds `held` (None: a new one). Raises `Complaint`."""
        rules = self.by_type.get(object_type, NONE)
        if version not in ENFORCING or rules is NONE:
            return
        after = {**(held or {}), **values}
        # What a record lacks already is only asked for when it is made, or when the write takes it away.
        missing = [n for n in rules.required if not after.get(n) and (held is None or n in values)]
        _complain(missing, "MISSING_REQUIRED_PROPERTY")
        for when, required in rules.conditional:
            if all(after.get(n) == v for n, v in when.items()) and (
                held is None or when.keys() & values.keys()
            ):
                _complain([n for n in required if not after.get(n)], "MISSING_CONDITIONAL_REQUIRED_PROPERTY")


def _complain(missing: list[str], code: str) -> None:
    if missing:
        named = ", ".join(missing)
        entries = [{"message": f"{n} is required", "error": code, "name": n} for n in missing]
        raise Complaint(400, f"Required properties are missing: {named}", "VALIDATION_ERROR", {}, entries)


def read(body: dict[str, Any], known: Mapping[str, Any]) -> Rules:
    """The rules of one type. Raises `Refused` for a property that the type does not have."""
    conditional = []
    for row in payload.mappings(body, "conditional"):
        when = payload.mapping(row, "when")
        conditional.append(({n: payload.text(when, n) for n in when}, tuple(payload.texts(row, "required"))))
    found = Rules(tuple(payload.texts(body, "required")), tuple(conditional))
    named = [*found.required, *(n for w, r in found.conditional for n in (*w, *r))]
    unknown = [n for n in named if n not in known]
    if unknown:
        raise Refused(400, f"there is no property {unknown[0]}")
    return found
