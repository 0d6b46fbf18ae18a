"""millstream.yaml → Workspace, with every problem named by line and hint. Reading the file is the caller's business.

Keys are in SEMANTICS 36. `${NAME}` and `${NAME:-default}` in any string expand from the environment that is passed
in; secrets are written that way, and a literal `access_token` is warned about.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields
from functools import partial
from typing import Any, Final

import yaml

from millstream.workspace import model
from millstream.workspace.model import Catalog, Destination, Filter, Limits, Problem, Source, Workspace

_VARIABLE: Final = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}")
_TOP: Final = ("sources", "destinations", "settings")
SETTINGS: Final[dict[str, type]] = {
    "retention_days": float,
    "max_lag_days": float,
    "identity_wait_days": float,
    "company_group_types": list,
    "trusted_proxies": list,
    "min_free_bytes": int,
    "log_file_bytes": int,
    "public_url": str,
    "device_prefix": str,
    "device_names": dict,
    "device_batching": bool,
}
_PREFIX: Final = re.compile(r"^(?:/[A-Za-z0-9_~-]+)+$")
_FILE: Final = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")
_NAME: Final = re.compile(r"^[A-Za-z0-9][A-Za-z0-9_. -]{0,63}$")


@dataclass(frozen=True, slots=True)
class Located:
    """A problem with its place in the file: 1-based line (0 = the file as a whole)."""

    line: int
    problem: Problem

    def __str__(self) -> str:
        """`line 12: destinations[0].mode: what is wrong (hint)`."""
        where = f"line {self.line}: " if self.line else ""
        hint = f" ({self.problem.hint})" if self.problem.hint else ""
        return f"{where}{self.problem.path}: {self.problem.message}{hint}"


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a file gave: the workspace (as far as it could be read) and all problems, in file order."""

    workspace: Workspace
    problems: list[Located]

    @property
    def ok(self) -> bool:
        """Whether it can be run: no errors (warnings may be there)."""
        return not any(p.problem.severity == "error" for p in self.problems)


class _Reader:
    """Walks the parsed YAML and collects problems by dotted path."""

    def __init__(self, lines: dict[str, int], env: Mapping[str, str]) -> None:
        self.lines = lines
        self.env = env
        self.problems: list[Problem] = []

    def error(self, path: str, message: str, hint: str = "") -> None:
        self.problems.append(Problem(path, message, hint))

    def warn(self, path: str, message: str, hint: str = "") -> None:
        self.problems.append(Problem(path, message, hint, "warning"))

    def expand(self, value: Any, path: str) -> Any:
        """Expand variables in all strings below."""
        if isinstance(value, str):
            return _VARIABLE.sub(lambda m: self._variable(m, path), value)
        if isinstance(value, list):
            return [self.expand(v, f"{path}[{i}]") for i, v in enumerate(value)]
        if isinstance(value, dict):
            return {str(k): self.expand(v, f"{path}.{k}" if path else str(k)) for k, v in value.items()}
        return value

    def _variable(self, match: re.Match[str], path: str) -> str:
        found = self.env.get(match[1], match[2])
        if found is None:
            self.error(path, f"environment variable {match[1]} is not set", f"export {match[1]}=…")
            return ""
        return found

    def known(self, given: Mapping[str, Any], allowed: tuple[str, ...], path: str) -> None:
        """Complain about keys that mean nothing, with the nearest one that does."""
        for key in given:
            if key not in allowed:
                near = difflib.get_close_matches(key, allowed, n=1)
                hint = f"did you mean `{near[0]}`?" if near else f"known keys: {', '.join(allowed)}"
                self.error(f"{path}.{key}" if path else key, "unknown key", hint)

    def typed(self, given: Mapping[str, Any], key: str, kind: type, path: str, default: Any) -> Any:
        """The value if it has the type; otherwise a problem and the default."""
        value = given.get(key, default)
        if value is None:
            return default
        right = isinstance(value, kind) and not (kind is not bool and isinstance(value, bool))
        if kind is float and isinstance(value, int) and not isinstance(value, bool):
            return float(value)
        if not right:
            self.error(f"{path}.{key}" if path else key, f"must be {_word(kind)}, not {_word(type(value))}")
            return default
        return value

    def one_of(self, given: Mapping[str, Any], key: str, allowed: tuple[str, ...], path: str) -> Any:
        """A word from a closed list; the first is the default. YAML reads a bare `off` as false: mended here."""
        value = given.get(key, allowed[0])
        if value is False and "off" in allowed:
            return "off"
        if value not in allowed:
            self.error(f"{path}.{key}", f"must be one of {', '.join(allowed)}, not {value!r}")
            return allowed[0]
        return value

    def items(
        self, given: Mapping[str, Any], key: str, path: str = ""
    ) -> Iterator[tuple[str, dict[str, Any]]]:
        """The mappings of a list, each with its path."""
        here = f"{path}.{key}" if path else key
        for i, item in enumerate(self.typed(given, key, list, path, [])):
            if isinstance(item, dict):
                yield f"{here}[{i}]", item
            else:
                self.error(f"{here}[{i}]", "must be a mapping of keys to values")

    def words(self, given: Mapping[str, Any], key: str, path: str) -> tuple[str, ...]:
        """A list of strings."""
        found = self.typed(given, key, list, path, [])
        for i, word in enumerate(found):
            if not isinstance(word, str):
                self.error(f"{path}.{key}[{i}]", "must be text", "put it in quotes")
        return tuple(str(w) for w in found)

    def name(self, given: Mapping[str, Any], path: str) -> str:
        """The item's name."""
        value = given.get("name")
        if not isinstance(value, str) or not _NAME.match(value):
            self.error(
                f"{path}.name", "needs a name", "letters, digits, spaces, `_`, `-` and `.`, at most 64"
            )
            return ""
        return value


