"""`python -m tools.alerting write|check`: Prometheus's rules, their unit tests, and the list of runbooks."""

import sys

from tools.alerting.catalog import GROUPS
from tools.alerting.prometheus import index_of_runbooks, rule_file, test_file
from tools.alerting.rules import RUNBOOKS
from tools.generated import run_generator

FOLDER = "deploy/observability/prometheus"


def generated() -> dict[str, str]:
    """Each path below the root with its text as it should be."""
    return {
        **{f"{FOLDER}/rules/{group.name}.yml": rule_file(group) for group in GROUPS},
        **{f"{FOLDER}/tests/{group.name}.yml": test_file(group) for group in GROUPS},
        f"{RUNBOOKS}/README.md": index_of_runbooks(GROUPS),
    }


if __name__ == "__main__":
    sys.exit(run_generator(generated, sys.argv[1:]))
