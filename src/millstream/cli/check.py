"""`millstream check`: is the configuration right; with --online, may the token do what it asks?"""

from __future__ import annotations

import argparse
import asyncio
import os
from typing import Any

from millstream.cli.output import Output, add_data, add_output, counted, escaped, settings_of
from millstream.runtime.configuration import read_workspace
from millstream.runtime.wire import check_online
from millstream.workspace.load import Located


def register(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "check",
        help="check the configuration",
        description=(
            "Reports every problem of millstream.yaml with line and hint, and when each mapping runs. --online asks "
            "HubSpot instead: portal, data centre, time zone, limits, scopes, and what each missing scope takes away."
        ),
    )
    add_data(parser)
    parser.add_argument("--online", action="store_true", help="ask HubSpot as well")
    parser.add_argument(
        "--probe",
        action="store_true",
        help="with --online: find out how the portal treats partial upserts, with one marked contact that is archived afterwards",
    )
    add_output(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Check; exit 1 when there are errors."""
    out = Output(as_json=args.json)
    settings = settings_of(args)
    loaded = read_workspace(settings, os.environ)
    for located in loaded.problems:
        _tell(located, out)
    if not loaded.ok:
        return out.fail(f"{settings.config} has errors")
    workspace = loaded.workspace
    out.say(
        f"{settings.config}: {counted(len(workspace.sources), 'source')}, "
        f"{counted(len(workspace.destinations), 'destination')}, "
        f"{counted(sum(len(d.mappings) for d in workspace.destinations), 'mapping')}. Fine."
    )
    if not args.online:
        runs = [(d.name, m.name, m.action, m.trigger) for d in workspace.destinations for m in d.mappings]
        out.table(("destination", "mapping", "action", "runs when"), runs)
        return 0
    failed = False
    for report in asyncio.run(check_online(workspace, settings, probe=args.probe)):
        failed = failed or not report.ok
        out.table(
            ("destination", "what", "finding"), [(report.destination, k, v) for k, v in report.findings]
        )
    return out.fail("HubSpot was asked, and not everything is right") if failed else 0


def _tell(located: Located, out: Output) -> None:
    """One problem: where, what, and what would help."""
    problem = located.problem
    if out.as_json:
        fields = (problem.severity, located.line or None, problem.path, problem.message, problem.hint)
        out.table(("severity", "line", "path", "message", "hint"), [fields])
        return
    colour = "red" if problem.severity == "error" else "yellow"
    line = f"line {located.line}  " if located.line else ""
    out.say(f"[{colour}]{problem.severity}[/{colour}]  {line}[bold]{escaped(problem.path)}[/bold]")
    out.say(f"  {escaped(problem.message)}" + (f"\n  → {escaped(problem.hint)}" if problem.hint else ""))
