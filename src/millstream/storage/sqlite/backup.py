"""A consistent copy of a data folder, also beside a running server: `VACUUM INTO`, state first, then the log, so that no
position lies beyond the log's end.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from millstream.storage.sqlite import connection


def copy(data_dir: Path, target: Path) -> dict[str, Any]:
    """Copy into a new folder. Raises `FileExistsError` when there is something in it."""
    if target.exists() and any(target.iterdir()):
        raise FileExistsError(target)
    (target / "log").mkdir(parents=True, mode=0o700)
    sizes = [_copied(data_dir / "state.db", target / "state.db")]
    sizes += [_copied(file, target / "log" / file.name) for file in sorted((data_dir / "log").glob("*.db"))]
    return {"target": str(target), "files": len(sizes), "bytes": sum(sizes)}


def _copied(source: Path, into: Path) -> int:
    opened = connection.reader(source)
    try:
        opened.execute("PRAGMA query_only = OFF")
        opened.execute("VACUUM INTO ?", (str(into),))
    finally:
        opened.close()
    return into.stat().st_size
