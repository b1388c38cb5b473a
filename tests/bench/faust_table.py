"""One round of Faust's own tumbling windows, as a process of its own: `python -m tests.bench.faust_table BOOTSTRAP TOPIC GROUP`.

It counts booked appointments by tenant, therapist and minute. Tuned as far as it goes (field notes, section 3): a short linger
for the changelog, quiet loggers, the store in memory. Runs until it is killed; how far it is shows in what its group committed.
"""

from __future__ import annotations

import logging
import sys
from datetime import timedelta

import faust
import orjson


def create_app(bootstrap: str, topic: str, group: str) -> faust.App:
    """The app with one agent and one table."""
    for name in ("aiokafka", "faust", "mode"):
        logging.getLogger(name).setLevel(logging.WARNING)
    app = faust.App(
        group,
        broker=f"kafka://{bootstrap}",
        autodiscover=False,
        store="memory://",
        web_enabled=False,
        topic_partitions=6,
        topic_disable_leader=True,
        producer_linger=0.005,
        producer_acks=-1,
        consumer_auto_offset_reset="earliest",
        broker_max_poll_records=2000,
        worker_redirect_stdouts=False,
    )
    counts = app.Table("counts", default=int, partitions=6).tumbling(60.0, expires=timedelta(days=365)).relative_to_stream()

    @app.agent(app.topic(topic, value_type=bytes, value_serializer="raw", key_type=bytes, key_serializer="raw"))
    async def count(stream: faust.StreamT[bytes]) -> None:
        async for event in stream.events():
            headers = dict(event.message.headers)
            if headers["ce_type"] == b"appointment.booked.v1":
                therapist_id = orjson.loads(event.value)["therapist_id"]
                counts[f"{headers['ce_tenantid'].decode()}|{therapist_id}"] += 1

    return app


if __name__ == "__main__":
    faust.Worker(create_app(*sys.argv[1:4]), loglevel="WARNING", redirect_stdouts=False).execute_from_commandline()
