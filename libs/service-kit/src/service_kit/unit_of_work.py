"""The one transaction of a use case: its rows and its events are saved together, under the caller's tenant, or not at all."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from uuid import UUID

import asyncpg
from asyncpg import Record
from asyncpg.pool import PoolConnectionProxy

from bloom_events.envelope import Envelope, wrap
from bloom_events.event import Event
from bloom_events.ids import EventId, TenantId
from service_kit import outbox
from service_kit.database import Connection, Pool
from service_kit.errors import ServiceUnavailable
from service_kit.tracing import current_traceparent

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """The current moment as an aware UTC time: the clock of a running service."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Context:
    """On whose behalf work is done: the tenant, the id that joins all that one request caused, the causing event, if any."""

    tenant_id: TenantId
    correlation_id: UUID
    causation_id: EventId | None = None


@dataclass(frozen=True, slots=True)
class Caused:
    """An event with what caused it, for a transaction that handles many causes; `traceparent` is where its trace goes on."""

    event: Event
    cause: Envelope[Event]
    traceparent: str | None = None


_SET_TENANT = "select set_config('app.tenant_id', $1, true)"


class Transaction:
    """An open transaction of one tenant: `connection` for the repository, `publish` for its events.

    `holds_lock` says whether the lock that `begin` was to try was free.
    """

    def __init__(self, connection: Connection, unit_of_work: UnitOfWork) -> None:
        self.connection = connection
        self.is_spoiled = False
        self.holds_lock = False
        self._unit_of_work = unit_of_work

    @property
    def tenant_id(self) -> TenantId:
        """The tenant whose rows this transaction sees."""
        return self._unit_of_work.context.tenant_id

    @property
    def context(self) -> Context:
        """On whose behalf this transaction works."""
        return self._unit_of_work.context

    @contextmanager
    def spoiled_by_errors(self) -> Iterator[None]:
        """What raises in the block leaves a transaction that can only be rolled back, whoever catches the error."""
        try:
            yield
        except BaseException:
            self.is_spoiled = True
            raise

    async def publish(self, *events: Event) -> None:
        """Saves events in the outbox, in this order; the relay sends them after the commit. Write the aggregate's row first."""
        if not self._unit_of_work.publishes or not events:
            return
        context, traceparent = self._unit_of_work.context, current_traceparent()
        await outbox.insert(self.connection, [self._wrapped(event, context, traceparent) for event in events])

    async def publish_caused(self, events: Sequence[Caused]) -> None:
        """Saves events in the outbox, in this order, each with the correlation and the trace of its own cause."""
        if not self._unit_of_work.publishes or not events:
            return
        wrapped = [
            self._wrapped(each.event, Context(self.tenant_id, each.cause.correlation_id, each.cause.id), each.traceparent)
            for each in events
        ]
        await outbox.insert(self.connection, wrapped)

    def _wrapped(self, event: Event, context: Context, traceparent: str | None) -> Envelope[Event]:
        unit = self._unit_of_work
        return wrap(
            event,
            source=unit.source,
            tenant_id=context.tenant_id,
            time=unit.clock(),
            correlation_id=context.correlation_id,
            causation_id=context.causation_id,
            traceparent=traceparent,
        )


