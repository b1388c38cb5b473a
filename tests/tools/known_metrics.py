"""Every series that a Prometheus would have: those of the catalogue, and those that its rules record."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

from tools.alerting.catalog import RECORDED
from tools.steps import ROOT
from tools.telemetry.metrics import Metric, series

SCRAPED = frozenset({"service", "process", "job", "instance"})
"""Labels that Prometheus itself adds, by the configuration beside the dashboards."""


class Known(NamedTuple):
    """A series' kind, and the labels that the code gives it."""

    kind: str
    labels: frozenset[str]


@cache
def known_metrics() -> dict[str, Known]:
    """By the name on the wire, such as `bloom_http_requests_total`."""
    made = {name: Known(_kind(name, metric), metric.series[name]) for name, metric in series().items()}
    return made | {name: Known("gauge", frozenset({"slo"})) for name in RECORDED}


def _kind(name: str, metric: Metric) -> str:
    return "counter" if metric.kind == "histogram" and not name.endswith("_bucket") else metric.kind


@cache
def source() -> str:
    """All code that could give a label its value."""
    folders = (ROOT / "services", ROOT / "libs")
    return "\n".join(path.read_text() for folder in folders for path in sorted(folder.glob("*/src/**/*.py")))
