"""The configuration file as every command reads it."""

from __future__ import annotations

from collections.abc import Mapping

from millstream.destinations.catalog import DestinationCatalog
from millstream.runtime.failure import Failure
from millstream.runtime.settings import Settings
from millstream.workspace.load import Loaded, load


class StartError(Failure):
    """The server cannot start; the message says why and what to do."""


def read_workspace(settings: Settings, env: Mapping[str, str]) -> Loaded:
    """The configuration file, checked. Raises `StartError` when it cannot be read."""
    try:
        text = settings.config.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise StartError(f"{settings.config}: {error}; `millstream init` writes one") from None
    return load(text, env, DestinationCatalog())
