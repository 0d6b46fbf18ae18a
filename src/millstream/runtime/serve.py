"""The server: ingest, health and control on one event loop, the engine beside it; signals."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
import threading
from collections.abc import Callable, Generator, Mapping
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.types import ASGIApp

from millstream.runtime.configuration import StartError, read_workspace
from millstream.runtime.control import Control
from millstream.runtime.engine import Engine
from millstream.runtime.memory import share_one_heap
from millstream.runtime.operations import control_app, health_routes, install_routes
from millstream.runtime.settings import Settings
from millstream.runtime.wire import Parts, open_parts
from millstream.telemetry import logs

__all__ = ["Server", "StartError", "serve"]

_log = logging.getLogger("millstream.serve")

# The largest request line and headers taken: a pixel's query is data.
MAX_HEADER_BYTES = 64 * 1024


class Server:
    """Everything of `millstream serve`, startable from a test or the demo as well."""

    def __init__(self, settings: Settings, env: Mapping[str, str]) -> None:
        self.settings = settings
        self._env = env
        share_one_heap()
        self.parts: Parts = open_parts(settings, env)
        self.engine = Engine(self.parts)
        self.control = Control(self.parts, self.engine, self.reload)
        self._servers: list[uvicorn.Server] = []
        self._stop: asyncio.Event | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self.ports: dict[str, int] = {}

    async def run(self, on_ready: Callable[[], None] = lambda: None) -> None:
        """Serve until `stop`. The order at the end: refuse requests, finish deliveries, commit, close the log."""
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        self.engine.start()
        public, ops = self._apps()
        listeners = [(public, self.settings.host, self.settings.port, "public")]
        if ops is not None:
            listeners.append((ops, self.settings.ops_host, self.settings.ops_port or 0, "ops"))
        tasks = [
            asyncio.create_task(self._listen(app, host, port, name)) for app, host, port, name in listeners
        ]
        tasks.append(asyncio.create_task(self._listen_control()))
        try:
            while not all(s.started for s in self._servers) or len(self._servers) < len(tasks):
                if any(t.done() for t in tasks):
                    break
                await asyncio.sleep(0.01)
            failed = next((t for t in tasks if t.done()), None)
            if failed is not None:
                failed.result()
                raise StartError("a listener ended before it began")
            on_ready()
            _log.info("serving", extra={"host": self.settings.host, **self.ports})
            await self._stop.wait()
        finally:
            _log.info("stopping")
            for server in self._servers:
                server.should_exit = True
            await asyncio.gather(*tasks, return_exceptions=True)
            await asyncio.to_thread(self.engine.stop)
            await self.parts.close()
            with contextlib.suppress(OSError):
                self.settings.socket.unlink()

    def stop(self) -> None:
        """Ask `run` to end; safe from any thread."""
        if self._loop is not None and self._stop is not None:
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._stop.set)

    async def reload(self) -> dict[str, Any]:
        """Check the configuration, and take it when it is right. Returns what changed, or the problems."""
        loaded = read_workspace(self.settings, self._env)
        if not loaded.ok:
            problems = [str(p) for p in loaded.problems]
            _log.error("the configuration was not taken", extra={"problems": problems})
            return {"reloaded": False, "problems": problems}
        changed = await self.engine.reload(loaded.workspace)
        _log.info("configuration reloaded", extra={"destinations_restarted": changed})
        return {"reloaded": True, "destinations_restarted": changed}

    def _apps(self) -> tuple[ASGIApp, ASGIApp | None]:
        routes = health_routes(self.ready, self.parts.metrics)
        if self.settings.ops_port is None:
            return self.parts.tracking(routes), None
        install = install_routes(lambda: self.parts.workspace, self.settings.local_url)
        return self.parts.tracking([]), Starlette(routes=[*routes, *install])

    def ready(self) -> dict[str, Any]:
        """Whether the log takes events and the engine runs."""
        problems = []
        if self.engine.failure is not None:
            problems.append(f"engine: {self.engine.failure}")
        if self.parts.log_is_full():
            problems.append("log_full: the disk is nearly full")
        stands = self.parts.status(self.engine.deliveries)
        failing = [
            f"{name}: {at['detail']}"
            for name, at in stands["destinations"].items()
            if at["state"] == "failing"
        ]
        # One destination that fails is told; to take no events for it would cost those of all.
        return {"ready": not problems, "problems": problems + failing, **stands}

    async def _listen(self, app: ASGIApp, host: str, port: int, name: str) -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        # Event loops set TCP_NODELAY only on sockets that say they are TCP; without it an answer waits 40 ms for an ACK.
        listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
        except OSError as error:
            listener.close()
            raise StartError(f"cannot listen on {host}:{port}: {error.strerror}") from None
        self.ports[name] = listener.getsockname()[1]
        await self._serve(uvicorn.Config(app, **_UVICORN), [listener])

    async def _listen_control(self) -> None:
        path = self.settings.socket
        with contextlib.suppress(FileNotFoundError):
            path.unlink()
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            listener.bind(str(path))
            path.chmod(0o600)
        except OSError as error:
            listener.close()
            raise StartError(f"cannot make the control socket {path}: {error}") from None
        await self._serve(uvicorn.Config(control_app(self.control), **_UVICORN), [listener])

    async def _serve(self, config: uvicorn.Config, listeners: list[socket.socket]) -> None:
        server = _Listener(config)
        self._servers.append(server)
        await server.serve(sockets=listeners)


class _Listener(uvicorn.Server):
    """One listener of several: signals end the process as a whole, in order, not one listener."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Leave signals to `serve`."""
        yield


