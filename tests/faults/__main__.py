"""`make faults`: break things on purpose and look whether anything was lost. Ends non-zero when a row fails."""

import argparse
import asyncio
import random
import sys
import time
import traceback

from tests.faults.lab import Lab
from tests.faults.rows import ROWS

from service_kit.logs import configure_logging
from tools import results
from tools.steps import ROOT


def arguments() -> argparse.Namespace:
    """What was asked for on the command line."""
    parser = argparse.ArgumentParser(prog="make faults", description=__doc__)
    parser.add_argument("--row", help="rows to run, separated by commas (default: all)", default=",".join(ROWS))
    parser.add_argument("--long", action="store_true", help="the long form of every row")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**31), help="repeat a run that failed")
    return parser.parse_args()


async def run_row(lab: Lab, id_: str, *, long: bool, seed: int) -> results.Row:
    """Run one row; an exception makes it a failed row that carries the reason."""
    row, started = ROWS[id_], time.monotonic()
    print(f"\n── row {id_}: {row.name} (seed {seed})", flush=True)
    try:
        found = await row.run(lab, long=long, rng=random.Random(f"{seed}/{id_}"))
    except Exception as failure:
        traceback.print_exc()
        found = row.failed(failure)
    print(f"{'   ok' if found.ok else f'FAILED row {id_}'} in {time.monotonic() - started:.1f} s: {found.detail}", flush=True)
    return found


async def main() -> int:
    """Run the rows one after the other against servers of their own on free ports; keep results/faults.json."""
    asked = arguments()
    configure_logging(service="faults", level="WARNING")
    wanted = asked.row.split(",")
    if unknown := [id_ for id_ in wanted if id_ not in ROWS]:
        print(f"no such row: {', '.join(unknown)} (there are {', '.join(ROWS)})", file=sys.stderr)
        return 2
    async with Lab() as lab:
        rows = [await run_row(lab, id_, long=asked.long, seed=asked.seed) for id_ in wanted]
    path = results.keep("faults", rows, seed=asked.seed)
    print(f"\n{results.table(rows)}\n\nSeed {asked.seed}, kept in {path.relative_to(ROOT)}.", end=" ")
    failed = [row.id for row in rows if not row.ok]
    print(f"Failed: {', '.join(failed)}; repeat with --seed {asked.seed}." if failed else "Next: make bench")
    print(f"{len(rows) - len(failed)} passed, {len(failed)} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
