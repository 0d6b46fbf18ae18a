"""What the sandbox itself can do: upserts over HTTP, a large seed, snapshots, searches.

python bench/sandbox.py [contacts]      default: 1000000; JSON lines. Also a part of bench/run.py
"""

from __future__ import annotations

import http.client
import json
import os
import socket
import statistics
import subprocess
import sys
import time
from pathlib import Path

TOKEN = "t"
HOST = """
import sys, uvicorn
from millstream.sandbox.app import HubSpot
from millstream.sandbox.config import SandboxConfig

hubspot = HubSpot(SandboxConfig(token="t", rate_limits=False, search_lag_ms=0))
uvicorn.run(hubspot.app(), host="127.0.0.1", port=int(sys.argv[1]), log_config=None, lifespan="off", access_log=False)
"""


class Portal:
    """A sandbox in a process of its own, on one core, without rate limits; one connection to it that stays open."""

    def __enter__(self):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.process = subprocess.Popen([sys.executable, "-c", HOST, str(self.port)])
        if hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(self.process.pid, {min(os.sched_getaffinity(0))})
        for _ in range(400):
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
                break
            except OSError:
                time.sleep(0.05)
        self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=600)
        self.connection.connect()
        self.connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return self

    def __exit__(self, *_):
        self.connection.close()
        self.process.terminate()
        self.process.wait(30)

    def call(self, method, path, body=None):
        """The answer's bytes; `body` is bytes or JSON."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode() if body is not None else None
        headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
        self.connection.request(method, path, data, headers)
        answer = self.connection.getresponse()
        found = answer.read()
        assert answer.status < 300, found[:300]
        return found

    def memory_mb(self):
        """Resident now, and at most."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        fields = dict(line.split(":", 1) for line in status.splitlines())
        return [int(fields[name].split()[0]) // 1024 for name in ("VmRSS", "VmHWM")]


def batch(number):
    """100 contacts with ten properties."""
    rows = [
        {
            "id": f"u{number * 100 + i}@x.example",
            "idProperty": "email",
            "objectWriteTraceId": str(i),
            "properties": {
                "firstname": "Ada", "lastname": f"L{i}", "phone": "+49 30 123456", "city": "Berlin", "country": "Germany",
                "jobtitle": "Engineer", "company": "Acme", "lifecyclestage": "lead", "website": "https://x.example",
            },
        }
        for i in range(100)
    ]  # fmt: skip
    return json.dumps({"inputs": rows}).encode()


def writes():
    """Upserts in batches of 100 (new and known contacts) and single changes, one after the other."""
    with Portal() as portal:
        bodies = [batch(n) for n in range(200)]
        for what in ("new", "known"):
            began = time.perf_counter()
            for body in bodies:
                portal.call("POST", "/crm/v3/objects/contacts/batch/upsert", body)
            rate = round(20_000 / (time.perf_counter() - began))
            yield {"bench": f"upserts of {what} contacts, batches of 100", "upserts_per_s": rate}
        began = time.perf_counter()
        for n in range(3000):
            portal.call("PATCH", f"/crm/v3/objects/contacts/{101 + n}", {"properties": {"city": str(n)}})
        yield {"bench": "single PATCH", "calls_per_s": round(3000 / (time.perf_counter() - began))}


def large(contacts):
    """A seed with a company for ten contacts, and a snapshot of it, restored into the same and an empty portal."""
    with Portal() as portal:
        before = portal.memory_mb()[0]
        began = time.perf_counter()
        portal.call("POST", "/_sandbox/seed", {"contacts": contacts, "companies": contacts // 10, "seed": 1})
        seconds, (now, most) = time.perf_counter() - began, portal.memory_mb()
        line = {
            "bench": f"seed {contacts} contacts with companies and associations",
            "seconds": round(seconds, 1),
        }
        yield {**line, "rss_mb": now, "most_mb": most, "before_mb": before}
        began = time.perf_counter()
        data = portal.call("GET", "/_sandbox/snapshot")
        seconds = time.perf_counter() - began
        yield {"bench": "snapshot of it", "seconds": round(seconds, 1), "file_mb": len(data) // 2**20}
    with Portal() as portal:
        began = time.perf_counter()
        portal.call("POST", "/_sandbox/restore", data)
        seconds, (now, most) = time.perf_counter() - began, portal.memory_mb()
        yield {"bench": "restore of it", "seconds": round(seconds, 1), "rss_mb": now, "most_mb": most}


def searches(contacts=100_000):
    """Medians of what clients ask; at 100,000 contacts."""

    def wanted(name, operator, value, **more):
        filters = [{"propertyName": name, "operator": operator, "value": value}]
        return {"filterGroups": [{"filters": filters}], "limit": 100, **more}

    with Portal() as portal:
        portal.call("POST", "/_sandbox/seed", {"contacts": contacts, "companies": contacts // 10, "seed": 1})
        listed = json.loads(portal.call("GET", "/crm/v3/objects/contacts?limit=100&after=50000"))["results"]
        emails = [r["properties"]["email"] for r in listed]
        newest = [{"propertyName": "createdate", "direction": "DESCENDING"}]
        questions = {
            "by email": lambda n: wanted("email", "EQ", emails[n]),
            "behind an id, in the order of ids": lambda n: wanted("hs_object_id", "GT", str(1000 * n)),
            "by country, whole portal": lambda _: wanted("country", "EQ", "Poland"),
            "by country, newest first": lambda _: wanted("country", "EQ", "Poland", sorts=newest),
        }
        for what, question in questions.items():
            times = []
            for n in range(25):
                began = time.perf_counter()
                portal.call("POST", "/crm/v3/objects/contacts/search", question(n))
                times.append(1000 * (time.perf_counter() - began))
            yield {"bench": f"search among {contacts} {what}", "p50_ms": round(statistics.median(times), 2)}


def lines(contacts):
    """Everything."""
    yield from writes()
    yield from searches()
    yield from large(contacts)


def measure(_folder):
    """As a part of bench/run.py."""
    for line in lines(1_000_000):
        yield {"what": f"sandbox: {line.pop('bench')}", **line}


if __name__ == "__main__":
    for found in lines(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000):
        print(json.dumps(found), flush=True)
