"""A server in a process of its own that answers questions on standard input, one JSON line each.

python bench/host.py CONFIG DATA_DIR [no-engine]

{"do": "latency", "destination": NAME}   quantiles of receipt → confirmation since the last time, in seconds
{"do": "status"}                         what /readyz says
{"do": "memory"}                         the peak of resident memory, in megabytes
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from millstream.runtime.engine import tune_interpreter
from millstream.runtime.serve import ServerThread
from millstream.runtime.settings import Settings


def answer(thread, asked):
    """What is asked, as JSON-able data."""
    parts = thread.server.parts
    if asked["do"] == "latency":
        found = {f"p{q}_s": parts.latency_quantile(asked["destination"], q / 100) for q in (50, 95, 99)}
        count = len(parts._observed.latencies.pop(asked["destination"], []))
        return {**found, "confirmed": count}
    if asked["do"] == "memory":
        status = Path("/proc/self/status").read_text()
        return {"peak_mb": round(int(status.split("VmHWM:")[1].split()[0]) / 1024)}
    return thread.server.ready()


def main():
    """Serve until standard input ends."""
    settings = Settings(config=Path(sys.argv[1]), data_dir=Path(sys.argv[2]), port=0)
    thread = ServerThread(settings, {"TOKEN": "t"})
    if "no-engine" in sys.argv:
        engine = thread.server.engine
        engine.start = tune_interpreter
        engine.stop = lambda: None
    print(json.dumps({"url": thread.start()}), flush=True)
    for line in sys.stdin:
        print(json.dumps(answer(thread, json.loads(line))), flush=True)
    thread.stop()


if __name__ == "__main__":
    main()
