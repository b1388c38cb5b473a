"""The committed dashboards as Grafana reads them."""

import json
from typing import Any

import pytest

from tools.steps import ROOT

FILES = sorted((ROOT / "deploy/observability/grafana/dashboards").glob("*.json"))
COMMITTED: list[dict[str, Any]] = [json.loads(path.read_text()) for path in FILES]

each_dashboard = pytest.mark.parametrize("dashboard", COMMITTED, ids=[path.stem for path in FILES])


def panels(dashboard: dict[str, Any]) -> list[dict[str, Any]]:
    """What shows something, without the headings."""
    return [panel for panel in dashboard["panels"] if panel["type"] != "row"]


def targets(dashboard: dict[str, Any]) -> list[dict[str, Any]]:
    """Every query of a dashboard."""
    return [target for panel in panels(dashboard) for target in panel["targets"]]
