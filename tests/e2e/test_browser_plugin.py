"""The browser plugin: it builds, its own tests and types pass, and its language is the server's, case by case."""

from __future__ import annotations

import gzip
import json
import random
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from millstream.mapping.compile import compile_mapping
from millstream.mapping.errors import MappingError
from millstream.mapping.trigger import Trigger
from millstream.mapping.triggers.grammar import FUNCTIONS
from millstream.mapping.triggers.tree import And, Call, Compare, In, Literal, Node, Not, Or
from millstream.mapping.triggers.tree import Path as Field
from millstream.mapping.values import UNDEFINED

ROOT = Path(__file__).parent.parent.parent
HAS_NODE = shutil.which("node") is not None and (ROOT / "node_modules" / "esbuild-wasm").exists()
CASES = 12_000
PLUGINS = ("hubspot-web.js", "hubspot-web-full.js", "hubspot.dynamic.js", "HubSpot.min.js")
SDKS = ("analytics.min.js", "rsa.min.js", "amplitude.min.js", "THIRD-PARTY-NOTICES.txt")

pytestmark = [
    pytest.mark.skipif(not HAS_NODE, reason="npm is not on this machine"),
    pytest.mark.xdist_group("browser_plugin"),
]


def node(*arguments: str, given: str | None = None) -> str:
    """What a Node program prints; it must succeed."""
    ran = subprocess.run(
        ["node", *arguments], cwd=ROOT, input=given, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stdout[-4000:] + ran.stderr[-2000:]
    return ran.stdout


def test_the_build(tmp_path):
    """Every file that the server asks for is there, small enough, and calls no vendor by itself."""
    node("browser/build.mjs", str(tmp_path / "static"))
    folder = tmp_path / "static"
    manifest = json.loads((folder / "manifest.json").read_text())
    sizes = manifest.pop("sizes")
    assert set(PLUGINS + SDKS) < set(manifest)
    for logical, name in manifest.items():
        body = (folder / name).read_bytes()
        assert sizes[logical]["bytes"] == len(body)
        for host in (b"api.segment.io", b"cdn.segment.com", b"api.rudderstack.com", b"cdn.rudderlabs.com"):
            assert host not in body, (logical, host)
        assert b"sourceMappingURL" not in body
    assert len(gzip.compress((folder / manifest["hubspot-web.js"]).read_bytes(), 9)) <= 3072
    again = tmp_path / "again"
    node("browser/build.mjs", str(again))
    assert json.loads((again / "manifest.json").read_text()) == {**manifest, "sizes": sizes}, (
        "the same each time"
    )


def test_its_own_tests():
    """`node --test`: the shared vectors, the actions, receipts, blocked scripts, the size."""
    assert "# fail 0" in node("--test", "--test-reporter=tap", "browser/test/")


def test_types():
    """`tsc` in strict mode has nothing to say."""
    node("node_modules/typescript/bin/tsc", "--noEmit", "-p", "browser")


WORDS = [
    "", "a", "b", "c", "name", "plan", "Order Done", "order_done", "orderDONENow2", "HTTPServer", "Größe XL", "ΑΣΣ", "日本 語",
    "x😀y", "½ cup", "٣ items", " x ", "0", "1", "true", "null", "[1,2]", '{"k":[1,null],"a":"b"}', "2026-03-02", "a.b", "A-1*?\\",
    "$&", "x$y", "été—Noël", "a_b-c", "\n\tz", "length", '"q"',
]  # fmt: skip
KEYS = ["a", "b", "c", "plan", "name", "a b", "été", "constructor", "toString", "length", "😀"]
NUMBERS = [
    0,
    1,
    -1,
    2,
    100.5,
    0.1,
    1e21,
    1e-7,
    1.5e300,
    -0.0,
    123456789012345680000.0,
    2**53,
    -(2**53),
    1 / 3,
    5e-324,
]
PATHS = [
    "$.a", "$.a.b", "$.b[0]", "$.b[1].a", "a", "$.c.length", "$.a['a b']", "$.name", "$.b.0.c", "$", "", "$.a.b.c.plan",
    '$.["name"]', "$.plan.length", "$.a[x]", "$.zero.x", "$.toString", "$.name[1]", "b.1", "$.$.a", "été", "😀.a", "$.plan.0",
]  # fmt: skip
TEMPLATES = [
    "{{a}}",
    "Hi {{ name }}!",
    "{{{a.b}}}-{{b}}",
    "{{$.a}}",
    "{{b.0}}{{c}}",
    "{{}}",
    "{{a",
    "no",
    "{{ a['a b'] }}",
]
SEPARATORS = ["_", ".", "", None]


class Make:
    """Random events, mappings and triggers; the same from the same seed."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.pick = self.random.choice

    def number(self) -> float:
        """Whole and broken, small and huge; whole ones that a browser can hold."""
        kind = self.random.random()
        if kind < 0.5:
            return self.pick(NUMBERS)
        return self.random.randint(-1000, 1000) if kind < 0.8 else self.random.uniform(-1e9, 1e9)

    def scalar(self) -> Any:
        """Text mostly."""
        kind = self.random.random()
        if kind < 0.6:
            return self.pick(WORDS)
        return self.number() if kind < 0.8 else self.pick([True, False, None])

    def value(self, depth: int = 3) -> Any:
        """Any JSON."""
        kind = self.random.random()
        if depth == 0 or kind < 0.5:
            return self.scalar()
        if kind < 0.7:
            return [self.value(depth - 1) for _ in range(self.random.randint(0, 3))]
        return self.fields(depth)

    def fields(self, depth: int = 3) -> dict[str, Any]:
        """A JSON object."""
        return {self.pick(KEYS): self.value(depth - 1) for _ in range(self.random.randint(0, 4))}

    def event(self) -> dict[str, Any]:
        """An event that many paths lead into."""
        found = {key: self.value() for key in ("a", "b", "c", "plan", "name") if self.random.random() < 0.8}
        return found | {"type": self.pick(["track", "page"]), "zero": 0, **self.fields(1)}

    def argument(self, depth: int) -> Any:
        """A raw value or a mapping."""
        return self.scalar() if depth == 0 or self.random.random() < 0.25 else self.mapping(depth - 1)

    def mapping(self, depth: int = 3) -> Any:
        """Any mapping that the server takes for the web."""
        kind = self.random.random()
        if depth == 0 or kind < 0.2:
            return {"@path": self.pick(PATHS)}
        if kind < 0.3:
            return {self.pick(KEYS): self.argument(depth) for _ in range(self.random.randint(0, 3))}
        if kind < 0.35:
            return [self.argument(depth) for _ in range(self.random.randint(0, 3))]
        name = self.pick(DIRECTIVES)
        return {name: getattr(self, name[1:].lower().replace("if", "if_"))(depth)}

    def some(self, given: dict[str, Any], always: float = 0.93) -> dict[str, Any]:
        """Most of the fields: what the server lets out, the page meets as well."""
        return {key: value for key, value in given.items() if self.random.random() < always}

    def path(self, _depth: int) -> Any:
        """A path, sometimes one that a mapping makes."""
        return self.pick(PATHS) if self.random.random() < 0.8 else self.directive()

    def template(self, _depth: int) -> Any:
        """The same for a template."""
        return self.pick(TEMPLATES) if self.random.random() < 0.8 else self.directive()

    def directive(self) -> Any:
        """A mapping with a directive at its root."""
        return self.pick(
            [{"@path": self.pick(PATHS)}, {"@literal": self.pick(PATHS)}, {"@template": self.template(0)}]
        )

    def literal(self, depth: int) -> Any:
        """Anything."""
        return self.value(2) if self.random.random() < 0.7 else self.argument(depth)

    def if_(self, depth: int) -> Any:
        """Both questions, any branch."""
        asked = {self.pick(["exists", "blank"]): self.argument(depth)}
        return self.some({**asked, "then": self.argument(depth), "else": self.argument(depth)})

    def case(self, depth: int) -> Any:
        """Also with an operator that there is not."""
        return self.some({"operator": self.pick(["lower", "upper", "title"]), "value": self.argument(depth)})

    def replace(self, depth: int) -> Any:
        """Plain text, with JavaScript's `$&` in the replacement."""
        pattern = self.pick(["a", "o", " ", ".", "😀", "$", "\\", "-", "d", "Σ", "(", "1"])
        return {"pattern": pattern, "value": self.argument(depth)} | self.some(
            {
                "replacement": self.pick(["", "-", "$&$&", "$$", "[$`]", "$'", "$1"]),
                "global": self.random.random() < 0.5,
                "ignorecase": self.random.random() < 0.5,
                "pattern2": self.pick(["", "e", "x"]),
                "replacement2": self.pick(["", "E"]),
            },
            0.6,
        )

    def arraypath(self, depth: int) -> Any:
        """With and without a shape."""
        root = self.pick(PATHS) if self.random.random() < 0.6 else self.directive()
        return (
            [root]
            if self.random.random() < 0.2
            else [root, {"x": self.argument(depth), "y": {"@path": "$.a"}}]
        )

    def flatten(self, depth: int) -> Any:
        """Of anything."""
        separator = self.pick(SEPARATORS)
        given = {} if separator is None else {"separator": separator}
        return given | self.some(
            {"value": self.argument(depth), "omitArrays": self.random.random() < 0.5}, 0.8
        )

    def json(self, depth: int) -> Any:
        """Both ways. What is encoded comes from the event: JavaScript puts number-like keys of made objects first."""
        mode = self.pick(["encode", "decode", "Encode"])
        given = self.argument(depth) if mode == "decode" else {"@path": self.pick(PATHS)}
        return self.some({"mode": mode, "value": given})

    def merge(self, depth: int) -> Any:
        """Objects of any origin."""
        objects = [
            self.pick([self.fields(1), {"@path": self.pick(PATHS)}, self.object(depth)]) for _ in range(3)
        ]
        return {"objects": objects} | self.some({"direction": self.pick(["left", "right"])})

    def object(self, depth: int) -> Any:
        """A mapping that is an object."""
        found = self.mapping(depth - 1)
        return found if isinstance(found, dict) else {"a": found}

    def transform(self, depth: int) -> Any:
        """One mapping after another."""
        return {"apply": self.argument(depth), "mapping": self.argument(depth)}

    def excludewhennull(self, depth: int) -> Any:
        """Of anything."""
        return self.argument(depth)

    def operand(self, depth: int) -> Node:
        """A value of a trigger."""
        kind = self.random.random()
        if kind < 0.35:
            return Literal(self.scalar())
        if kind < 0.75 or depth == 0:
            return Field(
                tuple(self.pick([*KEYS, "b", "0", "1", "type"]) for _ in range(self.random.randint(1, 3)))
            )
        return self.call(depth - 1)

    def call(self, depth: int) -> Node:
        """Any function of the language."""
        name = self.pick(list(FUNCTIONS))
        first = self.operand(depth)
        if name == "match":
            return Call(name, (first, Literal(self.pick(GLOBS))))
        return Call(name, (first, self.operand(depth)) if FUNCTIONS[name].arguments == 2 else (first,))

    def trigger(self, depth: int = 3) -> Node:
        """Any tree."""
        kind = self.random.random()
        if depth and kind < 0.3:
            group = self.pick([And, Or])
            return group(tuple(self.trigger(depth - 1) for _ in range(self.random.randint(0, 3))))
        if depth and kind < 0.4:
            return Not(self.trigger(depth - 1))
        if kind < 0.7:
            return Compare(self.pick(["=", "!=", "<", "<=", ">", ">="]), self.operand(2), self.operand(2))
        if kind < 0.8:
            return In(self.operand(2), tuple(self.operand(1) for _ in range(self.random.randint(1, 3))))
        return self.call(2)


DIRECTIVES = [
    "@path", "@template", "@literal", "@if", "@case", "@replace", "@arrayPath", "@flatten", "@json", "@merge", "@transform",
    "@excludeWhenNull",
]  # fmt: skip
GLOBS = ["*", "?", "O*", "*o*e", "", "a?", "\\*", "*\\?\\\\", "x?y", "Gr??e*", "* *", "a\\", "[a]*", "**D*n*"]


def differences(questions: list[dict[str, Any]], expected: list[Any]) -> list[Any]:
    """The cases that Node answers otherwise."""
    lines = "\n".join(json.dumps(q, ensure_ascii=False) for q in questions)
    answers = [json.loads(line) for line in node("browser/testing/evaluate.mjs", given=lines).split("\n")]
    assert len(answers) == len(questions)
    pairs = zip(questions, expected, answers, strict=True)
    return [(q, wanted, found) for q, wanted, found in pairs if not same(wanted, found)]


def same(left: Any, right: Any) -> bool:
    """Equal as JSON: true is not 1. Numbers are doubles: JavaScript prints large ones without an exponent."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same(left[k], right[k]) for k in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, int | float) and isinstance(right, int | float):
        return float(left) == float(right)
    return type(left) is type(right) and bool(left == right)


def test_mappings_are_the_servers():
    """Twelve thousand random mappings give the same output for random events, or fail alike."""
    make = Make(20_260_301)
    questions, expected = [], []
    while len(questions) < CASES:
        mapping, event = make.mapping(), make.event()
        if isinstance(mapping, list):
            mapping = {"x": mapping}
        compiled = compile_mapping(mapping)
        try:
            output = compiled.evaluate(event)
            wanted = {} if output is UNDEFINED else {"output": output}
        except MappingError:
            wanted = {"error": True}
        questions.append({"mapping": mapping, "event": event})
        expected.append(wanted)
    assert sum("output" in e for e in expected) > CASES // 2
    found = differences(questions, expected)
    assert not found, f"{len(found)} differ; the first: {json.dumps(found[:3], ensure_ascii=False, indent=1)}"


def test_triggers_are_the_servers():
    """Twelve thousand random triggers hold for the same events."""
    make = Make(37)
    triggers = [Trigger("", make.trigger()) for _ in range(CASES)]
    events = [make.event() for _ in range(CASES)]
    pairs = list(zip(triggers, events, strict=True))
    questions = [{"tree": trigger.tree(), "event": event} for trigger, event in pairs]
    expected = [{"output": trigger.matches(event)} for trigger, event in pairs]
    assert CASES // 5 < sum(e["output"] for e in expected) < CASES * 4 // 5
    found = differences(questions, expected)
    assert not found, f"{len(found)} differ; the first: {json.dumps(found[:3], ensure_ascii=False, indent=1)}"
