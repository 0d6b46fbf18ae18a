"""`millstream deadletter`: what should have gone and did not; look at it, send it again, or drop it."""

from __future__ import annotations

import argparse
import os
from typing import Any

from millstream.cli.moments import add_range
from millstream.cli.output import Output, add_data, add_output, settings_of
from millstream.runtime.inspection import Inspection
from millstream.runtime.remote import command


def register(commands: Any) -> None:
    """Add the command and its actions."""
    parser = commands.add_parser(
        "deadletter", help="list, show, redeliver or drop dead letters", description=__doc__
    )
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    for name, text in (
        ("list", "list them"),
        ("show", "one of them with payload and request"),
        ("redeliver", "send them again, with older values left out"),
        ("drop", "give them up"),
    ):
        action = actions.add_parser(name, help=text, description=text)
        add_data(action)
        action.add_argument("ids", nargs="*" if name != "show" else 1, type=int, help="their numbers")
        action.add_argument("--destination", help="default: the only one; numbers need none")
        action.add_argument("--reason", help="all with this reason")
        add_range(action, "given up")
        if name in {"redeliver", "drop"}:
            action.add_argument("--all", action="store_true", help="all of them")
        add_output(action)
        action.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Do one action."""
    out = Output(as_json=args.json)
    settings = settings_of(args)
    if args.action in {"list", "show"}:
        with Inspection(settings, os.environ) as inspection:
            return _show(inspection, args, out)
    if not (args.ids or args.reason or args.since or args.until or args.all):
        return out.fail("say which: their numbers, --reason, --since, --until, or --all")
    answer = command(
        settings,
        os.environ,
        args.action,
        {
            "destination": args.destination,
            "ids": args.ids or None,
            "reason": args.reason,
            "since_ms": args.since,
            "until_ms": args.until,
        },
    )
    for told in answer["letters"]:
        out.table(tuple(told), [tuple(told.values())])
    return 0


def _show(inspection: Inspection, args: argparse.Namespace, out: Output) -> int:
    letters = inspection.dead_letters(
        args.destination, reason=args.reason, since_ms=args.since or 0, until_ms=args.until, ids=args.ids
    )
    if args.action == "list":
        if not letters:
            out.say("No dead letters.")
            return 0
        columns = ("id", "destination", "at", "reason", "detail", "mapping", "message_id")
        out.table(columns, [tuple(letter[c] for c in columns) for letter in letters])
        return 0
    if not letters:
        return out.fail(f"no dead letter {args.ids[0]}")
    out.table(("", " "), list(letters[0].items())) if not out.as_json else out.json(letters[0])
    return 0
