"""The commands that every service has: `python -m <service> api`, `worker`, `relay`, `redrive`, `requeue`, `migrate`."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

from service_kit.process import AnySettings, run_api, run_migrations, run_relay, run_worker

if TYPE_CHECKING:
    from fastapi import FastAPI

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"  # noqa: SLF001  # it has no public name
"""What the commands of a parser are added to."""

LoadApp: TypeAlias = "Callable[[], Callable[[AnySettings], FastAPI]]"
"""Imports and gives a service's `create_app`, only when it is needed: a relay without its routes starts in half the time."""

LoadWorker: TypeAlias = Callable[[], Callable[[AnySettings], Any]]
"""Imports and gives a service's `create_worker`."""


def add_commands(
    parser: argparse.ArgumentParser, *, worker: str | None = None
) -> argparse._SubParsersAction[Any]:  # argparse gives its type no public name
    """Adds the commands under the name `command`; `worker` says what the service's worker does, None that it has none."""
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("api", help="serve the HTTP API")
    if worker is not None:
        commands.add_parser("worker", help=worker)
        commands.add_parser("redrive", help="handle the dead letters once more")
    commands.add_parser("relay", help="send the outbox to Kafka")
    commands.add_parser("requeue", help="put parked outbox rows back into the outbox")
    commands.add_parser("migrate", help="bring the database up to date")
    return commands


def run_command(
    command: str, settings: AnySettings, load_app: LoadApp[AnySettings], load_worker: LoadWorker[AnySettings] | None = None
) -> None:
    """Runs one of the commands that `add_commands` added; raises ValueError for any other."""
    if command == "api":
        run_api(load_app(), settings)
    elif command == "worker" and load_worker is not None:
        run_worker(load_worker(), settings)
    elif command == "relay":
        run_relay(settings)
    elif command == "migrate":
        run_migrations(settings)
    else:
        print(_mended(command, settings, load_worker))  # noqa: T201  # the answer of an operator's command


def _mended(command: str, settings: AnySettings, load_worker: LoadWorker[AnySettings] | None) -> str:
    from service_kit.mending import run_redrive, run_requeue

    if command == "redrive" and load_worker is not None:
        return run_redrive(load_worker(), settings)
    if command == "requeue":
        return run_requeue(settings)
    raise ValueError(f"no such command: {command}")
