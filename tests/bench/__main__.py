"""`make bench`: paired, interleaved benchmarks with their goals. Ends non-zero only when a row could not run."""

import argparse
import asyncio
import sys
import time
import traceback

from tests.bench.rows import ROWS

from service_kit.logs import configure_logging
from tools import results
from tools.steps import ROOT


def arguments() -> argparse.Namespace:
    """What was asked for on the command line."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--row", help="rows to run, separated by commas (default: all)", default=",".join(ROWS))
    parser.add_argument("--long", action="store_true", help="more rounds")
    return parser.parse_args()


async def main() -> int:
    """Run the rows one after the other, each on servers of its own; keep results/bench.json."""
    asked = arguments()
    configure_logging(service="bench", level="WARNING")
    wanted = asked.row.split(",")
    if unknown := [id_ for id_ in wanted if id_ not in ROWS]:
        print(f"no such row: {', '.join(unknown)} (there are {', '.join(ROWS)})", file=sys.stderr)
        return 2
    rows: list[results.Row] = []
    broken: list[str] = []
    for id_ in wanted:
        started = time.monotonic()
        print(f"\n── {id_}", flush=True)
        try:
            rows += await ROWS[id_](long=asked.long)
            print(f"   done in {time.monotonic() - started:.0f} s", flush=True)
        except Exception:
            traceback.print_exc()
            broken.append(id_)
    path = results.keep("bench", rows, seed=0)
    print(f"\n{results.table(rows)}\n\nKept in {path.relative_to(ROOT)}.", end=" ")
    print(f"Could not run: {', '.join(broken)}." if broken else "Next: docs/performance.md says what the figures mean.")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
