"""What the pages show: the portal's state read into plain rows. Nothing here changes the portal.

Pages are drawn on the loop that also answers API calls, so every look is bounded: `SCAN` records or calls for each
request, then a link to go on from there.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, TypeVar
from urllib.parse import quote, urlencode

from millstream.sandbox.associations import labels_of
from millstream.sandbox.config import ASSOCIATIONS_PER_10_S, PER_10_S, PER_DAY
from millstream.sandbox.errors import Refused
from millstream.sandbox.limits import Limits
from millstream.sandbox.portal import TYPES, Portal
from millstream.sandbox.record import Record
from millstream.sandbox.records import Records

ROOT: Final = "/_sandbox/pages"
# These are pages; object types of the same name (HubSpot has one: calls) are linked by their type id.
TAKEN: Final = ("events", "lists", "calls", "switches")
RECORDS: Final = 50
CALLS: Final = 200
OCCURRENCES: Final = 50
TIMELINE: Final = 200
SCAN: Final = 200_000  # about 0.2 s
_TITLES: Final = ("email", "name", "domain")

T = TypeVar("T")


def href(portal: Portal, object_type: str, record_id: str = "") -> str:
    """The page of a type, or of one of its records."""
    slug = portal.type_id(object_type) if object_type in TAKEN else object_type
    return "/".join([ROOT, quote(slug, safe=""), *([quote(record_id, safe="")] if record_id else [])])


def title(record: Record | None, record_id: str = "") -> str:
    """What a person calls a record."""
    if record is None:
        return f"no record {record_id}"
    full = " ".join(filter(None, (record.values.get("firstname"), record.values.get("lastname"))))
    known = [full, *(record.values.get(n) for n in _TITLES)]
    known += [v for n, v in record.values.items() if n.endswith(("name", "title", "subject"))]
    return next(filter(None, known), None) or f"Record {record.id}"


def number(text: str | None, default: int = 0) -> int:
    """A whole number of an address; what is none counts as the default."""
    return int(text) if text and text.isdecimal() and len(text) < 16 else default


def bounded(rows: Iterable[T], fits: Callable[[T], bool], count: int) -> tuple[list[T], T | None, bool]:
    """The first so many rows that fit; the row behind which to go on, if any; whether `SCAN` ended the look."""
    found: list[T] = []
    row: T | None = None
    for seen, row in enumerate(rows, 1):
        if fits(row):
            if len(found) == count:
                return found, found[-1], False
            found.append(row)
        if seen >= SCAN:
            return found, row, True
    return found, None, False


def counts(portal: Portal) -> list[dict[str, Any]]:
    """Types that have records, the fullest first. Archived ones are counted while that is quick."""
    rows = [
        {
            "name": plural,
            "href": href(portal, plural),
            "total": len(records.by_id),
            "archived": sum(r.archived for r in records.by_id.values()) if len(records.by_id) <= SCAN else 0,
        }
        for plural, records in portal.records.items()
        if records.by_id
    ]
    return sorted(rows, key=lambda row: -int(row["total"]))


def records_of(portal: Portal, records: Records, q: str, after: int) -> dict[str, Any]:
    """One page of a type: what is known by exactly this id or unique value first, then whatever contains the text."""
    needle = q.lower()
    exact = _exact(records, q) if q else {}

    def fits(step: tuple[int, Record | None]) -> bool:
        record = step[1]
        if record is None or record.id in exact:
            return False
        return not needle or needle in "\n".join(map(str, record.values.values())).lower()

    found, last, stopped = bounded(_walk(records, after), fits, RECORDS)
    shown = [*([] if after else exact.values()), *(record for _, record in found if record is not None)]
    here, query = href(portal, records.type), {"q": q} if q else {}
    return {
        "rows": [_row(portal, records, record, needle) for record in shown],
        "more": f"{here}?{urlencode({**query, 'after': last[0]})}" if last else "",
        "first": f"{here}?{urlencode(query)}" if after else "",
        "stopped": stopped,
    }


def _walk(records: Records, after: int) -> Iterator[tuple[int, Record | None]]:
    """Ids behind one with their records, `None` where one was erased."""
    for at in range(max(records.first_id, after + 1), records.next_id):
        yield at, records.by_id.get(str(at))


def _exact(records: Records, q: str) -> dict[str, Record]:
    found = [records.by_id.get(records.merged.get(q, q))]
    for name in ["email", *(n for n, d in records.definitions.items() if d.get("hasUniqueValue"))]:
        try:
            found.append(records.find(q, name))
        except Refused:  # not unique for this type
            continue
    return {record.id: record for record in found if record is not None}


def _row(portal: Portal, records: Records, record: Record, needle: str) -> dict[str, Any]:
    name = title(record)
    detail = next((record.values[n] for n in ("email", "domain") if record.values.get(n)), "")
    if needle and needle not in f"{name}\n{detail}".lower():
        # The text stands in a column that is not shown: say in which.
        detail = next((f"{n}: {v}" for n, v in record.values.items() if needle in str(v).lower()), detail)
    return {
        "id": record.id,
        "href": href(portal, records.type, record.id),
        "title": name,
        "detail": "" if detail == name else detail,
        "updated": record.updated,
        "archived": record.archived,
        "merged": records.merged.get(record.id, ""),
    }


def values_of(records: Records, record: Record) -> list[dict[str, Any]]:
    """Every property that has or had a value, with its history, newest first."""
    shown = record.json(history=["*"])
    history = shown["propertiesWithHistory"]
    names = dict.fromkeys([*shown["properties"], *history])
    return [
        {
            "name": name,
            "label": label,
            "plain": label.lower().replace(" ", "_") == name,  # the label says no more than the name
            "value": shown["properties"].get(name),
            "history": history.get(name, []),
        }
        for name in sorted(names)
        for label in [str(records.definitions.get(name, {}).get("label") or name)]
    ]


def associations_of(portal: Portal, object_type: str, record_id: str) -> list[dict[str, Any]]:
    """The other ends, their labels and their pages."""
    rows: list[dict[str, Any]] = []
    for right, records in portal.records.items():
        found = portal.associations.of(object_type, record_id, right)
        if not found:
            continue  # asking for the labels of a pair that nobody uses would number it
        names = {x["typeId"]: x["label"] for x in labels_of(portal, object_type, right)}
        rows += [
            {
                "type": right,
                "title": title(records.by_id.get(j), j),
                "id": j,
                "href": href(portal, right, j),
                "labels": [names[n] for n in sorted(kinds) if names.get(n)],
            }
            for j, kinds in sorted(found.items(), key=lambda item: number(item[0]))
        ]
    return rows


def lists_of(portal: Portal, object_type: str, record_id: str) -> list[dict[str, Any]]:
    """The lists that a record is on."""
    type_id = portal.type_id(object_type)
    return [
        {"name": found["name"], "id": list_id, "at": portal.members[list_id][record_id]}
        for list_id, found in portal.lists.items()
        if found["objectTypeId"] == type_id and record_id in portal.members.get(list_id, {})
    ]


def timeline(portal: Portal, records: Records, record: Record) -> list[dict[str, Any]]:
    """Occurrences of a contact, those of the records that were merged into it included, newest first."""
    if records.type != "contacts":
        return []  # the portal files every occurrence under a contact
    ids = {record.id, *(old for old, new in records.merged.items() if new == record.id)}
    mine = [o for o in portal.occurrences if o["objectId"] in ids]
    mine.sort(key=lambda o: str(o["occurredAt"]), reverse=True)
    return _happened(portal, mine)


def latest(portal: Portal, definition: dict[str, Any] | None) -> list[dict[str, Any]]:
    """The occurrences that came in last, of one definition or of all."""
    wanted = definition["fullyQualifiedName"] if definition else None
    mine = (o for o in reversed(portal.occurrences) if wanted in {None, o["eventName"]})
    return _happened(portal, list(itertools.islice(mine, OCCURRENCES)))


def _happened(portal: Portal, occurrences: list[dict[str, Any]]) -> list[dict[str, Any]]:
    labels = {d["fullyQualifiedName"]: d["label"] for d in portal.definitions.values()}
    contacts = portal.records["contacts"]
    rows = []
    for found in occurrences:
        i = contacts.merged.get(found["objectId"], found["objectId"])
        rows.append(
            {
                **found,
                "label": labels.get(found["eventName"], found["eventName"]),
                "who": title(contacts.by_id.get(i), i) if i else found.get("email"),
                "href": href(portal, "contacts", i) if i else "",
            }
        )
    return rows


def definitions(portal: Portal) -> list[dict[str, Any]]:
    """Event definitions and how often each occurred."""
    often = Counter(o["eventName"] for o in portal.occurrences)
    return [{**d, "occurrences": often[d["fullyQualifiedName"]]} for d in portal.definitions.values()]


def lists(portal: Portal) -> list[dict[str, Any]]:
    """All lists with their sizes; deleted ones can come back, so they are there too."""
    return [
        {
            **found,
            "size": len(portal.members.get(list_id, {})),
            "type": TYPES.get(found["objectTypeId"]) or portal.type(found["objectTypeId"]).type,
        }
        for list_id, found in portal.lists.items()
    ]


def members(portal: Portal, records: Records, list_id: str, after: int) -> dict[str, Any]:
    """One page of the records on a list, in the order in which they joined."""
    held = portal.members.get(list_id, {})
    here = f"{ROOT}/lists/{quote(list_id, safe='')}"
    return {
        "rows": [
            {
                "id": i,
                "href": href(portal, records.type, i),
                "title": title(records.by_id.get(i), i),
                "archived": i in records.by_id and records.by_id[i].archived,
                "at": at,
            }
            for i, at in itertools.islice(held.items(), after, after + RECORDS)
        ],
        "more": f"{here}?after={after + RECORDS}" if len(held) > after + RECORDS else "",
        "first": here if after else "",
    }


def calls(portal: Portal, status: str, path: str, before: int | None) -> dict[str, Any]:
    """One page of the call log, newest first. `status` is a status or its beginning (`4`, `4xx`)."""
    log, low = portal.calls, path.lower()
    digits = status.lower().rstrip("x")
    # Calls are numbered from the first ever: their places in the log change when old ones leave it.
    first = log.total - len(log) + 1
    end = log.total if before is None else min(before - 1, log.total)

    def fits(at: int) -> bool:
        call = log[at - first]
        return low in call["path"].lower() and str(call["status"]).startswith(digits)

    found, last, stopped = bounded(range(end, first - 1, -1), fits, CALLS)
    query = {k: v for k, v in (("status", status), ("path", path)) if v}
    here = f"{ROOT}/calls"
    return {
        "rows": [log[at - first] for at in found],
        "more": f"{here}?{urlencode({**query, 'before': last})}" if last else "",
        "first": f"{here}?{urlencode(query)}" if before is not None else "",
        "stopped": stopped,
    }


def pools(portal: Portal, limits: Limits, now: float) -> list[dict[str, Any]]:
    """Each pool of the rate limits: used, limit, and for how long it counts."""
    tier = portal.config.tier
    sizes = {
        "general": (PER_10_S[tier], 10.0),
        "associations": (ASSOCIATIONS_PER_10_S[tier], 10.0),
        "search": (5, 1.0),
        "events": (1250, 1.0),
    }
    # `state()` still counts calls that have left a window since the last call, and a bar must go down by itself.
    windows = limits._windows  # noqa: SLF001
    rows = [
        (name, sum(now - at < seconds for at in windows.get(name, ())), limit, f"in {seconds:.0f} s")
        for name, (limit, seconds) in sizes.items()
    ]
    rows.append(("daily", limits.today, PER_DAY[tier], "today"))
    return [
        {"name": name, "used": used, "limit": limit, "per": per, "tone": _warmth(used / limit)}
        for name, used, limit, per in rows
    ]


def _warmth(share: float) -> str:
    return "hot" if share >= 0.9 else "warm" if share >= 0.6 else "calm"
