"""The processes of analytics, `python -m analytics api`, `worker`, `relay`, `lake`, and what operators do with its data."""

from __future__ import annotations

import argparse
import asyncio
from base64 import b64decode
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

from analytics.settings import Settings
from service_kit.commands import add_commands, run_command
from service_kit.replay_command import add_replay_command

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import faust
    from fastapi import FastAPI

    from analytics.use_cases.lake import Lake

_STORE_ANSWER_SECONDS = 20.0
"""Longer than a store usually may be silent, because files of a whole day are put in one call."""


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m analytics", description=__doc__)
    commands = add_commands(parser, worker="turn events into windowed results")
    lake = commands.add_parser("lake", help="write events into files for analysts, hour after hour")
    lake.add_argument("--once", action="store_true", help="write what is there now and end")
    add_replay_command(commands)
    given = parser.parse_args(arguments)
    settings = Settings()
    if given.command == "lake":
        _run_lake(settings, once=given.once)
    elif given.command == "replay":
        _run_replay(settings, given)
    else:
        run_command(given.command, settings, _load_app, _load_worker)


def _run_lake(settings: Settings, *, once: bool) -> None:
    from analytics.use_cases.lake_rounds import LakeRounds
    from service_kit.health import Health
    from service_kit.probe import probe_server
    from service_kit.process import run_until_signal, start_process

    with _opened_lake(settings) as lake:
        start_process(settings, "lake")
        if once:
            print(_said(asyncio.run(lake.round())))
            return
        rounds = LakeRounds(lake, every_seconds=settings.lake_seconds)

        async def work(stop: asyncio.Event) -> None:
            async with probe_server(Health(rounds.health_checks()), host=settings.host, port=settings.probe_port):
                await rounds.run(stop)

        run_until_signal(work, limit_seconds=settings.shutdown_limit_seconds)


@contextmanager
def _opened_lake(settings: Settings) -> Iterator[Lake]:
    """The lake that the settings describe; ends with a plain line and status 1 when it is switched off."""
    from analytics.domain.lake.rows import Pseudonyms, Rows
    from analytics.repository.lake import connect
    from analytics.use_cases.lake import FAILPOINTS, Lake, Timing
    from service_kit.failpoints import armed_by
    from service_kit.log_reader import LogReader
    from service_kit.object_store.opening import open_store
    from service_kit.object_store.port import StoreAccess

    if settings.lake_key is None or settings.lake_store is None:
        raise SystemExit("analytics lake: it is off, because ANALYTICS_LAKE_KEY or ANALYTICS_LAKE_STORE is not set")
    access = StoreAccess(
        endpoint=settings.lake_store_endpoint,
        region=settings.lake_store_region,
        access_key=settings.lake_store_access_key,
        secret_key=settings.lake_store_secret_key,
        answer_seconds=_STORE_ANSWER_SECONDS,
    )
    timing = Timing(
        day_is_over_after=timedelta(seconds=settings.lake_day_over_seconds),
        superseded_stay=timedelta(seconds=settings.lake_superseded_seconds),
    )
    reader = LogReader(settings.kafka, name="analytics-lake")
    try:
        yield Lake(
            reader,
            open_store(settings.lake_store, access),
            Rows(Pseudonyms(b64decode(settings.lake_key.get_secret_value()))),
            lambda: connect(settings.database_url),
            timing=timing,
            failpoint=armed_by("ANALYTICS_LAKE_FAILPOINT", FAILPOINTS, environment=settings.environment),
        )
    finally:
        reader.close()


def _run_replay(settings: Settings, given: argparse.Namespace) -> None:
    from analytics.domain.metrics import METRICS
    from analytics.repository.replay import connect
    from analytics.use_cases.replay import ReplayRefused, read_models
    from service_kit.replay_command import run_replay

    models = read_models(METRICS, settings.zone_of, lambda: connect(settings.database_url))
    try:
        run_replay(settings, models, given)
    except ReplayRefused as error:
        raise SystemExit(f"analytics replay: {error}") from None


def _said(done: object) -> str:
    return f"{done}" if done is not None else "Another process is writing the lake."


def _load_app() -> Callable[[Settings], FastAPI]:
    from analytics.main import create_app

    return create_app


def _load_worker() -> Callable[[Settings], faust.App]:
    from analytics.worker import create_worker

    return create_worker


if __name__ == "__main__":
    main()
