"""`millstream replay`: a range of the log again, through chosen mappings; counted first, done with --go."""

from __future__ import annotations

import argparse
import os
from typing import Any

from millstream.cli.moments import add_range
from millstream.cli.output import Output, add_data, add_output, settings_of
from millstream.runtime.inspection import Inspection
from millstream.runtime.remote import command
from millstream.runtime.replaying import count


def register(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "replay",
        help="send a range of the log again",
        description=(
            "Without --go it counts what would be done. With --go the events go through the chosen mappings again, at "
            "backfill priority and as of now: what HubSpot has already is not sent, events keep their uuid."
        ),
    )
    add_data(parser)
    parser.add_argument("--destination", help="default: the only one there is")
    add_range(parser, "received", required=True)
    parser.add_argument(
        "--trigger", default="all", help="only events for which it holds (default: %(default)s)"
    )
    parser.add_argument("--mapping", action="append", default=[], help="only this mapping; may be repeated")
    parser.add_argument("--as-new", action="store_true", help="count events again: new uuids for occurrences")
    parser.add_argument("--go", action="store_true", help="do it")
    add_output(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Count, or do it and wait for the outcomes."""
    out = Output(as_json=args.json)
    settings = settings_of(args)
    with Inspection(settings, os.environ) as inspection:
        figures = count(
            inspection,
            inspection.workspace,
            destination=args.destination,
            since_ms=args.since,
            until_ms=args.until,
            trigger=args.trigger,
            mappings=args.mapping,
        )
    if not args.go:
        out.json(figures) if out.as_json else out.table(("", " "), list(figures.items()))
        out.say("Nothing was sent; --go does it.")
        return 0
    order = {
        "destination": figures["destination"],
        "since_ms": args.since,
        "until_ms": args.until,
        "trigger": args.trigger,
        "mappings": args.mapping,
        "as_new": args.as_new,
    }
    answer = command(settings, os.environ, "replay", order)
    while not answer["done"]:
        out.say(f"{answer['read']} of {answer['range']} events read, {answer['effects']} effects planned")
        answer = command(settings, os.environ, "replayed", {"destination": figures["destination"]})
    out.json(answer) if out.as_json else out.table(("", " "), list(answer.items()))
    return 0
