"""Commands to a running server. The CLI sends them over the data folder's local socket."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Final

from millstream.delivery.delivery import Delivery
from millstream.delivery.replay import Replay
from millstream.delivery.sink import CallFailed
from millstream.mapping.trigger import TriggerError, parse_trigger
from millstream.runtime.engine import Engine
from millstream.runtime.orders import OrderError, destination, letters
from millstream.runtime.wire import Parts

# How long a command that asks for progress waits for the end before it tells how far it is.
_WAIT_S: Final = 2.0


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
            "reload": lambda _: reload(),
        }

    async def run(self, command: str, arguments: Any) -> dict[str, Any]:
        """Run one command. Raises `OrderError`."""
        if command not in self._commands:
            raise OrderError(f"no command {command!r}; there are: {', '.join(self._commands)}")
        if not isinstance(arguments, dict):
            raise OrderError("arguments must be a JSON object")
        return await self._commands[command](arguments)

    async def _status(self, _: dict[str, Any]) -> dict[str, Any]:
        return self._parts.status(self._engine.deliveries)

    async def _redeliver(self, arguments: dict[str, Any]) -> dict[str, Any]:
        chosen = self._letters(arguments)
        sending = {name: self._sending(name) for name in chosen}
        orders = {name: partial(sending[name].redeliver, ids) for name, ids in chosen.items()}
        return {
            "letters": [
                {"destination": n, "redelivering": await self._engine.call(o)} for n, o in orders.items()
            ]
        }

    async def _drop(self, arguments: dict[str, Any]) -> dict[str, Any]:
        running = self._engine.deliveries
        orders = {name: partial(running[name].drop, ids) for name, ids in self._letters(arguments).items()}
        return {
            "letters": [{"destination": n, "dropped": await self._engine.call(o)} for n, o in orders.items()]
        }

    async def _resume(self, arguments: dict[str, Any]) -> dict[str, Any]:
        name = self._destination(arguments)

        async def resume() -> None:
            self._parts.resume(name)

        await self._engine.call(resume)
        return {"destination": name, "resumed": True}

    async def _replay(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """Begin one, and wait a little for its end."""
        name = self._destination(arguments)
        try:
            accepts = parse_trigger(str(arguments.get("trigger") or "all"))
            since, until = int(arguments.get("since_ms") or 0), arguments.get("until_ms")
            start, end = self._parts.offsets(since, int(until) if until is not None else None)
        except (TriggerError, TypeError, ValueError) as error:
            raise OrderError(f"give `since_ms`, `until_ms` and a `trigger`: {error}") from None
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
                raise OrderError(f"a replay of {name} is under way: {self._progress(name)}")
        except CallFailed as error:
            raise OrderError(f"HubSpot does not answer: {error}") from None
        return await self._replayed({**arguments, "destination": name})

    async def _replayed(self, arguments: dict[str, Any]) -> dict[str, Any]:
        name = self._destination(arguments)
        waits = 0.0
        while not (found := self._progress(name))["done"] and waits < _WAIT_S:
            await asyncio.sleep(0.05)
            waits += 0.05
        return found

    def _progress(self, name: str) -> dict[str, Any]:
        replays = self._engine.deliveries[name].replays
        order = replays.current
        if order is None:
            raise OrderError(f"no replay of {name} was begun since the server started")
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
        return await self._engine.call(lambda: self._parts.forget(arguments))

    def _destination(self, arguments: dict[str, Any]) -> str:
        return destination(arguments, self._engine.deliveries)

    def _sending(self, name: str) -> Delivery:
        """The delivery of a destination that may send. Raises `OrderError` for one that is off."""
        delivery = self._engine.deliveries[name]
        if delivery.status().state == "disabled":
            raise OrderError(f"{name} is disabled: nothing is sent to it; enable it first")
        return delivery

    def _letters(self, arguments: dict[str, Any]) -> dict[str, list[int]]:
        """The numbers of the dead letters meant, by destination."""
        found = letters(self._parts.delivery_store, arguments, self._engine.deliveries)
        return {name: [x.id for x in some] for name, some in found.items()}
