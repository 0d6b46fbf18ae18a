"""`millstream test`: run the cases that stand next to a configuration."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

from millstream.cli.output import Output, add_output, escaped
from millstream.runtime import cases
from millstream.runtime import settings as process
from millstream.runtime.configuration import read_workspace

_DEFAULT = "millstream.tests.yaml"


def register(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "test",
        help="run your own cases: events in, expected HubSpot requests out",
        description=(
            f"Runs the cases of {_DEFAULT} beside the configuration (or of the files given), each against an empty "
            "portal of the sandbox, and compares the requests that would go to HubSpot. docs/testing.md has the format."
        ),
    )
    parser.add_argument("files", nargs="*", type=Path, help="files with cases")
    parser.add_argument("--config", metavar="FILE", help="default: millstream.yaml, or MILLSTREAM_CONFIG")
    parser.add_argument("--show", action="store_true", help="print what really happened as YAML, to paste")
    add_output(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run; 1 when any case fails."""
    out = Output(as_json=args.json)
    settings = process.read(os.environ, config=args.config)
    text = settings.config.read_text(encoding="utf-8", errors="replace")
    loaded = read_workspace(settings, cases.stand_ins(text, os.environ))
    if not loaded.ok:
        return out.fail("\n".join(map(str, loaded.problems)))
    files = args.files or [settings.config.parent / _DEFAULT]
    found = [case for file in files for case in cases.read(file)]
    failed = 0
    for ran in cases.run(loaded.workspace, found):
        failed += bool(ran.problem)
        if out.as_json:
            out.json({"case": ran.name, "ok": not ran.problem, "problem": ran.problem, "got": ran.got})
            continue
        out.say(("[red]✗[/red] " if ran.problem else "[green]✓[/green] ") + escaped(ran.name))
        if ran.problem:
            out.verbatim(ran.problem)
        if args.show:
            out.verbatim(cases.shown(ran.got))
    out.say(f"{len(found) - failed} of {len(found)} cases are as expected")
    return 1 if failed else 0
