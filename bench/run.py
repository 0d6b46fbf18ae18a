"""`make bench`: ratios against references measured in the same run; JSON lines and a table.

python bench/run.py [cpu] [ingest] [delivery] [behind] [sandbox] [dedupe]      default: all; about 10 minutes
"""

from __future__ import annotations

import json
import os
import platform
import sys
import tempfile
import time
from pathlib import Path

import cpu
import dedupe
import sandbox
import server

RESULTS = Path(__file__).parent / "results"
PARTS = {
    "cpu": cpu.measure,
    "ingest": server.ingest,
    "delivery": server.delivery,
    "behind": server.behind,
    "sandbox": sandbox.measure,
    "dedupe": dedupe.measure,
}


def main():
    """Measure, print a line as soon as it is known, and a table at the end."""
    wanted = sys.argv[1:] or list(PARTS)
    RESULTS.mkdir(exist_ok=True)
    machine = {"cpus": os.cpu_count(), "python": platform.python_version(), "date": time.strftime("%Y-%m-%d")}
    found = []
    with (RESULTS / "latest.jsonl").open("w") as out:
        for name in wanted:
            with tempfile.TemporaryDirectory(prefix="millstream-bench-") as folder:
                for line in PARTS[name](Path(folder)):
                    found.append(line)
                    text = json.dumps({"part": name, **line, **machine})
                    out.write(text + "\n")
                    print(text, flush=True)
    width = max(len(line["what"]) for line in found)
    print()
    for line in found:
        figures = "  ".join(f"{k} {v}" for k, v in line.items() if k != "what")
        print(f"{line['what']:<{width}}  {figures}")


if __name__ == "__main__":
    main()
