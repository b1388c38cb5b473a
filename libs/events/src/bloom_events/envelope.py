"""The envelope around every event: CloudEvents 1.0 in the Kafka protocol binding's binary mode.

Attributes travel as `ce_*` headers, the event's own fields as a JSON body, the trace context as a plain `traceparent` header.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Generic, NamedTuple, TypeVar
from uuid import UUID

import orjson
from pydantic import BaseModel

from bloom_events.event import Event
from bloom_events.ids import EventId, TenantId, new_id

E_co = TypeVar("E_co", bound=Event, covariant=True)

SPEC_VERSION = "1.0"
CONTENT_TYPE = "application/json"

SOURCE = re.compile(r"/[A-Za-z0-9][A-Za-z0-9/._-]{0,199}", re.ASCII)
"""Sources are paths such as `/bloom/auth`."""

TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}", re.ASCII)
"""W3C Trace Context: version, trace, span and flags in hex; all zeros and version ff are invalid."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_SPEC_VERSION = SPEC_VERSION.encode()
_CONTENT_TYPE = CONTENT_TYPE.encode()


@dataclass(frozen=True, slots=True)
class Envelope(Generic[E_co]):
    """An event with its id (the same on every delivery), its tenant, its origin and what caused it.

    `type` and `subject` are the event's own wire type and aggregate id; `time` is when it happened, in UTC;
    `correlation_id` is shared by everything that one request set off, `causation_id` is the event that led to this one.
    """

    id: EventId
    type: str
    source: str
    subject: str
    time: datetime
    tenant_id: TenantId
    correlation_id: UUID
    causation_id: UUID | None
    traceparent: str | None
    data: E_co


class KafkaMessage(NamedTuple):
    """A record ready to be produced; `timestamp_ms` is the event's own time, cut to milliseconds since 1970."""

    topic: str
    key: bytes
    value: bytes
    headers: list[tuple[str, bytes]]
    timestamp_ms: int


AnyEvent = TypeVar("AnyEvent", bound=Event)


def wrap(
    event: AnyEvent,
    *,
    source: str,
    tenant_id: TenantId,
    time: datetime,
    correlation_id: UUID,
    causation_id: UUID | None = None,
    traceparent: str | None = None,
    event_id: EventId | None = None,
) -> Envelope[AnyEvent]:
    """Put an event into an envelope, with a fresh id unless one is given.

    A malformed `traceparent` is left out, as W3C Trace Context asks. Raises ValueError if `source` is no path,
    or if `time` is naive or lies before 1970, where Kafka has no timestamps.
    """
    if not SOURCE.fullmatch(source):
        raise ValueError("the source of an event is a path such as /bloom/auth")
    if time.tzinfo is None or time < _EPOCH:
        raise ValueError("the time of an event needs an offset and lies after 1970")
    return Envelope(
        id=EventId(new_id()) if event_id is None else event_id,
        type=event.TYPE,
        source=source,
        subject=str(event.aggregate_id),
        time=time.astimezone(UTC),
        tenant_id=tenant_id,
        correlation_id=correlation_id,
        causation_id=causation_id,
        traceparent=traceparent if traceparent and TRACEPARENT.fullmatch(traceparent) else None,
        data=event,
    )


def to_kafka(envelope: Envelope[Event]) -> KafkaMessage:
    """Return the record that carries this envelope: `registry.unwrap` of its headers and value gives the envelope back."""
    key = envelope.subject.encode()
    headers = [
        ("ce_specversion", _SPEC_VERSION),
        ("ce_id", str(envelope.id).encode()),
        ("ce_type", envelope.type.encode()),
        ("ce_source", envelope.source.encode()),
        ("ce_subject", key),
        ("ce_time", envelope.time.isoformat().replace("+00:00", "Z").encode()),
        ("ce_tenantid", str(envelope.tenant_id).encode()),
        ("ce_correlationid", str(envelope.correlation_id).encode()),
        ("content-type", _CONTENT_TYPE),
    ]
    if envelope.causation_id is not None:
        headers.append(("ce_causationid", str(envelope.causation_id).encode()))
    if envelope.traceparent is not None:
        headers.append(("traceparent", envelope.traceparent.encode()))
    timestamp_ms = (envelope.time - _EPOCH) // _MILLISECOND
    return KafkaMessage(envelope.data.TOPIC.name, key, _body(envelope.data), headers, timestamp_ms)


def _body(event: Event) -> bytes:
    """Return the event's fields as JSON, times in UTC with a trailing Z."""
    return orjson.dumps(event.__dict__, default=_plain, option=orjson.OPT_UTC_Z)


def _plain(value: Any) -> Any:  # Any: whatever orjson does not know by itself
    """Turn nested parts and the database driver's own UUID class into what orjson writes."""
    if isinstance(value, BaseModel):
        return value.__dict__
    if isinstance(value, UUID):
        return str(value)
    raise TypeError(f"an event cannot hold {type(value).__name__}")
