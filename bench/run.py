"""`make bench`: ratios against a reference measured in the same run; JSON lines on standard output and in bench/results."""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
import tempfile
import time
from pathlib import Path

from millstream.delivery.operation import Key, Stamped, Write
from millstream.delivery.slots import Slots
from millstream.destinations.hubspot.sink import KINDS
from millstream.eventlog.dedupe import Dedupe
from millstream.eventlog.record import KIND_OF_TYPE, Record, message_hash
from millstream.mapping.compile import compile_mapping
from millstream.mapping.trigger import parse_trigger
from millstream.pipeline.processor import Processor
from millstream.spec import events
from millstream.spec.parse import Envelope, parse
from millstream.storage.sqlite.log import SqliteLog
from millstream.storage.sqlite.state import SqliteState

RESULTS = Path(__file__).parent / "results"
NOW = 1_700_000_000_000


def identify(i, people):
    """A record of about a kilobyte."""
    traits = {
        "email": f"u{i % people}@x.example",
        "n": i,
        **{f"trait_{k}": f"value {k} {i}" for k in range(15)},
    }
    item = {"type": "identify", "userId": f"u{i % people}", "messageId": f"m{i}", "traits": traits}
    event = parse(item, Envelope("s", NOW + i, ""))
    body = events.encode(event)
    return Record(KIND_OF_TYPE["identify"], "s", message_hash("s", f"m{i}"), NOW + i, NOW + i, body)


async def append(folder, records):
    """Events per second, durable: 64 producers, 20 events a call."""
    log = SqliteLog(folder / "log")
    calls = iter([records[i : i + 20] for i in range(0, len(records), 20)])

    async def produce():
        for call in calls:
            await log.append(call)

    began = time.perf_counter()
    await asyncio.gather(*(produce() for _ in range(64)))
    rate = len(records) / (time.perf_counter() - began)
    await log.close()
    return rate


def row_per_event(folder, records):
    """The reference: one row an event, fsync per 1,280 events (64 producers of 20)."""
    connection = sqlite3.connect(folder / "reference.db", isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute(
        "CREATE TABLE e (id INTEGER PRIMARY KEY, source TEXT, hash INTEGER, time INTEGER, body BLOB)"
    )
    began = time.perf_counter()
    for i in range(0, len(records), 1280):
        connection.execute("BEGIN")
        connection.executemany(
            "INSERT INTO e (source, hash, time, body) VALUES (?, ?, ?, ?)",
            [(r.source, r.id_hash >> 1, r.time_ms, r.body) for r in records[i : i + 1280]],
        )
        connection.execute("COMMIT")
    rate = len(records) / (time.perf_counter() - began)
    connection.close()
    return rate


async def process(folder, records):
    """Microseconds per identify, profiles and annotations durable."""
    log, state = SqliteLog(folder / "plog"), SqliteState(folder / "state.db")
    await log.append(records)
    processor = Processor(log, state.processor, Dedupe())
    began = time.perf_counter()
    while await processor.step():
        pass
    spent = time.perf_counter() - began
    state.close()
    await log.close()
    return spent / len(records) * 1e6


def per_second(work, n=50_000):
    """How often a function runs in a second."""
    began = time.perf_counter()
    for _ in range(n):
        work()
    return n / (time.perf_counter() - began)


def slots(n=50_000):
    """Microseconds per folded write, settled."""
    found = Slots(KINDS, lambda _row: "contact.upsert")
    began = time.perf_counter()
    for i in range(n):
        key = Key("contact", "email", f"u{i % 5000}")
        found.write(Write("contact", key, {"a": Stamped(i, i, i), "b": Stamped(i, i, i)}), 0.0)
    queue, _ = found.next_kind(10.0, 0.5, lambda *_: 0.0)
    while queue is not None:
        for entry in found.take(queue):
            found.done(entry)
        queue, _ = found.next_kind(10.0, 0.5, lambda *_: 0.0)
    return (time.perf_counter() - began) / n * 1e6


def main():
    """All of it."""
    records = [identify(i, 10_000) for i in range(40_000)]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        ours, reference = asyncio.run(append(folder, records)), row_per_event(folder, records)
        existing = asyncio.run(process(folder, records))
    event = {
        "type": "track",
        "event": "Order Completed",
        "properties": {"total": 5},
        "traits": {"email": "a@b.co"},
    }
    trigger = parse_trigger('type = "track" and (event = "Order Completed" or properties.total > 100)')
    mapping = compile_mapping({f"f{i}": {"@path": f"$.properties.p{i}"} for i in range(20)})
    found = [
        {
            "what": "log append, durable",
            "events_per_s": round(ours),
            "ratio_to_row_per_event": round(ours / reference, 2),
        },
        {"what": "processor, identify", "us_per_event": round(existing, 1)},
        {"what": "slots, folded write", "us_per_operation": round(slots(), 2)},
        {"what": "trigger", "evaluations_per_s": round(per_second(lambda: trigger.matches(event)))},
        {"what": "mapping of 20 fields", "us": round(1e6 / per_second(lambda: mapping.evaluate(event)), 1)},
    ]
    RESULTS.mkdir(exist_ok=True)
    lines = "".join(json.dumps(line | {"cpus": os.cpu_count()}) + "\n" for line in found)
    (RESULTS / "latest.jsonl").write_text(lines)
    print(lines, end="")


if __name__ == "__main__":
    main()
