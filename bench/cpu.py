"""CPU of the parts, in one process: log, processor, delivery to the request, mappings, triggers; and the reference loop."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import time

import msgspec

from millstream.delivery.delivery import Delivery
from millstream.delivery.operation import Key, Write
from millstream.delivery.outcome import FINAL
from millstream.delivery.slots import Slots
from millstream.delivery.statement import Statement
from millstream.delivery.works import DeliverySettings
from millstream.destinations.hubspot import destination as hubspot
from millstream.destinations.hubspot.actions import ACTIONS
from millstream.destinations.hubspot.presets import PRESETS
from millstream.destinations.hubspot.sink import KINDS
from millstream.eventlog.dedupe import Dedupe
from millstream.eventlog.reader import LogReader
from millstream.hubspot_api.client import Answer
from millstream.mapping.compile import compile_mapping
from millstream.mapping.trigger import parse_trigger
from millstream.pipeline.processor import Processor
from millstream.runtime.engine import tune_interpreter
from millstream.storage.sqlite.log import SqliteLog
from millstream.storage.sqlite.state import SqliteState
from millstream.workspace.model import Destination
from traffic import NOW, identify, record, track

encode, decode = msgspec.json.encode, msgspec.json.decode
_THEN = "2024-01-01T00:00:00.000Z"


def reference(bodies):
    """Microseconds an event of the plainest thing: json.loads, merge into a dict per person, json.dumps."""
    people = {}
    began = time.process_time()
    for body in bodies:
        event = json.loads(body)
        known = people.setdefault(event["userId"], {})
        known.update(event.get("traits") or event.get("properties"))
        json.dumps(known)
    return (time.process_time() - began) / len(bodies) * 1e6


class Stub:
    """Answers in HubSpot's place, at once; counts its own time so that it can be taken off."""

    def __init__(self, properties):
        self.spent = 0.0
        self.calls = 0
        self._properties = [
            {"name": n, "type": "string", "fieldType": "text", "label": n} for n in properties
        ]
        self._definition = {
            "name": "order_completed",
            "fullyQualifiedName": "pe1_order_completed",
            "labels": {"singular": "Order Completed"},
            "properties": [{"name": f"p_{k}", "type": "string"} for k in range(9)],
        }

    async def send(self, request, **_):
        """One answer."""
        began = time.process_time()
        self.calls += 1
        if request.method == "GET" and request.family == "schemas":
            answer = {"results": self._properties}
        elif request.method == "GET" and request.family == "events":
            answer = {"results": [self._definition]}
        elif request.method == "GET":
            answer = {"timeZone": "UTC"}
        elif request.pool == "events":
            answer = {}
        else:
            inputs = decode(request.body)["inputs"]
            answer = {
                "status": "COMPLETE",
                "results": [
                    {
                        "id": x["id"] if x["id"].isdigit() else str(abs(hash(x["id"]))),
                        "properties": self._held(x),
                        "new": "idProperty" in x,
                        "createdAt": _THEN,
                        "updatedAt": _THEN,
                        "archived": False,
                        "objectWriteTraceId": x["objectWriteTraceId"],
                    }
                    for x in inputs
                ],
            }
        found = Answer(200, encode(answer) if answer else b"")
        self.spent += time.process_time() - began
        return found

    @staticmethod
    def _held(given):
        """What HubSpot repeats of a record: all that was written, and what it says of every record by itself."""
        held = {"hs_object_id": "1", "createdate": _THEN, "lastmodifieddate": _THEN, **given["properties"]}
        return held | ({given["idProperty"]: given["id"]} if "idProperty" in given else {})


class Nobody:
    """Nobody observes."""

    def delivered(self, _destination, _seconds):
        """Nothing."""

    def quarantined(self, destination):
        """What is measured must not be how fast errors are."""
        raise AssertionError(destination)


async def pipeline(folder, batches):
    """CPU microseconds an event of processor and of delivery, for each batch of records in turn."""
    tune_interpreter()
    log, state = SqliteLog(folder / "log"), SqliteState(folder / "state.db")
    processor = Processor(log, state.processor, Dedupe())
    given = Destination(
        "hubspot",
        "hubspot",
        preset="classic",
        settings={"portal_id": "1", "access_token": "t", "resend_after_hours": 24},
    )
    built = hubspot.build(hubspot.expand(given), lambda: NOW, state.made, lambda *_: None)
    stub = Stub(["email", "n", *(f"trait_{k}" for k in range(15))])
    built.sink.client.send = stub.send
    built.sink._portal.cache._client = stub
    delivery = Delivery(
        "hubspot",
        LogReader(log, state.processor),
        state.processor,
        state.deliveries,
        built.planner,
        built.sink,
        DeliverySettings(linger_s=0.05, max_lag_ms=2**62),
        now_ms=lambda: NOW,
        jitter=lambda: 0.5,
        observer=Nobody(),
    )
    running = asyncio.create_task(delivery.run())
    found = []
    total = 0
    for batch in batches:
        await log.append(batch)
        began = time.process_time()
        while await processor.step():
            pass
        processed = time.process_time()
        # Delivery has worked beside it; what it did meanwhile is in the sum of both.
        total += len(batch)
        while sum(n for (s, _), n in state.deliveries.tally("hubspot").items() if s in FINAL) < total:
            await asyncio.sleep(0.02)
        ended = time.process_time()
        found.append(
            {
                "total_us": round((ended - began - stub.spent) / len(batch) * 1e6, 1),
                "calls": stub.calls,
                "processor_share": round((processed - began) / max(ended - began, 1e-9), 2),
            }
        )
        stub.spent, stub.calls = 0.0, 0
    await delivery.stop()
    await running
    await asyncio.to_thread(state.close)
    await log.close()
    return found


