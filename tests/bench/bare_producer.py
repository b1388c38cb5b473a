"""The relay's measure: a bare confluent producer, idempotent, acks=all, with the same records. Prints records per second.

Run as a process of its own, as the relay is: `python -m tests.bench.bare_producer BOOTSTRAP COUNT`.
"""

import sys
import time

from confluent_kafka import Producer
from tests.bench.outbox_load import messages


def main(bootstrap: str, count: int) -> None:
    """Produce and wait for every acknowledgement; the records are made before the clock starts."""
    records = messages(count)
    producer = Producer(
        {
            "bootstrap.servers": bootstrap,
            "enable.idempotence": True,
            "acks": "all",
            "linger.ms": 2,
            "batch.num.messages": 10_000,
            "queue.buffering.max.messages": 1_000_000,
            "queue.buffering.max.kbytes": 1_048_576,
            "topic.metadata.propagation.max.ms": 2000,
            "log_level": 0,
        }
    )
    headers: list[dict[str, str | bytes | None]] = [dict(record.headers) for record in records]
    producer.list_topics(timeout=10)
    started = time.monotonic()
    for number, record in enumerate(records):
        producer.produce(record.topic, record.value, record.key, headers=headers[number], timestamp=record.timestamp_ms)
        if number % 1000 == 0:
            producer.poll(0)
    left = producer.flush(120)
    seconds = time.monotonic() - started
    if left:
        raise SystemExit(f"{left} records were not acknowledged")
    print(count / seconds)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
