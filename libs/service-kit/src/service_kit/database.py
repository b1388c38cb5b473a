"""PostgreSQL connections: one pool per process, limits on how long anything may take, and which errors mean "not there now"."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

import asyncpg
import orjson
from pydantic import SecretStr

from service_kit import metrics

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

    Pool: TypeAlias = asyncpg.Pool[asyncpg.Record]
    Connection: TypeAlias = asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]
else:
    # asyncpg's classes take no type parameters when the program runs.
    Pool: TypeAlias = asyncpg.Pool
    Connection: TypeAlias = asyncpg.Connection

SERVER_SETTINGS: Mapping[str, str] = {
    "statement_timeout": "10000",
    "idle_in_transaction_session_timeout": "15000",
    "lock_timeout": "5000",
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
    "timezone": "UTC",
}
"""What every session starts with: milliseconds for the timeouts, seconds for the keepalives."""

CONNECT_SECONDS = 5.0
"""How long one attempt to connect may take before PostgreSQL counts as away."""

_UNAVAILABLE: tuple[type[BaseException], ...] = (
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.LockNotAvailableError,
    asyncpg.TransactionRollbackError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    ConnectionError,
    TimeoutError,
    socket.gaierror,
)


class PooledConnection(asyncpg.Connection):
    """A connection that needs no clean-up when it goes back to the pool, which saves one round trip per request.

    Nothing in a service leaves session state: the tenant is set per transaction, and locks are transaction locks.
    """

    def get_reset_query(self) -> str:
        """Nothing to run."""
        return ""


async def create_pool(url: SecretStr, *, size: int, application_name: str) -> Pool:
    """A pool of at most `size` connections, opened when they are first needed: it can be made while PostgreSQL still starts."""
    return await asyncpg.create_pool(
        url.get_secret_value(),
        min_size=0,
        max_size=size,
        timeout=CONNECT_SECONDS,
        connection_class=PooledConnection,
        init=_prepare_pooled,
        server_settings={**SERVER_SETTINGS, "application_name": application_name},
    )


WARM_UP_SECONDS = 1.0
"""The longest that opening one connection ahead of time may take."""


async def warm_up(pool: Pool) -> None:
    """Opens all connections of the pool, so that the first burst of requests does not wait some 10 ms for each.

    While PostgreSQL is away it gives up: connections are then opened as requests need them.
    """
    held: list[PoolConnectionProxy[asyncpg.Record]] = []
    try:
        # Only what is not open yet: waiting for a connection that a request has would keep the others from all requests.
        while pool.get_size() < pool.get_max_size():
            held.append(await pool.acquire(timeout=WARM_UP_SECONDS))
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
        return
    finally:
        # Shielded: a service that ends meanwhile closes the pool, which waits for every connection that is out.
        await asyncio.shield(asyncio.gather(*(pool.release(connection) for connection in held)))


async def prepare_connection(connection: Connection) -> None:
    """Teaches a new connection to take and give jsonb as plain Python values, and what lists of ids look like."""
    await connection.set_type_codec("jsonb", schema="pg_catalog", format="binary", encoder=_jsonb, decoder=_from_jsonb)
    # asyncpg reads the catalogue when it first meets an array type, which would take 5 ms of somebody's request.
    await connection.fetchval("select null::uuid[]")


async def _prepare_pooled(connection: Connection) -> None:
    await prepare_connection(connection)
    connection.add_query_logger(_note_statement)


def _note_statement(asked: Any) -> None:
    """Note how long a statement took, and nothing of what it says: its arguments are somebody's data."""
    metrics.statement("failed" if asked.exception else "done")(asked.elapsed)


def is_unavailable(error: BaseException) -> bool:
    """Whether the same work may succeed a little later: PostgreSQL is away or overloaded, or two transactions collided."""
    # asyncpg raises an InterfaceError that is also a ValueError for arguments of a wrong type: that never gets better.
    return isinstance(error, _UNAVAILABLE) and not isinstance(error, ValueError)


def describe_error(error: asyncpg.PostgresError) -> dict[str, str]:
    """What may be said of a database error: its class, state, constraint and table, and never its text, which carries values."""
    facts = {"error": type(error).__name__, "sqlstate": error.sqlstate or ""}
    for name in ("constraint_name", "table_name", "schema_name"):
        value = getattr(error, name, None)
        if value:
            facts[name] = str(value)
    return facts


def _jsonb(value: Any) -> bytes:
    return b"\x01" + orjson.dumps(value)


def _from_jsonb(data: bytes) -> Any:
    return orjson.loads(data[1:])
