"""Cases that users write next to their configuration: events in, the requests to HubSpot that they expect out.

    cases:
      - name: an order becomes an event
        hubspot:                                  # what the portal holds before; optional
          properties: {contacts: {plan: string}, deals: {crm_id: {type: string, unique: true}}}
          objects: {machine: {serial: {type: string, unique: true}}}   # custom object types
          records: {contacts: [{email: jane@x.example}]}
        before: [{type: identify, userId: u1, traits: {email: jane@x.example}}]   # delivered first, not compared
        events: [{type: track, userId: u1, event: Order Completed}]
        requests:                                 # "*" stands for anything
          - request: POST /events/2026-09/send/batch
            body: {inputs: [{eventName: pe1_order_completed, email: jane@x.example, uuid: "*", …}]}
        outcomes: {track to event/event: ok}      # or instead of requests; for several events a list, one each

Every case runs against a portal of its own in the sandbox, through the code that delivers.
"""

from __future__ import annotations

import asyncio
import difflib
import json
import re
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import yaml

from millstream.runtime.dryrun import choose, told
from millstream.runtime.failure import Failure
from millstream.runtime.trial import Trial, TrialFailed, as_events
from millstream.sandbox.app import Sandbox
from millstream.sandbox.config import SandboxConfig
from millstream.storage.memory.deliveries import MemoryDeliveryStore
from millstream.storage.memory.processor import MemoryProcessorStore
from millstream.workspace.model import Destination, Workspace

_KEYS: Final = (
    "name",
    "destination",
    "source",
    "hubspot",
    "before",
    "event",
    "events",
    "requests",
    "outcomes",
)
_VARIABLE: Final = re.compile(r"\$\{([A-Z_][A-Z0-9_]*)")
_WHEN: Final = "2026-01-01T00:00:00.000Z"  # events without a time happen then, so that cases stay the same


class CaseInvalid(Failure):
    """A case cannot be run: what is wrong with it, and where."""


@dataclass(frozen=True, slots=True)
class Case:
    """One case as it is written."""

    name: str
    destination: str | None
    source: str | None
    hubspot: dict[str, Any]
    before: list[Any]
    events: list[Any]
    requests: list[Any] | None
    outcomes: dict[str, str] | list[dict[str, str]] | None


@dataclass(frozen=True, slots=True)
class Ran:
    """How a case went. `problem` is empty when everything was as expected; `got` is what really happened."""

    name: str
    problem: str
    got: dict[str, Any]


def read(path: Path) -> list[Case]:
    """The cases of a file. Raises `CaseInvalid`."""
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise CaseInvalid(f"{path}: {error}") from None
    listed = document.get("cases") if isinstance(document, dict) else None
    if not isinstance(listed, list):
        raise CaseInvalid(f"{path}: needs `cases`, a list")
    return [_case(f"{path.name}: case {i + 1}", given) for i, given in enumerate(listed)]


def _case(where: str, given: Any) -> Case:
    if not isinstance(given, dict):
        raise CaseInvalid(f"{where}: must be a mapping")
    unknown = [str(k) for k in given if k not in _KEYS]
    if unknown:
        raise CaseInvalid(f"{where}: unknown key {unknown[0]}; there are: {', '.join(_KEYS)}")
    events = given.get("events", [given["event"]] if "event" in given else [])
    requests, outcomes = given.get("requests"), given.get("outcomes")
    each = outcomes if isinstance(outcomes, list) else []
    wanted: list[tuple[str, Any, tuple[type, ...]]] = [
        ("events", events, (list,)),
        ("before", given.get("before", []), (list,)),
        ("hubspot", given.get("hubspot", {}), (dict,)),
        ("requests", [] if requests is None else requests, (list,)),
        ("outcomes", {} if outcomes is None else outcomes, (dict, list)),
        *(("outcomes of an event", one, (dict,)) for one in each),
    ]
    for name, value, kinds in wanted:
        if not isinstance(value, kinds):
            raise CaseInvalid(f"{where}: {name} must be a {' or '.join(k.__name__ for k in kinds)}")
    if not events:
        raise CaseInvalid(f"{where}: needs an event")
    if requests is None and outcomes is None:
        raise CaseInvalid(f"{where}: expects nothing: give requests (may be empty) or outcomes")
    name = str(given.get("name") or where)
    return Case(
        name,
        given.get("destination"),
        given.get("source"),
        given.get("hubspot", {}),
        _timed(name, "before", given.get("before", [])),
        _timed(name, "event", events),
        requests,
        outcomes,
    )


def _timed(name: str, part: str, items: list[Any]) -> list[Any]:
    """Ids and times where none are given: the same each time."""
    return [
        {"messageId": f"{name[:60]} {part} {i + 1}", "timestamp": _WHEN, **item}
        if isinstance(item, dict)
        else item
        for i, item in enumerate(items)
    ]


def stand_ins(text: str, env: Mapping[str, str]) -> dict[str, str]:
    """The environment, with something in every variable that a configuration names: cases need no secrets."""
    return dict.fromkeys(_VARIABLE.findall(text), "1") | dict(env)


def run(workspace: Workspace, cases: list[Case]) -> Iterator[Ran]:
    """Run cases one after the other."""
    for case in cases:
        try:
            yield _run(workspace, case)
        except (TrialFailed, CaseInvalid) as error:
            yield Ran(case.name, str(error), {})


