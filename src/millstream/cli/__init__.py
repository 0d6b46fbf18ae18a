"""The `millstream` command: one file per command, each a `register(subparsers)` and a function."""

from __future__ import annotations

import argparse
import sys

from millstream import __version__
from millstream.cli import (
    check,
    deadletter,
    demo,
    dryrun,
    evaluate,
    importing,
    init,
    replay,
    sandbox,
    serve,
    snippet,
    status,
    tail,
    testing,
    upkeep,
)
from millstream.cli.output import Output
from millstream.runtime.failure import Failure
from millstream.runtime.settings import SettingsError

_EPILOG = """\
first steps:
  millstream demo              see it work: a local HubSpot portal, the server, events through both
  millstream init              write millstream.yaml
  millstream check --online    is the configuration right, and may the token do what it asks?
  millstream serve             run it; point your SDK's host at it

Output is JSON when it does not go to a terminal, or with --json.
"""


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    top = argparse.ArgumentParser(
        prog="millstream",
        description="A self-hosted customer-data pipeline for HubSpot.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--version", action="version", version=f"millstream {__version__}")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", title="commands")
    for module in (
        demo, init, check, serve, snippet, sandbox, tail, status, deadletter, upkeep, evaluate, dryrun, testing, replay,
        importing,
    ):  # fmt: skip
        module.register(commands)
    return top


def main(argv: list[str] | None = None) -> None:
    """Run the command with these arguments (default: the process's). Exits 1 on failure, 2 on wrong usage."""
    top = parser()
    args = top.parse_args(argv)
    if args.command is None:
        top.print_help()
        return
    try:
        code = args.run(args)
    except BrokenPipeError:
        code = 0
    except (Failure, OSError) as error:
        code = Output().fail(str(error)) + isinstance(error, SettingsError)
    except KeyboardInterrupt:
        code = 130
    sys.exit(code or 0)
