"""Every metric of the platform: those that the code defines, found where they are defined, and those that others bring."""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from prometheus_client.metrics import MetricWrapperBase

from service_kit.metrics import REGISTRY
from tools.steps import ROOT

_DEFINES = re.compile(r"^from (service_kit\.metrics|prometheus_client) import", re.MULTILINE)
_UNITS = {
    "_at_seconds": "seconds since 1970",
    "_timestamp_seconds": "seconds since 1970",
    "_time_seconds": "seconds since 1970",
    "_seconds": "seconds",
    "_percent": "percent",
    "_bytes": "bytes",
    "_rows": "rows",
    "_records": "records",
    "_messages": "messages",
    "_connections": "connections",
    "_days": "days",
}


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric by its name on the wire, without the endings of a histogram's series."""

    name: str
    kind: str
    labels: tuple[str, ...]
    meaning: str
    source: str
    unit: str
    limits: tuple[float, ...] = ()
    """The upper limits of a histogram's buckets, the last one infinite."""

    @property
    def series(self) -> dict[str, frozenset[str]]:
        """The names under which Prometheus keeps it, each with its labels."""
        labels = frozenset(self.labels)
        if self.kind != "histogram":
            return {self.name: labels}
        return {f"{self.name}_bucket": labels | {"le"}, f"{self.name}_sum": labels, f"{self.name}_count": labels}


# What is scraped beside the processes of Bloom. Their makers' pages say more.
_SCRAPE = "Prometheus itself"
_GATEWAY = "Envoy, at its admin port"
_BACKUP = "the backup command, by the textfile collector of the node exporter"
OTHERS = (
    Metric("up", "gauge", (), "1 while the target answers its scrapes, else 0.", _SCRAPE, "0 or 1"),
    Metric(
        "envoy_server_days_until_first_cert_expiring",
        "gauge",
        (),
        "Days until the first of the gateway's certificates expires.",
        _GATEWAY,
        "days",
    ),
    Metric(
        "bloom_backup_last_success_timestamp_seconds",
        "gauge",
        (),
        "When the last backup succeeded.",
        _BACKUP,
        "seconds since 1970",
    ),
)


@cache
def catalog() -> tuple[Metric, ...]:
    """All of them by name; ValueError when one is registered that no module holds, so that nobody could say whose it is."""
    made: dict[str, Metric] = {}
    for metric in (*_from_the_code(), *_from_the_client(), *OTHERS):
        # The library comes first, so that a metric is its own even where a service imports it.
        made.setdefault(metric.name, metric)
    registered = {family.name for family in REGISTRY.collect()}
    lost = registered - {name.removesuffix("_total") for name in made}
    if lost:
        raise ValueError(f"no module holds {', '.join(sorted(lost))}")
    return tuple(made[name] for name in sorted(made))


@cache
def series() -> dict[str, Metric]:
    """Every series by its name in Prometheus."""
    return {name: metric for metric in catalog() for name in metric.series}


def _from_the_code() -> Iterator[Metric]:
    for name in _defining_modules():
        importlib.import_module(name)
        for held in vars(sys.modules[name]).values():
            if isinstance(held, MetricWrapperBase):
                yield _described(held, name.partition(".")[0])


def _defining_modules() -> list[str]:
    paths = sorted((ROOT / "services").glob("*/src/*/**/*.py"))
    found = [path for path in paths if _DEFINES.search(path.read_text())]
    return ["service_kit.metrics", *(".".join(path.relative_to(ROOT).with_suffix("").parts[3:]) for path in found)]


def _described(held: MetricWrapperBase, package: str) -> Metric:
    (family,) = held.describe()
    name = f"{family.name}_total" if family.type == "counter" else family.name
    source = "every service" if package == "service_kit" else package.replace("_", "-")
    limits = tuple(getattr(held, "_upper_bounds", ()))
    labels = tuple(getattr(held, "_labelnames", ()))
    return Metric(name, family.type, labels, family.documentation, source, _unit(family.name, family.type), limits)


def _from_the_client() -> Iterator[Metric]:
    """What prometheus_client measures of each process."""
    for family in REGISTRY.collect():
        if family.name.startswith(("process_", "python_")):
            name = f"{family.name}_total" if family.type == "counter" else family.name
            labels = tuple(sorted(family.samples[0].labels)) if family.samples else ()
            unit = _unit(family.name, family.type)
            yield Metric(name, family.type, labels, family.documentation, "every process, by prometheus_client", unit)


def _unit(name: str, kind: str) -> str:
    for ending, unit in _UNITS.items():
        if name.endswith(ending):
            return unit
    return "count" if kind in {"counter", "gauge"} else "items"
