"""The committed dashboards are ones that Grafana can show and a person can read."""

import json
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.tools.committed_dashboards import COMMITTED, FILES, each_dashboard, panels, targets

from local_stack.ports import DEFAULT_PORTS
from local_stack.services import SERVICES
from tools.dashboards.__main__ import JSON, generated
from tools.dashboards.catalog import DASHBOARDS
from tools.dashboards.panels import Unit
from tools.generated import run_generator
from tools.steps import ROOT

OBSERVABILITY = ROOT / "deploy/observability"
SOURCES = {"prometheus": "${prometheus}", "grafana-postgresql-datasource": "${analytics}"}
GRAFANAS_OWN = {"__rate_interval", "__timeFilter"}
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


def test_there_is_a_file_for_each_dashboard_and_no_other():
    assert {path.stem for path in FILES} == {dashboard.uid for dashboard in DASHBOARDS}
    assert {dashboard.uid for dashboard in DASHBOARDS} >= {"bloom-platform", "bloom-crisis", "bloom-money", "bloom-model"}


@pytest.mark.parametrize("path", generated())
def test_what_is_committed_is_what_the_program_makes(path: str):
    assert (ROOT / path).read_text() == generated()[path]


def test_addresses_and_titles_of_dashboards_are_their_own():
    assert len({each["uid"] for each in COMMITTED}) == len({each["title"] for each in COMMITTED}) == len(COMMITTED)
    assert all(len(each["uid"]) <= 40 for each in COMMITTED)


@each_dashboard
def test_ids_of_panels_are_their_own(dashboard: dict[str, Any]):
    ids = [panel["id"] for panel in dashboard["panels"]]

    assert sorted(set(ids)) == sorted(ids)
    assert all(isinstance(number, int) and number > 0 for number in ids)


@each_dashboard
def test_every_panel_says_what_it_is_for_and_when_to_worry(dashboard: dict[str, Any]):
    for panel in panels(dashboard):
        shows, _, worry = panel["description"].partition("\n\nWorry when: ")
        assert panel["title"]
        assert len(shows) > 10
        assert len(worry) > 3
    titles = [panel["title"] for panel in panels(dashboard)]
    assert len(set(titles)) == len(titles)


@each_dashboard
def test_every_panel_has_a_unit_and_a_legend(dashboard: dict[str, Any]):
    for panel in panels(dashboard):
        assert panel["fieldConfig"]["defaults"]["unit"] in list(Unit)
        assert panel["type"] == "stat" or panel["options"]["legend"]["showLegend"]
    assert all(target.get("legendFormat") or "as series" in target["rawSql"] for target in targets(dashboard))


@each_dashboard
def test_every_query_asks_a_source_that_the_reader_can_choose(dashboard: dict[str, Any]):
    assert targets(dashboard)
    for panel in panels(dashboard):
        letters = [target["refId"] for target in panel["targets"]]
        assert sorted(set(letters)) == letters
        for asked in (panel, *panel["targets"]):
            assert asked["datasource"] == {"type": panel["datasource"]["type"], "uid": SOURCES[panel["datasource"]["type"]]}


@each_dashboard
def test_every_variable_that_is_used_is_there_and_the_other_way_round(dashboard: dict[str, Any]):
    text = json.dumps([panels(dashboard), [each.get("datasource") for each in dashboard["templating"]["list"]]])
    used = set(re.findall(r"\$\{?(\w+)", text)) - GRAFANAS_OWN
    there = {variable["name"] for variable in dashboard["templating"]["list"]}

    assert used == there
    asks_analytics = any("rawSql" in target for target in targets(dashboard))
    assert ({"prometheus", "analytics", "tenant"} if asks_analytics else {"prometheus"}) <= there


