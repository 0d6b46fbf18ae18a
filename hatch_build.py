"""The wheel's build makes the browser files when Node is there; without it the wheel lacks them and all else works.

`MILLSTREAM_BROWSER=required` makes their absence an error (releases), `=off` leaves them out.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

BUILD = Path("browser", "build.mjs")
MANIFEST = Path("src", "millstream", "devicemode", "static", "manifest.json")


class BrowserFiles(BuildHookInterface):
    """Runs npm and `browser/build.mjs` before the wheel is packed."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002  (the hook's signature)
        """Make `devicemode/static` unless it is there."""
        wish = os.environ.get("MILLSTREAM_BROWSER", "")
        root = Path(self.root)
        if self.target_name != "wheel" or wish == "off" or (root / MANIFEST).is_file():
            return
        why = self._make(root)
        if why and wish == "required":
            raise RuntimeError(f"the browser files were not made: {why}")
        if why:
            self.app.display_warning(f"device mode will answer 503: {why}")

    @staticmethod
    def _make(root: Path) -> str:
        """Make them; why not, if not."""
        node, npm = shutil.which("node"), shutil.which("npm")
        if node is None or npm is None:
            return "node and npm are not here"
        if not (root / BUILD).is_file():
            return f"{BUILD} is not here"
        commands = [[node, str(BUILD)]]
        if not (root / "node_modules").is_dir():
            flags = ["--omit=optional", "--ignore-scripts", "--silent", "--no-audit", "--no-fund"]
            commands.insert(0, [npm, "ci", *flags])
        for command in commands:
            try:
                subprocess.run(command, cwd=root, check=True, capture_output=True, text=True, timeout=600)
            except (OSError, subprocess.SubprocessError) as error:
                said = getattr(error, "stderr", "") or str(error)
                return f"{Path(command[0]).name} failed: {str(said).strip()[-500:]}"
        return "" if (root / MANIFEST).is_file() else f"{BUILD} wrote no manifest.json"
