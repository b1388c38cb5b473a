"""Every metric that the code of the platform has, with its kind and labels, as a Prometheus would see it."""

from __future__ import annotations

import importlib
import re
from functools import cache
from typing import NamedTuple

from service_kit.metrics import REGISTRY
from tools.steps import ROOT

SCRAPED = frozenset({"service", "process", "job", "instance"})
"""Labels that Prometheus itself adds, by the configuration beside the dashboards."""

_DEFINES = re.compile(r"^from (service_kit\.metrics|prometheus_client) import", re.MULTILINE)


class Known(NamedTuple):
    """A series' kind, and the labels that the code gives it."""

    kind: str
    labels: frozenset[str]


@cache
def known_metrics() -> dict[str, Known]:
    """By the name on the wire, such as `bloom_http_requests_total`."""
    for path in (ROOT / "services").glob("*/src/*/**/*.py"):
        if _DEFINES.search(path.read_text()):
            importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts[3:]))
    found = {"up": Known("gauge", frozenset())}
    for collector in list(REGISTRY._collector_to_names):
        labels = frozenset(getattr(collector, "_labelnames", ()))
        for family in collector.describe() if hasattr(collector, "_labelnames") else collector.collect():
            found |= _series(family.name, family.type, labels)
    return found


def _series(name: str, kind: str, labels: frozenset[str]) -> dict[str, Known]:
    if kind == "counter":
        return {f"{name}_total": Known(kind, labels)}
    if kind == "histogram":
        return {
            f"{name}_bucket": Known(kind, labels | {"le"}),
            f"{name}_sum": Known("counter", labels),
            f"{name}_count": Known("counter", labels),
        }
    return {name: Known(kind, labels)}


@cache
def source() -> str:
    """All code that could give a label its value."""
    folders = (ROOT / "services", ROOT / "libs")
    return "\n".join(path.read_text() for folder in folders for path in sorted(folder.glob("*/src/**/*.py")))
