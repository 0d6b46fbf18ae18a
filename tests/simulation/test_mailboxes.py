"""Two userIds on one mailbox under seeded faults and kills: the events of both are delivered to it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from millstream.profiles.profile import Profile

sys.path.insert(0, str(Path(__file__).parent))

from mailboxes import Mailboxes


@pytest.mark.parametrize("seed", range(8))
def test_a_seed(seed):
    """What waits for an address goes out when its person says it, also when the address identifies another userId."""
    assert Mailboxes(seed).run(kills=seed % 3) == []


def test_an_address_of_its_owner_alone_is_found_out(monkeypatch):
    """Planted bug: the second userId has no address, and its events wait for ever."""
    monkeypatch.setattr(Profile, "borrow", lambda *_: None)
    with pytest.raises(AssertionError, match="not finished"):
        Mailboxes(0).run()
