"""One record, kept small: a portal of a million contacts has to fit into a laptop.

What a property was first set to is not kept apart: it is the current value, written when the record was made. Only what
was written later, or more than once, has a history of its own.
"""

from __future__ import annotations

from typing import Any

import msgspec

History = list[tuple[str, str]]


class Record(msgspec.Struct, array_like=True, gc=False, eq=False):
    """Current values, and in `past` those histories that do not follow from the values and `created`.

    `gc=False`: a record refers to texts, dicts and lists of texts only and is never part of a cycle, so that a full
    collection need not walk a million of them.
    """

    id: str
    created: str
    updated: str
    values: dict[str, str]
    past: dict[str, History] | None = None
    archived: bool = False
    archived_at: str = ""

    @property
    def history(self) -> dict[str, History]:
        """For each property what was written when, oldest first."""
        past = self.past or {}
        first = {n: [(v, self.created)] for n, v in self.values.items() if n not in past}
        return first | past

    def put(self, name: str, value: str, now: str) -> None:
        """Set one value; empty clears it."""
        held, past = self.values.get(name), self.past
        if past is not None and name in past:
            past[name].append((value, now))
        elif held is not None:
            self._remember(name, [(held, self.created), (value, now)])
        elif value == "" or now != self.created:
            self._remember(name, [(value, now)])
        if value == "":
            self.values.pop(name, None)
        else:
            self.values[name] = value

    def _remember(self, name: str, history: History) -> None:
        if self.past is None:
            self.past = {}
        self.past[name] = history

    def shown(self, name: str) -> str | None:
        """A value, the calculated ones included."""
        if name == "hs_object_id":
            return self.id
        if name in {"hs_lastmodifieddate", "lastmodifieddate"}:
            return self.updated
        return self.created if name == "createdate" else self.values.get(name)

    def json(self, names: list[str] | None = None, *, history: list[str] | None = None) -> dict[str, Any]:
        """As the API shows it: all values, or those asked for (null when unset)."""
        values: dict[str, Any] = (
            dict(self.values) if names is None else {n: self.values.get(n) for n in names}
        )
        values["hs_object_id"] = self.id
        if names is None or "createdate" in names:
            values["createdate"] = self.created
        found: dict[str, Any] = {
            "id": self.id,
            "properties": dict(sorted(values.items())),
            "createdAt": self.created,
            "updatedAt": self.updated,
            "archived": self.archived,
        }
        if self.archived_at:
            found["archivedAt"] = self.archived_at
        if history:
            written = self.history
            found["propertiesWithHistory"] = {
                n: [
                    {"value": v, "timestamp": at, "sourceType": "INTEGRATION", "sourceId": "sandbox"}
                    for v, at in reversed(written.get(n, []))
                ]
                for n in (list(written) if history == ["*"] else history)
            }
        return found
