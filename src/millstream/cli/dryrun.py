"""`millstream dryrun`: what an event would make HubSpot do, shown and not done."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator
from typing import Any

from millstream.cli.output import Output, add_data, add_output, escaped, settings_of
from millstream.ingest import body
from millstream.ingest.dialects.segment import Malformed
from millstream.runtime.dryrun import dry_run
from millstream.runtime.trial import TrialFailed


def register(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "dryrun",
        help="show what an event would send to HubSpot and change there",
        description=(
            "Takes calls in Segment's shape as JSON (one, a list, or one a line) or an event of the log, and shows for "
            "each mapping what it would send and how records would change (old → new). HubSpot is read, never written."
        ),
    )
    add_data(parser)
    parser.add_argument("file", nargs="?", default="-", help="a JSON file; default: standard input")
    parser.add_argument("--event", metavar="ID", help="an event of the log instead, by messageId")
    parser.add_argument("--source", help="whose event it is; default: the first source")
    parser.add_argument("--destination", help="default: the only one there is")
    add_output(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Rehearse."""
    out = Output(as_json=args.json)
    settings = settings_of(args)
    items = None if args.event is not None else _items(args.file)
    answers = dry_run(
        settings,
        os.environ,
        items=items,
        message_id=args.event,
        source=args.source,
        destination=args.destination,
    )
    for answer in answers:
        if out.as_json:
            out.json(answer)
        else:
            _show(answer, out)
    return 0


def _items(file: str) -> list[Any]:
    """One call, a list of calls, a batch, or one call a line. Raises `TrialFailed` and `OSError`."""
    if file == "-":
        raw = sys.stdin.buffer.read()
    else:
        with open(file, "rb") as opened:  # noqa: PTH123  (a name that somebody typed)
            raw = opened.read()
    try:
        found = _decoded(raw)
    except Malformed as error:
        raise TrialFailed(f"{'standard input' if file == '-' else file} is not JSON: {error}") from None
    if isinstance(found, dict):
        found = found.get("batch") or [found]
    if not isinstance(found, list) or not found:
        raise TrialFailed("no call is given")
    return found


def _decoded(raw: bytes) -> Any:
    """As a server would read it. Raises `Malformed`."""
    try:
        return body.decode(raw)
    except Malformed:
        return list(_each(raw))


def _each(raw: bytes) -> Iterator[Any]:
    """One call a line. Raises `Malformed` with the number of the line."""
    for n, line in enumerate(raw.splitlines(), 1):
        if line.strip():
            try:
                yield body.decode(line)
            except Malformed as error:
                raise Malformed(error.code, f"line {n}: {error}") from None


def _show(answer: dict[str, Any], out: Output) -> None:
    event = answer["event"]
    out.say(f"[bold]{event['type']}[/bold] {escaped(event.get('event', ''))} {escaped(event['messageId'])}")
    columns = ("mapping", "effect", "state", "reason", "detail", "notes")
    out.table(columns, [tuple(o[c] for c in columns) for o in answer["outcomes"]])
    if answer["changes"]:
        rows = [(c["object"], c["record"], c["property"], c["old"], c["new"]) for c in answer["changes"]]
        out.table(("object", "record", "property", "old", "new"), rows, title="would change")
    for request in answer["requests"]:
        out.say(f"\n[bold]{escaped(request['request'])}[/bold]")
        out.verbatim(json.dumps(request["body"], indent=2, ensure_ascii=False))
    if not answer["requests"]:
        out.say("nothing would be sent")
