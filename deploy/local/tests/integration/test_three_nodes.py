"""Three Kafka nodes under load: one is killed, its disk deleted, and it comes back empty; nothing acknowledged is missing."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import pytest
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from local_stack.component import bring_up
from local_stack.errors import StackError
from local_stack.kafka import KafkaCluster
from local_stack.process import wait_until
from local_stack.topics import create_topics

TOPIC = "bloom.examples.v1"
_IN_FLIGHT = 500

pytestmark = [pytest.mark.server, pytest.mark.timeout(300)]


class Row:
    name = TOPIC
    partitions = 6
    retention_ms = -1
    cleanup_policy = "delete"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaCluster]:
    nodes = KafkaCluster(tmp_path_factory.mktemp("kafka"), nodes=3, quick=True, guarded=True)
    try:
        bring_up(nodes)
        create_topics(nodes.bootstrap, [Row()], replication_factor=nodes.replication_factor, min_insync_replicas=2)
        yield nodes
    finally:
        nodes.kill()


class Load:
    """Writes numbers while few enough are on their way, and remembers those that were acknowledged by all replicas in sync."""

    def __init__(self, bootstrap: str) -> None:
        settings = {"bootstrap.servers": bootstrap, "acks": "all", "enable.idempotence": True, "linger.ms": 5, "log_level": 0}
        self._producer = Producer({**settings, "message.timeout.ms": 60_000})
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._write)
        self.acknowledged: set[int] = set()
        self.refused: list[object] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        assert self._producer.flush(60) == 0

    def _write(self) -> None:
        number = 0
        while not self._stop.is_set():
            if len(self._producer) < _IN_FLIGHT:
                self._producer.produce(TOPIC, str(number).encode(), on_delivery=self._note)
                number += 1
            self._producer.poll(0.0005)

    def _note(self, error: object, record: "object") -> None:
        if error is None:
            self.acknowledged.add(int(record.value()))  # type: ignore[attr-defined]  # the client ships no types
        else:
            self.refused.append(error)

    def goes_on(self, more: int) -> bool:
        """Whether so many more are acknowledged within a minute."""
        goal = len(self.acknowledged) + more
        return wait_until(lambda: len(self.acknowledged) >= goal, 60)


def test_nothing_acknowledged_is_missing_after_a_node_lost_its_disk_under_load(cluster: KafkaCluster) -> None:
    with Load(cluster.bootstrap) as load:
        assert load.goes_on(2_000)
        cluster.kill(1)
        cluster.wipe(1)
        assert load.goes_on(2_000)
        cluster.start_node(1)
        cluster.wait_ready()
        assert wait_until(lambda: everything_is_in_sync(cluster), 90, pause=0.2)
        assert load.goes_on(1_000)
    assert load.refused == []
    # The node that came back empty now stands in for one that held everything.
    cluster.kill(2)
    assert wait_until(lambda: cluster.live_nodes() == {1, 3}, 60)
    assert load.acknowledged - written(cluster) == set()
    cluster.start_node(2)
    cluster.wait_ready()
    assert everything_is_in_sync(cluster) or wait_until(lambda: everything_is_in_sync(cluster), 60)


def test_the_disk_of_a_running_node_is_never_wiped(cluster: KafkaCluster) -> None:
    with pytest.raises(StackError, match="kafka-3: is running"):
        cluster.wipe(3)
    assert cluster.nodes[3].data.exists()


def test_data_of_three_nodes_is_not_opened_by_one(cluster: KafkaCluster, tmp_path: Path) -> None:
    with pytest.raises(StackError, match=r"belongs to 3 node\(s\), not 1: set KAFKA_NODES=3"):
        KafkaCluster(cluster.folder, nodes=1).start()
    assert cluster.is_ready()


def everything_is_in_sync(cluster: KafkaCluster) -> bool:
    metadata = AdminClient({"bootstrap.servers": cluster.bootstrap, "log_level": 0}).list_topics(timeout=10)
    return all(len(partition.isrs) == 3 for partition in metadata.topics[TOPIC].partitions.values())


def written(cluster: KafkaCluster) -> set[int]:
    """Every number that can be read."""
    settings = {"bootstrap.servers": cluster.bootstrap, "group.id": "reader", "log_level": 0, "enable.auto.commit": False}
    consumer = Consumer(settings)
    ends = {partition: end_of(consumer, partition) for partition in range(Row.partitions)}
    consumer.assign([TopicPartition(TOPIC, partition, 0) for partition in ends])
    found: set[int] = set()
    while any(each.offset < ends[each.partition] for each in consumer.position(consumer.assignment()) if ends[each.partition]):
        found |= {int(record.value()) for record in consumer.consume(1_000, timeout=1.0) if record.error() is None}
    consumer.close()
    return found


def end_of(consumer: Consumer, partition: int) -> int:
    """The next offset of the partition; asked again while its leader moves."""
    found: list[int] = []

    def ask() -> bool:
        try:
            found.append(consumer.get_watermark_offsets(TopicPartition(TOPIC, partition), timeout=5)[1])
        except KafkaException:
            return False
        return True

    assert wait_until(ask, 60)
    return found[0]
