"""`millstream status`: how a server and its data folder stand, destination by destination."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from typing import Any, Final

from millstream.cli.output import COLOURS, Output, add_data, add_output, counted, escaped, settings_of
from millstream.runtime.remote import command

# What is worth a word when it is not zero, in the order in which one would ask.
_PENDING: Final = (
    ("lag", "behind"),
    ("in_works", "in the works"),
    ("waiting", "waiting"),
    ("parked", "retrying"),
    ("dead_letters", "dead letters"),
)
# What is no reason for concern; every other state is.
_STATES: Final = {"running": "green", "stopped": "default", "disabled": "dim"}


def register(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "status",
        help="how the server is doing",
        description=(
            "The log, and what became of the events at each destination: as the running server tells it, or from disk "
            "where none runs. HubSpot is not asked."
        ),
    )
    add_data(parser)
    add_output(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Ask the server, or the data folder when none runs."""
    out = Output(as_json=args.json)
    settings = settings_of(args)
    answer = command(settings, os.environ, "status", {})
    if out.as_json:
        out.json(answer)
    else:
        out.say("\n".join(_lines(answer)))
    return 0


def _lines(status: dict[str, Any]) -> Iterator[str]:
    """The answer as a person reads it: a line each for server and log, a paragraph for each destination."""
    server = status["server"]
    yield f"server running since {server['since']}" if server else "no server runs; read from disk"
    log = status["log"]
    behind = status["processor_lag"]
    yield (
        f"[bold]log[/bold]  {counted(log['end'] - log['start'], 'event')}, {log['bytes'] / 1e6:,.1f} MB"
        + (f", {behind:,} not yet processed" if behind else ", all processed")
    )
    for name, stands in status["destinations"].items():
        colour = _STATES.get(stands["state"], "red")
        mode = f" [yellow]{stands['mode']}[/yellow]" if stands["mode"] != "live" else ""
        yield (
            f"\n[bold]{escaped(name)}[/bold]{mode}  [{colour}]{stands['state']}[/{colour}] {escaped(stands['detail'])}"
        ).rstrip()
        if stands["until"]:
            yield f"  tried again at {stands['until']}"
        pending = [f"{stands[key]:,} {word}" for key, word in _PENDING if stands[key]]
        yield f"  {', '.join(pending) or 'nothing pending'}"
        if stands["daily_remaining"] is not None:
            yield f"  {stands['daily_remaining']:,} calls left today"
        if stands["switched_off"]:
            yield f"  [yellow]switched off: {', '.join(stands['switched_off'])}[/yellow]"
        for key, count in stands["events"].items():
            state, _, reason = key.partition(":")
            colour = COLOURS.get(state, "default")
            why = "" if reason == "ok" else f"  {reason}"
            yield f"  {count:>9,}  [{colour}]{state}[/{colour}]{why}"
