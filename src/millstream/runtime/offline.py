"""Commands in a data folder that no server runs with. Some read it, some change its stores under the folder's lock.

Nothing here can deliver, by mistake or otherwise: a contract of the linter keeps the engine and all that makes calls out
of reach. Only a server sends.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Final

from millstream.delivery.ledger import Ledger
from millstream.delivery.outcome import Outcome, Reason, State
from millstream.delivery.store import DeadLetter, DeliveryCommit
from millstream.runtime.configuration import read_workspace
from millstream.runtime.inspection import Inspection, present
from millstream.runtime.orders import OrderError, letters
from millstream.runtime.persons import erase, profiles_of
from millstream.runtime.settings import Settings
from millstream.storage.sqlite.folder import DataFolder, FolderInUse
from millstream.storage.sqlite.state import SqliteState, StateOfOtherVersion


def run(settings: Settings, env: Mapping[str, str], name: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """Carry a command out as far as stores go. Raises `OrderError` for one that only a server can."""
    if name == "status":
        with Inspection(settings, env) as inspection:
            return inspection.status()
    change = _CHANGES.get(name)
    if change is None:
        raise OrderError(
            f"no server runs with {settings.data_dir}, and only a server sends to HubSpot: "
            "start it with `millstream serve`, then give the command again"
        )
    present(settings)
    destinations = [d.name for d in read_workspace(settings, env).workspace.destinations]
    try:
        folder = DataFolder(settings.data_dir)
    except FolderInUse as error:
        raise OrderError(f"{error}, which does not answer") from None
    try:
        state = SqliteState(settings.data_dir / "state.db")
    except (StateOfOtherVersion, sqlite3.Error) as error:
        folder.close()
        raise OrderError(f"{settings.data_dir}: {error}") from None
    try:
        return asyncio.run(change(state, destinations, arguments))
    finally:
        state.close()
        folder.close()


async def _forget(state: SqliteState, _destinations: list[str], arguments: dict[str, Any]) -> dict[str, Any]:
    return await erase(state.processor, state.deliveries, profiles_of(state.processor, arguments))


async def _drop(state: SqliteState, destinations: list[str], arguments: dict[str, Any]) -> dict[str, Any]:
    chosen = letters(state.deliveries, arguments, destinations)
    return {
        "letters": [
            {"destination": name, "dropped": await _give_up(state, name, found)}
            for name, found in chosen.items()
        ]
    }


async def _give_up(state: SqliteState, name: str, found: list[DeadLetter]) -> int:
    """End these effects as dropped. An event that is not wholly decided is left: the server comes back to it."""
    store = state.deliveries
    position = store.position(name)
    if position is None:
        return 0
    ledger = Ledger(position.decided, lambda offset: store.outcomes(name, offset))
    decided = [x for x in found if store.outcomes(name, x.job.offset)]
    for letter in decided:
        ledger.reopen(letter.job)
        ledger.decide(Outcome(letter.job, State.FILTERED, Reason.DROPPED, letter.detail))
    outcomes, tally = ledger.take()
    gone = [x.id for x in decided]
    await store.commit(DeliveryCommit(name, position, outcomes=outcomes, dead_removed=gone, tally=tally))
    return len(gone)


_Change = Callable[[SqliteState, list[str], dict[str, Any]], Coroutine[Any, Any, dict[str, Any]]]
_CHANGES: Final[dict[str, _Change]] = {"forget": _forget, "drop": _drop}
