"""The processes of notifications: `python -m notifications api`, `worker`, `relay`, and `redrive`, `requeue`, `migrate`."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from notifications.settings import Settings
from service_kit.commands import add_commands, run_command

if TYPE_CHECKING:
    from collections.abc import Callable

    import faust
    from fastapi import FastAPI


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m notifications", description=__doc__)
    add_commands(parser, worker="raise and escalate alerts, and tell people of their appointments")
    run_command(parser.parse_args(arguments).command, Settings(), _load_app, _load_worker)


def _load_app() -> Callable[[Settings], FastAPI]:
    from notifications.main import create_app

    return create_app


def _load_worker() -> Callable[[Settings], faust.App]:
    from notifications.worker import create_worker

    return create_worker


if __name__ == "__main__":
    main()
