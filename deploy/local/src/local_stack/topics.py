"""Topics of the local stack's Kafka, made and mended as in every other installation."""

from collections.abc import Iterable

from local_stack.errors import StackError
from service_kit.topic_creation import TopicRow, TopicTrouble, make_topics


def create_topics(
    bootstrap: str, topics: Iterable[TopicRow], *, replication_factor: int = 1, min_insync_replicas: int = 1
) -> list[str]:
    """Make what is missing and bring the settings of what exists to the rows; the names of those that were made."""
    client = {"bootstrap.servers": bootstrap}
    try:
        return make_topics(client, topics, replication_factor=replication_factor, min_insync_replicas=min_insync_replicas)
    except TopicTrouble as trouble:
        raise StackError("kafka", str(trouble)) from trouble


def is_reachable(bootstrap: str) -> bool:
    """Whether a broker answers at one of these addresses."""
    from confluent_kafka import KafkaException
    from confluent_kafka.admin import AdminClient

    try:
        return bool(AdminClient({"bootstrap.servers": bootstrap, "log_level": 0}).list_topics(timeout=2).brokers)
    except KafkaException:
        return False
