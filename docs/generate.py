"""Writes the pages that derive from definitions: `python docs/generate.py`. A test compares them with what is there.

What pages show as an example is data in docs/examples; tests/docs/test_examples.py executes it.
"""

from __future__ import annotations

import ast
import inspect
import json
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from millstream.delivery.note import NAMING, NOTES, Note
from millstream.delivery.outcome import REASONS, Reason
from millstream.destinations.hubspot import web
from millstream.destinations.hubspot.actions import ACTIONS
from millstream.destinations.hubspot.presets import PRESETS, events
from millstream.destinations.hubspot.settings import SETTINGS
from millstream.destinations.hubspot.web import WEB_ACTIONS
from millstream.destinations.kit import Action, Field
from millstream.mapping.compile import compile_mapping
from millstream.mapping.directives import DIRECTIVES
from millstream.mapping.trigger import parse_trigger
from millstream.mapping.triggers.grammar import FUNCTIONS
from millstream.sandbox.config import SWITCHES
from millstream.spec.parse import REASONS as REJECTIONS
from millstream.telemetry.metrics import Metric
from millstream.workspace.importers import rudderstack, segment
from millstream.workspace.importers.report import Imported
from millstream.workspace.importers.segment_actions import CONVERTERS
from millstream.workspace.model import Mapping as Mapped

HERE = Path(__file__).parent
EXAMPLES = HERE / "examples"
DEFECTS = "tests/e2e/test_peer_defects.py"
WIDTH = 108
DEAD = [
    "invalid_email",
    "unknown_property",
    "missing_required_property",
    "mapping_failed",
    "record_not_found",
    "message_rejected",
    "ambiguous",
    "filter_failed",
    "attempts_exhausted",
    "quarantined",
]
# Reasons of dead letters that are also said of effects of which nobody needs to take care.
ALSO_FILTERED = ["record_not_found"]
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
    lines += ["| " + " | ".join(str(cell).replace("|", "\\|") for cell in row) + " |" for row in rows]
    return "\n".join(lines)


def fenced(text: str, language: str = "yaml") -> str:
    """A block of code."""
    return f"```{language}\n{text.strip(chr(10))}\n```"


def wrapped(text: str) -> str:
    """A paragraph in lines."""
    return textwrap.fill(text, 118, break_long_words=False, break_on_hyphens=False)


def compact(value: Any) -> str:
    """JSON in one line, as code."""
    return f"`{json.dumps(value, ensure_ascii=False)}`"


def flow(value: Any) -> str:
    """YAML in one line."""
    text = yaml.safe_dump(
        value, default_flow_style=True, sort_keys=False, allow_unicode=True, width=float("inf")
    )
    return text.strip().removesuffix("\n...")


def as_yaml(value: Any, indent: int = 0, opened: int = 0) -> str:
    """YAML to read: what fits goes in one line, but for the first `opened` levels."""
    pad = " " * indent
    lines = []
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
        head = f"{pad}- " if isinstance(value, list) else f"{pad}{flow(key)}: "
        line = head + flow(inner)
        plain = not inner or not isinstance(inner, dict | list)
        if plain or (opened <= 0 and len(line) <= WIDTH):
            lines.append(line)
        elif isinstance(value, list):
            lines.append(head + as_yaml(inner, indent + 2, opened - 1).lstrip(" "))
        else:
            lines += [head.rstrip(), as_yaml(inner, indent + 2, opened - 1)]
    return "\n".join(lines)


def sections(text: str) -> dict[str, str]:
    """The parts of a YAML file or block as they are written, by their keys."""
    found: dict[str, str] = {}
    key = ""
    for line in text.splitlines():
        if line and not line.startswith((" ", "#", "-")):
            key = line.split(":")[0]
        found[key] = found.get(key, "") + line + "\n"
    return found


def example(name: str) -> str:
    """What docs/examples/NAME.yaml holds: mapping or settings, what happens, and what HubSpot gets."""
    text = (EXAMPLES / f"{name}.yaml").read_text()
    parts = sections(text)
    case = sections(textwrap.dedent(parts["case"].partition("\n")[2]))
    given = "".join(case[k] for k in ("hubspot", "before", "events") if k in case)
    shown = []
    if "mapping" in parts:
        body = textwrap.dedent(parts["mapping"].partition("\n")[2])
        shown.append(fenced("mappings:\n" + textwrap.indent(body, "    ").replace("    ", "  - ", 1)))
    if "settings" in parts:
        shown.append(fenced(parts["preset"] + parts["settings"]))
    title = yaml.safe_load(case["name"])["name"]
    what = "Events, and what HubSpot holds before:" if "hubspot" in case else "Events:"
    shown += [what, fenced(given), "HubSpot gets:", fenced(case["requests"])]
    return "\n\n".join([f"**Example:** {title}.", *shown])


