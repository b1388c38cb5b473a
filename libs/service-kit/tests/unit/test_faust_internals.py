"""What `faust_app` touches inside Faust: held to one version, so that an upgrade is a decision and not an accident."""

import inspect
from collections import defaultdict
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from types import SimpleNamespace

import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.consumer.fetcher import Fetcher as AioFetcher
from faust.transport.consumer import Consumer as GenericConsumer
from faust.transport.consumer import Fetcher
from faust.transport.drivers import aiokafka
from faust.types import TP

from service_kit.faust_app import FAUST_VERSION, FetchConsumer

RULE = (
    "read faust/transport/consumer.py again, compare `_drain_messages` and `getmany` with FetchConsumer, then move FAUST_VERSION"
)


def test_faust_is_the_version_that_the_consumer_was_written_against():
    assert version("faust-streaming") == FAUST_VERSION, RULE


@pytest.mark.parametrize(
    "name",
    [
        "_wait_next_records",
        "_drain_messages",
        "_commit",
        "_add_gap",
        "_to_message",
        "perform_seek",
        "seek_wait",
        "highwater",
        "wait_first",
        "assignment",
    ],
)
def test_the_methods_it_calls_or_overrides_are_there(name):
    assert callable(getattr(aiokafka.Consumer, name, None)), RULE


def test_the_fetcher_runs_the_overridden_method():
    assert "consumer._drain_messages(self)" in inspect.getsource(Fetcher), RULE
    assert "_drain_messages" in vars(FetchConsumer)


@pytest.mark.parametrize(
    "attribute",
    ["_read_offset", "_committed_offset", "_buffered_partitions", "suspend_flow", "flow_active", "scheduler", "callback"],
)
def test_the_state_it_reads_and_writes_is_there(attribute):
    source = inspect.getsource(GenericConsumer)
    assert f"self.{attribute} " in source or f"    {attribute}: " in source, RULE


def test_how_long_records_may_lie_unread_is_kept_where_it_is_set():
    assert "backoff=self._prefetch_backoff" in inspect.getsource(AioFetcher), RULE
    assert "self._fetcher = Fetcher(" in inspect.getsource(aiokafka.aiokafka.AIOKafkaConsumer), RULE
    assert callable(getattr(aiokafka.AIOKafkaConsumerThread, "_ensure_consumer", None)), RULE


def test_what_a_partition_was_read_to_can_be_asked():
    assert callable(getattr(AIOKafkaConsumer, "last_poll_timestamp", None)), RULE
    assert callable(getattr(AIOKafkaConsumer, "highwater", None)), RULE
    assert "tp_state.timestamp = now_ms" in inspect.getsource(AioFetcher), RULE
    assert "offset >= 0 else None" in inspect.getsource(GenericConsumer.perform_seek), RULE


def test_aiokafka_seeks_nowhere_where_nothing_was_committed():
    assert "if offset and offset > 0:" in inspect.getsource(AIOKafkaConsumer.seek_to_committed), (
        "FetchConsumer seeks to the beginning itself where nothing was committed: look whether it still has to"
    )


class Standing(FetchConsumer):
    """A consumer of three partitions whose flow has been stopped with records in hand; asks no Kafka."""

    flow_active = False
    should_stop = False
    app = SimpleNamespace(consumer_generation_id=3)

    def __init__(self, committed: Mapping[TP, int | None], fetched: Mapping[TP, Sequence[object]]) -> None:
        self.committed, self.fetched = committed, fetched
        self._read_offset = defaultdict[TP, int | None](lambda: None)
        self._committed_offset: dict[TP, int | None] = {}
        self.sought: dict[TP, int] = {}

    async def _wait_next_records(self, _seconds):
        return self.fetched, set(self.fetched)

    async def seek_to_committed(self):
        return self.committed

    async def seek_wait(self, partitions):
        self.sought |= partitions

    def assignment(self):
        return set(self.committed)


async def test_what_was_fetched_while_the_flow_stood_still_is_sought_again_where_nothing_was_committed():
    begun, new, untouched, gone = TP("notes", 0), TP("notes", 1), TP("notes", 2), TP("notes", 3)
    consumer = Standing({begun: 7, new: None, untouched: None}, {begun: [object()], new: [object()], gone: [object()]})

    await consumer._drain_once()

    assert consumer.sought == {new: 0}
    assert consumer._read_offset[begun] == 7


async def test_a_commit_at_the_very_beginning_is_no_place_that_aiokafka_seeks():
    first = TP("notes", 0)
    consumer = Standing({first: 0}, {first: [object()]})

    await consumer._drain_once()

    assert consumer.sought == {first: 0}


def test_the_transport_builds_whatever_consumer_class_it_was_given():
    assert aiokafka.Transport.Consumer is aiokafka.Consumer
    from faust.transport.base import Transport

    assert "self.Consumer(" in inspect.getsource(Transport.create_consumer), RULE
