"""Commands that change a running server. The CLI sends them over the data folder's local socket; when no server runs
it starts the same parts without ingest and runs them directly.

Errors
    ControlError        the command or its arguments make no sense; the message says what does
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

from millstream.delivery.delivery import Delivery
from millstream.delivery.replay import Replay
from millstream.delivery.sink import CallFailed
from millstream.mapping.trigger import TriggerError, parse_trigger
from millstream.runtime.engine import Engine
from millstream.runtime.wire import Parts

# How long a command that asks for progress waits for the end before it tells how far it is.
_WAIT_S: Final = 2.0


class ControlError(Exception):
    """The command or its arguments make no sense."""


class Control:
    """The commands by name. Arguments and answers are JSON objects."""

    def __init__(self, parts: Parts, engine: Engine, reload: Callable[[], Awaitable[dict[str, Any]]]) -> None:
        self._parts = parts
        self._engine = engine
        self._commands: dict[str, Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]] = {
            "status": self._status,
            "redeliver": self._redeliver,
            "drop": self._drop,
            "resume": self._resume,
            "replay": self._replay,
            "replayed": self._replayed,
            "forget": self._forget,
            "backup": self._backup,
            "reload": lambda _: reload(),
        }

    async def run(self, command: str, arguments: Any) -> dict[str, Any]:
        """Run one command. Raises `ControlError`."""
        if command not in self._commands:
            raise ControlError(f"no command {command!r}; there are: {', '.join(self._commands)}")
        if not isinstance(arguments, dict):
            raise ControlError("arguments must be a JSON object")
        return await self._commands[command](arguments)

    async def _status(self, _: dict[str, Any]) -> dict[str, Any]:
        return self._parts.status(self._engine.deliveries)

    async def _redeliver(self, arguments: dict[str, Any]) -> dict[str, Any]:
        name, ids = self._which(arguments)
        delivery = self._sending(name)
        n = await self._engine.call(lambda: delivery.redeliver(ids))
        return {"destination": name, "redelivering": n}

    async def _drop(self, arguments: dict[str, Any]) -> dict[str, Any]:
        name, ids = self._which(arguments)
        delivery = self._engine.deliveries[name]
        n = await self._engine.call(lambda: delivery.drop(ids))
        return {"destination": name, "dropped": n}

    async def _resume(self, arguments: dict[str, Any]) -> dict[str, Any]:
        name = self._destination(arguments)

        async def resume() -> None:
            self._parts.resume(name)

        await self._engine.call(resume)
        return {"destination": name, "resumed": True}

    async def _replay(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """Begin one, and wait a little for its end; `alone` (no server runs) waits for all of it."""
        name = self._destination(arguments)
        try:
            accepts = parse_trigger(str(arguments.get("trigger") or "all"))
            since, until = int(arguments.get("since_ms") or 0), arguments.get("until_ms")
            start, end = self._parts.offsets(since, int(until) if until is not None else None)
        except (TriggerError, TypeError, ValueError) as error:
            raise ControlError(f"give `since_ms`, `until_ms` and a `trigger`: {error}") from None
        order = Replay(
            start,
            end,
            lambda event: accepts.matches(event.view()),
            frozenset(map(str, arguments.get("mappings") or [])) or None,
            str(uuid.uuid4()) if arguments.get("as_new") else "",
        )
        delivery = self._sending(name)
        try:
            if not await self._engine.call(lambda: delivery.replay(order)):
                raise ControlError(f"a replay of {name} is under way: {self._progress(name)}")
        except CallFailed as error:
            raise ControlError(f"HubSpot does not answer: {error}") from None
        return await self._replayed({**arguments, "destination": name})

    async def _replayed(self, arguments: dict[str, Any]) -> dict[str, Any]:
        name = self._destination(arguments)
        waits = 0.0
        while not (found := self._progress(name))["done"] and (arguments.get("alone") or waits < _WAIT_S):
            await asyncio.sleep(0.05)
            waits += 0.05
        return found

    def _progress(self, name: str) -> dict[str, Any]:
        replays = self._engine.deliveries[name].replays
        order = replays.current
        if order is None:
            raise ControlError(f"no replay of {name} was begun since the server started")
        return {
            "destination": name,
            "done": replays.done,
            "range": order.end - order.start,
            "read": max(order.at - order.start, 0),
            "events": order.events,
            "effects": order.effects,
            "pending_left_out": order.skipped,
        }

    async def _forget(self, arguments: dict[str, Any]) -> dict[str, Any]:
        who = arguments.get("who")
        if not isinstance(who, str) or not who:
            raise ControlError("`who` must be an email, a userId or a profile id")
        return await self._engine.call(lambda: self._parts.forget(who))

    async def _backup(self, arguments: dict[str, Any]) -> dict[str, Any]:
        target = arguments.get("target")
        if not isinstance(target, str) or not target:
            raise ControlError("`target` must be a folder that does not exist yet")
        return await self._parts.backup(Path(target))

    def _destination(self, arguments: dict[str, Any]) -> str:
        name = arguments.get("destination")
        running = self._engine.deliveries
        if name is None and len(running) == 1:
            return next(iter(running))
        if name not in running:
            raise ControlError(f"`destination` must be one of: {', '.join(running) or 'none is running'}")
        return str(name)

    def _sending(self, name: str) -> Delivery:
        """The delivery of a destination that may send. Raises `ControlError` for one that is off."""
        delivery = self._engine.deliveries[name]
        if delivery.status().state == "disabled":
            raise ControlError(f"{name} is disabled: nothing is sent to it; enable it first")
        return delivery

    def _which(self, arguments: dict[str, Any]) -> tuple[str, list[int]]:
        """The destination and the dead letters meant: by id, or all of a reason and time range."""
        name = self._destination(arguments)
        ids = arguments.get("ids")
        if isinstance(ids, list) and all(isinstance(i, int) for i in ids):
            return name, ids
        try:
            since, until = int(arguments.get("since_ms") or 0), arguments.get("until_ms")
            return name, self._parts.dead_letter_ids(
                name, arguments.get("reason"), since, int(until) if until is not None else None
            )
        except (TypeError, ValueError) as error:
            raise ControlError(f"give `ids`, or `reason`, `since_ms`, `until_ms`: {error}") from None