def load(text: str, env: Mapping[str, str], catalog: Catalog) -> Loaded:
    """Read and check a configuration. Never raises on what is in the text."""
    try:
        return _load(text, env, catalog)
    except RecursionError:
        return Loaded(Workspace(), [Located(0, Problem("millstream.yaml", "an alias holds itself"))])


def _load(text: str, env: Mapping[str, str], catalog: Catalog) -> Loaded:
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        document = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        what = getattr(error, "problem", None) or "not readable as YAML"
        return Loaded(
            Workspace(), [Located(mark.line + 1 if mark else 0, Problem("millstream.yaml", str(what)))]
        )
    lines: dict[str, int] = {}
    if node is not None:
        _locate(node, "", lines)
    reader = _Reader(lines, env)
    if not isinstance(document, dict):
        reader.error("millstream.yaml", "must be a mapping with `sources` and `destinations`")
        return Loaded(Workspace(), [_located(p, lines) for p in reader.problems])
    reader.known(document, _TOP, "")
    _warn_literal_secrets(document, reader)
    document = reader.expand(document, "")
    sources = tuple(_source(path, item, reader) for path, item in reader.items(document, "sources"))
    destinations = tuple(
        _destination(path, item, reader, catalog) for path, item in reader.items(document, "destinations")
    )
    _check_names(sources, destinations, reader)
    workspace = Workspace(sources, destinations, _settings(document, reader))
    located = [_located(p, lines) for p in reader.problems]
    return Loaded(workspace, sorted(located, key=lambda p: p.line))


def _settings(document: dict[str, Any], reader: _Reader) -> dict[str, Any]:
    given = reader.typed(document, "settings", dict, "", {})
    reader.known(given, tuple(SETTINGS), "settings")
    found = {k: reader.typed(given, k, SETTINGS[k], "settings", None) for k in given if k in SETTINGS}
    _check_device_mode(found, reader)
    return found


