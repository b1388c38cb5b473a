"""`make test`: everything CI runs, or with paths as arguments only those tests."""

import sys

from local_stack.paths import ROOT
from tools.check import steps as check_steps
from tools.rules import services
from tools.steps import Step, python, run_all, run_beside

# Tests wait more than they work, so two halves of about the same length share the cores. Each starts servers of its own on
# free ports. The architecture tests are a step of the checks.
_SHORTER = ("services/auth", "services/appointments", "services/billing")
HALVES = {
    "services": tuple(f"services/{path.name}" for path in services(ROOT) if f"services/{path.name}" not in _SHORTER),
    "platform": ("libs", "deploy", "tests/tools", "tests/contract", "tests/e2e", "tests/analysts", *_SHORTER),
}


# Some rows work, others wait for servers to come back: one of each kind at a time. The row of slow sockets, which compares
# latencies, comes when the others are through.
FAULTS = {"faults at work": "1,2,4,5,6,11", "faults at rest": "3,7,8,disk,crisis,12", "faults of sockets": "9"}


# Some tests judge how real servers behave in time, and both halves share the machine. Up to this many of a half that fail are
# asked again with the machine to themselves; those that pass then are named as unsteady at the end. Rows of the fault matrix
# are never asked again: what is lost once is lost.
MOST_ASKED_AGAIN = 5

_WIDEST = 240  # characters of a line in the list of failures


def suite(name: str, *paths: str, again: bool = False) -> Step:
    """Tests on real servers, with the slowest named at the end; `again`: only those that failed the time before."""
    remembered = (
        "-o",
        f"cache_dir=.local/pytest/{name}",
        *(("--last-failed", "--last-failed-no-failures=none") if again else ()),
    )
    return Step(
        f"{name}, again" if again else name, python("-m", "pytest", "-q", "--durations=15", *remembered, *paths), show=True
    )


def main(paths: list[str]) -> int:
    """Without paths: checks, all tests on real servers, the fault matrix in its short form. With paths: only those tests."""
    if paths:
        return run_all([suite("tests", *paths)], then="make test")
    failed = {} if run_all(check_steps(), then="the tests") == 0 else {"checks": ["see make check"]}
    unsteady: dict[str, list[str]] = {}
    for name, failures in run_beside([suite(name, *folders) for name, folders in HALVES.items()]).items():
        steady = len(failures) > MOST_ASKED_AGAIN or run_beside([suite(name, *HALVES[name], again=True)])
        (failed if steady else unsteady)[name] = failures
    *beside, alone = [Step(name, python("-m", "tests.faults", "--row", rows), show=True) for name, rows in FAULTS.items()]
    failed |= run_beside(beside) | run_beside([alone])
    # CI shows the end of a long output, so what failed is told once more there.
    print(_told("Unsteady (failed beside others, passed alone)", unsteady) + _told("Failed", failed), end="")
    print("\nSomething failed." if failed else "\nAll passed. Next: make bench for figures, make up for the platform")
    return 1 if failed else 0


def _told(title: str, failures: dict[str, list[str]]) -> str:
    return "".join(f"\n{title}, {name}: {line[:_WIDEST]}" for name, lines in failures.items() for line in lines)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
