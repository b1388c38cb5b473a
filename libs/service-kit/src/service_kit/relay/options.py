"""What a relay is told: where it reads and writes, and its few limits with what they were measured from."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from pydantic import SecretStr

from bloom_events.registry import MAX_EVENT_BYTES
from bloom_events.topics import TOPICS
from service_kit.kafka_access import KafkaAddress


def _known_topics() -> frozenset[str]:
    return frozenset(topic.name for topic in TOPICS)


@dataclass(frozen=True, slots=True)
class RelayOptions:
    """Where a relay reads and writes, and its limits.

    Times are in seconds. `window_rows` bounds what may be sent twice when the process is killed.
    """

    dsn: SecretStr
    bootstrap: KafkaAddress
    environment: str = "local"
    topics: frozenset[str] = field(default_factory=_known_topics)
    # Rows per statement: below 500 the round trips show, above 2000 nothing is gained.
    batch_rows: int = 1000
    # Rows between two commits; waiting for the last acknowledgements costs a window of this size about 3 %.
    window_rows: int = 16_000
    # A record above this is parked: the body's limit and room for key and headers, below Kafka's own 1,048,588.
    record_bytes: int = MAX_EVENT_BYTES + 50_000
    # An idle relay and one on standby ask 4 + 0.8 + 0.1 times a second in all.
    poll_seconds: float = 0.25
    standby_seconds: float = 1.25
    reconnect_seconds: float = 0.5
    measure_seconds: float = 10.0
    # Without any acknowledgement for this long the rows go back to the outbox until the broker answers again.
    stall_seconds: float = 10.0
    # A declared topic that Kafka does not have may be about to be created.
    missing_topic_seconds: float = 15.0
    producer: Mapping[str, str | int | bool] = field(default_factory=dict)
