"""Faults on demand: refuse, break, delay, or execute and then not answer. By path, method, rate or number of times."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass, field
from typing import Any, Final

from millstream.sandbox.errors import Refused

KINDS: Final = ("status", "reset", "slow", "commit_then_timeout", "commit_then_reset", "207_partial")


@dataclass(slots=True)
class Fault:
    """One rule. `times` bounds how often it strikes; `rate` is the chance of each call."""

    kind: str
    path: re.Pattern[str]
    method: str | None = None
    rate: float = 1.0
    times: int | None = None
    status: int = 500
    ms: float = 1000.0
    policy: str = "TEN_SECONDLY_ROLLING"
    share: float = 0.5
    struck: int = 0
    rng: random.Random = field(default_factory=lambda: random.Random(0))

    def strikes(self, method: str, path: str) -> bool:
        """Whether this call is hit."""
        if self.method not in {None, method} or not self.path.search(path):
            return False
        if self.times is not None and self.struck >= self.times:
            return False
        if self.rng.random() >= self.rate:
            return False
        self.struck += 1
        return True

    def spare(self, inputs: list[Any]) -> tuple[list[Any], list[dict[str, Any]]]:
        """For `207_partial`: the inputs that are executed, and the errors of the others (`share` of those with trace ids)."""
        kept: list[Any] = []
        errors: list[dict[str, Any]] = []
        for item in inputs:
            trace = item.get("objectWriteTraceId") if isinstance(item, dict) else None
            if trace is None or self.rng.random() >= self.share:
                kept.append(item)
                continue
            errors.append(
                {
                    "status": "error",
                    "category": "INTERNAL_ERROR",
                    "message": "internal error",
                    "context": {"objectWriteTraceId": [str(trace)]},
                }
            )
        return kept, errors

    def json(self) -> dict[str, Any]:
        """For the control API."""
        return {
            "kind": self.kind,
            "path": self.path.pattern,
            "method": self.method,
            "rate": self.rate,
            "times": self.times,
            "status": self.status,
            "ms": self.ms,
            "struck": self.struck,
        }


def read(body: dict[str, Any]) -> Fault:
    """A fault as the control API gets it. Raises `Refused`."""
    if body.get("kind") not in KINDS:
        raise Refused(400, f"kind must be one of {', '.join(KINDS)}")
    try:
        path = re.compile(str(body.get("path") or ""))
    except re.error as error:
        raise Refused(400, f"path is no regular expression: {error}") from None
    return Fault(
        str(body["kind"]),
        path,
        body.get("method"),
        float(body.get("rate", 1.0)),
        body.get("times"),
        int(body.get("status", 500)),
        float(body.get("ms", 1000)),
        str(body.get("policy", "TEN_SECONDLY_ROLLING")),
        float(body.get("share", 0.5)),
        rng=random.Random(body.get("seed", 0)),
    )
