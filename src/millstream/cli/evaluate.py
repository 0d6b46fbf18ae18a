"""`millstream eval`: the mapping engine on the command line, one JSON line in, one out."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from millstream.mapping.evaluation import evaluate_line


def register(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "eval",
        help="evaluate mappings and triggers, JSON lines in and out",
        description=(
            'Reads lines {"mapping": …, "event": …} or {"trigger": "…", "event": …, "compat": "segment"|null} from '
            'standard input; writes {"output": …} or {"error": …} per line, also for lines that are not JSON.'
        ),
    )
    parser.set_defaults(run=run)


def run(_: argparse.Namespace) -> int:
    """Answer line by line until the input ends."""
    for line in sys.stdin.buffer:
        sys.stdout.buffer.write(evaluate_line(line) + b"\n")
        sys.stdout.buffer.flush()
    return 0
