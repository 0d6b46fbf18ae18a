"""Records of one object type: values with history, unique indexes, upserts, partial success."""

from __future__ import annotations

from typing import Any, Final

from millstream.sandbox import properties
from millstream.sandbox.errors import Complaint, Refused, invalid_properties

_ORDER: Final = {value: i for i, (value, _) in enumerate(properties.STAGES)}


class Record:
    """One record: current values, and for each property what was written when."""

    __slots__ = ("archived", "created", "history", "id", "updated", "values")

    def __init__(self, record_id: str, now: str) -> None:
        self.id = record_id
        self.values: dict[str, str] = {}
        self.history: dict[str, list[tuple[str, str]]] = {}
        self.created = now
        self.updated = now
        self.archived = False

    def json(self, names: list[str] | None = None, *, history: bool = False) -> dict[str, Any]:
        """As the API shows it: all values, or those asked for (null when unset)."""
        values: dict[str, Any] = (
            dict(self.values) if names is None else {n: self.values.get(n) for n in names}
        )
        values["hs_object_id"] = self.id
        found = {
            "id": self.id,
            "properties": dict(sorted(values.items())),
            "createdAt": self.created,
            "updatedAt": self.updated,
            "archived": self.archived,
        }
        if history:
            found["propertiesWithHistory"] = {
                n: [{"value": v, "timestamp": at, "sourceType": "INTEGRATION"} for v, at in reversed(entries)]
                for n, entries in self.history.items()
            }
        return found


class Records:
    """All records of one type."""

    def __init__(self, object_type: str, first_id: int) -> None:
        self.type = object_type
        self.definitions = properties.standard(object_type)
        self.by_id: dict[str, Record] = {}
        self.merged: dict[str, str] = {}
        self.unique: dict[str, dict[str, str]] = {"email": {}} if object_type == "contacts" else {}
        self.blocked_emails: set[str] = set()
        self._next = first_id

    def find(self, value: str, id_property: str | None) -> Record | None:
        """By id, or by a unique property. Raises `Refused` for a property that is not unique."""
        if id_property in {None, "", "hs_object_id"}:
            record = self.by_id.get(self.merged.get(value, value))
        else:
            if id_property not in self.unique:
                raise Refused(
                    400, f"Unable to perform update/upsert by non-unique {self.type} property {id_property}"
                )
            found = self.unique[id_property].get(self._normal(id_property, value))
            record = self.by_id.get(found) if found else None
        return record if record is not None and not record.archived else None

    def check(self, given: Any) -> dict[str, str]:
        """Values as text. Raises `Complaint` with everything that is wrong."""
        if not isinstance(given, dict):
            raise Complaint(400, "properties must be an object", "VALIDATION_ERROR", {})
        problems: list[dict[str, Any]] = []
        values: dict[str, str] = {}
        for name, raw in given.items():
            definition = self.definitions.get(name)
            value = "" if raw is None else ("true" if raw is True else "false" if raw is False else str(raw))
            if definition is None:
                problem = ("PROPERTY_DOESNT_EXIST", f'Property "{name}" does not exist')
            else:
                problem = properties.problem(definition, value) or ("", "")
            if problem[0]:
                problems.append(
                    {
                        "isValid": False,
                        "message": problem[1],
                        "error": problem[0],
                        "name": name,
                        "localizedErrorMessage": problem[1],
                    }
                )
            values[name] = value.strip().lower() if name == "email" else value
        if problems:
            raise invalid_properties(problems)
        return values

    def require(self, values: dict[str, str]) -> None:
        """What a new record must have."""
        needed = {"contacts": ("email", "firstname", "lastname"), "companies": ("name", "domain")}.get(
            self.type
        )
        if needed and not any(values.get(n) for n in needed):
            raise Complaint(
                400, f"One of these properties is required: {', '.join(needed)}", "VALIDATION_ERROR", {}
            )
        missing = [n for n, d in self.definitions.items() if d.get("required") and not values.get(n)]
        if missing:
            raise Complaint(
                400,
                f"Required properties are missing: {', '.join(missing)}",
                "VALIDATION_ERROR",
                {},
                [
                    {"message": f"{n} is required", "error": "MISSING_REQUIRED_PROPERTY", "name": n}
                    for n in missing
                ],
            )
        if values.get("email") in self.blocked_emails and values.get("email"):
            raise Complaint(
                400, f"{values['email']} is on the GDPR blocklist of this portal", "VALIDATION_ERROR", {}
            )

    def create(self, values: dict[str, str], now: str) -> Record:
        """A new record. Raises `Complaint` on a unique value that is taken."""
        self._conflicts(values, None)
        record = Record(str(self._next), now)
        self._next += 1
        self.by_id[record.id] = record
        if self.type == "contacts" and "lifecyclestage" not in values:
            self._set(record, "lifecyclestage", "lead", now)
        self.write(record, values, now)
        return record

    def write(self, record: Record, values: dict[str, str], now: str) -> None:
        """Set values; a lifecycle stage moves forward only. Raises `Complaint` on a unique value that is taken."""
        self._conflicts(values, record)
        for name, value in values.items():
            if name == "lifecyclestage" and _ORDER.get(value, 99) < _ORDER.get(
                record.values.get(name, ""), -1
            ):
                continue
            self._set(record, name, value, now)
        record.updated = now

    def _conflicts(self, values: dict[str, str], record: Record | None) -> None:
        for name, index in self.unique.items():
            value = values.get(name)
            taken = index.get(self._normal(name, value)) if value else None
            if taken is not None and (record is None or taken != record.id):
                what = "Contact" if self.type == "contacts" else "Object"
                raise Complaint(
                    409, f"{what} already exists. Existing ID: {taken}", "CONFLICT", {"existingId": [taken]}
                )

    def _set(self, record: Record, name: str, value: str, now: str) -> None:
        if name in self.unique:
            old = record.values.get(name)
            if old:
                self.unique[name].pop(self._normal(name, old), None)
            if value:
                self.unique[name][self._normal(name, value)] = record.id
        record.history.setdefault(name, []).append((value, now))
        if value == "":
            record.values.pop(name, None)
        else:
            record.values[name] = value

    def _normal(self, name: str, value: str) -> str:
        return value.strip().lower() if name == "email" else value
