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
    faults = run_all([Step("faults, short form", python("-m", "tests.faults"), show=True)], then=then)
    return 0 if checked == 0 and tested and faults == 0 else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
