"""One suite for every event log: memory and SQLite."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from millstream.eventlog.block import BlockCodec
from millstream.eventlog.log import LogClosed, LogCorrupt, LogFull
from millstream.eventlog.record import Kind, Record
from millstream.storage.memory.log import MemoryLog
from millstream.storage.sqlite.log import SqliteLog


def records(*numbers, received=None):
    """Records that can be told apart."""
    return [
        Record(
            Kind.TRACK,
            f"s{n % 3}",
            n,
            1000 + n,
            received if received is not None else 5000 + n,
            b"body %d" % n,
        )
        for n in numbers
    ]


def bodies(blocks):
    """All bodies in order."""
    return [b for block in blocks for b in block.bodies]


@pytest.fixture(params=["memory", "sqlite"])
def log(request, tmp_path):
    """An empty log of each kind."""
    found = MemoryLog() if request.param == "memory" else SqliteLog(tmp_path / "log")
    yield found
    asyncio.run(found.close())


async def test_what_was_appended_is_read_in_order(log):
    """Offsets from 0 without gaps; columns and bodies come back."""
    assert await log.append(records(1, 2)) == 0
    assert await log.append(records(3)) == 2
    blocks = log.read(0, 100)
    assert bodies(blocks) == [b"body 1", b"body 2", b"body 3"]
    assert [h for b in blocks for h in b.id_hashes] == [1, 2, 3]
    assert [s for b in blocks for s in b.sources] == ["s1", "s2", "s0"]
    assert (log.bounds().start, log.bounds().end) == (0, 3)


async def test_concurrent_appends_stay_whole(log):
    """Many callers at once: each one's records are together, all are there."""
    offsets = await asyncio.gather(*(log.append(records(i * 10, i * 10 + 1)) for i in range(200)))
    assert sorted(offsets) == list(range(0, 400, 2))
    assert len(bodies(log.read(0, 1000))) == 400


async def test_reading_from_the_middle(log):
    """The first block may begin before the offset, none before it is left out."""
    for i in range(5):
        await log.append(records(i))
    found = log.read(3, 1)
    assert found[0].base <= 3 < found[0].end


async def test_headers_without_bodies_find_a_message(log):
    """Dedupe and look-ups read columns only."""
    await log.append(records(7, 8, 9))
    assert [h for b in log.read_headers(0, 10) for h in b.id_hashes] == [7, 8, 9]


async def test_find_by_time(log):
    """The first offset received at or after a time."""
    await log.append(records(1, received=100))
    await log.append(records(2, received=200))
    assert [log.find_time(t) for t in (0, 100, 101, 200, 201)] == [0, 0, 1, 1, 2]


async def test_waiting_from_another_event_loop(log):
    """Whoever waits is woken, whatever loop it runs on."""
    woken = threading.Event()

    def wait():
        asyncio.run(log.wait_for(0))
        woken.set()

    thread = threading.Thread(target=wait)
    thread.start()
    await asyncio.sleep(0.05)
    assert not woken.is_set()
    await log.append(records(1))
    await asyncio.to_thread(thread.join, 60)
    assert woken.is_set()


async def test_closed_is_closed(log):
    """After close nothing is taken."""
    await log.close()
    with pytest.raises(LogClosed):
        await log.append(records(1))


async def test_files_are_rotated_and_dropped_whole(tmp_path):
    """Old files go, the newest never; offsets do not start again."""
    log = SqliteLog(tmp_path / "log", rotate_bytes=50_000)
    for i in range(60):
        await log.append([Record(Kind.TRACK, "s", i, i, i, os.urandom(4000))])
    assert len(list((tmp_path / "log").glob("*.db"))) > 2
    assert len(bodies(log.read(0, 1000))) == 60
    start = log.drop_before(30)
    assert 0 < start <= 30
    assert len(bodies(log.read(start, 1000))) == 60 - start
    log.drop_before(1000)
    assert await log.append(records(1)) == 60
    await log.close()
    again = SqliteLog(tmp_path / "log")
    assert again.bounds().end == 61
    await again.close()


async def test_a_full_disk_refuses_before_it_breaks(tmp_path):
    """LogFull, and what was accepted stays."""
    free = [10**12]
    log = SqliteLog(tmp_path / "log", min_free_bytes=10**9, free_bytes=lambda _: free[0])
    await log.append(records(1))
    free[0] = 1
    log._is_full()
    with pytest.raises(LogFull):
        await log.append(records(2))
    free[0] = 10**12
    assert await log.append(records(3)) == 1
    await log.close()


