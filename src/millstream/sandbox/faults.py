"""Faults on demand: refuse, break, delay, or execute and then not answer. By path, method, rate or number of times."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass, field
from typing import Any, Final

from millstream.sandbox import payload
from millstream.sandbox.errors import Refused, limited

KINDS: Final = ("status", "reset", "slow", "commit_then_timeout", "commit_then_reset", "207_partial")

_FIELDS: Final = frozenset(
    {"kind", "path", "method", "rate", "times", "status", "ms", "policy", "share", "retry_after_s", "seed"}
)
_METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE")


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
    retry_after_s: int = 0
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

    def refusal(self) -> Refused:
        """The answer of a `status` fault."""
        if self.status == 429:
            refused = limited(self.policy)
        else:
            refused = Refused(
                self.status, "internal error" if self.status >= 500 else "refused by a fault", ""
            )
        if self.retry_after_s:
            refused.headers["Retry-After"] = str(self.retry_after_s)
        return refused

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
    """A fault as the control API gets it. Raises `Refused` and `Misfit`."""
    kind, status = payload.text(body, "kind"), payload.number(body, "status", 500)
    if kind not in KINDS:
        raise Refused(400, f"kind must be one of {', '.join(KINDS)}")
    try:
        path = re.compile(payload.text(body, "path"))
    except re.error as error:
        raise Refused(400, f"path is no regular expression: {error}") from None
    if not 400 <= status <= 599:
        raise payload.Misfit(body, "status", "status is one of an error: 400 to 599")
    _check(body)
    return Fault(
        kind,
        path,
        payload.text(body, "method") or None,
        payload.decimal(body, "rate", 1.0),
        payload.number(body, "times") if body.get("times") is not None else None,
        status,
        payload.decimal(body, "ms", 1000.0),
        payload.text(body, "policy") or "TEN_SECONDLY_ROLLING",
        payload.decimal(body, "share", 0.5),
        payload.number(body, "retry_after_s"),
        rng=random.Random(payload.number(body, "seed")),
    )


def _check(body: dict[str, Any]) -> None:
    """Figures within their bounds, and nothing that is not known."""
    if unknown := body.keys() - _FIELDS:
        raise Refused(400, f"{', '.join(sorted(unknown))}: known are {', '.join(sorted(_FIELDS))}")
    if payload.text(body, "method") not in {"", *_METHODS}:
        raise payload.Misfit(body, "method", f"method is one of {', '.join(_METHODS)}")
    for name, most in (
        ("rate", 1),
        ("share", 1),
        ("ms", 3_600_000),
        ("times", 2**53),
        ("retry_after_s", 86_400),
    ):
        if not 0 <= payload.decimal(body, name, 0.0) <= most:
            raise payload.Misfit(body, name, f"{name} is from 0 to {most}")
