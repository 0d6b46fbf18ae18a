"""What commands are told: which destination, which dead letters. Beside a server and without one alike.

Errors
    OrderError          the command or its arguments make no sense; the message says what does
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from millstream.delivery.store import DeadLetter, DeliveryStore
from millstream.runtime.failure import Failure


class OrderError(Failure):
    """The command or its arguments make no sense."""


def destination(arguments: dict[str, Any], known: Collection[str]) -> str:
    """The destination of this name, or the only one. Raises `OrderError`."""
    name = arguments.get("destination")
    if name is None and len(known) == 1:
        return next(iter(known))
    if name not in known:
        raise OrderError(f"say which destination with --destination: {', '.join(known) or 'there is none'}")
    return str(name)


def letters(
    store: DeliveryStore, arguments: dict[str, Any], known: Collection[str]
) -> dict[str, list[DeadLetter]]:
    """The dead letters meant, by destination: those with these numbers, or all of a reason and time range at one.

    No two letters have one number, wherever they are. Raises `OrderError`.
    """
    ids = arguments.get("ids")
    if isinstance(ids, list) and all(isinstance(i, int) for i in ids):
        return _numbered(
            store, ids, known if arguments.get("destination") is None else [destination(arguments, known)]
        )
    name = destination(arguments, known)
    try:
        since, until = int(arguments.get("since_ms") or 0), arguments.get("until_ms")
        until = int(until) if until is not None else None
    except (TypeError, ValueError) as error:
        raise OrderError(f"give `ids`, or `reason`, `since_ms`, `until_ms`: {error}") from None
    found: list[DeadLetter] = []
    while more := store.dead_letters(
        name,
        reason=arguments.get("reason"),
        since_ms=since,
        until_ms=until,
        after_id=found[-1].id if found else 0,
        limit=500,
    ):
        found += more
    return {name: found}


def _numbered(store: DeliveryStore, ids: list[int], names: Collection[str]) -> dict[str, list[DeadLetter]]:
    found: dict[str, list[DeadLetter]] = {}
    for i in ids:
        at = [(n, x) for n in names for x in store.dead_letters(n, after_id=i - 1, limit=1) if x.id == i]
        if not at:
            raise OrderError(f"no dead letter {i}")
        found.setdefault(at[0][0], []).append(at[0][1])
    return found
