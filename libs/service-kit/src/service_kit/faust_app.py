"""Faust for what it is good at (process, group membership, assignment, rebalance); records come as whole fetches.

Faust acknowledges an event whose agent raised or was cancelled, and spends most of its time per message. So its consumer is
replaced by one that hands `{partition: records}` to one coroutine and commits when that has returned. A dozen of Faust's
internals are touched for it: they are the same in the pinned version only, which a test holds.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeAlias

import faust
import structlog
from faust.transport.drivers.aiokafka import Consumer
from faust.types import TP

from service_kit import metrics
from service_kit.consuming import Consuming, Record
from service_kit.consuming_batches import AnyConsuming, BatchConsuming
from service_kit.consuming_fetches import FetchConsuming
from service_kit.health import Check
from service_kit.settings import ServiceSettings

log = structlog.get_logger(__name__)

FAUST_VERSION = "0.15.3"
"""The version whose internals this module was written against."""

PREFETCH_SECONDS = 2.0
"""How long records may lie unread before aiokafka asks for more without their partition; a batch should be done by then.

What comes for a partition that was left out waits until the broker has answered, which Faust allows 1.5 s.
"""

Fetch: TypeAlias = Mapping[TP, Sequence[Record]]
FetchHandler: TypeAlias = Callable[[Fetch], Awaitable[None]]

Preparation: TypeAlias = Callable[[], Awaitable[object]]

_HANDLERS = "bloom_fetch_handlers"
_CONSUMERS = "bloom_consumers"
_CHECKS = "bloom_checks"
_PREPARATIONS = "bloom_preparations"
_QUIET = ("aiokafka", "faust", "mode")


class FetchConsumer(Consumer):
    """Hands whole fetches to `take_fetches` handlers; topics of plain agents get their messages as Faust does it."""

    async def _drain_messages(self, fetcher: Any) -> None:
        """Fetch and hand over until stopped; a handler's exception crashes the worker with nothing committed."""
        self._thread._ensure_consumer()._fetcher._prefetch_backoff = PREFETCH_SECONDS  # noqa: SLF001  # no setting leads there
        try:
            while not (self.should_stop or fetcher.should_stop):
                await self._drain_once()
        except self.consumer_stopped_errors:
            if not self.app.should_stop:
                raise
        except asyncio.CancelledError:
            if not self.app.should_stop:
                raise

    async def _drain_once(self) -> None:
        records, active = await self._wait_next_records(1.0)
        generation = self.app.consumer_generation_id
        await asyncio.sleep(0)
        if not records or self.should_stop:
            return
        if not self.flow_active:
            await self._seek_back(records)
            return
        wanted = {tp: fresh for tp, found in records.items() if (fresh := self._fresh(tp, found, active))}
        for handler, fetch in self._by_handler(wanted).items():
            if handler is None:
                await self._deliver_to_streams(fetch, generation)
            elif await self._handle(handler, fetch) and self._still_owns(generation):
                await self._settle(fetch)

    async def _seek_back(self, records: Fetch) -> None:
        """Forget what was fetched while a rebalance had stopped the flow: it comes again from the committed offsets."""
        try:
            await self.perform_seek()
            # That seeks only where something was committed. Elsewhere aiokafka would go on behind what is forgotten here.
            await self.seek_wait({tp: 0 for tp in self.assignment() & records.keys() if not self._read_offset[tp]})
        except Exception as error:
            log.warning("seek_failed_while_flow_stopped", error=type(error).__name__)

    def _fresh(self, tp: TP, records: Sequence[Record], active: set[TP] | None) -> list[Record]:
        if active is not None and tp not in active and tp not in self._buffered_partitions:
            return []
        read = self._read_offset[tp]
        return [record for record in records if read is None or record.offset >= read]

    def _by_handler(self, records: Fetch) -> dict[FetchHandler | None, dict[TP, Sequence[Record]]]:
        handlers: dict[str, FetchHandler] = getattr(self.app, _HANDLERS, {})
        split: dict[FetchHandler | None, dict[TP, Sequence[Record]]] = {}
        for tp, found in records.items():
            split.setdefault(handlers.get(tp.topic), {})[tp] = found
        return split

    async def _handle(self, handler: FetchHandler, fetch: Fetch) -> bool:
        """Run the handler, cancelled when a rebalance stops the flow; say whether it came to its end."""
        self._note_lag({tp: records[0].offset for tp, records in fetch.items()})
        handling = asyncio.ensure_future(handler(fetch))
        suspended = asyncio.ensure_future(self.suspend_flow.wait())
        try:
            await asyncio.wait({handling, suspended}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            suspended.cancel()
            if not handling.done():
                handling.cancel()
                await asyncio.wait({handling})
        if handling.cancelled():
            return False
        handling.result()
        return True

    def _still_owns(self, generation: int) -> bool:
        return bool(self.flow_active and self.app.consumer_generation_id == generation)

    async def _settle(self, fetch: Fetch) -> None:
        next_offsets = {tp: records[-1].offset + 1 for tp, records in fetch.items()}
        self._read_offset.update(next_offsets)
        if await self._commit(next_offsets):
            self._committed_offset.update(next_offsets)
        self._note_lag(next_offsets)

    def _note_lag(self, next_offsets: Mapping[TP, int]) -> None:
        """Before a fetch is handled too: a handler that is stuck is what an operator wants to see."""
        for tp, offset in next_offsets.items():
            lag = max(0, (self.highwater(tp) or offset) - offset)
            metrics.CONSUMER_LAG.labels(tp.topic, str(tp.partition)).set(lag)

    async def _deliver_to_streams(self, records: Fetch, generation: int) -> None:
        for tp, record in self.scheduler.iterate({tp: list(found) for tp, found in records.items()}):
            if not self._still_owns(generation):
                return
            read = self._read_offset[tp]
            if read and record.offset - read > 1 and self.app.topics.acks_enabled_for(tp.topic):
                await self._add_gap(tp, read + 1, record.offset)
            await self.wait_first(self.callback(self._to_message(tp, record)), self.suspend_flow.wait())
            self._read_offset[tp] = record.offset


def create_faust_app(settings: ServiceSettings, *, app_id: str) -> faust.App:
    """Build an app for raw bytes, without web server or tables on disk, whose consumer hands over whole fetches."""
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    brokers = ";".join(f"kafka://{server.strip()}" for server in settings.kafka_bootstrap_servers.split(","))
    app = faust.App(
        app_id,
        broker=brokers,
        broker_credentials=settings.kafka.for_faust(),
        autodiscover=False,
        value_serializer="raw",
        key_serializer="raw",
        store="memory://",
        web_enabled=False,
        topic_allow_declare=False,
        topic_disable_leader=True,
        producer_linger=0.005,
        producer_acks=-1,
        consumer_auto_offset_reset="earliest",
        consumer_group_instance_id=settings.worker_instance,
        broker_max_poll_records=2000,
        broker_session_timeout=settings.worker_session_seconds,
        broker_heartbeat_interval=min(1.0, settings.worker_session_seconds / 5),
        stream_wait_empty=False,
        worker_redirect_stdouts=False,
    )
    app.transport.Consumer = FetchConsumer  # type: ignore[misc]  # this app's transport only, not the class
    return app


def take_fetches(app: faust.App, topics: Sequence[str], handler: FetchHandler) -> None:
    """Give every fetch of these topics to `handler`; it is committed when the handler has returned, else delivered again.

    A handler is cancelled when a rebalance takes partitions away or the worker stops; what it raises ends the worker.
    """
    handlers: dict[str, FetchHandler] = app.__dict__.setdefault(_HANDLERS, {})
    for name in topics:
        handlers[name] = handler
        # Faust subscribes to what agents read: this one is assigned the partitions and gets nothing.
        app.agent(app.topic(name, value_type=bytes, value_serializer="raw"), name=f"fetches.{name}")(_receive_nothing)


async def _receive_nothing(stream: Any) -> None:
    async for _ in stream:
        raise RuntimeError("a topic taken as whole fetches has no stream")


def consume_topics(app: faust.App, consuming: Consuming, topics: Sequence[str]) -> None:
    """Run every record of these topics through `consuming`: in order within a partition, partitions beside each other."""

    async def handle(fetch: Fetch) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                for records in fetch.values():
                    group.create_task(_consume_in_order(consuming, records))
        except BaseExceptionGroup as failures:
            raise failures.exceptions[0] from None

    take_fetches(app, topics, handle)
    app.__dict__.setdefault(_CONSUMERS, []).append((consuming, tuple(topics)))


def consume_batches(app: faust.App, consuming: BatchConsuming[Any], topics: Sequence[str]) -> None:
    """Run every fetch of these topics through `consuming`, many records at a time, in order within a partition."""

    async def handle(fetch: Fetch) -> None:
        await consuming.consume_many([record for records in fetch.values() for record in records])

    take_fetches(app, topics, handle)
    app.__dict__.setdefault(_CONSUMERS, []).append((consuming, tuple(topics)))


def consume_fetches(app: faust.App, consuming: FetchConsuming[Any], topics: Sequence[str]) -> None:
    """Run every fetch of these topics through `consuming` as a whole, whichever partitions it is of."""

    async def handle(fetch: Fetch) -> None:
        await consuming.consume_fetch([record for records in fetch.values() for record in records])

    take_fetches(app, topics, handle)
    app.__dict__.setdefault(_CONSUMERS, []).append((consuming, tuple(topics)))


def before_start(app: faust.App, preparation: Preparation) -> None:
    """Have the app wait for `preparation` before it asks for partitions, so that it holds none that it cannot work on yet."""
    app.__dict__.setdefault(_PREPARATIONS, []).append(preparation)


def add_checks(app: faust.App, checks: Mapping[str, Check]) -> None:
    """Give the worker readiness checks of its own beside those that every worker has."""
    app.__dict__.setdefault(_CHECKS, {}).update(checks)


def when_partitions_go(app: faust.App, forget: Callable[[], None]) -> None:
    """Call `forget` whenever partitions are about to be taken away: what was kept for their keys belongs to others then."""

    async def revoked(*_: Any, **__: Any) -> None:
        forget()

    app.on_partitions_revoked.connect(revoked, weak=False)


def consumers_of(app: faust.App) -> list[tuple[AnyConsuming, Sequence[str]]]:
    """Return what the app consumes: each consumer with its topics."""
    return list(app.__dict__.get(_CONSUMERS, ()))


async def _consume_in_order(consuming: Consuming, records: Sequence[Record]) -> None:
    for record in records:
        await consuming.consume(record)


def worker_checks(app: faust.App) -> dict[str, Check]:
    """Return the readiness checks of a worker: it has its place in the consumer group and no rebalance is going on."""

    async def kafka() -> str | None:
        # Faust begins with 0; the first generation of a group that Kafka hands out is 1.
        if app.rebalancing or app.consumer_generation_id < 1 or not app.started:
            return "waiting for partitions"
        return None

    return {"kafka": kafka, **app.__dict__.get(_CHECKS, {})}


async def run_app(app: faust.App, stop: asyncio.Event) -> None:
    """Run the app until `stop` is set; raises what crashed it, or what kept it from starting."""
    stopping = asyncio.ensure_future(stop.wait())
    try:
        if await _is_prepared(app, stopping):
            await app.start()
            await _first_of(stopping, asyncio.ensure_future(app.wait_until_stopped()))
    finally:
        stopping.cancel()
        await app.stop()
    if app.crash_reason is not None:
        raise app.crash_reason


async def _is_prepared(app: faust.App, stopping: asyncio.Future[Any]) -> bool:
    """Do what has to come before the start; False when the process is told to stop meanwhile."""
    for preparation in app.__dict__.get(_PREPARATIONS, ()):
        preparing = asyncio.ensure_future(preparation())
        await asyncio.wait({preparing, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if not preparing.done():
            preparing.cancel()
            await asyncio.wait({preparing})
            return False
        preparing.result()
    return True


async def _first_of(stopping: asyncio.Future[Any], ending: asyncio.Future[Any]) -> None:
    try:
        await asyncio.wait({stopping, ending}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        ending.cancel()
