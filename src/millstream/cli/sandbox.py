"""`millstream sandbox`: a HubSpot portal in the box."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from millstream.cli.output import Output
from millstream.runtime.sandbox import run_sandbox


def register(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "sandbox",
        help="a local HubSpot portal",
        description="A HubSpot portal that keeps everything in memory. Control API under /_sandbox/.",
    )
    parser.add_argument("--host", default="127.0.0.1", help="default: %(default)s")
    parser.add_argument("--port", type=int, default=8085, help="default: %(default)s")
    parser.add_argument(
        "--tier",
        choices=("free", "starter", "professional", "enterprise"),
        default="enterprise",
        help="default: %(default)s",
    )
    parser.add_argument("--portal-id", type=int, default=20001, help="default: %(default)s")
    parser.add_argument(
        "--token", default="sandbox-token", help="the access token it takes (default: %(default)s)"
    )
    parser.add_argument(
        "--latency-ms", type=float, default=0, help="how long it takes to answer (default: 0)"
    )
    parser.add_argument(
        "--seed-file", type=Path, metavar="FILE", help="JSON: what the portal holds at the start"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Serve the portal until interrupted."""
    out = Output(as_json=False)
    out.say(
        f"HubSpot sandbox, portal {args.portal_id} ({args.tier}), token {args.token}\n"
        f"  API and a page to look at it: [bold]http://{args.host}:{args.port}/[/bold]\n"
        f"  control API: http://{args.host}:{args.port}/_sandbox/state"
    )
    try:
        run_sandbox(args)
    except (OSError, ValueError) as error:
        return out.fail(str(error))
    return 0
