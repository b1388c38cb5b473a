"""The whole platform through its commands: up, up again, a killed part, a taken port, the demo, down, and up with its data."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import UUID

import psutil
import pytest

from local_stack.paths import ROOT, cache_folder
from local_stack.ports import HOST, all_free_ports, can_bind, port_variable
from local_stack.process import wait_until
from local_stack.stack import Stack, load_stack

Command = Callable[..., subprocess.CompletedProcess[str]]

# A run in the background of a shell would ignore SIGINT, and so would what it starts.
_UP = """
import signal
from local_stack.__main__ import main
signal.signal(signal.SIGINT, signal.default_int_handler)
raise SystemExit(main(["up"]))
"""

pytestmark = [pytest.mark.server, pytest.mark.timeout(400)]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def command(home: Path) -> Iterator[Command]:
    chosen = {port_variable(name): str(port) for name, port in all_free_ports().items()}
    environment = {**os.environ, **chosen, "BLOOM_HOME": str(home), "BLOOM_CACHE": str(cache_folder())}

    def run(*arguments: str, **changes: str) -> subprocess.CompletedProcess[str]:
        line = [sys.executable, "-m", "local_stack", *arguments]
        done = subprocess.run(line, cwd=ROOT, env={**environment, **changes}, capture_output=True, text=True, check=False)
        print(done.stdout, done.stderr)
        return done

    yield run
    run("reset", "--yes")


@pytest.fixture(scope="module")
def running(command: Command, home: Path) -> Stack:
    assert command("up").returncode == 0
    stack = load_stack(home)
    assert stack is not None
    return stack


def test_up_ends_when_all_is_ready_with_a_line_per_component_logins_and_what_to_do_next(command: Command, running: Stack) -> None:
    again = command("up")
    assert again.returncode == 0
    for component in running.components:
        assert f"runs already     {component.name}" in again.stdout
    assert "administrator@demo.example.test" in again.stdout
    assert running.gateway.url in again.stdout
    assert "Next: make demo" in again.stdout


def test_status_shows_every_component_with_its_address_number_memory_and_age(command: Command, running: Stack) -> None:
    shown = command("status")
    assert shown.returncode == 0
    for component in running.components:
        assert component.name in shown.stdout
        assert component.address in shown.stdout
    assert " down " not in shown.stdout


def test_a_killed_component_is_shown_as_down_and_up_starts_it_alone(command: Command, running: Stack) -> None:
    before = {component.name: component.processes[0].pid for component in running.components}
    running.services["billing-worker"].kill()
    shown = command("status")
    assert shown.returncode == 1
    assert "Not ready: billing-worker." in shown.stdout
    assert "not running: billing-worker" in command("demo").stderr
    assert command("up").returncode == 0
    after = {component.name: component.processes[0].pid for component in running.components}
    assert {name for name in before if before[name] != after[name]} == {"billing-worker"}


def test_a_component_that_cannot_start_is_one_line_with_cause_and_log_and_the_rest_runs_on(
    command: Command, running: Stack
) -> None:
    relay = running.services["auth-relay"]
    relay.kill()
    # The kernel gives the port back when the last thread of the killed process is gone.
    assert wait_until(lambda: can_bind(relay.port), 10.0)
    with socket.create_server((HOST, relay.port)):
        failed = command("up")
    assert failed.returncode == 1
    (line,) = failed.stderr.splitlines()
    assert line.startswith(f"up failed: auth-relay: port {relay.port} is taken by ")
    crashed = command("up", AUTH_SHUTDOWN_LIMIT_SECONDS="soon")
    assert crashed.returncode == 1
    (line,) = crashed.stderr.splitlines()
    assert line.startswith("up failed: auth-relay: ended right after its start: ")
    assert line.endswith(f"(log: {running.logs / 'auth-relay.log'})")
    assert running.gateway.is_ready()
    assert command("up").returncode == 0


def test_a_command_of_a_service_runs_with_the_variables_of_the_platform(command: Command, running: Stack) -> None:
    made = command("run", "auth", "create-tenant", "--slug", "second", "--name", "Second Practice")
    assert made.returncode == 0
    assert UUID(made.stdout.strip())
    again = command("run", "auth", "create-tenant", "--slug", "second", "--name", "Second Practice")
    assert again.returncode != 0
    assert running.gateway.is_ready()


def test_ports_and_nodes_of_a_running_platform_cannot_be_changed_under_it(command: Command, running: Stack) -> None:
    assert "runs with 1 node(s), 3 asked for" in command("up", KAFKA_NODES="3").stderr
    assert "other ports" in command("up", BLOOM_GATEWAY_PORT=str(all_free_ports()["gateway"])).stderr
    assert running.gateway.is_ready()


def test_secrets_are_readable_by_their_owner_alone_and_appear_in_no_log(running: Stack) -> None:
    assert all(path.stat().st_mode & 0o077 == 0 for path in running.secrets.iterdir())
    values = [path.read_text() for path in running.secrets.iterdir()]
    for log in running.logs.glob("*.log"):
        assert not [path for path in values if path in log.read_text()], log


@pytest.fixture(scope="module")
def told(command: Command, running: Stack) -> str:
    demo = command("demo")
    assert demo.returncode == 0
    return demo.stdout


@pytest.mark.promise("PL12")
def test_the_demo_tells_its_story_and_every_event_with_its_place_and_time(told: str) -> None:
    assert "409 slot-taken" in told
    for line in ("appointment.booked.v1", "appointment.completed.v1", "invoice.drafted.v1", "invoice.opened.v1"):
        assert any(line in each and "]@" in each and " ms after " in each for each in told.splitlines()), line


@pytest.mark.promise("AL2")
def test_the_demo_goes_on_with_a_crisis_that_somebody_answers_and_prints_its_timeline(told: str) -> None:
    for line in ("message.sent.v1", "risk.scored.v1", "alert.raised.v1"):
        assert any(line in each and "]@" in each and " ms after " in each for each in told.splitlines()), line
    for shown in ("new-message at the patient", "alert at the therapist's socket: critical", "supervisor's socket: escalated"):
        assert any(shown in each and " ms after " in each for each in told.splitlines()), shown
    timeline = told[told.index("the timeline") :]
    places = [timeline.index(f" ms  {hop} ") for hop in ("written", "scored", "raised", "escalated", "acknowledged", "resolved")]
    assert places == sorted(places)


def test_down_leaves_no_process_and_the_next_up_finds_its_data(command: Command, running: Stack) -> None:
    family = [process for component in running.components for process in _family(component.processes[0].pid)]
    assert len(family) >= len(running.components)
    stopped = command("down")
    assert stopped.returncode == 0
    assert (
        stopped.stdout.index("gateway")
        < stopped.stdout.index("auth-api")
        < stopped.stdout.index("kafka")
        < stopped.stdout.index("postgres")
    )
    assert wait_until(lambda: not any(_lives(process) for process in family), 10)
    up = command("up")
    assert up.returncode == 0
    assert "The demo tenant is as you left it." in up.stdout


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_start_that_is_broken_off_stops_what_it_had_started(tmp_path: Path, number: signal.Signals) -> None:
    chosen = {port_variable(name): str(port) for name, port in all_free_ports().items()}
    environment = {**os.environ, **chosen, "BLOOM_HOME": str(tmp_path), "BLOOM_CACHE": str(cache_folder())}
    starting = subprocess.Popen(
        [sys.executable, "-c", _UP],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    pids = tmp_path / "pids"
    assert wait_until(lambda: {"postgres.pid", "kafka.pid"} <= {path.name for path in pids.glob("*.pid")}, 60)
    family = psutil.Process(starting.pid).children(recursive=True)
    assert family
    starting.send_signal(number)
    _, said = starting.communicate(timeout=60)
    assert (starting.returncode, said) == (130, "up: stopped by you\n")
    assert not any(_lives(process) for process in family)
    assert list(pids.glob("*.pid")) == []


def _family(pid: int | None) -> list[psutil.Process]:
    process = psutil.Process(pid)
    return [process, *process.children(recursive=True)]


def _lives(process: psutil.Process) -> bool:
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
