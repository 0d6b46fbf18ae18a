"""The log of calls: the last 100,000, and how many there were."""

from __future__ import annotations

from typing import Any, Final

KEPT: Final = 100_000
_SLACK: Final = 10_000


class CallLog(list[dict[str, Any]]):
    """A list of calls, newest last. A little more than `KEPT` is held, so that old ones leave in large steps."""

    def __init__(self) -> None:
        super().__init__()
        self.total = 0

    def append(self, call: dict[str, Any]) -> None:
        """One more call."""
        self.total += 1
        super().append(call)
        if len(self) >= KEPT + _SLACK:
            del self[: len(self) - KEPT]

    def clear(self) -> None:
        """Begin anew."""
        self.total = 0
        super().clear()

    def select(
        self,
        *,
        limit: int | None = None,
        after: int | None = None,
        status: str | None = None,
        path: Any = None,
    ) -> list[dict[str, Any]]:
        """Calls with their numbers (the first ever is 1), newest last.

        With `after` those behind that number, the oldest first in line for `limit`; without it `limit` gives the
        newest. `status` is a number or a class such as `4xx`, `path` a compiled pattern.
        """
        kept = list(self[-KEPT:])
        first = self.total - len(kept) + 1
        found = [
            {"number": number, **call}
            for number, call in enumerate(kept, first)
            if (after is None or number > after)
            and (status is None or _is(call["status"], status))
            and (path is None or path.search(call["path"]))
        ]
        if limit is None:
            return found
        return found[:limit] if after is not None else found[max(len(found) - limit, 0) :]


def _is(status: int, wanted: str) -> bool:
    return status // 100 == int(wanted[0]) if wanted.endswith("xx") else status == int(wanted)
