"""`millstream tail`: watch events arrive and what becomes of them; --event tells one event's whole story."""

from __future__ import annotations

import argparse
import os
import time
from typing import Any

from millstream.cli.output import Output, add_data, add_output, settings_of
from millstream.cli.story import told
from millstream.runtime.inspection import Inspection


def register(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "tail",
        help="watch events and their outcomes",
        description=(
            "Shows the newest events with the outcome at each destination. Reads the data folder, also beside a "
            "running server. --event shows one event: received, profile, mappings matched or why not, calls, outcomes."
        ),
    )
    add_data(parser)
    parser.add_argument(
        "--event",
        metavar="ID",
        help="the whole story of one event, by messageId, Amplitude's insert_id, or offset",
    )
    parser.add_argument(
        "--all", action="store_true", help="with --event: also name every mapping that did nothing"
    )
    parser.add_argument(
        "--rejected", action="store_true", help="items that were not valid events, with the reason"
    )
    parser.add_argument(
        "-n", "--lines", type=int, default=20, help="how many to begin with (default: %(default)s)"
    )
    parser.add_argument("-f", "--follow", action="store_true", help="go on as events arrive")
    add_output(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Show events."""
    out = Output(as_json=args.json)
    settings = settings_of(args)
    with Inspection(settings, os.environ) as inspection:
        if args.event is not None:
            return _story(inspection, args, out)
        offset = inspection.last(args.lines, rejected=args.rejected)
        while True:
            offset, rows = inspection.rows(offset, rejected=args.rejected)
            if rows:
                _show(inspection.columns(rejected=args.rejected), rows, out)
            if not args.follow:
                return 0
            time.sleep(0.5)


def _story(inspection: Inspection, args: argparse.Namespace, out: Output) -> int:
    stories = inspection.stories(args.event)
    if not stories:
        return out.fail(f"no event {args.event!r} in the retained log")
    for story in stories:
        if out.as_json:
            out.json(story)
        else:
            out.say(told(story, all_mappings=args.all))
    return 0


def _show(columns: tuple[str, ...], rows: list[tuple[Any, ...]], out: Output) -> None:
    """On a terminal a line an event, with the time of day and the start of the messageId."""
    if out.as_json:
        out.table(columns, rows)
        return
    short = {"received": slice(11, 19), "message_id": slice(8), "payload": slice(60)}
    shown = [
        tuple(v and v[short[c]] if c in short else v for c, v in zip(columns, row, strict=True))
        for row in rows
    ]
    out.table(columns, shown, cut={"event", "detail", "payload", *columns[6:]})
