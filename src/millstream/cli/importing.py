"""`millstream import`: a Segment destination or a RudderStack workspace as a millstream.yaml, and what differs."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any, Final

import yaml

from millstream.destinations.catalog import DestinationCatalog
from millstream.workspace.importers import rudderstack, segment
from millstream.workspace.importers.checked import checked

_READERS: Final = {"segment": segment.read, "rudderstack": rudderstack.read}


def register(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "import",
        help="turn a Segment or RudderStack configuration into ours",
        description=(
            "Reads the JSON of a Segment destination with its subscriptions (Public API) or of a RudderStack "
            "workspace export; writes millstream.yaml to standard output, nothing when there is no destination to write, and "
            "what differs to standard error."
        ),
    )
    parser.add_argument("kind", choices=list(_READERS), help="whose configuration it is")
    parser.add_argument("file", type=Path, help="the JSON file; - for standard input")
    parser.add_argument("--json", action="store_true", help="configuration and notes as one JSON object")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Convert; 1 when something could not be taken over at all."""
    try:
        text = sys.stdin.read() if str(args.file) == "-" else args.file.read_text(encoding="utf-8")
        document = json.loads(text)
    except (OSError, ValueError, RecursionError) as error:
        sys.stderr.write(f"millstream: {args.file}: {error}\n")
        return 2
    found = checked(_READERS[args.kind](document), DestinationCatalog())
    notes = [{"severity": n.severity, "where": n.where, "message": n.message} for n in found.notes]
    if args.json:
        sys.stdout.write(json.dumps({"config": found.config, "notes": notes}, ensure_ascii=False) + "\n")
    else:
        if found.config.get("destinations"):  # else nobody would want a file of it
            sys.stdout.write(yaml.safe_dump(found.config, sort_keys=False, allow_unicode=True, width=110))
        for note in notes:
            sys.stderr.write(": ".join(part for part in note.values() if part) + "\n")
    return 1 if any(n["severity"] == "error" for n in notes) else 0
