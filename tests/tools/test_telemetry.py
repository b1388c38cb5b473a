"""The catalogues of metrics and logs hold what the code has, and the collector passes on that and no more."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import Gauge
from tests.tools.committed_dashboards import COMMITTED, targets
from tests.tools.test_prometheus_queries import selectors

from service_kit.logs import REDACTED, redact
from service_kit.metrics import REGISTRY
from tools.alerting.catalog import ALERTS, RECORDED
from tools.steps import ROOT
from tools.telemetry import metrics
from tools.telemetry.__main__ import generated
from tools.telemetry.collector import BLOCKED, PATH, log_fields, span_attributes
from tools.telemetry.logs import LEVELS, UnreadableLineError, lines, lines_of

COLLECTOR: dict[str, Any] = yaml.safe_load((ROOT / PATH).read_text())
PIPELINES: dict[str, dict[str, list[str]]] = COLLECTOR["service"]["pipelines"]


@pytest.mark.parametrize("path", generated())
def test_what_is_committed_is_what_the_program_makes(path: str):
    assert (ROOT / path).read_text() == generated()[path]


@pytest.mark.parametrize("metric", metrics.catalog(), ids=lambda metric: metric.name)
def test_every_metric_says_what_it_means_and_in_which_unit(metric: metrics.Metric):
    assert len(metric.meaning) > 5
    assert metric.unit
    assert metric.meaning.endswith(".") or metric.source.startswith("every process")
    if metric.kind == "histogram":
        assert metric.limits[-1] == float("inf")


def test_every_metric_that_is_asked_for_is_in_the_catalogue():
    asked = [
        target["expr"].replace("$__rate_interval", "1m") for board in COMMITTED for target in targets(board) if "expr" in target
    ]
    named = {
        selector.name for expression in [*asked, *(alert.expression for alert in ALERTS)] for selector in selectors(expression)
    }

    assert named <= set(metrics.series()) | set(RECORDED)
    page = (ROOT / "docs/metrics.md").read_text()
    assert all(f"| `{metric.name}` |" in page for metric in metrics.catalog())


def test_a_metric_that_no_module_holds_is_refused():
    lost = Gauge("nobody_holds_me", "Lost.", namespace="bloom", registry=REGISTRY)
    try:
        with pytest.raises(ValueError, match="bloom_nobody_holds_me"):
            metrics.catalog.__wrapped__()
    finally:
        REGISTRY.unregister(lost)


def test_every_line_that_the_code_logs_is_read_with_its_level_and_fields():
    found = lines()

    assert {line.level for line in found} <= LEVELS
    assert ("http.answered", ("method", "ms", "route", "status")) in {(line.event, line.fields) for line in found}
    assert ("record_parked", ("consumer", "offset", "partition", "reason", "topic")) in {
        (line.event, line.fields) for line in found
    }


@pytest.mark.parametrize(
    "call",
    ["log.info(f'user.{kind}')", "log.info(name)", "log.warning('away', **facts)", "_log.error('bad', **vars(thing))"],
    ids=["a name that is put together", "a name from elsewhere", "fields from elsewhere", "fields of a thing"],
)
def test_a_line_that_cannot_be_read_off_the_source_is_refused(tmp_path: Path, call: str):
    path = tmp_path / "services/pets/src/pets/routes.py"
    path.parent.mkdir(parents=True)
    path.write_text(f"def tell(kind, name, facts, thing):\n    {call}\n")

    with pytest.raises(UnreadableLineError, match=r"routes\.py:2"):
        list(lines_of(path, root=tmp_path))


def test_pipelines_of_the_collector_go_through_parts_that_there_are_and_every_part_is_used():
    used: dict[str, set[str]] = {"receivers": set(), "processors": set(), "exporters": set()}
    for pipeline in PIPELINES.values():
        for kind, names in pipeline.items():
            used[kind] |= set(names)
    connectors = set(COLLECTOR["connectors"])

    assert used["processors"] == set(COLLECTOR["processors"])
    assert used["receivers"] == set(COLLECTOR["receivers"]) | connectors
    assert used["exporters"] == set(COLLECTOR["exporters"]) | connectors
    assert set(COLLECTOR["service"]["extensions"]) == set(COLLECTOR["extensions"])


@pytest.mark.promise("OB1", "OB4")
def test_the_collector_takes_traces_metrics_and_logs_to_tempo_prometheus_and_loki():
    assert {name: pipeline["exporters"][0] for name, pipeline in PIPELINES.items()} == {
        "traces": "otlp/tempo",
        "metrics": "prometheusremotewrite",
        "logs": "otlphttp/loki",
    }


@pytest.mark.parametrize("signal", ["traces", "logs"])
def test_what_holds_free_fields_is_reduced_to_those_that_are_named_before_it_leaves(signal: str):
    processors = PIPELINES[signal]["processors"]

    assert processors[0] == "memory_limiter"
    assert processors[-1] == "batch"
    redaction = COLLECTOR["processors"][f"redaction/{signal}"]
    assert f"redaction/{signal}" in processors[1:-1]
    assert redaction["allow_all_keys"] is False
    assert redaction["blocked_values"] == list(BLOCKED)
    assert set(span_attributes() if signal == "traces" else log_fields()) <= set(redaction["allowed_keys"])


def test_the_text_of_a_log_line_is_its_events_name_and_what_is_no_json_is_dropped():
    operators = COLLECTOR["receivers"]["filelog"]["operators"]

    assert {"type": "move", "from": "attributes.event", "to": "body"} in operators
    dropped = next(operator for operator in operators if operator["type"] == "filter")
    assert operators.index(dropped) < next(at for at, operator in enumerate(operators) if operator["type"] == "json_parser")


@pytest.mark.parametrize(
    "private",
    ["robin@example.test", "eyJhbGciOiJFUzI1NiJ9.eyJzdWIi.c2lnbmVk", "Bearer abcdefgh12345678", "postgresql://app:hush@db/bloom"],
)
def test_what_the_processes_take_out_of_their_lines_the_collector_masks_as_well(private: str):
    assert REDACTED in redact(None, "", {"detail": private})["detail"]
    assert any(re.search(pattern, private) for pattern in BLOCKED)


@pytest.mark.parametrize("harmless", ["appointment.booked.v1", "bloom.users.v1", "/api/x/{id}", "urn:bloom:problem:slot-taken"])
def test_the_collector_leaves_alone_what_is_no_secret(harmless: str):
    assert not any(re.search(pattern, harmless) for pattern in BLOCKED)


def test_every_variable_of_the_collector_is_explained():
    page = (ROOT / "docs/observability.md").read_text()

    for variable in re.findall(r"\$\{env:(\w+)\}", (ROOT / PATH).read_text()):
        assert f"| `{variable}` |" in page


def test_no_address_and_no_secret_is_written_into_the_collectors_configuration():
    exporters = yaml.safe_dump(COLLECTOR["exporters"])

    assert len(re.findall(r"\$\{env:\w+\}", exporters)) >= 3
    assert re.findall(r"https?://|password|token", exporters) == []
