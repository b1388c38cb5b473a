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


def tests(name: str, *paths: str) -> Step:
    """Tests on real servers, with the slowest named at the end."""
    return Step(name, python("-m", "pytest", "-q", "--durations=15", *paths), show=True)


def main(paths: list[str]) -> int:
    """Without paths: checks, all tests on real servers, the fault matrix in its short form. With paths: only those tests."""
    if paths:
        return run_all([tests("tests", *paths)], then="make test")
    then = "make bench for figures, make up for the platform"
    checked = run_all(check_steps(), then="the tests")
    tested = run_beside([tests(name, *folders) for name, folders in HALVES.items()])
    *beside, alone = [Step(name, python("-m", "tests.faults", "--row", rows), show=True) for name, rows in FAULTS.items()]
    survived = run_beside(beside)
    quiet = run_all([alone], then=then)
    return 0 if checked == 0 and tested and survived and quiet == 0 else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
