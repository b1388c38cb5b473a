"""Reads the result topics of analytics: every window up to now, in its newest revision."""

from __future__ import annotations

import json
import os
from collections import Counter
from datetime import datetime
from typing import Any

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, TopicPartition

KAFKA = os.environ.get("BLOOM_KAFKA", "127.0.0.1:9092")
TIMES = ("window_start", "window_end", "watermark")


def newest_results(topic: str, kafka: str = KAFKA) -> list[dict[str, Any]]:
    """Read a topic from its beginning to its end; nothing is committed, so it can be read again and again."""
    consumer = Consumer(
        {"bootstrap.servers": kafka, "group.id": "analyst", "enable.auto.commit": False, "enable.partition.eof": True}
    )
    windows: dict[str, dict[str, Any]] = {}
    try:
        described = consumer.list_topics(topic, timeout=10).topics[topic]
        if described.error:
            raise KafkaException(described.error)
        open_partitions = set(described.partitions)
        consumer.assign([TopicPartition(topic, partition, OFFSET_BEGINNING) for partition in open_partitions])
        while open_partitions:
            record: Any = consumer.poll(1.0)
            if record is None:
                continue
            if record.error() and record.error().code() == KafkaError._PARTITION_EOF:
                open_partitions.discard(record.partition())
            elif record.error():
                raise KafkaException(record.error())
            else:
                _keep_newest(windows, _result(record))
    finally:
        consumer.close()
    return sorted(windows.values(), key=lambda result: result["window_start"])


def _result(record: Any) -> dict[str, Any]:
    """The fields of a record, times as times, and the tenant, which is in the headers."""
    result: dict[str, Any] = json.loads(record.value())
    for name in TIMES:
        result[name] = datetime.fromisoformat(result[name])
    return {**result, "tenant_id": dict(record.headers())["ce_tenantid"].decode()}


def _keep_newest(windows: dict[str, dict[str, Any]], result: dict[str, Any]) -> None:
    """A record may come twice, and an older one after a newer: the revision decides, not the order."""
    known = windows.get(result["window_id"])
    if known is None or known["revision"] < result["revision"]:
        windows[result["window_id"]] = result


def busiest_tenant(results: list[dict[str, Any]]) -> str:
    """The tenant with the most windows: where there is but one, that one."""
    return Counter(str(result["tenant_id"]) for result in results).most_common(1)[0][0]


def series(results: list[dict[str, Any]], tenant: str, metric: str, span: str, **dimensions: str) -> list[dict[str, Any]]:
    """The windows of one metric and group by time, suppressed ones included: `level="high"` picks a group."""
    return [
        result
        for result in results
        if (result["tenant_id"], result["metric"], result["span"], result["dimensions"]) == (tenant, metric, span, dimensions)
    ]
