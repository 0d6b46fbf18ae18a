"""`millstream serve`: run the server."""

from __future__ import annotations

import argparse
import os
from typing import Any

from millstream.cli.output import add_data
from millstream.runtime import settings as process
from millstream.runtime.serve import serve


def register(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "serve",
        help="run the server",
        description="Accept events, keep them durably, deliver them. SIGTERM ends it cleanly, SIGHUP reloads.",
    )
    add_data(parser)
    parser.add_argument("--host", help="address of the tracking API (default: 127.0.0.1)")
    parser.add_argument("--port", type=int, help="its port (default: 8080)")
    parser.add_argument(
        "--ops-host", help="address of health and metrics, when bound apart (default: 127.0.0.1)"
    )
    parser.add_argument("--ops-port", type=int, help="bind health and metrics to a port of their own")
    parser.add_argument("--log-level", choices=("debug", "info", "warning", "error"), help="default: info")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Serve until told to stop."""
    settings = process.read(
        os.environ,
        config=args.config,
        data_dir=args.data_dir,
        host=args.host,
        port=args.port,
        ops_host=args.ops_host,
        ops_port=args.ops_port,
        log_level=args.log_level,
    )
    serve(settings, os.environ)
    return 0
