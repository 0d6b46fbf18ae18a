"""`millstream demo`: see the whole thing work, with nothing but Python."""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from typing import Any

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from millstream.cli.output import Output, add_output
from millstream.runtime.demo import WRITE_KEY, Stage, run, stage

_NEXT = """
[bold]Go on[/bold] while this runs (Ctrl-C ends it):
  a portal to look at   {sandbox}/_sandbox/portal
  send something        curl -u {key}: {server}/v1/identify -d '{{"userId":"you","traits":{{"email":"you@example.com","firstName":"You"}}}}'
  figures               {server}/metrics

[bold]With your own portal[/bold]
  millstream init && export HUBSPOT_PORTAL_ID=… HUBSPOT_TOKEN=…
  millstream check --online && millstream serve
"""


def register(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "demo",
        help="see it work: a local HubSpot portal, the server, events through both",
        description=(
            "Starts a HubSpot sandbox and the server on free ports, sends what Segment, RudderStack and Amplitude SDKs "
            "would, waits for delivery, and shows what reached HubSpot."
        ),
    )
    parser.add_argument("--once", action="store_true", help="end after the traffic is delivered")
    parser.add_argument(
        "--people", type=int, default=300, help="how many persons' events (default: %(default)s)"
    )
    add_output(parser)
    parser.set_defaults(run=demo)


def demo(args: argparse.Namespace) -> int:
    """Run it; exit 0 only if every event has a final outcome."""
    out = Output(as_json=args.json)
    try:
        with stage() as on:
            result = _traffic(on, args.people, out)
            portal = result.pop("portal")
            if out.as_json:
                out.json(result)
            else:
                _show(out, result, portal)
            if not args.once and sys.stdin.isatty():  # nobody there to end it: end by itself
                out.say(_NEXT.format(sandbox=on.sandbox_url, server=on.server_url, key=WRITE_KEY))
                while True:
                    time.sleep(1)
    except KeyboardInterrupt:
        out.say("\nEnded; nothing is left behind.")
    return 0


def _traffic(on: Stage, people: int, out: Output) -> dict[str, Any]:
    if out.as_json:
        return asyncio.run(run(on, people, lambda *_: None))
    columns = (TextColumn("{task.description:28}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=out.console) as bar:
        tasks = {
            "sent": bar.add_task("accepted, durable on disk", total=None),
            "delivered": bar.add_task("final outcome", total=None),
        }
        return asyncio.run(
            run(on, people, lambda what, n, total: bar.update(tasks[what], completed=n, total=total))
        )


def _show(out: Output, result: dict[str, Any], portal: dict[str, Any]) -> None:
    contacts = portal.get("contacts", [])
    columns = ("email", "firstname", "lastname", "plan", "seats")
    rows = [[c.get(k, "") for k in columns] for c in (c.get("properties", c) for c in contacts[:5])]
    out.console.print()
    out.table(columns, rows, title=f"In HubSpot now: {len(contacts)} contacts, the first five")
    out.console.print()
    figures = [
        ("events accepted", f"{result['accepted']:,}", "each one durable on disk before its SDK got 200"),
        ("delivered", f"{result['delivered']:,}", "confirmed by HubSpot, one outcome per event"),
        ("filtered", f"{result['filtered']:,}", "by a rule; `millstream tail` says which"),
        ("dead letters", f"{result['dead_lettered']:,}", "kept, with the payload, one step from redelivery"),
        (
            "calls to HubSpot",
            f"{result['hubspot_calls']:,}",
            f"{result['calls_per_1000_events']} per 1,000 events",
        ),
        ("p95 receipt → HubSpot", f"{result['p95_latency_s']:.2f} s", "of all confirmed events"),
    ]
    for what, count in result["in_hubspot"].items():
        figures.append((f"{what} in the portal".replace("_", " "), f"{count:,}", ""))
    out.table(("what", "figure", ""), figures, title="Figures")
