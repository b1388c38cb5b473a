"""Which partitions a worker has read to their end, and since when that is known: silence there is no lag."""

from datetime import UTC, datetime
from typing import Any

import faust
from faust.types import TP


def caught_up_partitions(app: faust.App) -> dict[TP, datetime]:
    """Of the worker's partitions those of which every record was handled, each with when Kafka last said that there are no more.

    Empty until the worker has its partitions, and while a rebalance goes on. A partition of which nothing was ever handled
    counts only if nothing was ever written to it.
    """
    if not app.started or app.rebalancing:
        return {}
    consumer: Any = app.consumer
    client = consumer._thread._ensure_consumer()  # noqa: SLF001  # no public way leads there
    found: dict[TP, datetime] = {}
    for tp in consumer.assignment():
        try:
            highwater, polled_ms = client.highwater(tp), client.last_poll_timestamp(tp)
        except AssertionError:
            # The thread that talks to Kafka has just given the partition up.
            continue
        if highwater is not None and polled_ms and (consumer._read_offset[tp] or 0) == highwater:  # noqa: SLF001  # as above
            found[tp] = datetime.fromtimestamp(polled_ms / 1000, UTC)
    return found
