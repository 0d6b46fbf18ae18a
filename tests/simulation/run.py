"""Many seeds by hand: `python tests/simulation/run.py --seeds 1000 [--imported 700]`."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from world import World


def main():
    """Run the seeds; exit 1 when one has violations."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=1000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--imported", type=int, default=0, help="events of an import before all others")
    args = parser.parse_args()
    given = {}
    if args.imported:
        given = {"events": args.imported + 300, "imported": args.imported, "people": 500, "window": 100}
    bad, began = 0, time.monotonic()
    for seed in range(args.first, args.first + args.seeds):
        violations = World(seed, **given).run(kills=seed % 3)
        if violations:
            bad += 1
            print(f"seed {seed}: {violations[:3]}")
    print(f"{args.seeds} seeds, {bad} with violations, {time.monotonic() - began:.0f} s")
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
