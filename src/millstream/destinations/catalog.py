"""The kinds of destination there are. Implements `workspace.model.Catalog`."""

from __future__ import annotations

from millstream.destinations.hubspot import destination as hubspot
from millstream.workspace.model import Destination, Problem


class DestinationCatalog:
    """Kinds by name."""

    def kinds(self) -> tuple[str, ...]:
        """The known kinds."""
        return ("hubspot",)

    def default_trigger(self, kind: str, action: str) -> str:
        """The action's own trigger."""
        return hubspot.default_trigger(action) if kind == "hubspot" else "none"

    def expand(self, destination: Destination) -> Destination:
        """The destination with its preset's mappings."""
        return hubspot.expand(destination) if destination.kind == "hubspot" else destination

    def check(self, destination: Destination) -> list[Problem]:
        """Problems of what only the kind understands."""
        return hubspot.check(destination) if destination.kind == "hubspot" else []
