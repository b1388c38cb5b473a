"""The processes and commands of messaging: `python -m messaging api`, `worker`, `relay`, `socket`, and those that serve it."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Callable
from contextlib import aclosing
from datetime import timedelta
from typing import TYPE_CHECKING

from bloom_events.ids import TenantId, new_id
from messaging.clients.keys.choosing import open_keyring
from messaging.settings import Settings
from messaging.use_cases.keys import Progress, renew_old_keys, rotate_wrapping
from service_kit.commands import add_commands, run_command
from service_kit.database import Pool, create_pool
from service_kit.errors import Problem
from service_kit.process import run_relay
from service_kit.unit_of_work import Context, UnitOfWork, utc_now

if TYPE_CHECKING:
    import faust
    from fastapi import FastAPI


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m messaging", description=__doc__)
    commands = add_commands(parser, worker="follow people, sessions, appointments and alerts on Kafka")
    commands.add_parser("socket", help="push what happens to people's open connections")
    rotate = commands.add_parser("rotate-keys", help="wrap all data keys under the current key-encryption key")
    rotate.add_argument(
        "--data-keys-older-than", type=int, metavar="DAYS", help="give conversations with older keys new ones first"
    )
    given = parser.parse_args(arguments)
    settings = Settings()
    if given.command == "socket":
        from messaging.socket.process import run_socket

        run_socket(settings)
    elif given.command == "relay":
        from messaging.relay import chores

        run_relay(settings, chores(settings))
    elif given.command == "rotate-keys":
        days = given.data_keys_older_than
        _rotate_keys(settings, None if days is None else timedelta(days=days))
    else:
        run_command(given.command, settings, _load_app, _load_worker)


def _rotate_keys(settings: Settings, older_than: timedelta | None) -> None:
    """Shows how far it has come, a line per batch; ends with status 1 when some keys could not be opened."""
    try:
        refused = asyncio.run(_rotate(settings, older_than))
    except (Problem, ValueError) as error:
        raise SystemExit(f"messaging rotate-keys: {error}") from None
    if refused:
        raise SystemExit(f"messaging rotate-keys: {refused} keys could not be opened and stay as they are; the log names them")


async def _rotate(settings: Settings, older_than: timedelta | None) -> int:
    if settings.relay_database_url is None:
        raise ValueError("MESSAGING_RELAY_DATABASE_URL is not set: only the relay's role sees the keys of all tenants")
    progress = Progress(0, 0)
    async with (
        await create_pool(settings.relay_database_url, size=2, application_name="messaging-keys") as keeper,
        await create_pool(settings.database_url, size=2, application_name="messaging-keys") as database,
        aclosing(open_keyring(settings)) as keyring,
    ):
        if older_than is not None:
            now = utc_now()
            units = _units_of_work(settings, database)
            async for progress in renew_old_keys(keeper, keyring, units, made_before=now - older_than, now=now):
                print(f"{progress.done} conversations have new keys", flush=True)
        async for progress in rotate_wrapping(keeper, keyring):
            print(f"{progress.done} of {progress.total} keys wrapped anew", flush=True)
    print("All keys are wrapped by the current key-encryption key." if not progress.refused else "Not all keys are.")
    return progress.refused


def _units_of_work(settings: Settings, database: Pool) -> Callable[[TenantId], UnitOfWork]:
    def unit_of_work_for(tenant_id: TenantId) -> UnitOfWork:
        return UnitOfWork(database, source=settings.source, context=Context(tenant_id=tenant_id, correlation_id=new_id()))

    return unit_of_work_for


def _load_app() -> Callable[[Settings], FastAPI]:
    from messaging.main import create_app

    return create_app


def _load_worker() -> Callable[[Settings], faust.App]:
    from messaging.worker import create_worker

    return create_worker


if __name__ == "__main__":
    main()
