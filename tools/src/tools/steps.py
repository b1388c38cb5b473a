"""Run a list of commands one after the other, say what each did and took, and fail at the end if one failed."""

import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]

# How pytest's summary and the fault matrix begin the line of a failure.
_NAMES_A_FAILURE = ("FAILED ", "ERROR ")


@dataclass(frozen=True, slots=True)
class Step:
    """One command: what it is called in the progress lines, its arguments, and whether its output is shown as it comes."""

    name: str
    command: Sequence[str]
    show: bool = False


def tool(name: str) -> str:
    """The path of a program that was installed into this environment."""
    return str(Path(sys.executable).with_name(name))


def python(*arguments: str) -> list[str]:
    """A command of this environment's Python."""
    return [sys.executable, *arguments]


def run(step: Step) -> bool:
    """Run one step in the repository's root; its output is printed when it fails, or as it comes if it asks for that."""
    started = time.monotonic()
    if step.show:
        print(f"\n── {step.name}", flush=True)
    done = subprocess.run(step.command, cwd=ROOT, text=True, capture_output=not step.show, check=False)
    word = "ok" if done.returncode == 0 else f"FAILED (exit {done.returncode})"
    print(f"{step.name:<44} {word} in {time.monotonic() - started:.1f} s", flush=True)
    if done.returncode and not step.show:
        print("\n".join(f"    {line}" for line in (done.stdout + done.stderr).splitlines()), flush=True)
    return done.returncode == 0


def run_beside(steps: Sequence[Step]) -> dict[str, list[str]]:
    """Run steps at the same time, each line of their output behind the name of its step.

    Returns, for each step that failed, what its output names as failed: lines like `FAILED test - reason`, or its exit status.
    """
    print(f"\n── {' and '.join(step.name for step in steps)}", flush=True)
    with ThreadPoolExecutor(len(steps)) as pool:
        told = pool.map(_run_telling, steps)
        return {step.name: failures for step, failures in zip(steps, told, strict=True) if failures}


def _run_telling(step: Step) -> list[str]:
    started, failures = time.monotonic(), list[str]()
    with subprocess.Popen(step.command, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as running:
        for line in running.stdout or ():
            print(f"{step.name} | {line}", end="", flush=True)
            if line.startswith(_NAMES_A_FAILURE):
                failures.append(line.strip())
    word = "ok" if running.returncode == 0 else f"FAILED (exit {running.returncode})"
    print(f"{step.name:<44} {word} in {time.monotonic() - started:.1f} s", flush=True)
    return (failures or [word]) if running.returncode else []


def run_all(steps: Sequence[Step], *, then: str, stop_at_first: bool = False) -> int:
    """Run the steps, return 0 when all passed, else 1; `then` says what to do next after success."""
    failed: list[str] = []
    for step in steps:
        if not run(step):
            failed.append(step.name)
            if stop_at_first:
                break
    if failed:
        print(f"\nFailed: {', '.join(failed)}. The lines above say why.", file=sys.stderr)
        return 1
    print(f"\nAll {len(steps)} steps passed. Next: {then}")
    return 0
