"""The `millstream` command."""

from __future__ import annotations

import argparse

from millstream import __version__


def main(argv: list[str] | None = None) -> None:
    """Run the command with these arguments (default: the process's)."""
    parser = argparse.ArgumentParser(prog="millstream", description="A customer-data pipeline for HubSpot.")
    parser.add_argument("--version", action="version", version=f"millstream {__version__}")
    parser.parse_args(argv)
    parser.print_help()
