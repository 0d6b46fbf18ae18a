"""Records of one object type: values with history, unique indexes, what search may see already."""

from __future__ import annotations

import time
from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from millstream.sandbox import payload, properties
from millstream.sandbox.errors import Complaint, Refused, invalid_properties
from millstream.sandbox.record import Record
from millstream.sandbox.uniqueness import EMAIL, MORE, Unique, addresses

_ORDER: Final = {value: i for i, (value, _) in enumerate(properties.STAGES)}


class Records:
    """All records of one type. Ids only grow, so those of a range are found without looking at the others."""

    def __init__(self, object_type: str, type_id: str, first_id: int, portal_id: int) -> None:
        self.type = object_type
        self.type_id = type_id
        self._portal_id = portal_id
        self.definitions = properties.standard(object_type)
        self.by_id: dict[str, Record] = {}
        self.merged: dict[str, str] = {}
        self.unique = Unique({EMAIL: {}} if object_type == "contacts" else {})
        self.blocked_emails: set[str] = set()
        self.ready_at: dict[str, float] = {}
        self.first_id = self.next_id = first_id
        # Ids that no live record has any more, sorted.
        self.absent: list[int] = []
        # id → when, in the order of writing: what the search index may not have seen yet.
        self._touched: dict[str, str] = {}
        # property → lower-case value → ids, for searches; made when the first one asks.
        self._lookups: dict[str, dict[str, list[str]]] = {}

    @property
    def single(self) -> str:
        """What one of them is called: `contact`."""
        return "company" if self.type == "companies" else self.type.removesuffix("s")

    def define(self, definition: dict[str, Any], ready_at: float = 0.0) -> None:
        """A new property. Values of it are taken from `ready_at` (epoch seconds) on: HubSpot needs a moment too."""
        name = definition["name"]
        self.definitions[name] = definition
        if ready_at:
            self.ready_at[name] = ready_at
        if definition.get("hasUniqueValue"):
            self.unique[name] = {r.values[name]: r.id for r in self.live() if name in r.values}

    def find(self, value: str, id_property: str | None, *, archived: bool = False) -> Record | None:
        """By id, or by a unique property. Raises `Refused` for a property that is not unique."""
        if id_property in {None, "", "hs_object_id"}:
            record = self.by_id.get(self.merged.get(value, value))
        else:
            index = self.unique.get(str(id_property))
            if index is None:
                raise Refused(
                    400,
                    f"Unable to perform update/upsert by non-unique {self.type_id} property {id_property}",
                )
            record = self._leading(index, value.strip().lower() if id_property == EMAIL else value)
        return record if record is not None and record.archived is archived else None

    def _leading(self, index: dict[str, str], key: str) -> Record | None:
        """The record that a unique value leads to, over merges."""
        found = index.get(key, "")
        return self.by_id.get(self.merged.get(found, found))

    def live(self) -> Iterator[Record]:
        """All records that are not archived, by id."""
        return (r for r in self.by_id.values() if not r.archived)

    def between(self, low: int, high: int, *, down: bool = False) -> Iterator[Record]:
        """Live records whose ids are in a range, by id."""
        ids = range(max(low, self.first_id), min(high + 1, self.next_id))
        for at in reversed(ids) if down else ids:
            record = self.by_id.get(str(at))
            if record is not None and not record.archived:
                yield record

    def count(self, low: int, high: int) -> int:
        """How many live records have an id in a range."""
        low, high = max(low, self.first_id), min(high, self.next_id - 1)
        if high < low:
            return 0
        return high - low + 1 - (bisect_right(self.absent, high) - bisect_left(self.absent, low))

    def after(self, record_id: int, count: int, *, archived: bool) -> list[Record]:
        """The next so many records behind an id; ids only grow, so they are in order."""
        found: list[Record] = []
        ids = self.absent[bisect_right(self.absent, record_id) :] if archived else None
        for at in ids if ids is not None else range(max(record_id + 1, self.first_id), self.next_id):
            record = self.by_id.get(str(at))
            if record is not None and record.archived is archived:
                found.append(record)
                if len(found) >= count:
                    break
        return found

    def unseen(self, before: str) -> set[str]:
        """Ids that were written after `before`: the search index has not seen these. It forgets nothing it saw."""
        found: set[str] = set()
        for record_id, at in reversed(self._touched.items()):
            if at <= before:
                break
            found.add(record_id)
        if len(found) < len(self._touched):
            self._touched = {i: at for i, at in self._touched.items() if i in found}
        return found

    def with_value(self, name: str, value: str) -> list[str]:
        """Ids of records whose property is this text, whatever its case: at least those, some may have changed."""
        if name == EMAIL and EMAIL in self.unique:
            found = self.unique[EMAIL].get(value)
            return [found] if found else []
        lookup = self._lookups.get(name)
        if lookup is None:
            lookup = self._lookups[name] = {}
            for record in self.by_id.values():
                if name in record.values:
                    lookup.setdefault(record.values[name].lower(), []).append(record.id)
        return lookup.get(value, [])

    def load(self, rows: Iterable[Record]) -> None:
        """Records from elsewhere (a seed, a snapshot): nothing is checked, and search sees them at once."""
        self._lookups.clear()
        for record in rows:
            self.by_id[record.id] = record
            self.next_id = max(self.next_id, int(record.id) + 1)
            if record.archived:
                insort(self.absent, int(record.id))
            else:
                self.unique.enter(record)

    def archive(self, record: Record, now: str) -> None:
        """It leaves the lists and gives its unique values free."""
        record.archived, record.archived_at = True, now
        self.unique.release(record)
        insort(self.absent, int(record.id))

    def erase(self, record: Record) -> None:
        """It is gone for ever."""
        self.unique.release(record)
        del self.by_id[record.id]
        if not record.archived:
            insort(self.absent, int(record.id))

    def merge(self, primary: Record, other: Record, now: str) -> None:
        """The other's values fill gaps; its id and its unique values lead to the primary.

        Its addresses become second addresses of the primary, whose own address stays the first one.
        """
        self.archive(other, now)
        self.merged = {k: (primary.id if v == other.id else v) for k, v in self.merged.items()}
        self.merged[other.id] = primary.id
        gaps = {n: v for n, v in other.values.items() if n not in primary.values and n != MORE}
        self.write(primary, gaps, now)
        for index, key in self.unique.held(other):
            index[key] = primary.id
        if EMAIL in self.unique:
            mine, theirs = primary.values.get(MORE, ""), other.values.get(MORE, "")
            more = [a for a in addresses(f"{mine};{other.values.get(EMAIL, '')};{theirs}") if a]
            more = [a for a in more if a != primary.values.get(EMAIL)]
            if ";".join(more) != mine:
                self._set(primary, MORE, ";".join(more), now)

    def check(
        self, given: dict[str, Any], stages: Mapping[str, Sequence[str]] | None = None
    ) -> dict[str, str]:
        """Values as text. `stages`: those of each pipeline. Raises `Complaint` with everything that is wrong, or `Misfit`."""
        problems: list[dict[str, Any]] = []
        values: dict[str, str] = {}
        for name in given:
            definition = self.definitions.get(name)
            value = payload.text(given, name)
            more: dict[str, Any] = {}
            if definition is None or definition["archived"] or self._too_new(name):
                problem = ("PROPERTY_DOESNT_EXIST", f'Property "{name}" does not exist')
                more = {"localizedErrorMessage": problem[1], "portalId": self._portal_id}
            elif stages and value and name in properties.STAGE_PROPERTIES:
                problem = properties.stage_problem(value, stages) or ("", "")
            else:
                problem = properties.problem(definition, value) or ("", "")
            if problem[0]:
                complaint = {"isValid": False, "message": problem[1], "error": problem[0], "name": name}
                problems.append(complaint | more)
            values[name] = value.strip().lower() if name == "email" else value
        if problems:
            raise invalid_properties(problems)
        return values

    def _too_new(self, name: str) -> bool:
        ready = self.ready_at.get(name)
        if ready is None:
            return False
        if time.time() >= ready:
            del self.ready_at[name]
            return False
        return True

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
        self.conflicts(values, None)
        record = Record(str(self.next_id), now, now, {})
        self.next_id += 1
        self.by_id[record.id] = record
        if self.type == "contacts" and "lifecyclestage" not in values:
            self._set(record, "lifecyclestage", "lead", now)
        self._write(record, values, now)
        return record

    def write(self, record: Record, values: dict[str, str], now: str) -> None:
        """Set values; a lifecycle stage moves forward only. Raises `Complaint` on a unique value that is taken."""
        self.conflicts(values, record)
        self._write(record, values, now)

    def _write(self, record: Record, values: dict[str, str], now: str) -> None:
        for name, value in values.items():
            if name == "lifecyclestage" and _ORDER.get(value, 99) < _ORDER.get(
                record.values.get(name, ""), -1
            ):
                continue
            self._set(record, name, value, now)
        record.updated = now
        self._touched.pop(record.id, None)
        self._touched[record.id] = now

    def conflicts(self, values: dict[str, str], record: Record | None) -> None:
        """Raises `Complaint` when another record has one of these unique values."""
        for name, value in values.items():
            if not value or not self.unique.covers(name):
                continue
            for index, key in self.unique.entries(name, value):
                holder = self._leading(index, key)
                if holder is None or holder is record or holder.archived:
                    continue
                what = "Contact" if self.type == "contacts" else "Object"
                taken = holder.id
                raise Complaint(
                    409, f"{what} already exists. Existing ID: {taken}", "CONFLICT", {"existingId": [taken]}
                )

    def _set(self, record: Record, name: str, value: str, now: str) -> None:
        written = self.unique.swap(record, name, value) if self.unique.covers(name) else {name: value}
        for given, text in written.items():
            lookup = self._lookups.get(given)
            if lookup is not None:
                held = lookup.get(record.values.get(given, "").lower(), [])
                if record.id in held:
                    held.remove(record.id)
                if text:
                    lookup.setdefault(text.lower(), []).append(record.id)
            record.put(given, text, now)
