"""What `faust_app` touches inside Faust: held to one version, so that an upgrade is a decision and not an accident."""

import inspect
from importlib.metadata import version

import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.consumer.fetcher import Fetcher as AioFetcher
from faust.transport.consumer import Consumer as GenericConsumer
from faust.transport.consumer import Fetcher
from faust.transport.drivers import aiokafka

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


def test_the_transport_builds_whatever_consumer_class_it_was_given():
    assert aiokafka.Transport.Consumer is aiokafka.Consumer
    from faust.transport.base import Transport

    assert "self.Consumer(" in inspect.getsource(Transport.create_consumer), RULE
