"""Keep what the fault matrix and the benchmarks found: one JSON file of rows each, and the same as a table."""

import fcntl
import json
import os
import platform
import subprocess
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from tools.steps import ROOT


@dataclass(frozen=True, slots=True)
class Row:
    """One finding: `figure` in `unit` against `goal`; `ok` is None without a goal; `detail` holds what it was made from."""

    id: str
    name: str
    figure: float | int | None
    unit: str
    goal: str
    ok: bool | None
    detail: dict[str, object] = field(default_factory=dict)


def commit() -> str:
    """The commit this working tree stands on, with a plus sign when it has changes."""
    head = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout.strip()
    dirty = subprocess.run(["git", "status", "--porcelain"], cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()
    return f"{head or 'none'}{'+' if dirty else ''}"


def machine() -> str:
    """Processor, cores and Python in one line, without the machine's name."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    model = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.processor())
    return f"{model}, {os.cpu_count()} cores, Python {platform.python_version()}"


def keep(kind: str, rows: Sequence[Row], *, seed: int) -> Path:
    """Write results/<kind>.json; rows of an earlier run that were not run now stay. Returns the file."""
    path = ROOT / "results" / f"{kind}.json"
    path.parent.mkdir(exist_ok=True)
    now = {row.id: asdict(row) for row in rows}
    # Two runs beside each other keep their rows in the same file.
    with path.open("a+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        kept = [row for row in json.loads(file.read() or '{"rows": []}')["rows"] if row["id"] not in now]
        text = json.dumps({"commit": commit(), "machine": machine(), "seed": seed, "rows": [*kept, *now.values()]}, indent=2)
        file.truncate(0)
        file.write(text + "\n")
    return path


def table(rows: Sequence[Row]) -> str:
    """The rows as aligned text: id, name, figure with unit, goal, verdict."""
    verdict = {True: "ok", False: "MISSED", None: "-"}
    cells = [["row", "what", "figure", "goal", ""]]
    cells += [[row.id, row.name, f"{figure(row.figure)} {row.unit}".strip(), row.goal, verdict[row.ok]] for row in rows]
    widths = [max(len(line[column]) for line in cells) for column in range(5)]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in cells)


def figure(value: float | None) -> str:
    """A number as a person would write it: no digits that mean nothing."""
    if value is None:
        return "-"
    return f"{value:,.0f}" if abs(value) >= 1000 or float(value).is_integer() else f"{value:.3g}"
