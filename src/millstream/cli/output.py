"""How commands speak: tables and colour on a terminal, JSON elsewhere or with --json."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table


class Output:
    """Where a command's answer goes."""

    def __init__(self, *, as_json: bool | None = None) -> None:
        self.as_json = not sys.stdout.isatty() if as_json is None else as_json
        self.console = Console(highlight=False)
        self.errors = Console(stderr=True, highlight=False)

    def json(self, value: Any) -> None:
        """One JSON document on one line."""
        sys.stdout.write(json.dumps(value, ensure_ascii=False, default=str) + "\n")
        sys.stdout.flush()

    def table(self, columns: Sequence[str], rows: Iterable[Sequence[Any]], *, title: str = "") -> None:
        """Rows under headings; on no terminal one JSON object a row."""
        if self.as_json:
            for row in rows:
                self.json(dict(zip(columns, row, strict=True)))
            return
        table = Table(
            title=title or None, title_justify="left", box=None, pad_edge=False, header_style="bold"
        )
        for column in columns:
            table.add_column(column, overflow="fold")
        for row in rows:
            table.add_row(*(_cell(v) for v in row))
        self.console.print(table)

    def say(self, text: str) -> None:
        """Prose for a person; goes to standard error where the answer is JSON."""
        (self.errors if self.as_json else self.console).print(text)

    def verbatim(self, text: str) -> None:
        """Text to copy: as it is, without wrapping or colour."""
        self.console.print(f"{text}\n", markup=False, soft_wrap=True)

    def fail(self, text: str) -> int:
        """Say what went wrong; the exit code to return."""
        self.errors.print(f"[red]millstream:[/red] {text}")
        return 1


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False, default=str)
    return str(value)


def add_output(parser: argparse.ArgumentParser) -> None:
    """The flag that every command has."""
    parser.add_argument("--json", action="store_true", default=None, help="JSON, also on a terminal")


def add_data(parser: argparse.ArgumentParser) -> None:
    """The flags of commands that look at configuration and data."""
    parser.add_argument("--config", metavar="FILE", help="default: millstream.yaml, or MILLSTREAM_CONFIG")
    parser.add_argument(
        "--data-dir", metavar="FOLDER", help="default: millstream-data, or MILLSTREAM_DATA_DIR"
    )
