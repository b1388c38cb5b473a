"""Reading for those who count millions: an event's id, type, time, tenant and fields, without the rest of its envelope.

The whole contract is checked, body and attributes, by structs that are made from the event classes. Nothing is accepted here
that `unwrap` would not accept: whatever looks unusual is left to it.
"""

from __future__ import annotations

import re
from datetime import datetime
from functools import lru_cache
from operator import attrgetter
from typing import Any, NamedTuple
from uuid import UUID

from msgspec import MsgspecError

from bloom_events.envelope import SOURCE, TRACEPARENT
from bloom_events.ids import TenantId
from bloom_events.registry import EVENT_TYPES, MAX_ATTRIBUTE_BYTES, MAX_EVENT_BYTES, Headers, unwrap
from bloom_events.structs import Reader, reader_of

_ID = rb"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_IDS = re.compile(rb"(?:%s\|){4}(?:%s)?" % (_ID, _ID)).fullmatch
# Times as they are written by us: UTC with a Z, after 1970.
_TIME = re.compile(rb"(?:19[7-9]\d|[2-9]\d{3})-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d{1,6})?Z").fullmatch
_TRACE = re.compile(TRACEPARENT.pattern.encode()).fullmatch
# A struct rounds a seventh digit, which the contract cuts off.
_FINER_THAN_MICROSECONDS = re.compile(rb"\.\d{7}").search
_ATTRIBUTES = 9
"""How many every record has; what caused it and the trace may come on top."""


class Glance(NamedTuple):
    """What counting needs to know of an event.

    `data` has the fields of the event's class; codes of an enumeration may be there as plain text, which equals them.
    """

    event_id: bytes
    type: str
    time: datetime
    tenant_id: TenantId
    traceparent: str | None
    data: Any


class _Kind(NamedTuple):
    type: str
    read: Reader
    key: attrgetter[int]


def glance(headers: Headers | None, value: bytes | None) -> Glance:
    """Read a record; raises what `unwrap` raises for it, for the same reasons."""
    pairs = list(headers or ())
    attributes = dict(pairs)
    if len(attributes) == len(pairs) and value and len(value) <= MAX_EVENT_BYTES:
        found = _quick_glance(attributes, value)
        if found is not None:
            return found
    envelope = unwrap(pairs, value)
    return Glance(envelope.id.bytes, envelope.type, envelope.time, envelope.tenant_id, envelope.traceparent, envelope.data)


def _quick_glance(attributes: dict[str, bytes | None], value: bytes) -> Glance | None:
    """The same, or None for what has to be looked at closely."""
    if len(attributes) != _ATTRIBUTES + ("ce_causationid" in attributes) + ("traceparent" in attributes):
        # There is another attribute, or one is missing.
        return None
    try:
        event_id, subject, tenant, time = (attributes[name] or b"" for name in ("ce_id", "ce_subject", "ce_tenantid", "ce_time"))
        # An empty cause is no UUID, so it must not look as if there were none.
        causation = (attributes["ce_causationid"] or b"-") if "ce_causationid" in attributes else b""
        if not _IDS(b"|".join((event_id, subject, tenant, attributes["ce_correlationid"] or b"", causation))) or not _TIME(time):
            return None
        kind = _kind_of(attributes["ce_specversion"], attributes["ce_type"], attributes["ce_source"], attributes["content-type"])
        if _has_unusual_times(value):
            return None
        data = kind.read(value)
        at = datetime.fromisoformat(time.decode())
    except (KeyError, ValueError, MsgspecError):
        return None
    if kind.key(data) != int(subject.replace(b"-", b""), 16):
        return None
    trace = attributes.get("traceparent") or b""
    traceparent = trace.decode() if _TRACE(trace) else None
    return Glance(bytes.fromhex(event_id.replace(b"-", b"").decode()), kind.type, at, _tenant(tenant), traceparent, data)


def _has_unusual_times(value: bytes) -> bool:
    """Whether there may be times that a struct reads otherwise: at the ends of the calendar, or finer than it can hold."""
    return b'"0001-' in value or b'"9999-' in value or _FINER_THAN_MICROSECONDS(value) is not None


@lru_cache(maxsize=1000)
def _kind_of(version: bytes | None, wire_type: bytes | None, source: bytes | None, content_type: bytes | None) -> _Kind:
    """How events of a type are read; raises KeyError or ValueError for what `unwrap` has to judge."""
    if version != b"1.0" or content_type != b"application/json" or not wire_type or not source:
        raise ValueError
    if len(source) > MAX_ATTRIBUTE_BYTES or not SOURCE.fullmatch(source.decode("ascii")):
        raise ValueError
    event_class = EVENT_TYPES[wire_type.decode("ascii")]
    return _Kind(event_class.TYPE, reader_of(event_class), attrgetter(f"{event_class.KEY}.int"))


@lru_cache(maxsize=10_000)
def _tenant(text: bytes) -> TenantId:
    return TenantId(UUID(text.decode()))