def _run(workspace: Workspace, case: Case) -> Ran:
    destination = choose(workspace, case.destination)
    portal = str(destination.settings.get("portal_id") or "1")
    config = SandboxConfig(
        portal_id=int(portal) if portal.isdigit() else 1,
        rate_limits=False,
        search_lag_ms=0,
        property_lag_ms=0,
    )
    with Sandbox(config) as sandbox:
        _prepare(sandbox.url, config.token, case.hubspot)
        settings = destination.settings | {
            "access_token": config.token,
            "api_url": sandbox.url,
            "track_url": sandbox.url,
            "budget_share": 100.0,
        }
        got = asyncio.run(_try(workspace, replace(destination, settings=settings), case))
    return Ran(case.name, _difference(case, got), got)


async def _try(workspace: Workspace, destination: Destination, case: Case) -> dict[str, Any]:
    source = case.source or next(
        (s.name for s in workspace.sources if not destination.sources or s.name in destination.sources), ""
    )
    stores = MemoryProcessorStore(), MemoryDeliveryStore()
    trial = Trial(destination, *stores, "record", is_browser=workspace.is_browser)
    async with trial:
        for event in as_events(case.before, source):
            await trial.run(event)
        told_all = [told(await trial.run(event)) for event in as_events(case.events, source)]
    outcomes = [{f"{o['mapping']}/{o['effect']}": o["reason"] for o in t["outcomes"]} for t in told_all]
    return {
        "requests": [r for t in told_all for r in t["requests"]],
        "outcomes": outcomes if len(outcomes) > 1 else outcomes[0],
    }


def _prepare(url: str, token: str, wanted: dict[str, Any]) -> None:
    """Fill the portal as the case says. Raises `CaseInvalid` with what the sandbox answers."""
    for name, properties in (wanted.get("objects") or {}).items():
        made = [_property(n, given) for n, given in properties.items()]
        labels = {"singular": name, "plural": f"{name}s"}
        schema = {"name": name, "labels": labels, "properties": made, "associatedObjects": ["CONTACT"]}
        _post(url, token, "/crm-object-schemas/v3/schemas", schema)
    for object_type, named in (wanted.get("properties") or {}).items():
        group = {"name": "cases", "label": "Cases"}
        _post(url, token, f"/crm/v3/properties/{object_type}/groups", group)
        for name, given in named.items():
            body = _property(name, given) | {"groupName": "cases"}
            _post(url, token, f"/crm/v3/properties/{object_type}", body)
    for object_type, records in (wanted.get("records") or {}).items():
        for values in records:
            body = {"properties": {k: str(v) for k, v in values.items()}}
            _post(url, token, f"/crm/v3/objects/{object_type}", body)
    for definition in wanted.get("event_definitions") or []:
        given = {"name": definition} if isinstance(definition, str) else definition
        _post(url, token, "/events/v3/event-definitions", {"label": given["name"], **given})


def _property(name: str, given: Any) -> dict[str, Any]:
    """A property by its type, or by `{type, unique}`."""
    told = given if isinstance(given, dict) else {"type": given}
    kind = str(told.get("type") or "string")
    field = {"bool": "booleancheckbox", "number": "number", "date": "date", "datetime": "date"}
    made = {"name": name, "label": name, "type": kind, "fieldType": field.get(kind, "text")}
    return made | ({"hasUniqueValue": True} if told.get("unique") else {})


def _post(url: str, token: str, path: str, body: Any) -> None:
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    request = urllib.request.Request(url + path, json.dumps(body).encode(), headers)  # noqa: S310  (our own sandbox)
    try:
        with urllib.request.urlopen(request, timeout=10):  # noqa: S310
            pass
    except urllib.error.HTTPError as error:
        raise CaseInvalid(f"hubspot: {path}: {json.loads(error.read())['message']}") from None


def _difference(case: Case, got: dict[str, Any]) -> str:
    """What is not as expected, as a diff; empty when everything is."""
    problems: list[str] = []
    if case.requests is not None and not _same(case.requests, got["requests"]):
        problems.append(_diff(case.requests, got["requests"], "requests"))
    if case.outcomes is not None and not _came(case.outcomes, got["outcomes"]):
        problems.append(_diff(case.outcomes, got["outcomes"], "outcomes"))
    return "\n".join(problems)


def _came(expected: dict[str, str] | list[dict[str, str]], got: Any) -> bool:
    """Whether each event has the outcomes expected of it; one mapping for several: every event that has such an effect,
    and there is one.
    """
    each: list[dict[str, str]] = got if isinstance(got, list) else [got]
    if isinstance(expected, list):
        return len(expected) == len(each) and all(map(_came, expected, each))
    found = ((reason, [o[effect] for o in each if effect in o]) for effect, reason in expected.items())
    return all(reasons and all(r == reason for r in reasons) for reason, reasons in found)


def _same(expected: Any, got: Any) -> bool:
    if expected == "*":
        return True
    if isinstance(expected, dict) and isinstance(got, dict):
        return expected.keys() == got.keys() and all(_same(v, got[k]) for k, v in expected.items())
    if isinstance(expected, list) and isinstance(got, list):
        return len(expected) == len(got) and all(map(_same, expected, got))
    return bool(expected == got)


def _diff(expected: Any, got: Any, what: str) -> str:
    return "\n".join(
        difflib.unified_diff(
            shown(expected).splitlines(),
            shown(got).splitlines(),
            f"expected {what}",
            f"got {what}",
            lineterm="",
        )
    )


def shown(value: Any) -> str:
    """YAML to read and to paste."""
    return yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=110)
