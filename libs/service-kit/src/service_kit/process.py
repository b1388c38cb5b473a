"""Runs a service's processes: logs and traces first, then the work, then an orderly end within the shutdown limit.

The first SIGTERM or SIGINT lets the work in hand finish; the second one ends the process at once.
"""

from __future__ import annotations

import asyncio
import gc
import math
import os
import signal
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from pathlib import Path
from socket import socket
from types import FrameType
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import uvicorn
import uvloop

from service_kit.health import Health
from service_kit.housekeeping import keep_house
from service_kit.logs import configure_logging, describe_exception, get_logger
from service_kit.migrate import MigrationsDoNotFit, migrate
from service_kit.probe import probe_server
from service_kit.relay import Relay, RelayOptions
from service_kit.settings import ServiceSettings, describe
from service_kit.tracing import configure_tracing

if TYPE_CHECKING:
    # Relays and workers start without it, half a second sooner.
    from fastapi import FastAPI

AnySettings = TypeVar("AnySettings", bound=ServiceSettings)

Chore: TypeAlias = Callable[[asyncio.Event], Awaitable[None]]
"""Work beside that of a process, until the event is set; it deals with its own failures."""

KEEP_ALIVE_SECONDS = 75
"""Longer than the gateway keeps idle connections (60 s), so that it is never the service that closes one under a request."""

START_FAILED = 3
"""The exit status of an API that could not start: the one that uvicorn takes for a port in use."""

_log = get_logger(__name__)


def start_process(settings: ServiceSettings, process: str) -> None:
    """Sets up logs and traces of a process and says with which settings it runs."""
    name = f"{settings.service_name}-{process}"
    configure_logging(service=name, level=settings.log_level)
    configure_tracing(service_name=name, otlp_endpoint=settings.otlp_endpoint)
    _log.info("process.started", process=process, settings=describe(settings))


def run_api(create_app: Callable[[AnySettings], FastAPI], settings: AnySettings) -> None:
    """Serves the API until a signal; open requests are answered within the shutdown limit."""
    start_process(settings, "api")
    app = create_app(settings)
    serve(app, settings, app.state.kit.health, process="api")


def serve(
    app: Any,
    settings: ServiceSettings,
    health: Health,
    *,
    process: str,
    sockets: list[socket] | None = None,
    ws: Any = "none",
    **options: Any,
) -> None:
    """Serves an ASGI app until a signal, on `sockets` that listen already or on the settings' own port.

    `ws` and `options` are uvicorn's own. The process ends with `START_FAILED` when it cannot start.
    """
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        loop="uvloop",
        http="httptools",
        ws=ws,
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=math.ceil(settings.shutdown_limit_seconds),
        **options,
    )
    server = _Server(config, health)
    server.run(sockets)
    if not server.started:
        raise SystemExit(START_FAILED)
    _log.info("process.ended", process=process)


class _Server(uvicorn.Server):
    """uvicorn, but a second signal of either kind ends it at once, and an orderly end is a success for whoever started it."""

    def __init__(self, config: uvicorn.Config, health: Health) -> None:
        super().__init__(config)
        self._health = health

    async def startup(self, sockets: list[socket] | None = None) -> None:
        await super().startup(sockets)
        _settle_memory()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002  # the signature of a signal handler
        if self.should_exit:
            os._exit(128 + sig)
        self._health.draining = True
        self.should_exit = True


def _settle_memory() -> None:
    """Takes what the start has built out of the garbage collector's way: its full passes showed as pauses of seconds."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


def run_until_signal(work: Callable[[asyncio.Event], Awaitable[None]], *, limit_seconds: float) -> None:
    """Runs `work(stop)` on a new event loop; a signal sets `stop`, and what has not ended within the limit is cancelled."""
    uvloop.run(_until_signal(work, limit_seconds))


async def _until_signal(work: Callable[[asyncio.Event], Awaitable[None]], limit_seconds: float) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, _stop_or_die, stop, number)
    running = asyncio.ensure_future(work(stop))
    waiting = asyncio.ensure_future(stop.wait())
    await asyncio.wait({running, waiting}, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    try:
        await asyncio.wait_for(running, limit_seconds)
    except TimeoutError:
        _log.error("process.cut_off", limit_seconds=limit_seconds)
        raise SystemExit(1) from None
    except Exception as error:
        # Python itself would print the text of the exception, which may hold anything.
        _log.error("process.failed", failure=describe_exception(error))
        raise SystemExit(1) from None


def _stop_or_die(stop: asyncio.Event, number: int) -> None:
    if stop.is_set():
        os._exit(128 + number)
    stop.set()


def run_migrations(settings: ServiceSettings, folder: Path | None = None) -> None:
    """Brings the service's database up to date; ends with a plain line and status 1 when folder and database do not fit."""
    start_process(settings, "migrate")
    url = settings.migration_database_url
    if url is None:
        raise SystemExit(f"{settings.model_config['env_prefix']}MIGRATION_DATABASE_URL is not set")
    try:
        applied = asyncio.run(migrate(url, folder or settings.migrations_folder))
    except MigrationsDoNotFit as error:
        raise SystemExit(f"{settings.service_name}: {error}") from error
    _log.info("process.ended", process="migrate", applied=applied)


def run_relay(settings: ServiceSettings, chores: Sequence[Chore] = ()) -> None:
    """Sends the service's outbox to Kafka until a signal, with health and metrics on the probe port; does `chores` meanwhile."""
    start_process(settings, "relay")
    if settings.relay_database_url is None:
        raise SystemExit(f"{settings.model_config['env_prefix']}RELAY_DATABASE_URL is not set")
    options = RelayOptions(dsn=settings.relay_database_url, bootstrap=settings.kafka, environment=settings.environment)
    relay = Relay(options)
    health = Health(relay.health_checks())
    retention = timedelta(hours=settings.idempotency_retention_hours)

    async def work(stop: asyncio.Event) -> None:
        async with probe_server(health, host=settings.host, port=settings.probe_port):
            house = keep_house(options.dsn, retention=retention, stop=stop)
            await asyncio.gather(relay.run(stop), house, *(chore(stop) for chore in chores))

    run_until_signal(work, limit_seconds=settings.shutdown_limit_seconds)
    _log.info("process.ended", process="relay")


def run_worker(create_worker: Callable[[AnySettings], Any], settings: AnySettings) -> None:
    """Runs a Faust worker and its chores until a signal, with health and metrics on the probe port; a crash ends it."""
    from service_kit.chores import beside_chores
    from service_kit.faust_app import run_app, worker_checks

    start_process(settings, "worker")

    async def work(stop: asyncio.Event) -> None:
        faust_app = create_worker(settings)
        async with probe_server(Health(worker_checks(faust_app)), host=settings.host, port=settings.probe_port):
            await beside_chores(faust_app, run_app(faust_app, stop), stop)

    run_until_signal(work, limit_seconds=settings.shutdown_limit_seconds)
    _log.info("process.ended", process="worker")
