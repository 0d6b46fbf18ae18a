"""How long the portal takes to answer: off, one constant, or a distribution for each kind of call.

A setting names kinds of calls and gives each the median and the 95th percentile in milliseconds:

    {"single": {"p50": 260, "p95": 390},
     "batch": {"p50": 300, "p95": 700, "per_input": 2},
     "search": {"p50": 350, "p95": 900},
     "contacts/batch": {"p50": 400, "p95": 800},
     "seed": 1}

`single` is a call without `inputs`, `batch` one with them, `search` a call whose path ends with `/search`. In front of
the kind may be a family, which then goes first: any segment of the path, such as `contacts`, `associations`, `events`
or `properties`. Times are lognormal (a lower bound near the median and a long tail, as measured portals have): the
median is p50, plus `per_input` for each input of a batch behind the first, and the spread is what p95 says. A kind that
is not named takes no time. Draws are seeded: the same calls in the same order take the same time.

`{"preset": "measured"}` is what was seen of real portals for single calls (200 to 390 ms); its batch and search are the
sandbox's own guess.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from typing import Any, Final

from millstream.sandbox.errors import Refused

KINDS: Final = ("single", "batch", "search")
PRESETS: Final[dict[str, dict[str, Any]]] = {
    "off": {},
    "measured": {
        "single": {"p50": 280, "p95": 390},
        "batch": {"p50": 300, "p95": 600, "per_input": 2},
        "search": {"p50": 300, "p95": 800},
    },
}
_Z95: Final = 1.6448536269514722  # how many standard deviations p95 is from the median


@dataclass(frozen=True, slots=True)
class Spread:
    """Times of one kind of call, in milliseconds."""

    p50: float
    p95: float
    per_input: float = 0.0

    def draw(self, rng: random.Random, inputs: int) -> float:
        """One time."""
        median = self.p50 + self.per_input * max(inputs - 1, 0)
        return median * math.exp(rng.gauss(0.0, math.log(self.p95 / self.p50) / _Z95))


class Latency:
    """The model of one portal."""

    def __init__(self, setting: dict[str, Any] | None = None) -> None:
        self._spreads: dict[str, Spread] = {}
        self._rng = random.Random(0)
        self._seed: Any = 0
        self.set(setting or {})

    def set(self, setting: dict[str, Any]) -> None:
        """Another setting, as above; an empty one turns it off. Raises `Refused` and then changes nothing."""
        if "preset" in setting:
            name = setting["preset"]
            if not isinstance(name, str) or name not in PRESETS:
                raise Refused(400, f"preset must be one of {', '.join(PRESETS)}")
            setting = {**PRESETS[name], **{k: v for k, v in setting.items() if k != "preset"}}
        seed = setting.get("seed", 0)
        if not isinstance(seed, int) or isinstance(seed, bool):
            raise Refused(400, "seed must be a whole number")
        self._spreads = {kind: _spread(kind, given) for kind, given in setting.items() if kind != "seed"}
        self._seed, self._rng = seed, random.Random(seed)

    def draw(self, path: str, inputs: int | None) -> float:
        """Milliseconds for a call; `inputs` is None where it is no batch."""
        if not self._spreads:
            return 0.0
        segments = path.strip("/").split("/")
        kind = "search" if segments[-1] == "search" else "single" if inputs is None else "batch"
        named = (self._spreads.get(f"{family}/{kind}") for family in reversed(segments))
        found = next((s for s in named if s is not None), self._spreads.get(kind))
        return 0.0 if found is None else found.draw(self._rng, inputs or 0)

    def json(self) -> dict[str, Any]:
        """The setting."""
        shown = {
            kind: {"p50": s.p50, "p95": s.p95, "per_input": s.per_input} for kind, s in self._spreads.items()
        }
        return {**shown, "seed": self._seed} if shown else {}


def _spread(kind: str, given: Any) -> Spread:
    if kind.rpartition("/")[2] not in KINDS:
        raise Refused(400, f"{kind}: a kind of call is one of {', '.join(KINDS)}, or family/kind")
    if not isinstance(given, dict) or set(given) - {"p50", "p95", "per_input"} or "p50" not in given:
        raise Refused(400, f"{kind}: give p50 and p95 in milliseconds, and per_input if you like")
    p50 = _milliseconds(kind, given["p50"])
    p95 = _milliseconds(kind, given.get("p95", p50))
    per_input = _milliseconds(kind, given.get("per_input", 0))
    if not 0 < p50 <= p95:
        raise Refused(400, f"{kind}: 0 < p50 <= p95 must hold")
    return Spread(p50, p95, per_input)


def _milliseconds(kind: str, given: Any) -> float:
    if isinstance(given, bool) or not isinstance(given, int | float) or not 0 <= given <= 600_000:
        raise Refused(400, f"{kind}: {given!r} is no number of milliseconds from 0 to 600000")
    return float(given)