_UVICORN: dict[str, Any] = {
    "log_config": None,
    "access_log": False,
    "server_header": False,
    "lifespan": "off",
    "loop": "none",
    "timeout_keep_alive": 75,
    "h11_max_incomplete_event_size": MAX_HEADER_BYTES,
    "timeout_graceful_shutdown": 5,
    "proxy_headers": False,
}


class ServerThread:
    """A server in a thread of its own: for the demo and for tests."""

    def __init__(self, settings: Settings, env: Mapping[str, str]) -> None:
        self.server = Server(settings, env)
        self._ready = threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._main, name="server", daemon=True)

    @property
    def url(self) -> str:
        """The base address of the tracking API."""
        return f"http://{self.server.settings.host}:{self.server.ports['public']}"

    def start(self) -> str:
        """Start, wait until it accepts, return its address."""
        self._thread.start()
        self._ready.wait()
        if self._failure is not None:
            raise self._failure
        return self.url

    def stop(self) -> None:
        """Stop cleanly and wait."""
        self.server.stop()
        self._thread.join(30)

    def _main(self) -> None:
        try:
            with asyncio.Runner(loop_factory=_loop_factory()) as runner:
                runner.run(self.server.run(self._ready.set))
        except BaseException as error:  # noqa: BLE001  (handed to whoever started the thread)
            self._failure = error
        finally:
            self._ready.set()


def serve(settings: Settings, env: Mapping[str, str]) -> None:
    """Run until SIGTERM or SIGINT; SIGHUP reloads the configuration. Raises `StartError`."""
    logs.configure(settings.log_level)
    server = Server(settings, env)

    async def main() -> None:
        loop = asyncio.get_running_loop()
        tasks: set[asyncio.Task[Any]] = set()

        def reload() -> None:
            task = asyncio.create_task(server.reload())
            tasks.add(task)
            task.add_done_callback(tasks.discard)

        loop.add_signal_handler(signal.SIGTERM, server.stop)
        loop.add_signal_handler(signal.SIGINT, server.stop)
        loop.add_signal_handler(signal.SIGHUP, reload)
        await server.run()

    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(main())


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop  # noqa: PLC0415  (not on every platform)
    except ImportError:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory
