"""Commands to the running server over its local socket; on the data folder itself when none runs (SEMANTICS 40).

Errors
    RemoteError        the server refused, or does not answer
"""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Mapping
from typing import Any

from millstream.runtime import offline
from millstream.runtime.failure import Failure
from millstream.runtime.settings import Settings


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
    """Run a command and return its answer. Raises `RemoteError` and `OrderError`."""
    connection = _Local(str(settings.socket))
    try:
        connection.request("POST", f"/{name}", json.dumps(arguments), {"Content-Type": "application/json"})
        response = connection.getresponse()
        answer = json.loads(response.read())
    except (FileNotFoundError, ConnectionRefusedError):
        return offline.run(settings, env, name, arguments)
    except (OSError, ValueError) as error:
        raise RemoteError(f"the server does not answer: {error}") from None
    finally:
        connection.close()
    if response.status != 200:
        raise RemoteError(str(answer.get("error", answer)))
    result: dict[str, Any] = answer
    return result
