"""`python -m tools.dashboards write|check`: Grafana's JSON, Prometheus's list of processes, and docs/dashboards.md."""

import re
import sys

from tools.dashboards.catalog import DASHBOARDS
from tools.dashboards.grafana import to_json
from tools.dashboards.page import tables
from tools.dashboards.scraping import scrape_configuration
from tools.generated import run_generator
from tools.steps import ROOT

JSON = "deploy/observability/grafana/dashboards"
SCRAPING = "deploy/observability/prometheus/prometheus.yml"
PAGE = "docs/dashboards.md"
_BLOCK = re.compile(r"(<!-- generated [^\n]*-->\n).*?(<!-- end -->)", re.DOTALL)


def generated() -> dict[str, str]:
    """Each path below the root with its text as it should be."""
    page = (ROOT / PAGE).read_text()
    return {
        **{f"{JSON}/{dashboard.uid}.json": to_json(dashboard) for dashboard in DASHBOARDS},
        SCRAPING: scrape_configuration(),
        PAGE: _BLOCK.sub(lambda found: f"{found.group(1)}\n{tables(DASHBOARDS)}\n\n{found.group(2)}", page),
    }


if __name__ == "__main__":
    sys.exit(run_generator(generated, sys.argv[1:]))
