"""What a whole server does: ingest rates, delivery at and below the portal's ceiling, one destination far behind."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import time
import urllib.request
from datetime import datetime
from pathlib import Path

HERE = Path(__file__).parent
SOURCES = "sources:\n  - {name: live, write_keys: [live]}\n  - {name: bulk, write_keys: [bulk]}\n"
DESTINATION = """\
  - name: {name}
    preset: classic
    sources: [{sources}]
    settings: {{portal_id: {portal}, access_token: "${{TOKEN}}", api_url: "{url}", unknown_properties: create}}
"""


class Host:
    """`bench/host.py` running."""

    def __init__(self, folder, destinations, *flags):
        folder.mkdir(exist_ok=True)
        config = folder / "millstream.yaml"
        listed = "".join(DESTINATION.format(**d) for d in destinations)
        config.write_text(SOURCES + ("destinations:\n" + listed if listed else "destinations: []\n"))
        self._process = subprocess.Popen(
            [sys.executable, HERE / "host.py", config, folder / "data", *flags],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.url = json.loads(self._process.stdout.readline())["url"]

    def ask(self, **question):
        """One question."""
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def close(self):
        """End it."""
        self._process.stdin.close()
        self._process.wait(30)


@contextlib.contextmanager
def sandbox(port, latency_ms=60, portal=20001):
    """`millstream sandbox` on a port; gives its address."""
    command = [
        sys.executable,
        "-m",
        "millstream",
        "sandbox",
        "--port",
        str(port),
        "--latency-ms",
        str(latency_ms),
    ]
    command += ["--token", "t", "--portal-id", str(portal)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"
    for _ in range(200):
        with contextlib.suppress(OSError):
            urllib.request.urlopen(f"{url}/_sandbox/state", timeout=2).read()
            break
        time.sleep(0.05)
    try:
        yield url
    finally:
        process.terminate()
        process.wait(10)


def load(url, **given):
    """Start a load generator; `result` waits for what it prints."""
    asked = json.dumps(
        {"url": url, "key": "live", "kind": "identify", "batch": 20, "connections": 32, **given}
    )
    return subprocess.Popen([sys.executable, HERE / "load.py", asked], stdout=subprocess.PIPE, text=True)


def result(process):
    """What a load generator found."""
    return json.loads(process.communicate()[0])


def calls(url):
    """The sandbox's log of calls."""
    with urllib.request.urlopen(f"{url}/_sandbox/calls?limit=100000", timeout=60) as answer:
        found = json.loads(answer.read())
    for call in found["calls"]:
        call["at"] = datetime.fromisoformat(call["at"]).timestamp()
    return found


def ingest(folder):
    """Durable events per second over HTTP, for batches of 1, 20 and 100; with and without the engine beside it."""
    for beside, flags in (("", ["no-engine"]), (", engine beside it", [])):
        for batch in (1, 20, 100):
            host = Host(folder / f"ingest{batch}{len(flags)}", [], *flags)
            # Alone: one prepared request again and again, so that the generators are not what limits.
            given = {"batch": batch, "seconds": 5, "connections": 64, "frozen": not beside}
            both = [load(host.url, **given, prefix=f"g{n}") for n in (0, 1)]
            found = [result(p) for p in both]
            host.close()
            yield {
                "what": f"ingest over HTTP, batches of {batch}{beside}",
                "events_per_s": sum(f["events_per_s"] for f in found),
                "p50_ms": max(f["p50_ms"] for f in found),
                "p99_ms": max(f["p99_ms"] for f in found),
            }


def delivery(folder):
    """The share of the portal's ceiling that is used, and latencies at half of it."""
    with sandbox(8391) as url:
        host = Host(folder / "full", [{"name": "a", "sources": "live", "portal": 20001, "url": url}])
        result(load(host.url, batch=100, events=60_000, connections=8))
        time.sleep(26)
        log = calls(url)["calls"]
        newest = max(c["at"] for c in log)
        window = [c for c in log if newest - 21 <= c["at"] < newest - 1]
        refused = sum(c["status"] == 429 for c in window)
        host.close()
        yield {
            "what": "contacts at the ceiling of 19 calls/s",
            "share_of_ceiling": round((len(window) - refused) / (20 * 19), 3),
            "share_429": round(refused / max(len(window), 1), 4),
        }
    with sandbox(8392) as url:
        host = Host(folder / "half", [{"name": "a", "sources": "live", "portal": 20001, "url": url}])
        result(load(host.url, events=1000, connections=4))
        time.sleep(4)
        host.ask(do="latency", destination="a")
        sent = result(load(host.url, batch=1, rate=900, seconds=30, connections=64, prefix="h"))
        time.sleep(4)
        found = host.ask(do="latency", destination="a")
        host.close()
        yield {
            "what": "receipt to 2xx at half the ceiling, 900 new contacts/s",
            **found,
            "sent": sent["events"],
            "ingest_p99_ms": sent["p99_ms"],
        }


def behind(folder, events=1_000_000):
    """One destination down with a million events behind: what ingest and the other destination notice, and recovery."""
    a = {"name": "a", "sources": "live", "portal": 20001}
    b = {"name": "b", "sources": "bulk", "portal": 20002}
    measured = []
    with sandbox(8393) as url:
        for name, destinations in (
            ("without", [{**a, "url": url}]),
            ("with", [{**a, "url": url}, {**b, "url": "http://127.0.0.1:8394"}]),
        ):
            host = Host(folder / name, destinations)
            if name == "with":
                began = time.perf_counter()
                result(
                    load(
                        host.url,
                        key="bulk",
                        kind="track",
                        batch=100,
                        events=events,
                        connections=8,
                        prefix="b",
                    )
                )
                while host.ask(do="status")["processor_lag"] > 0:
                    time.sleep(0.5)
                filled = time.perf_counter() - began
            result(load(host.url, events=1000, connections=4, prefix=f"w{name}"))
            time.sleep(4)
            host.ask(do="latency", destination="a")
            sent = result(load(host.url, batch=1, rate=500, seconds=30, connections=16, prefix=name))
            time.sleep(4)
            measured.append((sent, host.ask(do="latency", destination="a")))
            if name == "without":
                host.close()
        lag = host.ask(do="status")["destinations"]["b"]["lag"]
        memory = host.ask(do="memory")
        with sandbox(8394, portal=20002) as other:
            began = time.perf_counter()
            while not any(
                "/send" in c["path"] or "/batch/upsert" in c["path"] for c in calls(other)["calls"]
            ):
                time.sleep(0.25)
            first = time.perf_counter() - began
        host.close()
    (sent, own), (sent_with, own_with) = measured
    yield {
        "what": "one destination down, a million events behind",
        "behind": lag,
        "events_per_s_while_filling": round(events / filled),
        "ingest_p99_ms": sent_with["p99_ms"],
        "ingest_p99_ratio": round(sent_with["p99_ms"] / sent["p99_ms"], 2),
        "other_p95_s": own_with["p95_s"],
        "other_p95_ratio": round(own_with["p95_s"] / own["p95_s"], 2),
        "first_delivery_after_recovery_s": round(first, 1),
        "peak_memory_mb": memory["peak_mb"],
    }
