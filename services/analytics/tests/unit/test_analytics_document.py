"""The document says what the code does: its table of metrics is that of the definitions, its settings are all there are."""

import re
from pathlib import Path

from analytics.clients import meters
from analytics.domain.metric import Metric
from analytics.domain.metrics import METRICS
from analytics.settings import Settings
from service_kit.settings import ServiceSettings

DOCUMENT = (Path(__file__).parents[4] / "docs" / "analytics.md").read_text()
HEAD = "| metric | says | keeps | in | windows | by | smallest | reads |\n|---|---|---|---|---|---|---|---|"


def line_of(metric: Metric) -> str:
    groups = ", ".join("tenant" if not grouping else " and ".join(grouping) for grouping in metric.groupings)
    reads = ", ".join(f"`{kind.TYPE}`" for kind in metric.reads)
    spans = ", ".join(span.name for span in metric.spans)
    facts = (f"`{metric.name}`", metric.says, metric.aggregate, metric.unit, spans, groups, str(metric.smallest_group), reads)
    return f"| {' | '.join(facts)} |"


def test_the_table_of_metrics_is_that_of_the_definitions() -> None:
    table = "\n".join([HEAD, *map(line_of, METRICS.values())])

    assert table in DOCUMENT, f"docs/analytics.md should have this table:\n{table}"
    assert len(re.findall(r"^\| `", DOCUMENT, re.MULTILINE)) == len(METRICS)


def test_every_time_of_windows_is_explained_with_its_default() -> None:
    own = set(Settings.model_fields) - set(ServiceSettings.model_fields)
    times = {
        name: Settings.model_fields[name].default for name in own if name.endswith("_seconds") and not name.startswith("lake_")
    }

    assert len(times) >= 4
    assert [name for name, default in times.items() if f"`ANALYTICS_{name.upper()}` ({default:g})" not in DOCUMENT] == []


def test_every_figure_for_operators_is_explained() -> None:
    figures = [name for name, value in vars(meters).items() if name.isupper()]
    wire = [getattr(meters, name)._name.removeprefix("bloom_analytics") for name in figures]

    assert len(wire) == 11
    assert [name for name in wire if name not in DOCUMENT] == []