def fields_of(fields: Iterable[Field]) -> str:
    """All fields of an action."""
    return table(
        "field|type|required|choices|default|meaning",
        (
            (
                f"`{f.name}`",
                f.type,
                "yes" if f.required else "",
                ", ".join(f"`{c}`" for c in f.choices),
                "" if f.default is None else compact(f.default),
                f.description,
            )
            for f in fields
        ),
    )


def action(a: Action, shown: str) -> str:
    """One action: what it is, its fields, its example."""
    head = f"### `{a.slug}`: {a.title}\n\n{wrapped(a.description)}\n\nDefault trigger: `{a.default_trigger}`"
    return f"{head}\n\n{fields_of(a.fields)}\n\n{shown}"


def web_example(a: Action) -> str:
    """A mapping of a web action; pages run these, nothing does here."""
    fields = {f.name: f.default for f in a.fields if f.default is not None and f.type == "string"}
    name = a.slug.removeprefix("web.").replace("_", " ") + " in the page"
    mapping = {"name": name, "action": a.slug, "trigger": a.default_trigger}
    return fenced(
        as_yaml({"mappings": [mapping | {"fields": fields or {"path": {"@path": "$.name"}}}]}, opened=3)
    )


def mappings_yaml(mappings: Iterable[Mapped], settings: Mapping[str, Any] | None = None) -> str:
    """Mappings as a user pastes them, and settings if there are any."""
    listed = [
        {"name": m.name, "action": m.action, "trigger": m.trigger, "fields": m.fields} for m in mappings
    ]
    above = {"settings": dict(settings)} if settings else {}
    return fenced(as_yaml({**above, "mappings": listed}, opened=3))


def presets() -> str:
    """Every preset: its mappings, its example."""
    shown = []
    for preset in PRESETS.values():
        body = (
            mappings_yaml(preset.mappings, preset.settings)
            if preset.mappings
            else "It has no mappings of its own: each entry of `settings.events` becomes one."
        )
        head = f"## `{preset.name}`: {preset.title}\n\n{wrapped(preset.description)}"
        shown.append(f"{head}\n\n{body}\n\n{example(f'preset-{preset.name}')}")
    return "\n\n".join(shown)


def chosen_events() -> str:
    """The format of `settings.events`, as its module describes it, and what the example's become."""
    form = (inspect.getdoc(events) or "").partition("\n\n")[2]
    given = yaml.safe_load((EXAMPLES / "preset-amplitude.yaml").read_text())["settings"]["events"]
    made = mappings_yaml(events.mappings_of(given))
    return f"{fenced(form)}\n\nThe entry of the example above is this mapping:\n\n{made}"


def directives() -> Iterator[tuple[str, ...]]:
    """Every directive with the example of its docstring, and what that gives."""
    event = json.loads((EXAMPLES / "event.json").read_text())
    for name, function in DIRECTIVES.items():
        said, mapping = (function.__doc__ or "").split("\n\n", 1)
        found = compile_mapping({"x": json.loads(mapping)}).evaluate(event)
        gives = compact(found["x"]) if "x" in found else "nothing"
        yield f"`{name}`", " ".join(said.split()), f"`{mapping.strip()}`", gives


