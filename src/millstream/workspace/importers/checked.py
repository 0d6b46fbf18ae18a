"""What an importer made, as `millstream check` sees it: what cannot run is there, disabled, and told."""

from __future__ import annotations

import copy
import re
from typing import Final

import yaml

from millstream.workspace.importers.report import Imported, Report
from millstream.workspace.load import load
from millstream.workspace.model import Catalog

_PLACE: Final = re.compile(r"destinations\[(\d+)\]\.(mappings|filters)\[(\d+)\]\.")


def checked(imported: Imported, catalog: Catalog) -> Imported:
    """The same import without a mapping or filter that would keep a server from starting."""
    config, report = copy.deepcopy(imported.config), Report(list(imported.notes))
    # Settings lack their variables here; they are the reader's to set, and no reason to disable anything.
    for located in load(yaml.safe_dump(config), {}, catalog).problems:
        problem = located.problem
        place = _PLACE.match(problem.path)
        if place and problem.severity == "error":
            config["destinations"][int(place[1])][place[2]][int(place[3])]["enabled"] = False
            hint = f" ({problem.hint})" if problem.hint else ""
            report.warn(f"millstream.yaml: {problem.path}", f"{problem.message}{hint}: disabled")
    return Imported(config, report.notes)
