"""Search: filter groups, sorts, paging; sees what is older than the index lag. At most 10,000 results of a query."""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from millstream.sandbox import filters, payload
from millstream.sandbox.errors import Refused
from millstream.sandbox.filters import ID, Test
from millstream.sandbox.portal import Portal
from millstream.sandbox.record import Record
from millstream.sandbox.records import Records
from millstream.sandbox.routing import Call, Reply, Route, family, route, whole

_MAX: Final = 10_000
_MAX_PAGE: Final = 200
_SEARCHED: Final = (
    "email",
    "firstname",
    "lastname",
    "phone",
    "company",
    "name",
    "domain",
    "dealname",
    "subject",
)


def search(portal: Portal, call: Call) -> Reply:
    """`POST /{objectType}/search`."""
    records, body = portal.type(call["objectType"]), call.object
    if len(call.raw) > 3000:
        raise Refused(400, "The request body is longer than 3000 characters")
    groups = [payload.mappings(g, "filters") for g in payload.mappings(body, "filterGroups")]
    _within_limits(groups)
    limit = whole(payload.text(body, "limit"), 1, 10, 2**31)
    if limit > _MAX_PAGE:
        raise Refused(400, f"A page of search results is limited to {_MAX_PAGE}")
    after = whole(payload.text(body, "after"), 0, 0, 2**31)
    if after + limit > _MAX:
        raise Refused(400, f"Search results are limited to {_MAX}")
    query = payload.text(body, "query").lower()
    name, down = _order(payload.rows(body, "sorts"))
    before = portal.stamp(portal.seconds() - portal.config.search_lag_ms / 1000)
    total, results = _Search(records, groups, query, records.unseen(before)).page(name, down, after, limit)
    names = payload.texts(body, "properties") if body.get("properties") is not None else None
    reply: dict[str, Any] = {"total": total, "results": [r.json(names) for r in results]}
    if total > after + limit:
        reply["paging"] = {"next": {"after": str(after + limit)}}
    return 200, reply


def _within_limits(groups: list[list[dict[str, Any]]]) -> None:
    counts = [len(g) for g in groups]
    if len(groups) > 5 or any(n > 6 for n in counts) or sum(counts) > 18:
        raise Refused(400, "At most 5 filterGroups, 6 filters in each and 18 in all are allowed")


def _order(sorts: list[Any]) -> tuple[str, bool]:
    """What is sorted by, and whether downwards."""
    if not sorts:
        return ID, False
    wanted = sorts[0]
    name = wanted if isinstance(wanted, str) else payload.text(payload.mapping(sorts, 0), "propertyName")
    down = name.startswith("-") or (isinstance(wanted, dict) and wanted.get("direction") == "DESCENDING")
    return name.removeprefix("-"), down


@dataclass(slots=True)
class _Group:
    """A filter group: where its records are to be looked for, and what else they have to be."""

    low: float = -math.inf
    high: float = math.inf
    ids: list[str] | None = None
    tests: list[Test] | None = None

    def read(self, records: Records, wanted: list[dict[str, Any]]) -> _Group:
        """Of these filters."""
        self.tests = []
        for one in wanted:
            test = filters.test_of(one)
            if not self._bounds(one):
                self.tests.append(test)
            found = _indexed(records, one)
            if found is not None and (self.ids is None or len(found) < len(self.ids)):
                self.ids = found
        return self

    def _bounds(self, wanted: dict[str, Any]) -> bool:
        """Whether a filter only says between which ids."""
        operator = filters.operator_of(wanted)
        value = filters.number(payload.text(wanted, "value"))
        if payload.text(wanted, "propertyName") != ID or value is None or not math.isfinite(value):
            return False
        if operator in {"GT", "GTE"}:
            self.low = max(self.low, math.floor(value) + 1 if operator == "GT" else math.ceil(value))
        elif operator in {"LT", "LTE"}:
            self.high = min(self.high, math.ceil(value) - 1 if operator == "LT" else math.floor(value))
        elif operator == "BETWEEN":
            most = filters.number(payload.text(wanted, "highValue"))
            if most is None or not math.isfinite(most):
                return False
            self.low, self.high = max(self.low, math.ceil(value)), min(self.high, math.floor(most))
        else:
            return False
        return True

    def holds(self, record: Record) -> bool:
        """Whether a record belongs to it."""
        return self.low <= int(record.id) <= self.high and all(test(record) for test in self.tests or ())


