"""`millstream snippet`: what to put into a page or an application to send to a source."""

from __future__ import annotations

import argparse
import os
from typing import Any

from millstream.cli.output import Output, add_data, add_output, settings_of
from millstream.devicemode.snippets import SDKS, install
from millstream.runtime.configuration import read_workspace


def register(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "snippet",
        help="the code for a page, for each SDK",
        description=(
            "Prints the snippet and the npm code of a source for Segment's, RudderStack's and Amplitude's browser "
            "SDKs. The address is settings.public_url, else that of the server on this machine."
        ),
    )
    parser.add_argument("source", metavar="SOURCE", help="a source's name")
    parser.add_argument("--sdk", choices=SDKS, help="only this one")
    add_data(parser)
    add_output(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print; exit 1 when there is no such source."""
    out = Output(as_json=args.json)
    settings = settings_of(args)
    workspace = read_workspace(settings, os.environ).workspace
    source = next((s for s in workspace.sources if s.name == args.source), None)
    if source is None or not source.write_keys:
        names = ", ".join(s.name for s in workspace.sources) or "none"
        return out.fail(f"no source is named {args.source}; there are: {names}")
    found = install(workspace, source, settings.local_url)
    if args.sdk:
        found["sdks"] = {args.sdk: found["sdks"][args.sdk]}
    if out.as_json:
        out.json(found)
        return 0
    if not source.enabled:
        out.say(f"The source {source.name} is disabled: its events are refused.")
    for sdk, code in found["sdks"].items():
        out.say(f"[bold]{sdk}[/bold], in the page's <head>:")
        out.verbatim(code["snippet"])
        out.say(f"[bold]{sdk}[/bold], with npm:")
        out.verbatim(code["npm"])
    out.say("[bold]Content-Security-Policy[/bold], if the site has one:")
    out.verbatim(found["csp"])
    return 0
