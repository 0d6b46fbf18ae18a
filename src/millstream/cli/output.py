"""How commands speak: tables and colour on a terminal, JSON elsewhere or with --json."""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from collections.abc import Collection, Iterable, Sequence
from typing import Any, Final

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from millstream.runtime.settings import Settings, read

# States of outcomes in the colours of every command.
COLOURS: Final = {
    "delivered": "green",
    "filtered": "dim",
    "waiting": "yellow",
    "retrying": "yellow",
    "dead_lettered": "red",
}
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


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

    def table(
        self,
        columns: Sequence[str],
        rows: Iterable[Sequence[Any]],
        *,
        title: str = "",
        cut: Collection[str] = (),
    ) -> None:
        """Rows under headings; on no terminal one JSON object a row.

        `cut` keeps each row on one line of the terminal, for lists that one scans: these columns give way, the first one first.
        """
        if self.as_json:
            for row in rows:
                self.json(dict(zip(columns, row, strict=True)))
            return
        table = Table(
            title=title or None, title_justify="left", box=None, pad_edge=False, header_style="bold"
        )
        cells = [[_cell(value) for value in row] for row in rows]
        widths = [max([len(c), *(row[at].cell_len for row in cells)]) for at, c in enumerate(columns)]
        excess = sum(widths) + 2 * len(columns) - 2 - self.console.width
        for column, width in zip(columns, widths, strict=True):
            gives = max(min(excess, width - 6), 0) if column in cut else 0
            excess -= gives
            table.add_column(
                column,
                overflow="ellipsis" if cut else "fold",
                no_wrap=bool(cut),
                width=width - gives if cut else None,
            )
        for row in cells:
            table.add_row(*row)
        self.console.print(table)

    def say(self, text: str) -> None:
        """Prose for a person; goes to standard error where the answer is JSON."""
        console = self.errors if self.as_json else self.console
        console.print(text, soft_wrap=not console.is_terminal)  # whoever reads a pipe gets lines as they are

    def verbatim(self, text: str) -> None:
        """Text to copy: as it is, without wrapping or colour."""
        self.console.print(f"{text}\n", markup=False, soft_wrap=True)

    def fail(self, text: str) -> int:
        """Say what went wrong; the exit code to return."""
        self.errors.print(f"[red]millstream:[/red] {escaped(text)}", soft_wrap=True)
        return 1


def counted(n: int, noun: str) -> str:
    """`1 event`, `2,000 events`."""
    return f"{n:,} {noun}" if n == 1 else f"{n:,} {noun}s"


def printable(value: Any) -> str:
    """What came from outside, for a terminal: no control characters, which could move the cursor or change its title."""
    if value is None:
        return ""
    text = (
        json.dumps(value, ensure_ascii=False, default=str) if isinstance(value, dict | list) else str(value)
    )
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text)


def escaped(value: Any) -> str:
    """What came from outside, for use in `Output.say`: nothing in it is read as markup."""
    return escape(printable(value))


def _cell(value: Any) -> Text:
    """A cell, never read as markup; the words of an outcome's state in its colour."""
    text = printable(value)
    return Text(text, style=COLOURS.get(text.partition(" ")[0], ""))


def add_output(parser: argparse.ArgumentParser) -> None:
    """The flag that every command has."""
    parser.add_argument("--json", action="store_true", default=None, help="JSON, also on a terminal")


def settings_of(args: argparse.Namespace) -> Settings:
    """The process's settings as the flags of `add_data` and the environment say."""
    return read(os.environ, config=args.config, data_dir=args.data_dir)


def add_data(parser: argparse.ArgumentParser) -> None:
    """The flags of commands that look at configuration and data."""
    parser.add_argument("--config", metavar="FILE", help="default: millstream.yaml, or MILLSTREAM_CONFIG")
    parser.add_argument(
        "--data-dir", metavar="FOLDER", help="default: millstream-data, or MILLSTREAM_DATA_DIR"
    )
