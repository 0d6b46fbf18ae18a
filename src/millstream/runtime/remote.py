"""Commands that change something: over the running server's local socket, or directly when none runs (SEMANTICS 40).

Errors
    RemoteError        the server refused, or cannot be reached and the folder is locked
"""

from __future__ import annotations

import asyncio
import http.client
import json
import socket
from collections.abc import Mapping
from typing import Any

from millstream.runtime.control import ControlError
from millstream.runtime.failure import Failure
from millstream.runtime.serve import Server
from millstream.runtime.settings import Settings
from millstream.runtime.wire import StartError


class RemoteError(Failure):
    """The command could not be carried out; the message says why."""


class _Local(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=600)
        self._path = path

    def connect(self) -> None:
        """Connect to the socket instead of a host."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def command(
    settings: Settings, env: Mapping[str, str], name: str, arguments: dict[str, Any]
) -> dict[str, Any]:
    """Run a control command and return its answer. Raises `RemoteError`."""
    connection = _Local(str(settings.socket))
    try:
        connection.request("POST", f"/{name}", json.dumps(arguments), {"Content-Type": "application/json"})
        response = connection.getresponse()
        answer = json.loads(response.read())
    except (FileNotFoundError, ConnectionRefusedError):
        return _directly(settings, env, name, {**arguments, "alone": True})
    except (OSError, ValueError) as error:
        raise RemoteError(f"the server does not answer: {error}") from None
    finally:
        connection.close()
    if response.status != 200:
        raise RemoteError(str(answer.get("error", answer)))
    result: dict[str, Any] = answer
    return result


def _directly(
    settings: Settings, env: Mapping[str, str], name: str, arguments: dict[str, Any]
) -> dict[str, Any]:
    """No server runs: open the folder, run the engine just for this command, close."""

    async def work() -> dict[str, Any]:
        server = Server(settings, env)
        server.engine.start()
        try:
            return await server.control.run(name, arguments)
        finally:
            await asyncio.to_thread(server.engine.stop)
            await server.parts.close()

    try:
        return asyncio.run(work())
    except (ControlError, StartError) as error:
        raise RemoteError(str(error)) from None
