"""Topics on a running cluster: made from the rows of `bloom_events.topics`, and mended where their settings differ.

Needs confluent-kafka alone, so that what sets a cluster up can be small.
"""

from collections.abc import Iterable, Mapping
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from confluent_kafka.admin import AdminClient


class TopicTrouble(Exception):  # noqa: N818  # named for what is found, as problems are
    """A topic is not what its row says, or Kafka refuses to make it so."""


class TopicRow(Protocol):
    """What of a topic's row the cluster needs to know."""

    @property
    def name(self) -> str:
        """The topic's name."""
        ...

    @property
    def partitions(self) -> int:
        """How many partitions it has, for good: keys would move."""
        ...

    @property
    def retention_ms(self) -> int:
        """How long records stay; -1 keeps everything."""
        ...

    @property
    def cleanup_policy(self) -> str:
        """Kafka's own word for it: delete or compact."""
        ...


def make_topics(
    client: Mapping[str, Any], topics: Iterable[TopicRow], *, replication_factor: int = 1, min_insync_replicas: int = 1
) -> list[str]:
    """Make what is missing and bring the settings of what exists to the rows; the names of those that were made.

    `client` is the configuration of a confluent-kafka client. Raises TopicTrouble where a row cannot be followed.
    """
    from confluent_kafka.admin import AdminClient
    from confluent_kafka.cimpl import NewTopic

    admin = AdminClient({**client, "log_level": 0})
    rows = {topic.name: topic for topic in topics}
    existing = admin.list_topics(timeout=10).topics
    missing = [
        NewTopic(row.name, row.partitions, replication_factor, config=_settings(row, min_insync_replicas))
        for row in rows.values()
        if row.name not in existing
    ]
    if missing:
        _await_all(admin.create_topics(missing, operation_timeout=30))
    kept = [row for row in rows.values() if row.name in existing]
    for row in kept:
        if (found := len(existing[row.name].partitions)) != row.partitions:
            raise TopicTrouble(f"topic {row.name} has {found} partitions, its row says {row.partitions}: keys would move")
    if kept:
        _mend(admin, kept, min_insync_replicas)
    return [topic.topic for topic in missing]


def _settings(row: TopicRow, min_insync_replicas: int) -> dict[str, str]:
    return {
        "retention.ms": str(row.retention_ms),
        "cleanup.policy": row.cleanup_policy,
        "min.insync.replicas": str(min_insync_replicas),
    }


def _mend(client: "AdminClient", rows: Iterable[TopicRow], min_insync_replicas: int) -> None:
    from confluent_kafka.admin._config import AlterConfigOpType, ConfigEntry, ConfigResource
    from confluent_kafka.admin._resource import ResourceType

    resources = [
        ConfigResource(
            ResourceType.TOPIC,
            row.name,
            incremental_configs=[
                ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET)
                for name, value in _settings(row, min_insync_replicas).items()
            ],
        )
        for row in rows
    ]
    _await_all(client.incremental_alter_configs(resources))


def _await_all(futures: Mapping[Any, "Future[Any]"]) -> None:
    from confluent_kafka import KafkaError, KafkaException

    for key, future in futures.items():
        try:
            future.result(30)
        except KafkaException as error:
            # The broker that listed the topics may not have heard yet of one that exists.
            if error.args[0].code() == KafkaError.TOPIC_ALREADY_EXISTS:
                continue
            raise TopicTrouble(f"topic {key}: {error.args[0].str()}") from error
