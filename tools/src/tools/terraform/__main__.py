"""`python -m tools.terraform write|check`: the JSON that modules read, and the pages about modules and cost."""

import sys

from tools.generated import run_generator
from tools.terraform import catalogue, pages


def generated() -> dict[str, str]:
    """Each path below the root with its text as it should be."""
    return {**catalogue.generated(), **pages.generated()}


if __name__ == "__main__":
    sys.exit(run_generator(generated, sys.argv[1:]))