async def test_the_answer_waits_for_the_fsync(tmp_path):
    """An append does not return while its commit is held; synchronous is FULL."""
    log = SqliteLog(tmp_path / "log")
    assert log._writing.execute("PRAGMA synchronous").fetchone() == (2,)
    gate, committing = threading.Event(), threading.Event()

    class Held:
        """The writing connection, with a commit that can be held."""

        def __init__(self, inner):
            self.inner = inner

        def execute(self, sql, *rest):
            if sql == "COMMIT":
                committing.set()
                gate.wait(60)
            return self.inner.execute(sql, *rest)

        def close(self):
            self.inner.close()

    log._writing = Held(log._writing)
    append = asyncio.create_task(log.append(records(1)))
    await asyncio.to_thread(committing.wait, 60)
    await asyncio.sleep(0.05)
    assert not append.done()
    gate.set()
    assert await append == 0
    await log.close()


KILLED = """
import asyncio, sys
from pathlib import Path
from millstream.eventlog.record import Kind, Record
from millstream.storage.sqlite.log import SqliteLog
async def main():
    log = SqliteLog(Path(sys.argv[1]))
    n = 0
    while True:
        await log.append([Record(Kind.TRACK, "s", n, n, n, b"x" * 200)])
        n += 1
        print(n, flush=True)
asyncio.run(main())
"""


def test_kill_nine_loses_nothing_acknowledged(tmp_path):
    """Everything that was answered is there after reopening."""
    process = subprocess.Popen([sys.executable, "-c", KILLED, str(tmp_path / "log")], stdout=subprocess.PIPE)
    acknowledged = 0
    with process.stdout:
        while acknowledged < 300:
            acknowledged = int(process.stdout.readline())
        process.send_signal(signal.SIGKILL)
        rest = process.stdout.read().split()
    process.wait()
    acknowledged = int(rest[-1]) if rest else acknowledged
    log = SqliteLog(tmp_path / "log")
    assert log.bounds().end >= acknowledged
    asyncio.run(log.close())


@given(
    st.lists(
        st.tuples(
            st.integers(0, 2**64 - 1),
            st.integers(-(2**60), 2**60),
            st.binary(max_size=50),
            st.text(max_size=5),
        ),
        min_size=1,
        max_size=30,
    )
)
@settings(max_examples=50)
def test_blocks_round_trip(given_):
    """Any records come back as they were."""
    given_records = [Record(Kind.TRACK, source, h, t, t, body) for h, t, body, source in given_]
    codec = BlockCodec()
    block = codec.decode(5, *codec.encode(given_records))
    assert list(block.bodies) == [r.body for r in given_records]
    assert list(block.id_hashes) == [r.id_hash for r in given_records]
    assert list(block.sources) == [r.source for r in given_records]


@pytest.mark.parametrize("cut", [0, 1, 10, 20])
def test_a_damaged_block_is_found_out(cut):
    """Not read as something else."""
    codec = BlockCodec()
    header, body = codec.encode(records(1, 2, 3))
    with pytest.raises(LogCorrupt):
        codec.decode(0, header[:cut], body)
    with pytest.raises(LogCorrupt):
        codec.decode(0, header, body[:cut])


async def test_a_dictionary_makes_single_events_small(tmp_path):
    """From the 500th event on, blocks of one event shrink; all are read, also by another process and after a rotation."""
    log = SqliteLog(tmp_path / "log", rotate_bytes=2_000_000)
    given_bodies = [
        b'{"type":"track","event":"Order Completed","userId":"u%d","properties":{"total":%d}}' % (n, n * 7)
        for n in range(1400)
    ]
    sizes = []
    for n, body in enumerate(given_bodies):
        await log.append([Record(Kind.TRACK, "s", n, n, n, body)])
        if n in {0, 499, 999}:
            sizes.append(log.size_bytes())
    assert bodies(log.read(0, 2000)) == given_bodies
    await log.close()
    later = SqliteLog(tmp_path / "log", read_only=True)
    assert bodies(later.read(0, 2000)) == given_bodies
    await later.close()
    with sqlite3.connect(next((tmp_path / "log").glob("*.db"))) as connection:
        rows = connection.execute("SELECT base, length(body) FROM block ORDER BY base").fetchall()
    before = sum(n for base, n in rows if base < 400) / 400
    after = [n for base, n in rows if base >= 500]
    assert sum(after) / len(after) < before / 2
