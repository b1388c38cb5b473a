"""Every PromQL expression parses, and asks for metrics, labels and values that the code has."""

from __future__ import annotations

import re
from typing import Any

import promql_parser as promql
import pytest
from tests.tools.committed_dashboards import COMMITTED, each_dashboard, targets
from tests.tools.known_metrics import SCRAPED, known_metrics, source

CUMULATIVE = {"counter", "histogram"}


def expressions(dashboard: dict[str, Any]) -> list[tuple[str, str]]:
    """Each expression as Prometheus gets it, with its legend."""
    asked = [target for target in targets(dashboard) if "expr" in target]
    return [(target["expr"].replace("$__rate_interval", "1m"), target["legendFormat"]) for target in asked]


def nodes(expression: str) -> list[Any]:
    """All parts of an expression."""
    found: list[Any] = []
    promql.walk(promql.parse(expression), found.append)
    return found


def selectors(expression: str) -> list[promql.VectorSelector]:
    """Where an expression names a metric."""
    parts = nodes(expression)
    ranges = [part.vector_selector for part in parts if isinstance(part, promql.MatrixSelector)]
    return ranges + [part for part in parts if isinstance(part, promql.VectorSelector)]


def labels_of(expression: str) -> set[str]:
    """The labels that the series of an expression can have before anything is added up."""
    known = known_metrics()
    return {label for selector in selectors(expression) for label in known[selector.name].labels} | SCRAPED


def faults(expression: str, legend: str) -> list[str]:
    """What an expression asks for that the code does not have."""
    known = known_metrics()
    unknown = [selector.name for selector in selectors(expression) if selector.name not in known]
    if unknown:
        return [f"no such metric: {name}" for name in unknown]
    there = labels_of(expression)
    kept = {label for part in nodes(expression) if isinstance(part, promql.AggregateExpr) for label in _by(part)}
    matched = {matcher.name for selector in selectors(expression) for matcher in selector.matchers.matchers}
    shown = set(re.findall(r"\{\{(\w+)\}\}", legend))
    return [
        *(f"no such label: {label}" for label in (kept | matched) - there),
        *(f"the legend shows a label that is added up: {label}" for label in shown - kept),
        *(f"no code gives this value: {value}" for value in _values(expression) if f'"{value}"' not in source()),
    ]


def _by(part: promql.AggregateExpr) -> list[str]:
    return list(part.modifier.labels) if part.modifier else []


def _values(expression: str) -> set[str]:
    """The words that labels of the code are compared with; status codes of HTTP and services are no words of the code."""
    matchers = [matcher for selector in selectors(expression) for matcher in selector.matchers.matchers]
    words = {word for matcher in matchers for word in matcher.value.split("|") if matcher.name not in SCRAPED}
    return {word for word in words if re.fullmatch(r"[a-z_]+", word)}


@each_dashboard
def test_every_expression_asks_for_what_the_code_has(dashboard: dict[str, Any]):
    asked = expressions(dashboard)

    assert asked
    assert [(expression, faults(expression, legend)) for expression, legend in asked if faults(expression, legend)] == []


@each_dashboard
def test_rates_are_of_what_only_grows_and_all_of_it_is_read_as_a_rate(dashboard: dict[str, Any]):
    for expression, _ in expressions(dashboard):
        rated = {part.vector_selector.name for part in nodes(expression) if isinstance(part, promql.MatrixSelector)}
        named = {selector.name for selector in selectors(expression)}
        assert {name for name in named if known_metrics()[name].kind in CUMULATIVE} == rated


@each_dashboard
def test_percentiles_keep_the_limits_of_the_buckets(dashboard: dict[str, Any]):
    for expression, _ in expressions(dashboard):
        kinds = {known_metrics()[selector.name].kind for selector in selectors(expression)}
        if "histogram" in kinds:
            assert "histogram_quantile" in expression
            assert all("le" in _by(part) for part in nodes(expression) if isinstance(part, promql.AggregateExpr))


def test_what_every_service_measures_is_on_some_dashboard():
    asked = {selector.name for board in COMMITTED for expression, _ in expressions(board) for selector in selectors(expression)}

    assert {
        f"bloom_{name}" for name in ("relay_lag_seconds", "consumer_lag_records", "alerts_open", "scoring_age_seconds_bucket")
    } <= asked
    assert len(asked) > 40


@pytest.mark.parametrize(
    ("expression", "legend"),
    [
        ("sum by (service) (rate(bloom_http_request_total[1m]))", "{{service}}"),
        ("sum by (path) (rate(bloom_http_requests_total[1m]))", "{{path}}"),
        ("sum by (service) (rate(bloom_http_requests_total[1m]))", "{{route}}"),
        ('sum(rate(bloom_tokens_total{outcome="rejected_at_dawn"}[1m]))', "refused"),
    ],
    ids=["unknown metric", "unknown label", "legend without its label", "unknown value"],
)
def test_an_expression_beside_the_code_is_found(expression: str, legend: str):
    assert faults(expression, legend)
