"""Housekeeping beside the relay: removes what is past its retention, a bounded batch at a time."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import timedelta

import asyncpg
from pydantic import SecretStr

from service_kit.database import CONNECT_SECONDS, SERVER_SETTINGS
from service_kit.idempotency import purge_idempotency_keys
from service_kit.logs import get_logger

EVERY_SECONDS = 60.0
BATCH_ROWS = 1000
"""Few enough that a batch holds its locks for some milliseconds only."""

_log = get_logger(__name__)


async def keep_house(
    database_url: SecretStr, *, retention: timedelta, stop: asyncio.Event, every_seconds: float = EVERY_SECONDS
) -> None:
    """Once a minute until `stop`: removes stored answers older than `retention`. The relay's role sees those of all tenants."""
    while not stop.is_set():
        try:
            await remove_old_answers(database_url, retention)
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            _log.warning("housekeeping.failed", error=type(error).__name__)
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), every_seconds)


async def remove_old_answers(database_url: SecretStr, retention: timedelta, *, batch_rows: int = BATCH_ROWS) -> int:
    """Removes all stored answers older than `retention`, batch after batch; gives how many."""
    settings = {**SERVER_SETTINGS, "application_name": "housekeeping"}
    connection = await asyncpg.connect(database_url.get_secret_value(), timeout=CONNECT_SECONDS, server_settings=settings)
    try:
        total = removed = await purge_idempotency_keys(connection, older_than=retention, limit=batch_rows)
        while removed == batch_rows:
            removed = await purge_idempotency_keys(connection, older_than=retention, limit=batch_rows)
            total += removed
    finally:
        await connection.close()
    return total
