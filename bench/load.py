"""A load generator in a process of its own: so many connections, batches of so many, at a rate or as fast as it goes.

    python bench/load.py '{"url", "key", "kind", "batch", "connections", "seconds" | "events", "rate", "prefix", "people"}'

Prints one JSON object: events sent, seconds, and quantiles of the time to the answer in milliseconds.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from urllib.parse import urlsplit

from traffic import identify, post, track

MAKE = {"identify": identify, "track": track}


async def connection(given, host, port, numbers, spent, end):
    """One connection: a request after the answer to the one before, each at its time."""
    reader, writer = await asyncio.open_connection(host, port)
    path = "/v1/batch" if given["batch"] > 1 else f"/v1/{given['kind']}"
    make, people, prefix = MAKE[given["kind"]], given.get("people", 1_000_000), given.get("prefix", "u")
    frozen = None
    sent = 0
    for i, due in numbers:
        if (wait := due - time.perf_counter()) > 0:
            await asyncio.sleep(wait)
        if time.perf_counter() > end:
            break
        if given.get("frozen") and frozen is not None:
            request = frozen
        else:
            items = [make(i * given["batch"] + k, people, prefix) for k in range(given["batch"])]
            request = frozen = post(path, given["key"], items)
        began = time.perf_counter()
        writer.write(request)
        await writer.drain()
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        await reader.readexactly(length)
        if b" 200 " not in head[:16]:
            raise SystemExit(head.decode())
        spent.append(time.perf_counter() - began)
        sent += given["batch"]
    writer.close()
    return sent


async def main(given):
    """All connections share one sequence of requests."""
    at = urlsplit(given["url"])
    began = time.perf_counter()
    total = given.get("events", 10**12) // given["batch"]
    gap = given["batch"] / given["rate"] if given.get("rate") else 0.0
    numbers = (
        iter((i, began + i * gap) for i in range(given.get("from", 0), given.get("from", 0) + total))
        if not gap
        else iter((i + given.get("from", 0), began + i * gap) for i in range(total))
    )
    spent = []
    end = began + given.get("seconds", 3600)
    sent = await asyncio.gather(
        *(connection(given, at.hostname, at.port, numbers, spent, end) for _ in range(given["connections"]))
    )
    took = time.perf_counter() - began
    spent.sort()
    quantiles = {
        f"p{q}_ms": round(spent[min(int(len(spent) * q / 100), len(spent) - 1)] * 1e3, 2)
        for q in (50, 95, 99)
    }
    print(
        json.dumps(
            {
                "events": sum(sent),
                "seconds": round(took, 2),
                "events_per_s": round(sum(sent) / took),
                **quantiles,
            }
        )
    )


if __name__ == "__main__":
    asyncio.run(main(json.loads(sys.argv[1])))