async def processing(folder, batches):
    """CPU microseconds an event of the processor alone, for each batch."""
    tune_interpreter()
    log, state = SqliteLog(folder / "log"), SqliteState(folder / "state.db")
    processor = Processor(log, state.processor, Dedupe())
    found = []
    for batch in batches:
        await log.append(batch)
        began = time.process_time()
        while await processor.step():
            pass
        found.append(round((time.process_time() - began) / len(batch) * 1e6, 1))
    await asyncio.to_thread(state.close)
    await log.close()
    return found


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
    size = log.size_bytes()
    await log.close()
    return rate, size


def row_per_event(folder, records):
    """The reference: one row an event, fsync per 1,280 events (64 producers of 20)."""
    path = folder / "reference.db"
    connection = sqlite3.connect(path, isolation_level=None)
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
    return rate, path.stat().st_size


def per_second(work, n=50_000):
    """How often a function runs in a second, the best of three."""
    best = 0.0
    for _ in range(3):
        began = time.perf_counter()
        for _ in range(n):
            work()
        best = max(best, n / (time.perf_counter() - began))
    return best


def slots(n=50_000):
    """Microseconds per folded write, settled; making the operations is not counted."""
    found = Slots({kind.name: kind for kind in KINDS}, lambda _row: "contact.upsert")
    operations = [
        Write("contact", Key("contact", "email", f"u{i % 5000}"), Statement({"a": i, "b": i}, (i, i)))
        for i in range(n)
    ]
    began = time.perf_counter()
    for operation in operations:
        found.write(operation, 0.0)
    queue, _ = found.next_kind(10.0, 0.5, lambda *_: 0.0)
    while queue is not None:
        for entry in found.take(queue):
            found.done(entry)
        queue, _ = found.next_kind(10.0, 0.5, lambda *_: 0.0)
    return (time.perf_counter() - began) / n * 1e6


def measure(folder):
    """All of it, as lines."""
    identifies = [identify(i, 20_000) for i in range(20_000)]
    tracks = [track(i, 20_000) for i in range(20_000)]
    plain = reference([json.dumps(i) for i in identifies])
    plain_track = reference([json.dumps(i) for i in tracks])
    new = [record(item, i) for i, item in enumerate(identifies)]
    again = [record(identify(i + 20_000, 20_000), i + 20_000) for i in range(20_000)]
    sent = [record(item, i + 40_000) for i, item in enumerate(tracks)]

    def sub(name):
        (folder / name).mkdir()
        return folder / name

    rate, size = asyncio.run(append(sub("append"), new))
    plain_rate, plain_size = row_per_event(sub("rows"), new)
    alone = asyncio.run(processing(sub("process"), [new, again, sent]))
    whole = asyncio.run(pipeline(sub("whole"), [new, again, sent]))
    yield {
        "what": "log append, durable, 64 producers of 20",
        "events_per_s": round(rate),
        "ratio_to_row_per_event": round(rate / plain_rate, 2),
        "disk_ratio_to_row_per_event": round(size / plain_size, 2),
    }
    for what, at, loop in (
        ("identify, new person", 0, plain),
        ("identify, known person", 1, plain),
        ("track", 2, plain_track),
    ):
        yield {
            "what": f"CPU log to request to outcome: {what}",
            "us_per_event": whole[at]["total_us"],
            "of_which_processor_us": alone[at],
            "ratio_to_plain_json_loop": round(whole[at]["total_us"] / loop, 2),
            "calls": whole[at]["calls"],
        }
    yield {
        "what": "plain json.loads, merge, json.dumps",
        "identify_us": round(plain, 1),
        "track_us": round(plain_track, 1),
    }
    yield {"what": "slots, folded write, settled", "us_per_operation": round(slots(), 2)}
    event = {
        "type": "track",
        "event": "Order Completed",
        "properties": {"total": 5},
        "traits": {"email": "a@b.co"},
    }
    trigger = parse_trigger('type = "track" and (event = "Order Completed" or properties.total > 100)')
    mapping = compile_mapping({f"f{i}": {"@path": f"$.properties.p{i}"} for i in range(20)})
    yield {
        "what": "trigger of three comparisons",
        "evaluations_per_s": round(per_second(lambda: trigger.matches(event))),
    }
    contact = compile_mapping(ACTIONS["upsert_contact"].mapping({}))
    chosen = compile_mapping(PRESETS["segment"].mappings[0].fields)
    yield {
        "what": "default contact mapping",
        "mappings_per_s": round(per_second(lambda: contact.evaluate(identifies[0]))),
        "of_segments_preset_per_s": round(per_second(lambda: chosen.evaluate(identifies[0]))),
    }
    yield {"what": "mapping of 20 paths", "us": round(1e6 / per_second(lambda: mapping.evaluate(event)), 1)}
