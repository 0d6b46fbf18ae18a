"""The whole story of one event, as a person reads it: what came, who it was, what became of it where."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from millstream.cli.output import COLOURS, escaped

_HEAD: Final = frozenset({"type", "event", "offset", "source", "received", "status"})


def told(story: dict[str, Any], *, all_mappings: bool = False) -> str:
    """`Inspection.stories` of one event as text with rich's markup; mappings that did nothing are counted, or all named."""
    return "\n".join(_lines(story, all_mappings=all_mappings))


def _lines(story: dict[str, Any], *, all_mappings: bool) -> Iterator[str]:
    event = story["event"]
    what = " ".join(escaped(event[k]) for k in ("type", "event") if event.get(k))
    yield f"[bold]{what}[/bold]  offset {event['offset']}, from {escaped(event['source'])}, received {event['received']}"
    if event["status"] != "new":
        yield f"  [yellow]{event['status']}[/yellow]"
    for key, value in event.items():
        if key not in _HEAD:
            yield f"  {key:12} {escaped(value)}"
    yield from _profile(story["profile"])
    for heading, rows in story.items():
        if heading.startswith("destination "):
            yield f"\n[bold]{escaped(heading.removeprefix('destination '))}[/bold]"
            named = [row for row in rows if all_mappings or not _idle(row)]
            for row in named:
                yield from _outcome(row)
            if idle := len(rows) - len(named):
                others = (
                    "other mapping: its trigger does" if idle == 1 else "other mappings: their triggers do"
                )
                yield f"  [dim]{idle} {others} not hold (--all names them)[/dim]"


def _profile(profile: dict[str, Any]) -> Iterator[str]:
    if profile["id"] is None and profile["account"] is None:
        yield "\n[bold]no profile[/bold]"
        return
    yield f"\n[bold]profile[/bold]  {profile['id'] or profile['account']}"
    gained = "  (known since this event)" if profile["gained_address"] else ""
    told_of = {"account": profile["account"], "address": (profile["email"] or "") + gained}
    told_of |= {f"was {x}": "" for x in profile["superseded"]}
    told_of |= {kind: ", ".join(values) for kind, values in profile["external_ids"].items()}
    told_of["note"] = profile["note"]
    for key, value in told_of.items():
        if value:
            yield f"  {key:12} {escaped(value)}"


def _idle(row: dict[str, Any]) -> bool:
    """Whether the row only says that a mapping's trigger does not hold."""
    return not row["state"] and str(row["detail"]).startswith("trigger does not hold")


def _outcome(row: dict[str, Any]) -> Iterator[str]:
    name = escaped(row["mapping"])
    if not row["state"]:
        yield f"  [dim]not       {name}: {escaped(row['detail'])}[/dim]"
        return
    colour = COLOURS.get(row["state"], "default")
    why = "" if row["reason"] == "ok" else f" ({row['reason']})"
    call = f", by {row['call']}" if row["call"] else ""
    yield f"  [{colour}]{row['state']}[/{colour}]{why}  {name} → {row['effect']}{call}"
    for note in (row["notes"], row["detail"]):
        if note:
            yield f"            {escaped(note)}"
