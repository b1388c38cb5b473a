"""Every alert asks for what there is, fires and stays quiet as its stories tell, and has a runbook that says what to do."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import promql_parser as promql
import pytest
import yaml
from tests.tools.committed_dashboards import COMMITTED, FILES
from tests.tools.test_prometheus_queries import faults, nodes, selectors

from tools.alerting.__main__ import FOLDER, generated
from tools.alerting.catalog import ALERTS, GROUPS
from tools.alerting.objectives import BUDGET, OBJECTIVES, RATIO, WINDOWS
from tools.alerting.rules import RUNBOOKS, Alert, Severity
from tools.go_tools import BUILT
from tools.steps import ROOT
from tools.telemetry.metrics import series

PROMTOOL = shutil.which("promtool") or str(BUILT / "promtool")
HEADINGS = ["What it means", "How to see it", "What to do", "When to escalate"]
EXPRESSIONS = [
    *((alert.name, alert.expression) for alert in ALERTS),
    *((rule.name + rule.labels["slo"], rule.expression) for group in GROUPS for rule in group.recordings),
]
each_alert = pytest.mark.parametrize("alert", ALERTS, ids=[alert.name for alert in ALERTS])
needs_promtool = pytest.mark.skipif(not Path(PROMTOOL).is_file(), reason="there is no promtool: make go-tools builds it")


@pytest.mark.parametrize("path", generated())
def test_what_is_committed_is_what_the_program_makes(path: str):
    assert (ROOT / path).read_text() == generated()[path]


def test_there_is_no_file_of_rules_beside_those_of_the_program():
    committed = {str(path.relative_to(ROOT)) for path in (ROOT / FOLDER).glob("*/*.yml")}

    assert committed == {path for path in generated() if path.startswith(FOLDER)}


@pytest.mark.parametrize(("name", "expression"), EXPRESSIONS, ids=[name for name, _ in EXPRESSIONS])
def test_every_expression_of_a_rule_asks_for_what_the_code_has(name: str, expression: str):
    assert selectors(expression) or expression.startswith("vector(")
    assert faults(expression, "") == []


@pytest.mark.parametrize(("name", "expression"), EXPRESSIONS, ids=[name for name, _ in EXPRESSIONS])
def test_limits_of_buckets_that_a_rule_names_are_ones_that_the_code_measures(name: str, expression: str):
    for selector in selectors(expression):
        limits = [float(matcher.value) for matcher in selector.matchers.matchers if matcher.name == "le"]
        assert all(limit in series()[selector.name].limits for limit in limits)


@each_alert
def test_an_alert_names_only_labels_that_its_series_keep(alert: Alert):
    named = set(re.findall(r"\$labels\.(\w+)", alert.summary))
    kept = [
        set(part.modifier.labels) for part in nodes(alert.expression) if isinstance(part, promql.AggregateExpr) and part.modifier
    ]
    given = {name for labels in alert.fires.labels for name in labels}

    assert named <= given
    assert not kept or named <= set().union(*kept) | {"slo", "service", "process", "instance"}


@each_alert
def test_an_alert_is_told_in_one_story_that_fires_it_and_one_that_does_not(alert: Alert):
    assert alert.fires.labels
    assert not alert.quiet.labels
    assert alert.fires.series
    assert alert.quiet.series
    assert alert.fires != alert.quiet


@each_alert
def test_series_of_a_story_are_ones_that_the_code_has(alert: Alert):
    for story in (alert.fires, alert.quiet):
        for given in story.series:
            name = given.partition("{")[0]
            selector = promql.parse(given)
            known = series()[name].series[name] | {"service", "process", "job", "instance"}
            assert {matcher.name for matcher in selector.matchers.matchers} <= known


def test_names_of_alerts_are_their_own_and_some_wake_people_and_some_do_not():
    assert len({alert.name for alert in ALERTS}) == len(ALERTS)
    assert {alert.severity for alert in ALERTS} == set(Severity)


@each_alert
def test_an_alert_opens_a_dashboard_that_there_is(alert: Alert):
    assert alert.board in {path.stem for path in FILES}


def test_there_is_a_runbook_for_every_alert_and_none_for_what_is_no_alert():
    there = {str(path.relative_to(ROOT)) for path in (ROOT / RUNBOOKS).glob("*.md")}

    assert there == {alert.runbook for alert in ALERTS} | {f"{RUNBOOKS}/README.md"}


def test_the_committed_rules_link_to_runbooks_that_there_are():
    for path in (ROOT / FOLDER / "rules").glob("*.yml"):
        rules = [rule for group in yaml.safe_load(path.read_text())["groups"] for rule in group["rules"] if "alert" in rule]
        assert rules
        assert all((ROOT / rule["annotations"]["runbook_url"]).is_file() for rule in rules)


@pytest.mark.parametrize("path", sorted({alert.runbook for alert in ALERTS}))
def test_a_runbook_says_what_it_means_how_to_see_it_what_to_do_and_when_to_escalate(path: str):
    text = (ROOT / path).read_text()

    assert text.startswith(f"# {Path(path).stem}\n")
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == HEADINGS
    assert all(len(part.strip()) > 30 for part in re.split(r"^## .+$", text, flags=re.MULTILINE)[1:])
    assert re.search(r"^1\. ", text, re.MULTILINE)


@pytest.mark.parametrize("path", sorted({alert.runbook for alert in ALERTS}))
def test_a_runbook_names_metrics_panels_dashboards_and_pages_that_there_are(path: str):
    text = (ROOT / path).read_text()
    titles = {panel["title"] for board in COMMITTED for panel in board["panels"]}

    known = set(series()) | {name.removesuffix("_bucket") for name in series()}
    assert set(re.findall(r"`((?:bloom|envoy)_\w+)`", text)) <= known
    assert set(re.findall(r"(?<!\*)\*([^*\n]+)\*(?!\*)", text)) <= titles
    assert set(re.findall(r"`(bloom-[a-z]+)`", text)) <= {file.stem for file in FILES}
    assert all((ROOT / path).with_name(link).is_file() for link in re.findall(r"\]\((\w+\.md)\)", text))


def test_the_windows_of_an_objective_are_all_recorded_and_its_alerts_ask_for_no_other():
    for objective in OBJECTIVES:
        recorded = {rule.name for group in GROUPS for rule in group.recordings if rule.labels["slo"] == objective.slug}
        assert recorded == {BUDGET, *(f"{RATIO}{window}" for window in WINDOWS)}
        asked = {s.name for alert in ALERTS if alert.name.startswith(objective.name) for s in selectors(alert.expression)}
        assert asked <= recorded


@needs_promtool
@pytest.mark.parametrize("group", [group.name for group in GROUPS])
def test_promtool_sees_every_alert_fire_and_stay_quiet_as_its_stories_tell(group: str):
    done = subprocess.run(
        [PROMTOOL, "test", "rules", f"{group}.yml"], cwd=ROOT / FOLDER / "tests", capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stdout + done.stderr


@needs_promtool
def test_promtool_notices_an_alert_whose_limit_was_changed(tmp_path: Path):
    for path, text in generated().items():
        if path.startswith(FOLDER):
            place = tmp_path / Path(path).relative_to(FOLDER)
            place.parent.mkdir(exist_ok=True)
            place.write_text(text)
    rules = tmp_path / "rules/flow.yml"
    rules.write_text(
        rules.read_text().replace("max by (service) (bloom_relay_lag_seconds) > 30", "bloom_relay_lag_seconds > 3000")
    )

    done = subprocess.run([PROMTOOL, "test", "rules", "flow.yml"], cwd=tmp_path / "tests", capture_output=True, check=False)
    assert done.returncode != 0