def functions() -> Iterator[tuple[str, ...]]:
    """Every function of triggers with its example, and what that gives for the example's event and for an empty one."""
    event = json.loads((EXAMPLES / "event.json").read_text())
    for name, function in FUNCTIONS.items():
        trigger = parse_trigger(function.example)
        gives = (compact(trigger.matches(event)), compact(trigger.matches({})))
        yield f"`{name}`", function.description, f"`{function.example}`", *gives


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every value that holds no others, by its path."""
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from _leaves(inner, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list) and value:
        for inner in value:
            yield from _leaves(inner, f"{path}[]")
    else:
        yield path, value


def _by_action(imported: Imported) -> dict[str, Any]:
    """The first destination of an import with its mappings under the names of their actions."""
    found = dict(imported.config["destinations"][0])
    for mapping in found.pop("mappings"):
        found.setdefault(mapping["action"], {}).update({"trigger": mapping["trigger"], **mapping["fields"]})
    return {k: v for k, v in found.items() if k not in {"name", "kind"}}


def _became(before: Imported, after: Imported) -> tuple[str, str]:
    """Where a setting went (MARK stands for its value), and what the importer says about it."""
    was, now = dict(_leaves(_by_action(before))), dict(_leaves(_by_action(after)))
    changed = {p: v for p, v in now.items() if p not in was or was[p] != v}
    marked = [p.split(".@")[0] for p, v in changed.items() if "mark" in f"{p}{v}".lower()]
    said = {n.message for n in before.notes}
    if marked:
        ours = [f"`{p}`" for p in marked]
    else:
        ours = [
            f"`{p}: {flow(v)}`" for p, v in changed.items() if "@" not in p and not p.endswith(".trigger")
        ]
        gone = {p.split(".")[0] for p in was} - {p.split(".")[0] for p in now}
        ours += [f"no `{name}`" for name in sorted(gone)]
    notes = [f"“{n.message}”" for n in after.notes if n.message not in said]
    return ", ".join(dict.fromkeys(ours)) or "none", "; ".join(dict.fromkeys(notes))


def _with(given: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """The settings with one more, which may be inside another."""
    head, _, rest = path.partition(".")
    return given | {head: _with(given.get(head, {}), rest, value) if rest else value}


def _rows(
    given: Mapping[str, Any], read: Callable[[dict[str, Any]], Imported], start: Any
) -> Iterator[tuple[str, ...]]:
    """One row for each setting of theirs: read without it and with it, and compared."""
    base = dict(start or {})
    for names, about in given.items():
        about = about or {}
        first, *more = [n.strip() for n in names.split(",")]
        companions = base | about.get("with", {})
        value = about.get("value", "MARK")
        ours, notes = _became(read(companions), read(_with(companions, first, value)))
        for name in more:
            other, _ = _became(read(companions), read(_with(companions, name, value)))
            assert other.replace(name, first) == ours, f"{name} does not go where {first} goes: {other}"
        if more:
            ours = ours.replace(f".{first}`", ".…`")
        if "ours" in about:
            ours = _known(about["ours"])
        says = "; ".join(p for p in (about.get("says", ""), f"import: {notes}" if notes else "") if p)
        yield ", ".join(f"`{n}`" for n in (first, *more)), ours, says


def _known(name: str) -> str:
    """A name of ours in a hand-written row. Raises `KeyError` when there is no such thing."""
    head, _, rest = name.partition(".")
    if head == "settings":
        return {s.name: f"`settings.{s.name}`" for s in SETTINGS}[rest]
    if head == "events":
        return {k: f"`settings.events[].{k}`" for k in events._KEYS}[rest]  # noqa: SLF001  (their list is there)
    if head == "preset":
        return f"`preset: {PRESETS[rest].name}`"
    if head == "destination":
        return f"`{rest}`"
    slug, _, field = name.rpartition(".")
    found = {**ACTIONS, **WEB_ACTIONS}[slug]
    return {f.name: f"`{name}`" for f in found.fields}[field]


def migrations() -> dict[str, str]:
    """A table for each source, from docs/examples/migration.yaml and from what the importers do."""
    said = yaml.safe_load((EXAMPLES / "migration.yaml").read_text())
    found: dict[str, str] = {}
    assert set(said["segment"]) == set(CONVERTERS), "an action of Segment's has no table"
    shown = []
    for slug, about in said["segment"].items():

        def read(fields: dict[str, Any], slug: str = slug) -> Imported:
            item = {"actionSlug": slug, "trigger": 'type = "track"', "enabled": True, "settings": fields}
            return segment.read({"settings": {"portalId": "1"}, "subscriptions": [item]})

        rows = _rows(about["fields"], read, about.get("with"))
        shown.append(f"#### `{slug}`\n\n{about['says']}\n\n" + table("their field|ours|what differs", rows))
    found["migrate segment"] = "\n\n".join(shown)

    def configured(config: dict[str, Any]) -> Imported:
        return rudderstack.read({"destinations": [{"type": "HS", "config": {"hubID": "1"} | config}]})

    rows = _rows(said["rudderstack"], configured, None)
    found["migrate rudderstack"] = table("their setting|ours|what differs", rows)

    def in_pages(settings: dict[str, Any]) -> Imported:
        return segment.read({"metadata": {"slug": "actions-hubspot-web"}, "settings": settings})

    rows = _rows(said["web"], in_pages, None)
    found["migrate web"] = table("their setting|ours|what differs", rows)
    for name in ("classic", "amplitude"):
        found[f"migrate {name}"] = table(
            "theirs|ours|what differs",
            (
                (
                    f"`{row['theirs']}`" if row.get("code") else row["theirs"],
                    ", ".join(map(_known, row["ours"])) or "none",
                    row.get("says", ""),
                )
                for row in said[name]
            ),
        )
    found["migrate web fields"] = table("their action|ours|fields, named alike", web_actions())
    for kind, reader in (("segment", segment.read), ("rudderstack", rudderstack.read)):
        found[f"import {kind}"] = imported(kind, reader)
    return found


def web_actions() -> Iterator[tuple[str, ...]]:
    """The actions of HubSpot Web, each of whose fields the importer takes under its own name."""
    for slug, theirs in web.PARTNER_ACTIONS.items():
        names = [f.name for f in WEB_ACTIONS[slug].fields]
        item = {"actionSlug": theirs, "trigger": "all", "settings": {n: n for n in names}}
        made = segment.read({"metadata": {"slug": "actions-hubspot-web"}, "subscriptions": [item]})
        (mapping,) = made.config["destinations"][0]["mappings"]
        assert (mapping["action"], mapping["fields"]) == (slug, item["settings"]), theirs
        yield f"`{theirs}`", f"`{slug}`", ", ".join(f"`{n}`" for n in names)


def imported(kind: str, read: Callable[[Any], Imported]) -> str:
    """A worked example: a document of theirs, and what `millstream import` makes of it."""
    document = (EXAMPLES / f"import-{kind}.json").read_text()
    made = read(json.loads(document))
    written = yaml.safe_dump(made.config, sort_keys=False, allow_unicode=True, width=110)
    told = [(n.severity, n.where, n.message) for n in made.notes]
    notes = "\n".join(": ".join(part for part in note if part) for note in told)
    return "\n\n".join(
        [
            f"`docs/examples/import-{kind}.json`:",
            fenced(document, "json"),
            f"`millstream import {kind} docs/examples/import-{kind}.json > millstream.yaml` writes",
            fenced(written),
            "and says on standard error:",
            fenced(notes, "text"),
        ]
    )


def defects() -> dict[str, str]:
    """Placeholder → what the peers get wrong, from the docstrings of the tests that show that we do not."""
    module = ast.parse((HERE.parent / DEFECTS).read_text())
    rows: dict[str, list[list[str]]] = {"segment": [], "rudderstack": []}
    for function in module.body:
        if isinstance(function, ast.FunctionDef) and function.name.startswith("test_"):
            peer, _, name = function.name.removeprefix("test_").partition("_")
            said = " ".join((ast.get_docstring(function) or "").split())
            theirs, _, rest = said.partition(" Here: ")
            ours, _, where = rest.partition(" Seen: ")
            rows[peer].append([name.replace("_", " "), theirs, where, ours, f"`{function.name}`"])
    return {f"defects of {peer}": table("defect|there|seen|here|test", found) for peer, found in rows.items()}


def parts() -> dict[str, str]:
    """Placeholder → generated text."""
    named = {r for found in STATES.values() for r in found}
    states = STATES | {"filtered": [r.value for r in Reason if r.value not in named] + ALSO_FILTERED}
    return (
        defects()
        | migrations()
        | {
            "outcomes": "\n\n".join(
                f"## {state}\n\n" + table("reason|meaning", ((f"`{r}`", REASONS[Reason(r)]) for r in reasons))
                for state, reasons in states.items()
            ),
            "notes": table("note|meaning", ((f"`{n}{NAMING.get(n, '')}`", NOTES[n]) for n in Note)),
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
            "actions": "\n\n".join(action(a, example(a.slug)) for a in ACTIONS.values()),
            "web_actions": "\n\n".join(action(a, web_example(a)) for a in WEB_ACTIONS.values()),
            "presets": presets(),
            "events": chosen_events(),
            "rejections": table("reason|meaning", ((f"`{k}`", v) for k, v in REJECTIONS.items())),
            "metrics": table(
                "metric|kind|labels|meaning",
                (
                    (
                        f"`{m.value.name}`",
                        m.value.kind.__name__.lower(),
                        ", ".join(m.value.labels),
                        m.value.help,
                    )
                    for m in Metric
                ),
            ),
            "switches": table(
                "switch|variants|about", ((f"`{k}`", ", ".join(v[0]), v[1]) for k, v in SWITCHES.items())
            ),
            "event": fenced((EXAMPLES / "event.json").read_text(), "json"),
            "directives": table("directive|what it does|example|gives", directives()),
            "functions": table("function|what it gives|example|for the event|for an empty one", functions()),
        }
    )


def render(text: str, made: Mapping[str, str] | None = None) -> str:
    """The page with what stands between its markers made anew."""
    for name, part in (parts() if made is None else made).items():
        begin, end = f"<!-- generated: {name} -->", "<!-- end -->"
        if begin in text:
            head, _, rest = text.partition(begin)
            tail = rest.partition(end)[2]
            text = f"{head}{begin}\n\n{part}\n\n{end}{tail}"
    return text


if __name__ == "__main__":
    found = parts()
    for page in HERE.glob("*.md"):
        page.write_text(render(page.read_text(), found))
