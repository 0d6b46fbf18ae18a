"""The backlog against the plainest one that does the same, and how little it holds."""

from __future__ import annotations

import random
import sys

import pytest

from millstream.delivery import backlog
from millstream.delivery.backlog import Backlog
from millstream.delivery.operation import Key


def contact(n):
    """A record."""
    return Key("contact", "email", f"p{n}@x.co")


@pytest.mark.parametrize("seed", range(20))
def test_as_the_plainest_one(seed, monkeypatch):
    """Whatever comes and goes in whatever order, and however many runs that makes."""
    monkeypatch.setattr(backlog, "_RUN", 16)
    rng = random.Random(seed)
    here, plain, offset = Backlog(), {}, 0
    for _ in range(600):
        if rng.random() < 0.55:
            offset += rng.randrange(1, 4)
            records = {contact(rng.randrange(25)) for _ in range(rng.randrange(3))}
            here.add(offset, records)
            plain[offset] = records
        else:
            oldest = rng.random() < 0.7 and plain
            at = min(plain) if oldest else rng.randrange(offset + 2)
            assert here.take(at) is (plain.pop(at, None) is not None)
        asked = {contact(rng.randrange(30)) for _ in range(2)}
        before = rng.randrange(offset + 2)
        assert here.writers(asked, before) == [o for o, r in plain.items() if o < before and r & asked]
        assert (len(here), here.first) == (len(plain), min(plain, default=None))
        assert (before in here) is (before in plain)


def test_it_lets_go_of_what_has_left(monkeypatch):
    """Of a long import that comes in at one end and leaves at the other little is held at any time."""
    monkeypatch.setattr(backlog, "_RUN", 100)
    here = Backlog()
    for offset in range(20_000):
        here.add(offset, [contact(offset)])
        if offset >= 500:
            assert here.take(offset - 500)
    assert len(here._offsets) <= 1200
    assert len(here._runs) <= 13


def test_a_million_events_fit():
    """About 30 bytes each: measured on a tenth of them."""
    here = Backlog()
    for offset in range(100_000):
        here.add(offset, [contact(offset)])
    held = sum(map(sys.getsizeof, (here._offsets, here._taken)))
    held += sum(sys.getsizeof(part) for run in here._runs for part in (run.hashes, run.offsets))
    assert held / 100_000 < 30
