"""The relay's life: connect, wait for the lease, then window after window until told to stop, whatever breaks meanwhile."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import structlog
from confluent_kafka import Producer

from service_kit import metrics
from service_kit.database import Connection
from service_kit.health import Check
from service_kit.relay import rows as outbox
from service_kit.relay.failpoints import armed
from service_kit.relay.holding import HeldTopics
from service_kit.relay.options import RelayOptions
from service_kit.relay.rows import OutboxRow
from service_kit.relay.sending import BrokerTrouble, ProducerFactory, RowRefused, RowsSuspected, Sender, TopicMissing

log = structlog.get_logger(__name__)

_REVIEW_SECONDS = 1.0
# One batch in the making, one ready, one going to the producer.
_BATCHES_AHEAD = 2
_BEFORE_ALL = 0


class Relay:
    """Carries the outbox of one database to Kafka while it holds the lease; several may stand by."""

    def __init__(self, options: RelayOptions, make_producer: ProducerFactory = Producer) -> None:
        self._options = options
        self._failpoint = armed(options.environment)
        self._sender = Sender(options, make_producer)
        self._held = HeldTopics(options.topics, options.missing_topic_seconds)
        self._suspects: set[int] = set()
        self._wake = asyncio.Event()
        self._reviewed_at = 0.0
        self._trouble: str | None = "not connected yet"
        self._parked = 0

    def health_checks(self) -> dict[str, Check]:
        """Return the readiness checks: a relay on standby is ready, one that cannot reach what it needs is not."""

        async def relay() -> str | None:
            return self._trouble

        return {"relay": relay}

    def warnings(self) -> list[str]:
        """Say what a person has to look at although the relay works."""
        parked = [f"{self._parked} rows are parked"] if self._parked else []
        return parked + [f"Kafka lacks the topic {topic}" for topic in self._held.missing]

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set; reconnects by itself, and ends only between two windows."""
        try:
            while not stop.is_set():
                await self._guarded_session(stop)
        finally:
            metrics.RELAY_ACTIVE.set(0)
            await self._sender.close()

    async def _guarded_session(self, stop: asyncio.Event) -> None:
        try:
            await self._session(stop)
        except BrokerTrouble as error:
            self._report("kafka", error)
        except Exception as error:
            # Whatever it is, the rows are safe in the outbox: report it and begin again.
            self._report("database", error)
        else:
            return
        await _wait(stop, self._options.reconnect_seconds)

    def _report(self, kind: str, error: Exception) -> None:
        # Kafka's trouble is said in names and words of our own; the text of other errors may hold anything.
        said = str(error) if isinstance(error, BrokerTrouble) else type(error).__name__
        self._trouble = f"{kind}: {said}"
        metrics.RELAY_ERRORS.labels(kind).inc()
        metrics.RELAY_ACTIVE.set(0)
        log.warning("relay_trouble", kind=kind, error=said)

    async def _session(self, stop: asyncio.Event) -> None:
        async with self._connected("relay") as connection:
            if not await self._lease(connection, stop):
                return
            metrics.RELAY_ACTIVE.set(1)
            async with self._connected("relay-listener") as listener:
                await listener.add_listener("outbox", lambda *_: self._wake.set())
                measuring = asyncio.create_task(self._measure_forever(listener))
                try:
                    await self._work(connection, listener, stop)
                finally:
                    measuring.cancel()
                    with suppress(asyncio.CancelledError):
                        await measuring

    @asynccontextmanager
    async def _connected(self, name: str) -> AsyncIterator[Connection]:
        connection = await outbox.connect(self._options.dsn, name)
        try:
            yield connection
        finally:
            with suppress(OSError, TimeoutError):
                await connection.close(timeout=1)

    async def _lease(self, connection: Connection, stop: asyncio.Event) -> bool:
        while not stop.is_set():
            if await outbox.take_lease(connection):
                return True
            self._trouble = None
            await _wait(stop, self._options.standby_seconds)
        return False

    async def _work(self, connection: Connection, listener: Connection, stop: asyncio.Event) -> None:
        await self._open_sender(stop)
        while not stop.is_set():
            if listener.is_closed():
                raise ConnectionError("the listening connection is gone")
            self._wake.clear()
            sent = await self._guarded_window(connection, stop)
            await self._review_missing_topics(connection)
            if sent < self._options.batch_rows and not self._wake.is_set():
                await self._until_rows_wait(connection, stop)

    async def _open_sender(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            try:
                self._held.hold(await self._sender.open())
            except BrokerTrouble as error:
                self._report("kafka", error)
                await _wait(stop, self._options.reconnect_seconds)
            else:
                self._trouble = None
                metrics.RELAY_ACTIVE.set(1)
                return

    async def _guarded_window(self, connection: Connection, stop: asyncio.Event) -> int:
        """Run one window and return its rows, or mend what stopped it: nothing of it is lost, it was rolled back."""
        try:
            return await self._window(connection)
        except TopicMissing as error:
            self._held.hold(error.topics)
        except RowsSuspected as error:
            self._suspects |= error.ids
        except RowRefused as error:
            self._count_parked(await outbox.park(connection, [error.id], error.reason))
            await self._sweep(connection)
        except BrokerTrouble as error:
            self._report("kafka", error)
        await self._open_sender(stop)
        self._wake.set()
        return 0

    async def _window(self, connection: Connection) -> int:
        sent: list[OutboxRow] = []
        async with outbox.window(connection):
            async with self._taking(connection) as batches:
                while batch := await batches.get():
                    self._failpoint("after-delete")
                    self._sender.check(batch)
                    await self._sender.produce(batch, self._suspects)
                    self._failpoint("after-produce")
                    sent += batch
            if sent:
                await self._sender.flush(sent)
                self._failpoint("after-ack")
                self._failpoint("before-commit")
        self._settle(sent)
        return len(sent)

    @asynccontextmanager
    async def _taking(self, connection: Connection) -> AsyncIterator[asyncio.Queue[list[OutboxRow]]]:
        """Give the window's batches as they come; PostgreSQL is kept busy while the producer is filled."""
        batches: asyncio.Queue[list[OutboxRow]] = asyncio.Queue(_BATCHES_AHEAD)
        taking = asyncio.create_task(self._take_window(connection, batches))
        try:
            yield batches
            await taking
        finally:
            # The connection is free for the end of the transaction only after the statement has ended.
            taking.cancel()
            await asyncio.wait([taking])

    async def _take_window(self, connection: Connection, batches: asyncio.Queue[list[OutboxRow]]) -> None:
        """Take batch after batch until the window is full or nothing is left; an empty batch says that this was all."""
        options, taken, after, is_more = self._options, 0, _BEFORE_ALL, True
        try:
            while is_more and taken < options.window_rows:
                batch = await outbox.take(connection, options.batch_rows, after=after, held=self._held.missing)
                taken += len(batch)
                is_more = len(batch) == options.batch_rows
                after = batch[-1][0] if batch else after
                await batches.put(batch)
        except Exception:
            await batches.put([])
            raise
        if is_more or taken:
            await batches.put([])

    def _settle(self, sent: list[OutboxRow]) -> None:
        if not sent:
            return
        metrics.RELAY_SENT.inc(len(sent))
        metrics.RELAY_BATCH_ROWS.observe(len(sent))
        if self._suspects:
            self._suspects.difference_update(row[0] for row in sent)

    async def _until_rows_wait(self, connection: Connection, stop: asyncio.Event) -> None:
        while not stop.is_set() and not self._wake.is_set():
            await _wait_any(stop, self._wake, self._options.poll_seconds)
            if self._wake.is_set() or await outbox.is_waiting(connection):
                return

    async def _review_missing_topics(self, connection: Connection) -> None:
        """Once a second while Kafka lacks topics: send their rows again if they came, give them up after the grace."""
        now = time.monotonic()
        if not self._held.missing or now - self._reviewed_at < _REVIEW_SECONDS:
            return
        self._reviewed_at = now
        self._held.release(await self._sender.existing_topics())
        await self._sweep(connection)

    async def _sweep(self, connection: Connection) -> None:
        options = self._options
        self._count_parked(await outbox.sweep(connection, self._held.sendable, options.record_bytes, self._held.waiting))

    def _count_parked(self, reasons: dict[int, str]) -> None:
        for row_id, reason in reasons.items():
            log.error("relay_row_parked", row=row_id, reason=reason)
            metrics.RELAY_PARKED.labels(reason).inc()
        self._parked += len(reasons)

    async def _measure_forever(self, listener: Connection) -> None:
        while True:
            lag = await outbox.measure(listener)
            metrics.RELAY_LAG_ROWS.set(lag.rows)
            metrics.RELAY_LAG_SECONDS.set(lag.seconds)
            self._parked = lag.parked
            await asyncio.sleep(self._options.measure_seconds)


async def _wait(event: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        await asyncio.wait_for(event.wait(), seconds)


async def _wait_any(first: asyncio.Event, second: asyncio.Event, seconds: float) -> None:
    waiting = {asyncio.ensure_future(first.wait()), asyncio.ensure_future(second.wait())}
    _, pending = await asyncio.wait(waiting, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    for each in pending:
        each.cancel()
