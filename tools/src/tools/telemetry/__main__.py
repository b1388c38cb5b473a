"""`python -m tools.telemetry write|check`: docs/metrics.md, docs/logs.md, and the configuration of the collector."""

import sys

from tools.generated import run_generator
from tools.telemetry import collector, logs_page, metrics_page


def generated() -> dict[str, str]:
    """Each path below the root with its text as it should be."""
    return {
        metrics_page.PATH: metrics_page.page(),
        logs_page.PATH: logs_page.page(),
        collector.PATH: collector.configuration(),
    }


if __name__ == "__main__":
    sys.exit(run_generator(generated, sys.argv[1:]))
