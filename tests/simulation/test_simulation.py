"""The delivery engine under seeded faults, late execution, kills and shared mailboxes, in virtual time."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from millstream.delivery.backlog import Backlog
from millstream.delivery.slots import Slots
from millstream.delivery.works import Works

_spec = importlib.util.spec_from_file_location("world", Path(__file__).parent / "world.py")
world = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(world)


@pytest.mark.parametrize("seed", range(24))
def test_a_seed(seed):
    """Order, last-write-wins, Σ outcomes, calls and memory hold; every third seed with kills."""
    assert world.World(seed).run(kills=seed % 3) == []


def imports(seed, **given):
    """A world with an import of seven windows in front of live traffic by the same people."""
    return world.World(seed, events=1000, imported=700, people=500, window=100, **given)


@pytest.mark.parametrize("seed", range(12))
def test_an_import_larger_than_the_window(seed):
    """The same holds, and live events are sent while much of the import is not: also behind a kill."""
    here = imports(seed)
    assert here.run(kills=seed % 3) == []
    assert here.passed


def test_live_events_that_leave_the_import_behind_are_found_out(monkeypatch):
    """Planted bug: what live traffic needs of the backlog is not brought along, so that it is overtaken."""
    monkeypatch.setattr(Backlog, "writers", lambda *_: [])
    assert any(imports(seed).run() for seed in range(6))


def test_retrying_at_once_is_found_out():
    """Planted bug: a time-out treated as a failure. Calls that execute later then overwrite newer values."""
    assert any(world.World(seed, in_doubt_s=0.0).run() for seed in range(6))


def test_sending_ahead_of_the_disk_is_found_out(monkeypatch):
    """Planted bug: a call leaves before it is on disk how far was read, so that a kill may split what was folded."""
    monkeypatch.setattr(Works, "unsaved", lambda *_: False)
    assert any(world.World(seed).run() for seed in range(6))


def test_folding_backwards_is_found_out(monkeypatch):
    """Planted bug: the last one to arrive wins, whatever its time."""
    right = Slots._fold

    def wrong(self, target, op):
        right(self, target, op)
        for name, value in op.said.values.items():
            target.row.said.put(name, value, op.said.when(name))

    monkeypatch.setattr(Slots, "_fold", wrong)
    assert any(world.World(seed).run() for seed in range(6))


def test_sends_that_do_not_wait_are_found_out(monkeypatch):
    """Planted bug: a send goes out beside the write that it should follow."""
    monkeypatch.setattr(Slots, "_hang", lambda *_: None)
    assert any(world.World(seed).run() for seed in range(6))
