"""`python -m service_kit.making_topics`: make the topics that Kafka lacks and mend the settings of those that it has.

Reads how Kafka is reached from `BLOOM_KAFKA_*`; whoever runs it needs an operator's rights there, and no database.
"""

import argparse
import sys

from confluent_kafka import KafkaException

from bloom_events.topics import all_topics
from service_kit.kafka_access import KafkaSettings
from service_kit.settings import service_config
from service_kit.topic_creation import TopicTrouble, make_topics


class OperatorSettings(KafkaSettings):
    """How an operator reaches Kafka."""

    model_config = service_config("BLOOM_")


def main(arguments: list[str] | None = None) -> int:
    """Make and mend; 1 with one line when Kafka is away or a topic cannot be what its row says."""
    parser = argparse.ArgumentParser(prog="python -m service_kit.making_topics", description=__doc__)
    parser.add_argument("--replication-factor", type=int, default=1)
    parser.add_argument("--min-insync-replicas", type=int, default=1)
    given = parser.parse_args(arguments)
    try:
        made = make_topics(
            OperatorSettings().kafka.for_confluent(),
            all_topics(),
            replication_factor=given.replication_factor,
            min_insync_replicas=given.min_insync_replicas,
        )
    except (KafkaException, TopicTrouble) as trouble:
        print(f"topics: {trouble}", file=sys.stderr)  # noqa: T201  # the answer of an operator's command
        return 1
    print(f"{len(made)} topics made, the others were there")  # noqa: T201  # as above
    return 0


if __name__ == "__main__":
    sys.exit(main())
