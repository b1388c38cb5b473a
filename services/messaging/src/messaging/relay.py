"""Composition root of the relay: the outbox goes to Kafka, and beside it files that nobody can reach any more are removed."""

from __future__ import annotations

import asyncio
from contextlib import aclosing, suppress

import asyncpg
from pydantic import SecretStr

from messaging.clients.objects.choosing import open_store
from messaging.clients.objects.port import ObjectStore
from messaging.settings import Settings
from messaging.use_cases.attachments import BATCH_FILES, remove_discarded
from service_kit import metrics
from service_kit.database import CONNECT_SECONDS, SERVER_SETTINGS
from service_kit.errors import ServiceUnavailable
from service_kit.logs import get_logger
from service_kit.process import Chore
from service_kit.unit_of_work import utc_now

EVERY_SECONDS = 60.0

_log = get_logger(__name__)


def chores(settings: Settings) -> list[Chore]:
    """What the relay's process does beside the relay."""
    access, database_url = settings.store, settings.relay_database_url
    if access is None or database_url is None:
        return []

    async def remove_files(stop: asyncio.Event) -> None:
        async with aclosing(open_store(access)) as store:
            await _until(stop, database_url, store)

    return [remove_files]


async def _until(stop: asyncio.Event, database_url: SecretStr, store: ObjectStore) -> None:
    while not stop.is_set():
        try:
            await remove_all(database_url, store)
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, ServiceUnavailable) as error:
            _log.warning("attachments.not_removed", error=type(error).__name__)
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), EVERY_SECONDS)


async def remove_all(database_url: SecretStr, store: ObjectStore) -> int:
    """Removes what nobody can reach any more, batch after batch; says how many files."""
    settings = {**SERVER_SETTINGS, "application_name": "messaging-files"}
    connection = await asyncpg.connect(database_url.get_secret_value(), timeout=CONNECT_SECONDS, server_settings=settings)
    total, removed = 0, BATCH_FILES
    try:
        while removed == BATCH_FILES:
            removed = await remove_discarded(connection, store, now=utc_now())
            metrics.PURGED_ROWS.labels("attachments").inc(removed)
            total += removed
    finally:
        await connection.close()
    return total
