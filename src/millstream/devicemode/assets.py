"""The files that browsers load, as `browser/build.mjs` made them: read once, packed once, found by name only.

`static/manifest.json` maps logical names to hashed files beside it. The names that routes ask for:

    analytics.min.js     Analytics.js (its chunks stand in the folder under their own names)
    hubspot-web.js       our plugin for Analytics.js
    hubspot.dynamic.js   the same as a classic integration
    rsa.min.js           RudderStack's SDK
    HubSpot.min.js       our plugin for RudderStack's SDK
    amplitude.min.js     Amplitude's SDK
"""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path
from typing import Final

STATIC: Final = Path(__file__).parent / "static"
_TYPES: Final = {
    ".js": "text/javascript; charset=utf-8",
    ".txt": "text/plain; charset=utf-8",
    ".md": "text/plain; charset=utf-8",
}


@dataclass(frozen=True, slots=True)
class Asset:
    """One file: its name on disk, its bytes, plain and packed."""

    name: str
    body: bytes
    packed: bytes
    media_type: str
    digest: str


class Assets:
    """What a folder holds. Names are looked up among what was found there, so that none leads anywhere else."""

    def __init__(self, folder: Path = STATIC) -> None:
        self._folder = folder
        self._seen: int | None = None
        self._files: dict[str, Asset] = {}
        self._logical: dict[str, str] = {}

    @property
    def built(self) -> bool:
        """Whether the files are there."""
        self._refresh()
        return self._seen is not None

    def named(self, logical: str) -> Asset | None:
        """The file of a logical name."""
        self._refresh()
        return self._files.get(self._logical.get(logical, ""))

    def file(self, name: str) -> Asset | None:
        """The file of this very name."""
        self._refresh()
        return self._files.get(name)

    def starting(self, beginning: str) -> Asset | None:
        """The file whose name begins so: a chunk, whose hash is the SDK's."""
        self._refresh()
        return next((asset for name, asset in self._files.items() if name.startswith(beginning)), None)

    def _refresh(self) -> None:
        """Read the folder when its manifest is another than the last time."""
        manifest = self._folder / "manifest.json"
        try:
            stamp = manifest.stat().st_mtime_ns
            if stamp == self._seen:
                return
            given = json.loads(manifest.read_text(encoding="utf-8"))
            files = {p.name: p for p in self._folder.rglob("*") if p.suffix in _TYPES and p.is_file()}
            self._files = {name: _read(path) for name, path in files.items()}
        except (OSError, ValueError):
            self._seen, self._files, self._logical = None, {}, {}
            return
        self._logical = (
            {str(k): Path(str(v)).name for k, v in given.items()} if isinstance(given, dict) else {}
        )
        self._seen = stamp


@lru_cache(maxsize=64)
def begun_with(asset: Asset, code: str) -> Asset:
    """The script with some code in front of it."""
    body = code.encode() + asset.body
    return Asset(asset.name, body, gzip.compress(body, 9, mtime=0), asset.media_type, _digest(body))


def _read(path: Path) -> Asset:
    body = path.read_bytes()
    try:
        packed = path.with_name(f"{path.name}.gz").read_bytes()
    except OSError:
        packed = gzip.compress(body, 9, mtime=0)
    return Asset(path.name, body, packed, _TYPES[path.suffix], _digest(body))


def _digest(body: bytes) -> str:
    return blake2b(body, digest_size=12).hexdigest()