def _check_device_mode(found: dict[str, Any], reader: _Reader) -> None:
    """What stands in addresses must be fit to."""
    url, prefix = found.get("public_url"), found.get("device_prefix")
    if url and not re.match(r"^https?://[^/?#\s]+(?:/[^?#\s]*)?$", url):
        reader.error("settings.public_url", "must be an address", "as in https://cdp.example.com")
    if prefix and not _PREFIX.match(prefix):
        reader.error("settings.device_prefix", "must be a path", "as in /t, without a slash at the end")
    names = found.get("device_names") or {}
    reader.known(names, model.DEVICE_FILES, "settings.device_names")
    for key, name in names.items():
        if not isinstance(name, str) or not _FILE.match(name):
            reader.error(f"settings.device_names.{key}", "must be the name of a file", "as in shop.js")
    if len(set(map(str, names.values()))) < len(names):
        reader.error("settings.device_names", "two files have one name")


def _source(path: str, item: dict[str, Any], reader: _Reader) -> Source:
    reader.known(item, ("name", "write_keys", "write_key", "origins", "browser", "enabled", "limits"), path)
    keys = reader.words(item, "write_keys", path)
    if "write_key" in item:
        keys += (str(item["write_key"]),)
    if not keys or any(not k for k in keys):
        reader.error(
            f"{path}.write_keys", "needs at least one write key", "any text; SDKs send it as their key"
        )
    allowed = tuple(f.name for f in fields(Limits))
    given = reader.typed(item, "limits", dict, path, {})
    reader.known(given, allowed, f"{path}.limits")
    limits = {
        k: reader.typed(
            given, k, float if k == "events_per_second" else int, f"{path}.limits", getattr(Limits(), k)
        )
        for k in given
        if k in allowed
    }
    for key, value in limits.items():
        if value < 0:
            reader.error(f"{path}.limits.{key}", "must not be negative")
    origins, browser = reader.words(item, "origins", path), reader.typed(item, "browser", bool, path, None)
    if origins and browser is False:
        reader.warn(f"{path}.browser", "`origins` says that pages send to it", "leave one of the two out")
    return Source(
        name=reader.name(item, path),
        write_keys=keys,
        origins=origins,
        browser=browser,
        enabled=reader.typed(item, "enabled", bool, path, True),
        limits=Limits(**limits),
    )


def _destination(path: str, item: dict[str, Any], reader: _Reader, catalog: Catalog) -> Destination:
    reader.known(item, tuple(f.name for f in fields(Destination)), path)
    kind = reader.typed(item, "kind", str, path, "hubspot")
    mappings = tuple(
        _mapping(p, m, reader, partial(catalog.default_trigger, kind))
        for p, m in reader.items(item, "mappings", path)
    )
    filters = tuple(_filter(p, f, reader) for p, f in reader.items(item, "filters", path))
    destination = Destination(
        name=reader.name(item, path),
        kind=kind,
        enabled=reader.typed(item, "enabled", bool, path, True),
        mode=reader.one_of(item, "mode", ("live", "shadow", "off"), path),
        connection=reader.one_of(item, "connection", ("cloud", "device"), path),
        sources=reader.words(item, "sources", path),
        preset=reader.typed(item, "preset", str, path, None),
        settings=reader.typed(item, "settings", dict, path, {}),
        filters=filters,
        mappings=mappings,
        consent_categories=reader.words(item, "consent_categories", path),
        consent_resolution=reader.one_of(item, "consent_resolution", ("and", "or"), path),
    )
    if kind not in catalog.kinds():
        reader.error(f"{path}.kind", f"no such kind: {kind}", f"known kinds: {', '.join(catalog.kinds())}")
        return destination
    told = {p.path for p in reader.problems}  # a variable that is not set need not be called missing as well
    reader.problems += [
        Problem(f"{path}.{p.path}", p.message, p.hint, p.severity)
        for p in catalog.check(destination)
        if f"{path}.{p.path}" not in told
    ]
    return catalog.expand(destination)


