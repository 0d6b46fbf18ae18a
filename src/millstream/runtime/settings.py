"""What the process itself is told: by flags first, then by `MILLSTREAM_…` variables, then by defaults."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from millstream.runtime.failure import Failure


class SettingsError(Failure):
    """A setting of the process cannot be used; the message says which and what to put."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Settings of `millstream serve`.

    `ops_port` binds `/healthz`, `/readyz` and `/metrics` apart from the tracking API (None = on the same port).
    """

    config: Path
    data_dir: Path
    host: str = "127.0.0.1"
    port: int = 8080
    ops_host: str = "127.0.0.1"
    ops_port: int | None = None
    log_level: str = "info"
    hubspot_api_url: str | None = None

    @property
    def socket(self) -> Path:
        """The local control socket."""
        return self.data_dir / "control.sock"

    @property
    def local_url(self) -> str:
        """The tracking API as this machine reaches it."""
        host = "127.0.0.1" if self.host in {"0.0.0.0", "::", ""} else self.host  # noqa: S104  (nothing is bound)
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}"


def read(env: Mapping[str, str], **given: object) -> Settings:
    """Settings from flags (those that are not None) and the environment. Raises `SettingsError`."""
    url = env.get("MILLSTREAM_DATABASE_URL", "")
    data_dir = given.get("data_dir") or env.get("MILLSTREAM_DATA_DIR") or _folder_of(url) or "millstream-data"
    port, ops_port = given.get("port"), given.get("ops_port")
    return Settings(
        config=Path(str(given.get("config") or env.get("MILLSTREAM_CONFIG") or "millstream.yaml")),
        data_dir=Path(str(data_dir)),
        host=str(given.get("host") or env.get("MILLSTREAM_HOST") or "127.0.0.1"),
        port=_port("MILLSTREAM_PORT", port if port is not None else env.get("MILLSTREAM_PORT", 8080)),
        ops_host=str(given.get("ops_host") or env.get("MILLSTREAM_OPS_HOST") or "127.0.0.1"),
        ops_port=_optional_port(ops_port if ops_port is not None else env.get("MILLSTREAM_OPS_PORT")),
        log_level=str(given.get("log_level") or env.get("MILLSTREAM_LOG_LEVEL") or "info"),
        hubspot_api_url=env.get("MILLSTREAM_HUBSPOT_API_URL"),
    )


def _folder_of(url: str) -> str:
    if not url:
        return ""
    if url.startswith("sqlite:///"):
        return url.removeprefix("sqlite:///") or "."
    raise SettingsError(
        f"MILLSTREAM_DATABASE_URL: {url.split(':', 1)[0]} is not a storage of this version; use sqlite:///FOLDER"
    )


def _port(name: str, value: object) -> int:
    try:
        port = int(str(value))
    except ValueError:
        port = -1
    if not 0 <= port <= 65535:
        raise SettingsError(f"{name}: {value!r} is not a port (0 to 65535)")
    return port


def _optional_port(value: object) -> int | None:
    return None if value in {None, ""} else _port("MILLSTREAM_OPS_PORT", value)
