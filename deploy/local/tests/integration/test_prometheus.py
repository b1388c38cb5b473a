"""Prometheus beside a stack: it reads the committed rules, asks every process, and says which of them it does not reach."""

import shutil
from pathlib import Path

import pytest
import yaml

from local_stack.commands import _is_observed
from local_stack.ports import all_free_ports
from local_stack.prometheus import MISSING, RULES, Prometheus
from local_stack.scraping import scrape_configuration
from local_stack.services import SERVICES
from local_stack.stack import Stack, load_stack, save_layout

is_installed = pytest.mark.skipif(shutil.which("prometheus") is None, reason="prometheus is not installed on this machine")


@is_installed
@pytest.mark.server
@pytest.mark.promise("OB6", "CO2")
def test_it_starts_with_the_committed_rules_and_tells_targets_that_it_does_not_reach(tmp_path: Path):
    server = Prometheus(tmp_path, all_free_ports(), log=tmp_path / "log", pid_file=tmp_path / "pid", guarded=True)
    server.start()
    try:
        server.wait_ready()
        found = server.first_round()
        loaded = server.rules()
        process = server.processes[0].process()
        assert process is not None
        memory = process.memory_info().rss
    finally:
        server.stop()

    assert found == {"down": sum(len(processes) for processes in SERVICES.values()) + 1}
    written = [yaml.safe_load(path.read_text())["groups"] for path in RULES.glob("*.yml")]
    names = {rule.get("alert") or rule.get("record") for groups in written for group in groups for rule in group["rules"]}
    assert loaded == names
    # Beside a whole platform, all 23 targets up, it took 65 MB.
    assert memory < 256 * 1024 * 1024


def test_its_configuration_follows_the_ports_of_the_stack():
    ports = all_free_ports()
    configuration = yaml.safe_load(scrape_configuration(ports, "rules/*.yml"))

    bloom, gateway = configuration["scrape_configs"]
    assert {static["targets"][0] for static in bloom["static_configs"]} == {
        f"127.0.0.1:{ports[f'{service}-{process}']}" for service, processes in SERVICES.items() for process in processes
    }
    assert gateway["static_configs"][0]["targets"] == [f"127.0.0.1:{ports['gateway-admin']}"]


def test_a_stack_is_observed_only_where_that_was_asked_for(tmp_path: Path):
    assert Stack(tmp_path).prometheus is None
    observed = Stack(tmp_path, observed=True)
    assert observed.prometheus in observed.components

    save_layout(observed)
    again = load_stack(tmp_path)
    assert again is not None
    assert again.prometheus is not None


def test_where_it_is_not_installed_the_platform_says_so_and_starts_without_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setenv("PATH", "/nowhere")

    assert _is_observed({"OBS": "1"}, None) is False
    assert MISSING in capsys.readouterr().out
    assert _is_observed({}, None) is False
