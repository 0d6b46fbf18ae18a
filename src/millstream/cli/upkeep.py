"""`millstream backup`, `forget`, `resume`: what an operator does with the data folder and a pause."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

from millstream.cli.output import Output, add_data, add_output, settings_of
from millstream.runtime import inspection
from millstream.runtime.remote import command


def register(commands: Any) -> None:
    """Add the commands."""
    backup = commands.add_parser(
        "backup",
        help="copy the data folder consistently",
        description="Copies state and log into a new folder, also while a server runs. Restore: serve with that folder.",
    )
    backup.add_argument("target", help="a folder that does not exist yet")
    forget = commands.add_parser(
        "forget",
        help="erase a person",
        description=(
            "Removes a person's profile, identifiers, waiting events and dead letters. The log forgets with its "
            "retention; HubSpot is not asked."
        ),
    )
    forget.add_argument("who", help="an email, a userId or a profile id")
    resume = commands.add_parser(
        "resume", help="end a destination's pause", description="Try a paused destination now."
    )
    resume.add_argument("destination", nargs="?", help="default: the only one there is")
    for parser, name in ((backup, "backup"), (forget, "forget"), (resume, "resume")):
        add_data(parser)
        add_output(parser)
        parser.set_defaults(run=run, action=name)


def run(args: argparse.Namespace) -> int:
    """Copy; or send the command to the server, and act on the folder when none runs."""
    out = Output(as_json=args.json)
    settings = settings_of(args)
    if args.action == "backup":
        answer = inspection.copy(settings, Path(args.target).absolute())
    else:
        told = {"who": args.who} if args.action == "forget" else {"destination": args.destination}
        answer = command(settings, os.environ, args.action, told)
    if out.as_json:
        out.json(answer)
    else:
        out.table(("", " "), list(answer.items()))
    return 0