class UnitOfWork:
    """Gives a use case its transaction.

    `begin()` commits at the end of its block and rolls back when the block raises. `source` is the CloudEvents source of the
    events, `clock` dates them. Raises ServiceUnavailable when no connection is to be had.
    """

    def __init__(
        self,
        database: Pool | Connection,
        *,
        source: str,
        context: Context,
        clock: Clock = utc_now,
        publishes: bool = True,
        acquire_seconds: float = 2.0,
    ) -> None:
        self.context = context
        self.source = source
        self.clock = clock
        self.publishes = publishes
        self._database = database
        self._acquire_seconds = acquire_seconds
        self._outer: Transaction | None = None

    @asynccontextmanager
    async def begin(self, *, try_lock: int | None = None) -> AsyncIterator[Transaction]:
        """Opens the transaction; on a unit that is `within` another transaction, this is a part of that one.

        `try_lock` is the number of an advisory lock to take until the end of the transaction if nobody else has it.
        """
        async with self._connection() as connection:
            transaction = Transaction(connection, self)
            if self._outer is not None:
                with self._outer.spoiled_by_errors():
                    await _try_lock(transaction, "", try_lock)
                    yield transaction
            elif connection.is_in_transaction():
                async with connection.transaction():
                    await connection.execute(_SET_TENANT, str(self.context.tenant_id))
                    await _try_lock(transaction, "", try_lock)
                    yield transaction
            else:
                async with _begun(transaction, try_lock):
                    yield transaction

    async def fetch_one(self, query: str, *args: object) -> Record | None:
        """The first row of a statement that only reads, in one round trip where begin, read and commit take three.

        The statement is its own transaction and binds itself to the tenant; `args` are its $1, $2 and so on. Subqueries have to
        refer to the row outside: PostgreSQL may evaluate others before the tenant is set, and then they find nothing.
        """
        async with self._connection() as connection:
            return await connection.fetchrow(_for_tenant(query, len(args)), *args, str(self.context.tenant_id))

    async def fetch_all(self, query: str, *args: object) -> list[Record]:
        """All rows of a statement that only reads, like `fetch_one`; their order is the statement's own."""
        async with self._connection() as connection:
            return await connection.fetch(_for_tenant(query, len(args)), *args, str(self.context.tenant_id))

    def on_behalf_of(self, context: Context) -> UnitOfWork:
        """The same unit of work for another context, whose tenant, correlation and cause its events carry."""
        return UnitOfWork(
            self._database,
            source=self.source,
            context=context,
            clock=self.clock,
            publishes=self.publishes,
            acquire_seconds=self._acquire_seconds,
        )

    def within(self, transaction: Transaction) -> UnitOfWork:
        """The same unit of work inside an open transaction: what it commits becomes final only with that one."""
        inner = UnitOfWork(
            transaction.connection, source=self.source, context=self.context, clock=self.clock, publishes=self.publishes
        )
        # Whoever opened the outer transaction ends it: an error of the inner work leaves nothing of either.
        inner._outer = transaction  # a unit of work makes another one
        return inner

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[Connection]:
        database = self._database
        if not isinstance(database, asyncpg.Pool):
            yield database
            return
        connection = await self._acquire(database)
        try:
            yield connection
        finally:
            await database.release(connection)

    async def _acquire(self, pool: Pool) -> PoolConnectionProxy[Record]:
        try:
            return await pool.acquire(timeout=self._acquire_seconds)
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            raise ServiceUnavailable("The database cannot be reached.") from error


@cache
def _for_tenant(query: str, count: int) -> str:
    """The statement behind a gate that sets the tenant for it.

    The condition depends on no row, so PostgreSQL evaluates it once, before anything beneath it is read (a "One-Time Filter").
    Were it ever evaluated later, row security would see no tenant and the statement find nothing.
    """
    return f"select * from ({query}) as found where (select set_config('app.tenant_id', ${count + 1}, true)) <> ''"  # noqa: S608  # statements of the program


class TransactionLost(Exception):  # noqa: N818  # named for what happened
    """An error inside the transaction was not passed on to its end, so nothing was saved."""


@asynccontextmanager
async def _begun(transaction: Transaction, try_lock: int | None) -> AsyncIterator[None]:
    """Begins and binds to the tenant in one round trip, where asyncpg's own transaction takes two; commits at the end."""
    connection = transaction.connection
    # A UUID writes itself in hexadecimal digits and hyphens only.
    await _try_lock(transaction, f"begin; set local app.tenant_id to '{UUID(int=transaction.tenant_id.int)}'", try_lock)
    try:
        yield
        if transaction.is_spoiled:
            raise TransactionLost
    except BaseException:
        if not connection.is_closed():
            await connection.execute("rollback")
        raise
    # PostgreSQL answers the commit of a transaction in which a statement failed by rolling it back.
    if await connection.execute("commit") != "COMMIT":
        raise TransactionLost


async def _try_lock(transaction: Transaction, first: str, number: int | None) -> None:
    """Runs `first` and tries the lock in the same round trip; PostgreSQL's answer ends with the count of the last statement."""
    statements = [first] if first else []
    if number is not None:
        statements.append(f"select where pg_try_advisory_xact_lock({number:d})")
    if statements:
        transaction.holds_lock = await transaction.connection.execute("; ".join(statements)) == "SELECT 1"
