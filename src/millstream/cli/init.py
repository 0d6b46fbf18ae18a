"""`millstream init`: write a millstream.yaml to start from."""

from __future__ import annotations

import argparse
import secrets
from pathlib import Path
from typing import Any

from millstream.cli.output import Output, add_output

TEMPLATE = """\
# Millstream. `millstream check` tells what is wrong, with line and hint.
# What each key means: docs/configuration.md

sources:
  # An SDK sends to this server with one of these keys: Segment, RudderStack and Amplitude SDKs alike.
  - name: server
    write_keys: ["{server_key}"]
  - name: web
    write_keys: ["{web_key}"]
    browser: true        # pages show its key to everybody: nobody makes properties in HubSpot with it
    origins: []          # browsers of which sites may send; empty: any

destinations:
  - name: hubspot
    kind: hubspot
    mode: live           # shadow: do everything but the writes, and keep the requests
    preset: classic      # identify → contact, track → custom event, group → company + association
    settings:
      portal_id: ${{HUBSPOT_PORTAL_ID}}
      access_token: ${{HUBSPOT_TOKEN}}
      unknown_properties: drop   # or create, or reject
"""


def register(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser("init", help="write millstream.yaml", description=__doc__)
    parser.add_argument(
        "--config", metavar="FILE", default="millstream.yaml", help="where to (default: %(default)s)"
    )
    add_output(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Write the file unless it is there."""
    out = Output(as_json=args.json)
    path = Path(args.config)
    text = TEMPLATE.format(server_key=secrets.token_urlsafe(24), web_key=secrets.token_urlsafe(24))
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        return out.fail(f"{path} is there already; nothing was changed")
    except OSError as error:
        return out.fail(f"{path}: {error.strerror}")
    if out.as_json:
        out.json({"written": str(path)})
    else:
        out.say(
            f"Wrote [bold]{path}[/bold]. Next:\n"
            "  export HUBSPOT_PORTAL_ID=… HUBSPOT_TOKEN=…   a service key or private app token\n"
            "  millstream check --online\n"
            "  millstream serve"
        )
    return 0
