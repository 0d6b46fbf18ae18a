"""Which messages were seen: against a plain dict with times, at the limits of window, memory and numbers."""

from __future__ import annotations

import random
import sys
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from millstream.eventlog.dedupe import Dedupe
from millstream.eventlog.record import Kind, Record
from millstream.pipeline.processor import rebuild
from millstream.storage.memory.log import MemoryLog

WINDOW = 1280
# A generation spans 1/128 of the window, to which forgetting is exact.
GRAIN = WINDOW // 128
ALL = 2**64 - 1

# Few enough to come again; they share an array or its ends, their first 14 bits or all the others.
HASHES = [
    *(0, 1, 2, ALL, ALL - 1),
    *(n << 50 for n in (1, 2, 3, 2**14 - 1)),
    *((n << 50) + 1 for n in (1, 2, 3)),
    *((n << 50) - 1 for n in (1, 2, 3)),
    *(2**14, 2**14 - 1, 2**14 + 1, 2**36, 2**63, 2**63 + 1),
]
STEPS = st.lists(st.tuples(st.integers(0, WINDOW // 2), st.lists(st.sampled_from(HASHES), max_size=8)))


def hashes(n, seed=1):
    """As many different hashes, uniform as real ones are."""
    new = random.Random(seed).getrandbits
    return [new(64) for _ in range(n)]


def bytes_held(dedupe):
    """Bytes of the entries, what arrays have in reserve included."""
    return sum(map(sys.getsizeof, dedupe._arrays))


@given(STEPS)
def test_seen_is_what_came_within_the_window(steps):
    """As a dict of the newest receipts says; one grain beyond the window nothing is left. A repeat is remembered anew."""
    dedupe, received, now = Dedupe(window_ms=WINDOW), {}, 0
    for passed, came in steps:
        now += passed
        dedupe.expire(now)
        for id_hash in HASHES:
            age = now - received.get(id_hash, -(10**9))
            if age <= WINDOW:
                assert dedupe.seen(id_hash)
            elif age > WINDOW + GRAIN:
                assert not dedupe.seen(id_hash)
        dedupe.add(came, now)
        received.update(dict.fromkeys(came, now))
        assert all(map(dedupe.seen, came))


@given(st.permutations(HASHES), st.integers(0, len(HASHES)))
@settings(max_examples=30)
def test_order_and_batches_make_no_difference(order, cut):
    """In two batches or one at a time, in any order: what was added is seen, and nothing else."""
    together, apart = Dedupe(), Dedupe()
    together.add(order[:cut], 5)
    for id_hash in reversed(order[:cut]):
        apart.add((id_hash,), 5)
    for id_hash in order:
        assert together.seen(id_hash) == apart.seen(id_hash) == (id_hash in order[:cut])


def test_many_messages_are_told_apart():
    """No message that did not come is taken for one that did, and none is lost."""
    known, unknown = hashes(300_000), hashes(100_000, seed=2)
    dedupe = Dedupe()
    for at in range(0, len(known), 2000):
        dedupe.add(known[at : at + 2000], at)
    assert all(map(dedupe.seen, known))
    assert not any(map(dedupe.seen, unknown))


def test_beyond_the_limit_the_oldest_go_first():
    """Exactly to a generation, 1/128 of the limit: the newest `limit` less one generation are always there."""
    came = hashes(5000)
    dedupe = Dedupe(limit=1280)
    for at, id_hash in enumerate(came):
        dedupe.add((id_hash,), 0)
        if at % 100 == 99:
            found = [dedupe.seen(known) for known in came[: at + 1]]
            assert all(found[-1280 + 11 :])
            assert not any(found[:-1280])


def test_one_step_may_be_bigger_than_the_limit():
    """What came last is never forgotten for it."""
    came = hashes(100)
    dedupe = Dedupe(limit=10)
    dedupe.add(came[:50], 0)
    dedupe.add(came[50:], 0)
    assert [dedupe.seen(id_hash) for id_hash in came] == [False] * 50 + [True] * 50


def test_numbers_of_generations_come_again():
    """Twice around all 16,384 numbers: nothing old comes back to life under a number in use."""
    came = hashes(80_000)
    dedupe = Dedupe(limit=128)
    for at, id_hash in enumerate(came):
        dedupe.add((id_hash,), 0)
        if at % 8000 == 7999:
            assert [dedupe.seen(known) for known in came[at - 125 : at + 1]] == [True] * 126
            assert not any(map(dedupe.seen, came[: at - 128]))


def test_memory_follows_what_is_remembered():
    """While as many are forgotten as come: 12 bytes a message, and 200 for each of 16,384 arrays."""
    dedupe = Dedupe(limit=200_000)
    for at, came in enumerate(range(0, 800_000, 2000)):
        dedupe.add(hashes(2000, seed=came), at)
    assert bytes_held(dedupe) < 12 * 200_000 + 200 * 16_384


def test_what_is_forgotten_is_dropped_in_slices():
    """After a week of silence the first messages do not wait for all that is old; it goes as new ones come."""
    dedupe = Dedupe(window_ms=WINDOW)
    dedupe.add(hashes(200_000), 0)
    dedupe.expire(10 * WINDOW)
    held = [dedupe._held]
    longest = max(map(len, dedupe._arrays))
    for at in range(100):
        dedupe.add(hashes(500, seed=at + 2), 10 * WINDOW)
        held.append(dedupe._held)
    # Six looks for each that is added, and the rest of an array.
    assert all(before + 500 - after <= 6 * 500 + longest for before, after in pairwise(held))
    assert held[-1] == 100 * 500
    assert sum(map(len, dedupe._arrays)) == 100 * 500


def test_the_newest_of_a_generation_ends_it():
    """What came first waits for what came last, to the millisecond, whatever the clock said in between."""
    dedupe = Dedupe(window_ms=WINDOW)
    for id_hash, received_ms in ((1, 100), (2, 100 + GRAIN), (3, 100 + GRAIN // 2)):
        dedupe.add((id_hash,), received_ms)
    dedupe.expire(100 + GRAIN + WINDOW)
    assert [dedupe.seen(id_hash) for id_hash in (1, 2, 3)] == [True] * 3
    dedupe.expire(100 + GRAIN + WINDOW + 1)
    assert [dedupe.seen(id_hash) for id_hash in (1, 2, 3)] == [False] * 3


def test_a_clock_that_goes_back_forgets_nothing():
    """What is received before earlier messages, as far as the clock says, is remembered with them."""
    dedupe = Dedupe(window_ms=WINDOW)
    dedupe.add((1,), 10 * WINDOW)
    dedupe.add((2,), 0)
    dedupe.expire(0)
    dedupe.expire(11 * WINDOW)
    assert dedupe.seen(1)
    assert dedupe.seen(2)


def item(id_hash, received_ms, kind=Kind.TRACK):
    """A record of the log, of which only the header columns matter."""
    return Record(kind, "s", id_hash, received_ms, received_ms, b"{}")


async def test_a_restart_remembers_what_was_processed_within_the_window():
    """Not what was rejected, not what the processor has still to do, not what is older than the window."""
    log = MemoryLog()
    await log.append([item(1, 0)])
    await log.append([item(2, WINDOW), item(3, WINDOW, Kind.REJECTED), item(4, WINDOW + 1)])
    await log.append([item(5, 2 * WINDOW), item(6, 2 * WINDOW), item(7, 2 * WINDOW)])
    dedupe = Dedupe(window_ms=WINDOW)
    rebuild(dedupe, log, 6, WINDOW)
    assert [n for n in range(1, 8) if dedupe.seen(n)] == [2, 4, 5, 6]
