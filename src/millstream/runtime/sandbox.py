"""Starting the sandbox from the command line."""

from __future__ import annotations

import argparse
import json
from typing import Any

from millstream.sandbox.app import serve
from millstream.sandbox.config import SandboxConfig


def run_sandbox(args: argparse.Namespace) -> None:
    """Serve a portal with these flags. Raises `OSError` and `ValueError` for a seed file that cannot be used."""
    seed: dict[str, Any] | None = None
    if args.seed_file is not None:
        seed = json.loads(args.seed_file.read_text())
        if not isinstance(seed, dict):
            raise ValueError(f'{args.seed_file}: expected an object such as {{"contacts": 1000}}')
    config = SandboxConfig(
        tier=args.tier, portal_id=args.portal_id, token=args.token, latency_ms=args.latency_ms
    )
    serve(config, args.host, args.port, seed)