def _indexed(records: Records, wanted: dict[str, Any]) -> list[str] | None:
    """Ids among which all records of a filter are, where an index tells."""
    operator, name = filters.operator_of(wanted), payload.text(wanted, "propertyName")
    if operator not in {"EQ", "IN"}:
        return None
    values = filters.values_of(wanted) if operator == "IN" else [payload.text(wanted, "value").lower()]
    if name == ID:
        return values
    if name in {"email", "domain"} or name in records.unique:
        return [i for value in values for i in records.with_value(name, value)]
    return None


class _Search:
    """One query. Looks only where its records can be, and at the whole portal only when it must."""

    def __init__(
        self, records: Records, groups: list[list[dict[str, Any]]], query: str, unseen: set[str]
    ) -> None:
        self._records = records
        self._groups = [_Group().read(records, g) for g in groups]
        self._query = query
        self._unseen = unseen
        self._low = int(max(min((g.low for g in self._groups), default=-math.inf), records.first_id))
        self._high = int(min(max((g.high for g in self._groups), default=math.inf), records.next_id - 1))

    def page(self, name: str, down: bool, after: int, limit: int) -> tuple[int, list[Record]]:
        """How many there are in all, and those of a page."""
        if name != ID:
            found = list(self._found(down=False))
            choose = heapq.nlargest if down else heapq.nsmallest  # both keep the order of equals: by id
            return len(found), choose(after + limit, found, key=filters.sort_key(name))[after:]
        if self._ids_only():
            rows: list[Record] = []
            for at, record in enumerate(self._found(down=down)):
                if at >= after + limit:
                    break
                if at >= after:
                    rows.append(record)
            return self._count(), rows
        total, rows = 0, []
        for record in self._found(down=down):
            if after <= total < after + limit:
                rows.append(record)
            total += 1
        return total, rows

    def _ids_only(self) -> bool:
        """Whether the query only says between which ids: then counting needs no look at the records."""
        if self._query or len(self._groups) > 1:
            return False
        return not self._groups or (not self._groups[0].tests and self._groups[0].ids is None)

    def _count(self) -> int:
        unseen = sum(
            self._low <= int(i) <= self._high and not self._records.by_id[i].archived
            for i in self._unseen
            if i in self._records.by_id
        )
        return self._records.count(self._low, self._high) - unseen

    def _candidates(self, down: bool) -> Iterable[Record]:
        if self._groups and all(g.ids is not None for g in self._groups):
            by_id = self._records.by_id
            ids = {i for g in self._groups for i in g.ids or ()}
            ordered = sorted((by_id[i] for i in ids if i in by_id), key=lambda r: int(r.id), reverse=down)
            return (r for r in ordered if not r.archived)
        if not down and (self._low, self._high) == (self._records.first_id, self._records.next_id - 1):
            return self._records.live()
        return self._records.between(self._low, self._high, down=down)

    def _found(self, *, down: bool) -> Iterator[Record]:
        """All of them, by id."""
        tests: list[Test] = []
        if len(self._groups) == 1 and self._groups[0].ids is None:
            tests += self._groups[0].tests or []  # the candidates are within its bounds
        elif self._groups:
            tests.append(filters.some([g.holds for g in self._groups]))
        if self._query:
            tests.append(self._mentioned)
        found: Iterable[Record] = self._candidates(down)
        if self._unseen:
            unseen = self._unseen
            found = (r for r in found if r.id not in unseen)
        return filter(filters.every(tests), found) if tests else iter(found)

    def _mentioned(self, record: Record) -> bool:
        return any(self._query in record.values.get(n, "").lower() for n in _SEARCHED)


ROUTES: Final[list[Route]] = [
    *route("POST", family("/crm/v3/objects", "/crm/objects/{}", "/{objectType}/search"), search),
]
