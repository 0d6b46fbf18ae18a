"""Writes the pages that derive from definitions: `python docs/generate.py`. A test compares them with what is there."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from millstream.delivery.outcome import REASONS, Reason
from millstream.destinations.hubspot.actions import ACTIONS
from millstream.destinations.hubspot.presets import PRESETS
from millstream.destinations.hubspot.settings import SETTINGS
from millstream.mapping.directives import DIRECTIVES
from millstream.mapping.triggers.grammar import FUNCTIONS
from millstream.sandbox.config import SWITCHES
from millstream.spec.parse import REASONS as REJECTIONS
from millstream.telemetry.metrics import Metric

HERE = Path(__file__).parent
DEAD = [
    "invalid_email",
    "unknown_property",
    "missing_required_property",
    "mapping_failed",
    "record_not_found",
    "message_rejected",
    "attempts_exhausted",
    "quarantined",
]
STATES = {
    "delivered": ["ok"],
    "waiting": ["no_identity_yet"],
    "retrying": ["row_retry"],
    "dead_lettered": DEAD,
}


def table(headings: str, rows: Iterable[Iterable[object]]) -> str:
    """A Markdown table."""
    names = headings.split("|")
    lines = [f"| {' | '.join(names)} |", f"| {' | '.join('---' for _ in names)} |"]
    lines += ["| " + " | ".join(str(cell).replace("|", "&#124;") for cell in row) + " |" for row in rows]
    return "\n".join(lines)


def parts() -> dict[str, str]:
    """Placeholder → generated text."""
    named = {r for found in STATES.values() for r in found}
    states = STATES | {"filtered": [r.value for r in Reason if r.value not in named]}
    actions = "\n\n".join(
        f"### `{a.slug}`\n\n{a.description} Default trigger: `{a.default_trigger}`.\n\n"
        + table("field|type|meaning", ((f"`{f.name}`", f.type, f.description) for f in a.fields))
        for a in ACTIONS.values()
    )
    return {
        "outcomes": "\n\n".join(
            f"## {state}\n\n" + table("reason|meaning", ((f"`{r}`", REASONS[Reason(r)]) for r in reasons))
            for state, reasons in states.items()
        ),
        "settings": table(
            "setting|default|choices|meaning",
            (
                (
                    f"`{s.name}`" + (" (required)" if s.required else ""),
                    "" if s.default is None else s.default,
                    ", ".join(s.choices),
                    s.description,
                )
                for s in SETTINGS
            ),
        ),
        "actions": actions,
        "presets": table(
            "preset|for|does", ((f"`{p.name}`", p.title, p.description) for p in PRESETS.values())
        ),
        "rejections": table("reason|meaning", ((f"`{k}`", v) for k, v in REJECTIONS.items())),
        "metrics": table(
            "metric|kind|labels|meaning",
            (
                (f"`{m.value.name}`", m.value.kind.__name__.lower(), ", ".join(m.value.labels), m.value.help)
                for m in Metric
            ),
        ),
        "switches": table(
            "switch|variants|about", ((f"`{k}`", ", ".join(v[0]), v[1]) for k, v in SWITCHES.items())
        ),
        "directives": table(
            "directive|what it does|example",
            (
                (f"`{k}`", " ".join(said[0].split()), f"`{said[1].strip()}`")
                for k, f in DIRECTIVES.items()
                for said in [(f.__doc__ or "").split("\n\n", 1)]
            ),
        ),
        "functions": table(
            "function|what it gives|example",
            ((f"`{k}`", f.description, f"`{f.example}`") for k, f in FUNCTIONS.items()),
        ),
    }


def render(text: str) -> str:
    """The page with what stands between its markers made anew."""
    for name, made in parts().items():
        begin, end = f"<!-- generated: {name} -->", "<!-- end -->"
        if begin in text:
            head, _, rest = text.partition(begin)
            tail = rest.partition(end)[2]
            text = f"{head}{begin}\n\n{made}\n\n{end}{tail}"
    return text


if __name__ == "__main__":
    for page in HERE.glob("*.md"):
        page.write_text(render(page.read_text()))
