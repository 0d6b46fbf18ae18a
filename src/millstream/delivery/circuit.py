"""When a destination is left alone: circuit, limits, pauses, switched-off capabilities. Pure; time is passed in."""

from __future__ import annotations

from dataclasses import dataclass, field

from millstream.delivery.outcome import Reason
from millstream.delivery.sink import CallFailed, Cause

_LONGEST_S = 30.0
_PAUSE_S = 3600.0
# So many families refused, and none answered in between, are taken for all of them.
_EVERY_FAMILY = 3
_ALL_REFUSED = "every family of calls is refused (403)"
_OFF_S = 3600.0


@dataclass(slots=True)
class Circuit:
    """`state`: running, limited (until), circuit_open (probe at), paused (probe at)."""

    state: str = "running"
    detail: str = ""
    until: float = 0.0
    failures: int = 0
    off: dict[Reason, float] = field(default_factory=dict)
    refused: set[Reason] = field(default_factory=set)

    def failed(self, error: CallFailed, now: float) -> None:
        """A call failed for no row's fault."""
        if error.cause in {Cause.DOWN, Cause.IN_DOUBT}:
            self.failures += 1
            if error.cause is Cause.IN_DOUBT and self.failures < 3:
                return  # one lost answer says nothing about the next call
            wait = min(_LONGEST_S, 2.0 ** min(self.failures - 1, 10))
            self._stop("circuit_open", error.detail, now + wait)
        elif error.cause in {Cause.LIMITED, Cause.DAILY}:
            self._stop("limited", error.detail, now + max(error.retry_after_s, 0.05))
        elif error.cause is Cause.UNAUTHORIZED:
            self._stop("paused", error.detail, now + _PAUSE_S)

    def answered(self) -> None:
        """A call was answered: whatever was wrong is over."""
        self.failures = 0
        self.refused.clear()
        if self.state == "circuit_open" or self.detail == _ALL_REFUSED:
            self.resume()

    def resume(self) -> None:
        """Try at once."""
        self.state, self.detail, self.until, self.failures = "running", "", 0.0, 0

    def needs_probe(self, now: float) -> bool:
        """Whether a probe is due that decides if things go on."""
        return self.state in {"circuit_open", "paused"} and now >= self.until

    def wait_s(self, now: float) -> float:
        """Seconds until calls may be tried; 0 when they may now."""
        if self.state == "limited" and now >= self.until:
            self.state, self.detail = "running", ""
        return max(self.until - now, 0.001) if self.state != "running" else 0.0

    def left_s(self, now: float) -> float:
        """How long nothing is tried yet, as `wait_s` tells it; for whoever only looks, from any thread."""
        return max(self.until - now, 0.0) if self.state != "running" else 0.0

    def switch_off(self, capability: Reason, now: float) -> None:
        """The destination refuses this family of calls; one that refuses every family is paused (SEMANTICS 33)."""
        self.off[capability] = now + _OFF_S
        self.refused.add(capability)
        if len(self.refused) >= _EVERY_FAMILY:
            self.refused.clear()
            self._stop("paused", _ALL_REFUSED, now + _PAUSE_S)

    def is_off(self, capability: Reason, now: float) -> bool:
        """Whether the capability is switched off at the moment."""
        until = self.off.get(capability)
        if until is not None and now >= until:
            del self.off[capability]
            return False
        return until is not None

    def _stop(self, state: str, detail: str, until: float) -> None:
        if self.state == "paused" and state != "paused":
            return
        self.state, self.detail, self.until = (
            state,
            detail,
            max(until, self.until if self.state == state else 0),
        )
