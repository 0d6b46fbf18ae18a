"""Checking and adding messages when 1, 10 and 50 million are remembered; in a process of its own, so memory is its own.

python bench/dedupe.py [MILLIONS ...]      JSON lines
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from pathlib import Path

from millstream.eventlog.dedupe import Dedupe
from millstream.spec.timestamps import DAY_MS

SIZES = (1, 10, 50)
# A step of the processor.
BATCH = 2000
CHECKS = 50_000
WEEK_MS = 7 * DAY_MS


def resident():
    """Bytes of memory that the process holds."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) * 1024


def check_us(seen, hashes):
    """CPU microseconds a check."""
    began = time.process_time()
    for id_hash in hashes:
        seen(id_hash)
    return (time.process_time() - began) / len(hashes) * 1e6


def filled(sizes):
    """A line for each size, in millions. They come within a week: the biggest index remembers all of them."""
    new = random.Random(1).getrandbits
    recent = {new(64) for _ in range(262_144)}
    unknown = [new(64) for _ in range(CHECKS)]
    plain = check_us(recent.__contains__, unknown)
    before, dedupe, added = resident(), Dedupe(), 0
    for size in sizes:
        total, spent, slowest = size * 1_000_000, 0.0, 0.0
        first, known = added, []
        while added < total:
            hashes = [new(64) for _ in range(BATCH)]
            known += hashes[: -(-CHECKS * BATCH // total)]
            received_ms = WEEK_MS * added // (sizes[-1] * 1_000_000)
            began = time.process_time()
            dedupe.add(hashes, received_ms)
            dedupe.expire(received_ms)
            took = time.process_time() - began
            spent, slowest = spent + took, max(slowest, took)
            added += BATCH
        unseen = check_us(dedupe.seen, unknown)
        yield {
            "what": f"dedupe, {size} million messages",
            "check_us": round(unseen, 2),
            "check_of_a_duplicate_us": round(check_us(dedupe.seen, known), 2),
            "ratio_to_a_set_of_262144": round(unseen / plain, 1),
            "add_us": round(spent / (added - first) * 1e6, 2),
            "longest_step_ms": round(slowest * 1e3, 1),
            "bytes_per_message": round((resident() - before) / added, 1),
        }


def measure(_folder):
    """All of it, as lines."""
    with subprocess.Popen([sys.executable, __file__], stdout=subprocess.PIPE, text=True) as process:
        yield from map(json.loads, process.stdout)


if __name__ == "__main__":
    for line in filled([int(n) for n in sys.argv[1:]] or SIZES):
        print(json.dumps(line), flush=True)
