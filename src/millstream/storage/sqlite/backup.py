"""A consistent copy of a data folder beside a running server: `VACUUM INTO`, state first, then the log."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from millstream.storage.sqlite import connection


def copy(data_dir: Path, target: Path) -> dict[str, Any]:
    """Copy into a new folder. Raises `FileExistsError` when it is there."""
    (target / "log").mkdir(parents=True, exist_ok=False, mode=0o700)
    sizes: dict[str, int] = {}
    for source in [data_dir / "state.db", *sorted((data_dir / "log").glob("*.db"))]:
        into = target / source.relative_to(data_dir)
        opened = connection.reader(source)
        try:
            opened.execute("PRAGMA query_only = OFF")
            opened.execute("VACUUM INTO ?", (str(into),))
        finally:
            opened.close()
        sizes[str(source.relative_to(data_dir))] = into.stat().st_size
    return {"target": str(target), "files": len(sizes), "bytes": sum(sizes.values())}