def _filter(path: str, item: dict[str, Any], reader: _Reader) -> Filter:
    reader.known(item, tuple(f.name for f in fields(Filter)), path)
    kind = reader.one_of(
        item, "kind", ("drop", "only", "sample", "drop_properties", "allow_properties"), path
    )
    percent = reader.typed(item, "percent", float, path, 100.0)
    if not 0 <= percent <= 100:
        reader.error(f"{path}.percent", "must be between 0 and 100", "the share that passes")
    given = reader.typed(item, "fields", dict, path, {})
    if kind.endswith("_properties") and not given:
        reader.error(
            f"{path}.fields", "names nothing", "as in {properties: [email, address.street], context: [ip]}"
        )
    return Filter(
        name=str(item.get("name", path)),
        trigger=reader.typed(item, "trigger", str, path, ""),
        kind=kind,
        enabled=reader.typed(item, "enabled", bool, path, True),
        percent=float(percent),
        path=reader.typed(item, "path", str, path, ""),
        fields={str(part): reader.words(given, part, f"{path}.fields") for part in given},
        compat=item.get("compat"),
    )


def _mapping(
    path: str, item: dict[str, Any], reader: _Reader, default_trigger: Callable[[str], str]
) -> model.Mapping:
    reader.known(item, tuple(f.name for f in fields(model.Mapping)), path)
    action = reader.typed(item, "action", str, path, "")
    return model.Mapping(
        name=reader.name(item, path),
        action=action,
        trigger=reader.typed(item, "trigger", str, path, default_trigger(action)),
        fields=reader.typed(item, "fields", dict, path, {}),
        enabled=reader.typed(item, "enabled", bool, path, True),
        compat=item.get("compat"),
    )


def _check_names(sources: tuple[Source, ...], destinations: tuple[Destination, ...], reader: _Reader) -> None:
    keys: dict[str, str] = {}
    for i, source in enumerate(sources):
        for key in source.write_keys:
            if key in keys:
                reader.error(f"sources[{i}].write_keys", f"the key is already that of source `{keys[key]}`")
            keys[key] = source.name
    for what, named in (
        ("sources", [s.name for s in sources]),
        ("destinations", [d.name for d in destinations]),
    ):
        for i, name in enumerate(named):
            if name and name in named[:i]:
                reader.error(f"{what}[{i}].name", f"`{name}` is there twice")
    names = {s.name for s in sources}
    for i, destination in enumerate(destinations):
        for word in destination.sources:
            if word not in names:
                reader.error(f"destinations[{i}].sources", f"no source is named `{word}`")
    if not sources:
        reader.error("sources", "needs at least one source", "`millstream init` writes an example")


def _warn_literal_secrets(document: dict[str, Any], reader: _Reader) -> None:
    for i, item in enumerate(document.get("destinations") or []):
        settings = item.get("settings") if isinstance(item, dict) else None
        token = settings.get("access_token") if isinstance(settings, dict) else None
        if isinstance(token, str) and token and not _VARIABLE.search(token):
            reader.warn(
                f"destinations[{i}].settings.access_token",
                "a token in plain text",
                "write ${HUBSPOT_TOKEN} instead",
            )


def _locate(node: yaml.Node, path: str, lines: dict[str, int]) -> None:
    """Note the line of every path (an alias that holds itself ends at the depth of any sane file)."""
    if path.count(".") + path.count("[") > 32:
        return
    lines.setdefault(path, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            here = f"{path}.{key.value}" if path else str(key.value)
            lines[here] = key.start_mark.line + 1
            _locate(value, here, lines)
    elif isinstance(node, yaml.SequenceNode):
        for i, value in enumerate(node.value):
            _locate(value, f"{path}[{i}]", lines)


def _located(problem: Problem, lines: dict[str, int]) -> Located:
    """The problem with the line of its path, or of the nearest path above that is in the file."""
    path = problem.path
    while path and path not in lines:
        cut = max(path.rfind("."), path.rfind("["))
        path = path[:cut] if cut > 0 else ""
    return Located(lines.get(path, 0) if path else 0, problem)


def _word(kind: type) -> str:
    return {
        str: "text",
        bool: "true or false",
        int: "a whole number",
        float: "a number",
        list: "a list",
        dict: "a mapping",
        type(None): "empty",
    }.get(kind, kind.__name__)
