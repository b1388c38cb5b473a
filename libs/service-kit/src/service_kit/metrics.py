"""Every metric of the platform's plumbing, by name and label: the one place that dashboards and alerts are written against.

Labels hold route templates, outcome words and topic names; never ids, paths or anything a person typed.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Protocol

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
)
from prometheus_client.exposition import choose_encoder

from service_kit.tracing import recorded_trace_id, recorded_trace_of

REGISTRY = CollectorRegistry()
ProcessCollector(registry=REGISTRY)
PlatformCollector(registry=REGISTRY)
# A series that says when each counter was made would double what is kept, and `rate` sees restarts without it.
disable_created_metrics()  # type: ignore[no-untyped-call]  # the library gives this one function no types

_FAST_SECONDS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)
_ROWS = (1, 5, 20, 50, 100, 200, 500, 1000, 2000)


def counter(name: str, meaning: str, *labels: str) -> Counter:
    """A counter of this process, `bloom_<name>_total` on the wire; services make those of their own with it."""
    return Counter(name, meaning, labels, namespace="bloom", registry=REGISTRY)


def gauge(name: str, meaning: str, *labels: str) -> Gauge:
    """A gauge of this process, `bloom_<name>` on the wire."""
    return Gauge(name, meaning, labels, namespace="bloom", registry=REGISTRY)


def histogram(name: str, meaning: str, *labels: str, buckets: tuple[float, ...] = _FAST_SECONDS) -> Histogram:
    """A histogram of this process, `bloom_<name>` on the wire."""
    return Histogram(name, meaning, labels, namespace="bloom", registry=REGISTRY, buckets=buckets)


HTTP_REQUESTS = counter("http_requests", "Answered requests.", "method", "route", "status")
HTTP_SECONDS = histogram("http_request_seconds", "Seconds from the first byte of a request to its answer.", "method", "route")
HTTP_IN_FLIGHT = gauge("http_requests_in_flight", "Requests being worked on.")
UNEXPECTED_ERRORS = counter("unexpected_errors", "Requests that ended with an unexpected error.", "route")

DATABASE_CONNECTIONS = gauge("database_connections", "Connections of the pool: used or idle.", "state")
DATABASE_SECONDS = histogram("database_statement_seconds", "Seconds of a statement, by outcome: done or failed.", "outcome")
TOKENS = counter("tokens", "Access tokens looked at, by outcome: accepted or refused.", "outcome")
JWKS_FETCHES = counter("jwks_fetches", "Fetches of the issuer's keys, by outcome: fetched or failed.", "outcome")
IDEMPOTENCY = counter("idempotent_requests", "Requests with a key, by outcome: first, replayed, in_progress, reused.", "outcome")
RATE_LIMITS = counter("rate_limit_decisions", "Decisions by limit and outcome: allowed or refused.", "limit", "outcome")
RATE_LIMIT_FALLBACKS = counter("rate_limit_fallbacks", "Decisions taken in this process's memory because Valkey was away.")

RELAY_SENT = counter("relay_rows_sent", "Outbox rows acknowledged by Kafka and removed.")
RELAY_PARKED = counter("relay_rows_parked", "Outbox rows parked because they can never be sent, by reason.", "reason")
RELAY_ERRORS = counter("relay_errors", "Errors of the relay, by kind: database, kafka or lease.", "kind")
RELAY_LAG_ROWS = gauge("relay_lag_rows", "Outbox rows that wait to be sent.")
RELAY_LAG_SECONDS = gauge("relay_lag_seconds", "Age of the oldest outbox row that waits.")
RELAY_ACTIVE = gauge("relay_active", "1 while this process holds the lease of its database's relay, else 0.")
RELAY_BATCH_ROWS = histogram("relay_batch_rows", "Outbox rows per batch.", buckets=_ROWS)

CONSUMER_RECORDS = counter("consumer_records", "Records by outcome: handled, skipped or parked.", "consumer", "topic", "outcome")
CONSUMER_RETRIES = counter("consumer_retries", "Attempts that failed because something that is needed was away.", "consumer")
CONSUMER_DUPLICATES = counter("consumer_duplicates", "Events that the inbox had seen before.", "consumer")
CONSUMER_LAG = gauge(
    "consumer_lag_records", "Records between the last handled one and the end of the partition.", "topic", "partition"
)
CONSUMER_SECONDS = histogram("consumer_record_seconds", "Seconds to handle one record.", "consumer")
CONSUMER_BATCH_RECORDS = histogram("consumer_batch_records", "Records per fetched batch.", "consumer", buckets=_ROWS)
CONSUMER_BATCHES_SPLIT = counter(
    "consumer_batches_split", "Batches that failed and were handled record by record.", "consumer", "error"
)
EVENT_AGE_SECONDS = histogram("event_age_seconds", "Seconds from an event's time to the end of its handling.", "consumer", "type")

CHORE_FAILURES = counter("chore_failures", "Rounds of work by the clock that failed and are tried again.", "chore")
PURGED_ROWS = counter("purged_rows", "Rows removed by housekeeping because their retention is over.", "table")


class Observe(Protocol):
    """Notes one figure of a histogram, and the trace that it was measured in where there is one to look at."""

    def __call__(self, amount: float, exemplar: dict[str, str] | None = None, /) -> None: ...


def exemplar() -> dict[str, str] | None:
    """The trace that is open now, for a histogram to point to; None where it is kept nowhere."""
    return _pointer(recorded_trace_id())


def exemplar_of(traceparent: str | None) -> dict[str, str] | None:
    """The trace that an event came with, for a histogram to point to; None where it is kept nowhere."""
    return _pointer(recorded_trace_of(traceparent))


def _pointer(trace_id: str | None) -> dict[str, str] | None:
    return {"trace_id": trace_id} if trace_id else None


@cache
def http_request(method: str, route: str, status: int) -> tuple[Callable[[], None], Observe]:
    """What counts and what times an answered request; finding them by their labels anew took 15 us per request."""
    return HTTP_REQUESTS.labels(method, route, status).inc, HTTP_SECONDS.labels(method, route).observe


@cache
def statement(outcome: str) -> Observe:
    """What notes how many seconds a statement took that came to this end."""
    return DATABASE_SECONDS.labels(outcome).observe


@cache
def consumed(consumer: str, topic: str, outcome: str) -> Callable[[], None]:
    """What counts a record that came to this end."""
    return CONSUMER_RECORDS.labels(consumer, topic, outcome).inc


@cache
def event_age(consumer: str, event_type: str) -> Observe:
    """What notes how old an event was, in seconds, when its handling ended."""
    return EVENT_AGE_SECONDS.labels(consumer, event_type).observe


def render(accept: str = "") -> tuple[bytes, str]:
    """The metrics of this process and their content type: OpenMetrics with exemplars for who accepts that, else plain text."""
    encode, content_type = choose_encoder(accept)
    return encode(REGISTRY), content_type