@pytest.mark.promise("OB3")
@pytest.mark.parametrize(
    ("signal", "asked_for"),
    [
        ("connections of databases", "bloom_database_connections"),
        ("queries", "bloom_database_statement_seconds_count"),
        ("latency of queries", "bloom_database_statement_seconds_bucket"),
        ("invocations", "bloom_http_requests_total"),
        ("times of answers", "bloom_http_request_seconds_bucket"),
        ("rates of errors", 'bloom_http_requests_total{service=~"$service", status=~"5.."}'),
        ("sign-ups", "'people.signed-up'"),
        ("growth", "'people.active'"),
        ("sessions", "'people.signed-in'"),
    ],
)
def test_every_signal_of_the_platform_is_on_its_dashboard(signal: str, asked_for: str):
    (platform,) = [dashboard for dashboard in COMMITTED if dashboard["uid"] == "bloom-platform"]
    queries = [str(target.get("expr") or target["rawSql"]) for target in targets(platform)]

    assert any(asked_for in query for query in queries), signal


@each_dashboard
def test_no_tenant_and_no_address_is_written_into_a_dashboard(dashboard: dict[str, Any]):
    text = json.dumps(dashboard)

    assert UUID.findall(text) == []
    assert re.findall(r"\d+\.\d+\.\d+\.\d+|https?://", text) == []


@each_dashboard
def test_panels_lie_on_the_grid_beside_each_other(dashboard: dict[str, Any]):
    taken: set[tuple[int, int]] = set()
    for panel in dashboard["panels"]:
        place = panel["gridPos"]
        cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert not taken & cells
        assert max(x for x, _ in cells) < 24
        taken |= cells
    rows = [panel["gridPos"]["y"] for panel in dashboard["panels"] if panel["type"] == "row"]
    assert all(above < below for above, below in pairwise(rows))


@each_dashboard
def test_nobody_can_change_a_dashboard_in_the_browser_and_lose_it(dashboard: dict[str, Any]):
    assert dashboard["editable"] is False
    provider = yaml.safe_load((OBSERVABILITY / "grafana/provisioning/dashboards/bloom.yaml").read_text())["providers"][0]
    assert provider["allowUiUpdates"] is False


def test_the_sources_are_of_the_kinds_that_the_dashboards_ask_and_hold_no_secret():
    text = (OBSERVABILITY / "grafana/provisioning/datasources/bloom.yaml").read_text()
    sources = yaml.safe_load(text)["datasources"]

    assert {source["type"] for source in sources} == set(SOURCES)
    assert [source["secureJsonData"]["password"] for source in sources if "secureJsonData" in source] == [
        "${ANALYTICS_DASHBOARDS_PASSWORD}"
    ]
    page = (ROOT / "docs/dashboards.md").read_text()
    for variable in re.findall(r"\$\{(\w+)\}", text):
        assert f"`{variable}`" in page


def test_prometheus_is_told_of_every_process_with_its_service():
    configuration = yaml.safe_load((OBSERVABILITY / "prometheus/prometheus.yml").read_text())
    told = {
        f"{static['labels']['service']}-{static['labels']['process']}": int(target.rpartition(":")[2])
        for job in configuration["scrape_configs"]
        if job["job_name"] == "bloom"
        for static in job["static_configs"]
        for target in static["targets"]
    }

    names = [f"{service}-{process}" for service, processes in SERVICES.items() for process in processes]
    assert told == {name: DEFAULT_PORTS[name] for name in names}


def test_prometheus_asks_the_gateway_too_and_reads_every_file_of_rules():
    configuration = yaml.safe_load((OBSERVABILITY / "prometheus/prometheus.yml").read_text())
    gateway = next(job for job in configuration["scrape_configs"] if job["job_name"] == "gateway")

    assert gateway["metrics_path"] == "/stats/prometheus"
    assert gateway["static_configs"][0]["targets"] == [f"127.0.0.1:{DEFAULT_PORTS['gateway-admin']}"]
    assert list((OBSERVABILITY / "prometheus").glob(configuration["rule_files"][0]))


def test_a_dashboard_that_somebody_changed_by_hand_is_refused(tmp_path: Path):
    assert run_generator(generated, ["write"], root=tmp_path) == 0
    assert run_generator(generated, ["check"], root=tmp_path) == 0
    changed = tmp_path / JSON / "bloom-money.json"
    changed.write_text(changed.read_text().replace("Invoiced", "Billed"))
    assert run_generator(generated, ["check"], root=tmp_path) == 1
