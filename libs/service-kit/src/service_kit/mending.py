"""What an operator runs once the cause is mended: dead letters through their handlers, parked rows back into the outbox."""

import asyncio
from collections.abc import Callable

import faust

from service_kit.database import create_pool
from service_kit.faust_app import consumers_of
from service_kit.process import AnySettings, start_process
from service_kit.redrive import redrive
from service_kit.relay import list_parked, requeue
from service_kit.settings import ServiceSettings


def run_redrive(create_worker: Callable[[AnySettings], faust.App], settings: AnySettings) -> str:
    """Handle the dead letters of every consumer of the worker and return a summary for the terminal."""
    start_process(settings, "redrive")

    async def work() -> str:
        app = create_worker(settings)
        try:
            found = [await redrive(settings.kafka, *each) for each in consumers_of(app)]
        finally:
            await app.stop()
        return "\n".join(each.summary() for each in found) or "no consumers"

    return asyncio.run(work())


def run_requeue(settings: ServiceSettings) -> str:
    """Put all parked rows back into the outbox and return a summary for the terminal."""
    start_process(settings, "requeue")
    url = settings.relay_database_url
    if url is None:
        raise SystemExit(f"{settings.service_name.upper()}_RELAY_DATABASE_URL is not set")

    async def work() -> str:
        async with await create_pool(url, size=1, application_name="requeue") as pool, pool.acquire() as connection:
            lines = [f"{row.event_id} {row.type} was parked: {row.reason}" for row in await list_parked(connection)]
            return "\n".join([*lines, f"{await requeue(connection)} rows put back into the outbox"])

    return asyncio.run(work())
