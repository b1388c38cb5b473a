"""What `make up`, `down`, `status`, `logs` and `reset` do; each gives the exit status and says what to do next."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence

from local_stack import logs, prometheus, status
from local_stack.component import is_running
from local_stack.errors import StackError
from local_stack.names import import_name
from local_stack.paths import state_folder
from local_stack.plan import Done
from local_stack.ports import chosen_ports
from local_stack.preflight import check_machine, check_ports
from local_stack.seed import print_logins, seed
from local_stack.stack import Stack, load_stack, only_one_command, save_layout
from service_kit.logs import configure_logging


def up() -> int:
    """Start what does not run, wait until all of it is ready, fill in the demo tenant, print logins and addresses."""
    began = time.monotonic()
    folder = state_folder()
    configure_logging(service="local-stack", level="ERROR")
    with only_one_command(folder):
        stack = _asked_stack(os.environ)
        if not any(is_running(component) for component in stack.components):
            check_machine(folder)
        check_ports(stack.wanted_ports())
        save_layout(stack)
        _say_where_this_goes(stack)
        stack.up(lambda done: _report(stack, done))
        _check_whole(stack)
        seeded = seed(stack)
    _show_targets(stack)
    print(f"\nThe platform is ready after {time.monotonic() - began:.1f} s. {seeded}")
    print_logins(stack)
    print("Next: make demo (a visit and a crisis), make status, make logs SERVICE=auth-api, make down")
    return 0


def down() -> int:
    """Stop everything in reverse order; the data stays."""
    folder = state_folder()
    with only_one_command(folder):
        stack = load_stack(folder)
        stopped: list[str] = []
        if stack is not None:
            began = time.monotonic()

            def report(name: str) -> None:
                stopped.append(name)
                print(f"  stopped          {name:<24} after {time.monotonic() - began:5.1f} s", flush=True)

            stack.down(report)
    print(f"{len(stopped)} components stopped, the data stays. Next: make up" if stopped else "Nothing runs. Next: make up")
    return 0


def show_status() -> int:
    """The table of everything; 1 when something is down."""
    stack = load_stack(state_folder())
    if stack is None:
        print("The platform was never started here. Next: make up")
        return 1
    found = status.rows(stack)
    print(status.table(found))
    if status.is_whole(found):
        print(f"\nEverything is ready at {stack.gateway.url}. Next: make demo")
        return 0
    missing = ", ".join(row.component for row in found if row.state != "ready")
    print(f"\nNot ready: {missing}. Next: make up (starts what is missing) or make logs SERVICE=<name>")
    return 1


def show_logs(name: str, *, lines: int, is_followed: bool) -> int:
    """The last lines of a component's log, and those that follow if asked."""
    paths = logs.matching_logs(state_folder() / "logs", name)
    logs.show(paths, lines=lines)
    if is_followed:
        try:
            logs.follow(paths)
        except KeyboardInterrupt:
            print()
    return 0


def reset(*, is_sure: bool) -> int:
    """Stop everything and delete data, logs and secrets, after asking; what was downloaded stays."""
    folder = state_folder()
    if not is_sure and not agrees("reset", f"Delete all data, logs and secrets of the local platform in {folder}? [y/N] "):
        print("Nothing was deleted.")
        return 1
    with only_one_command(folder):
        stack = load_stack(folder)
        if stack is not None:
            stack.down(lambda _: None)
        for name in ("data", "logs", "pids", "secrets"):
            shutil.rmtree(folder / name, ignore_errors=True)
        (folder / "stack.json").unlink(missing_ok=True)
    print("The local data is deleted. Next: make up (starts with an empty platform)")
    return 0


def seed_again() -> int:
    """Complete the demo tenant of the running platform and print its logins."""
    stack = running_stack()
    print(seed(stack))
    print_logins(stack)
    return 0


def run_service_command(service: str, arguments: Sequence[str]) -> int:
    """Run `python -m <service> ...` with the variables of the running platform."""
    stack = running_stack()
    variables = stack.surroundings.of(service, arguments[0] if arguments else "", port=0)
    done = subprocess.run([sys.executable, "-m", import_name(service), *arguments], env={**os.environ, **variables}, check=False)
    return done.returncode


def running_stack() -> Stack:
    """The stack that runs now, for commands that talk to it; StackError when it does not, or not wholly."""
    stack = load_stack(state_folder())
    if stack is None or not any(is_running(component) for component in stack.components):
        raise StackError("stack", "the platform does not run; start it with `make up`")
    missing = [component.name for component in stack.components if not is_running(component)]
    if missing:
        raise StackError("stack", f"not running: {', '.join(missing)}; `make up` starts what is missing")
    return stack


def _asked_stack(environment: Mapping[str, str]) -> Stack:
    """The stack that ports and KAFKA_NODES ask for; one that runs otherwise must be stopped first."""
    try:
        ports = chosen_ports(environment)
    except ValueError as error:
        raise StackError("ports", str(error)) from error
    known = load_stack(state_folder())
    nodes = _kafka_nodes(environment, known)
    asked = Stack(state_folder(), ports=ports, kafka_nodes=nodes, observed=_is_observed(environment, known))
    if known is not None and any(is_running(component) for component in known.components):
        if known.kafka_nodes != nodes:
            raise StackError(
                "kafka", f"runs with {known.kafka_nodes} node(s), {nodes} asked for; run `make down` and `make reset` first"
            )
        if known.ports != asked.ports:
            raise StackError("ports", "the platform runs on other ports than those asked for; run `make down` first")
    return asked


def _is_observed(environment: Mapping[str, str], known: Stack | None) -> bool:
    """Whether Prometheus is to run beside the platform: when it is asked for or runs already, and is installed at all."""
    was_observed = known is not None and known.prometheus is not None and is_running(known.prometheus)
    if not environment.get("OBS") and not was_observed:
        return False
    if prometheus.program() is None:
        print(prometheus.MISSING, flush=True)
        return False
    return True


def _show_targets(stack: Stack) -> None:
    if stack.prometheus is None:
        return
    found = stack.prometheus.first_round()
    count = f"{found['up']} of {found.total()} targets up"
    print(f"\nPrometheus at http://{stack.prometheus.address}/targets: {count}, the rules of deploy/observability loaded")


def _kafka_nodes(environment: Mapping[str, str], known: Stack | None) -> int:
    text = environment.get("KAFKA_NODES") or str(known.kafka_nodes if known else 1)
    if text not in {"1", "3"}:
        raise StackError("kafka", f"KAFKA_NODES={text} is neither 1 nor 3")
    return int(text)


def _say_where_this_goes(stack: Stack) -> None:
    nodes = "one Kafka node" if stack.kafka_nodes == 1 else f"{stack.kafka_nodes} Kafka nodes"
    print(f"Starting the platform with {nodes}; data and logs in {stack.folder}", flush=True)


def _report(stack: Stack, done: Done) -> None:
    address = next((component.address for component in stack.components if component.name == done.step.name), "")
    print(f"  {done.outcome:<16} {done.step.name:<24} {address:<48.48} {done.seconds:5.1f} s", flush=True)


def _check_whole(stack: Stack) -> None:
    """A component that was ready and ended while others started would otherwise be noticed by the first user."""
    for component in stack.components:
        if not is_running(component):
            raise StackError(component.name, "ended after it had been ready", component.processes[0].log)


def agrees(command: str, question: str) -> bool:
    """Ask whoever sits there; StackError where nobody does."""
    if not sys.stdin.isatty():
        raise StackError(command, f"asks before it deletes, and nobody can answer here; say --yes (make {command} YES=1)")
    return input(question).strip().lower() in {"y", "yes"}
