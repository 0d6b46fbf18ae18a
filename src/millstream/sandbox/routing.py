"""Paths → operations: templates as HubSpot's reference writes them, found by their segments."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import unquote

from millstream.sandbox import payload
from millstream.sandbox.errors import Refused
from millstream.sandbox.portal import Portal

Reply = tuple[int, Any]
DATED: Final = ("2026-03", "2026-09")


@dataclass(frozen=True, slots=True)
class Call:
    """One request as operations see it. `version` is the v1 … v4 or the date in its path."""

    method: str
    path: str
    params: Mapping[str, str]
    query: Mapping[str, str]
    body: Any
    raw: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def version(self) -> str:
        """The API version that the path names."""
        return next((s for s in self.path.split("/") if s in {"v1", "v2", "v3", "v4", *DATED}), "")

    def __getitem__(self, name: str) -> str:
        """A path parameter."""
        return self.params[name]

    def flag(self, name: str) -> bool:
        """Whether a query field is true; the official Python client writes `True`."""
        return self.query.get(name, "").lower() == "true"

    @property
    def object(self) -> dict[str, Any]:
        """The body as an object. Raises `Misfit` for anything else."""
        return payload.whole_object(self.body)

    @property
    def inputs(self) -> list[Any]:
        """A batch's inputs. Raises `Misfit`."""
        if self.object.get("inputs") is None:
            raise payload.unset(self.object, "inputs")
        return payload.rows(self.object, "inputs")

    @property
    def rows(self) -> list[dict[str, Any]]:
        """A batch's inputs when each is an object. Raises `Misfit`."""
        return [payload.mapping(self.inputs, i) for i in range(len(self.inputs))]


@dataclass(frozen=True, slots=True)
class Content:
    """An answer that is not JSON: a page, a script, a picture, a redirect."""

    data: bytes
    media_type: str
    headers: Mapping[str, str] = field(default_factory=dict)


Work = Callable[[Portal, Call], Reply]


@dataclass(frozen=True, slots=True)
class Route:
    """One operation under one path. `open` needs no token (browsers, OAuth)."""

    method: str
    template: str
    work: Work
    open: bool = False


def family(old: str, new: str, rest: str = "", *, more: Sequence[str] = ()) -> tuple[str, ...]:
    """A path in its old form and under both dates: `family("/crm/v3/objects", "/crm/objects/{}", "/{objectType}")`."""
    return (f"{old}{rest}", *(new.format(date) + rest for date in DATED), *(f"{m}{rest}" for m in more))


def route(method: str, templates: Iterable[str] | str, work: Work, *, open: bool = False) -> list[Route]:  # noqa: A002
    """The same operation under each template."""
    listed = [templates] if isinstance(templates, str) else templates
    return [Route(method, template, work, open) for template in listed]


class Table:
    """Finds the route of a request: among templates of the same length the one with the most literal segments."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self.routes = list(routes)
        listed = [(_segments(found.template), found) for found in self.routes]
        listed.sort(key=lambda item: sum(_is_parameter(s) for s in item[0]))
        # (how many segments, the first two) → what can fit; those that begin with a parameter fit under every beginning.
        self._under: dict[tuple[int, tuple[str, ...]], list[tuple[tuple[str, ...], Route]]] = {}
        self._anywhere: dict[int, list[tuple[tuple[str, ...], Route]]] = {}
        for segments, found in listed:
            if any(map(_is_parameter, segments[:2])):
                self._anywhere.setdefault(len(segments), []).append((segments, found))
        for segments, _ in listed:
            start = segments[:2]
            if not any(map(_is_parameter, start)) and (len(segments), start) not in self._under:
                self._under[len(segments), start] = [
                    item
                    for item in listed
                    if len(item[0]) == len(segments) and all(map(_fits, item[0][:2], start))
                ]

    def find(self, method: str, path: str) -> tuple[Route, dict[str, str]]:
        """The route and its parameters. Raises `Refused`: 404 or 405."""
        given = _segments(path)
        known = False
        count = len(given)
        fitting = self._under.get((count, given[:2]))
        for segments, found in self._anywhere.get(count, ()) if fitting is None else fitting:
            if not all(_fits(s, g) for s, g in zip(segments, given, strict=True)):
                continue
            known = True
            if found.method == method:
                return found, {
                    s[1:].partition("}")[0]: unquote(g.removesuffix(s.partition("}")[2]))
                    for s, g in zip(segments, given, strict=True)
                    if _is_parameter(s)
                }
        raise Refused(405, "Method not allowed", "") if known else Refused(404, "resource not found", "")


def _segments(path: str) -> tuple[str, ...]:
    return tuple(path.strip("/").split("/"))


def _is_parameter(segment: str) -> bool:
    return segment.startswith("{")


def _fits(segment: str, given: str) -> bool:
    if not _is_parameter(segment):
        return segment == given
    tail = segment.partition("}")[2]
    return bool(given) and given.endswith(tail) and len(given) > len(tail)


def whole(value: Any, least: int, default: int, most: int) -> int:
    """A whole number of a query within bounds. Raises `Refused`."""
    if value is None or value == "":
        return default
    shown = (str(value).lower() if isinstance(value, bool) else str(value)).strip()
    if isinstance(value, bool | dict | list) or not re.fullmatch(r"[-+]?[0-9]{1,300}", shown):
        raise Refused(400, f"Invalid input: {shown[:100]} is not a number")
    return max(least, min(int(shown), most))


def complete(portal: Portal, results: list[Any], errors: list[Any] | None = None, status: int = 200) -> Reply:
    """A batch's answer: 207 when rows failed."""
    now = portal.stamp()
    body: dict[str, Any] = {"status": "COMPLETE", "results": results, "startedAt": now, "completedAt": now}
    if errors:
        return 207, {**body, "errors": errors, "numErrors": len(errors)}
    return status, body


def page_of(found: Sequence[Any], query: Mapping[str, str], default: int, most: int) -> dict[str, Any]:
    """Results by `limit` and an `after` that counts."""
    limit = whole(query.get("limit"), 1, default, most)
    after = whole(query.get("after"), 0, 0, 2**31)
    body: dict[str, Any] = {"results": list(found[after : after + limit])}
    if len(found) > after + limit:
        body["paging"] = {"next": {"after": str(after + limit), "link": f"?after={after + limit}"}}
    return body
