"""The processes of ml-scoring: `python -m ml_scoring api`, `worker`, `relay`, and `redrive`, `requeue`, `migrate`."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from ml_scoring.settings import Settings
from service_kit.commands import add_commands, run_command

if TYPE_CHECKING:
    from collections.abc import Callable

    import faust
    from fastapi import FastAPI


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m ml_scoring", description=__doc__)
    add_commands(parser, worker="score what people write")
    run_command(parser.parse_args(arguments).command, Settings(), _load_app, _load_worker)


def _load_app() -> Callable[[Settings], FastAPI]:
    from ml_scoring.main import create_app

    return create_app


def _load_worker() -> Callable[[Settings], faust.App]:
    from ml_scoring.worker import create_worker

    return create_worker


if __name__ == "__main__":
    main()
