"""The delivery engine under seeded faults, late execution, kills and shared mailboxes, in virtual time."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from millstream.delivery.slots import Slots

_spec = importlib.util.spec_from_file_location("world", Path(__file__).parent / "world.py")
world = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(world)


@pytest.mark.parametrize("seed", range(24))
def test_a_seed(seed):
    """Order, last-write-wins, Σ outcomes, calls and memory hold; every third seed with kills."""
    assert world.World(seed).run(kills=seed % 3) == []


def test_retrying_at_once_is_found_out():
    """Planted bug: a time-out treated as a failure. Calls that execute later then overwrite newer values."""
    assert any(world.World(seed, in_doubt_s=0.0).run() for seed in range(6))


def test_folding_backwards_is_found_out(monkeypatch):
    """Planted bug: the last one to arrive wins, whatever its time."""
    right = Slots._fold

    def wrong(self, target, op):
        right(self, target, op)
        target.row.values.update(op.values)

    monkeypatch.setattr(Slots, "_fold", wrong)
    assert any(world.World(seed).run() for seed in range(6))


def test_sends_that_do_not_wait_are_found_out(monkeypatch):
    """Planted bug: a send goes out beside the write that it should follow."""
    monkeypatch.setattr(Slots, "_hang", lambda *_: None)
    assert any(world.World(seed).run() for seed in range(6))
