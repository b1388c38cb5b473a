"""Every event by its wire type, and the way back from a Kafka record to an envelope."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from uuid import UUID

from pydantic import ValidationError

from bloom_events import alerts, analytics, appointments, auth, billing, messaging, notifications, risk
from bloom_events.envelope import CONTENT_TYPE, SOURCE, SPEC_VERSION, TRACEPARENT, Envelope
from bloom_events.event import Event
from bloom_events.ids import EventId, TenantId

Headers = Iterable[tuple[str, bytes | None]]

# Kafka refuses records above 1,048,588 bytes unless told otherwise; the rest is room for headers and framing.
MAX_EVENT_BYTES = 900_000
"""The largest JSON body that is written or read."""

MAX_ATTRIBUTE_BYTES = 1_024
"""The largest envelope attribute that is read."""

EVENT_TYPES: Mapping[str, type[Event]] = MappingProxyType(
    {
        event.TYPE: event
        for module in (auth, appointments, billing, messaging, risk, alerts, notifications, analytics)
        for event in module.EVENTS
    }
)
"""Event classes by wire type."""

_TYPE = re.compile(r"[a-z][a-z0-9-]*(\.[a-z][a-z0-9-]*)+\.v[1-9][0-9]*", re.ASCII)
_LONGEST_TYPE = 120
_UUID = re.compile(r"[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}", re.ASCII)
_TIME = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,6})?(Z|[+-]\d{2}:\d{2})", re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class UnreadableEvent(Exception):  # noqa: N818  # the name says what the record is, as the consuming policy speaks of it
    """A record that does not keep the contract; `reason` names what is wrong and repeats nothing of its content."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class UnknownEventType(Exception):  # noqa: N818  # as above
    """A well-formed record of a type that this version of the contract does not know."""

    def __init__(self, type: str) -> None:  # noqa: A002  # CloudEvents calls the attribute `type`
        super().__init__(type)
        self.type = type


def unwrap(headers: Headers | None, value: bytes | None) -> Envelope[Event]:
    """Read a Kafka record's headers and value as an envelope.

    Fields and headers it does not know are ignored, so that newer writers can be read. Raises UnknownEventType for a
    type that is not in EVENT_TYPES and UnreadableEvent for everything else that is wrong; no other exception.
    """
    attributes = _attributes(headers or ())
    if attributes.get("ce_specversion") != SPEC_VERSION:
        raise UnreadableEvent("ce_specversion is not 1.0")
    event_class = _event_class(attributes)
    if not attributes.get("content-type", CONTENT_TYPE).lower().startswith(CONTENT_TYPE):
        raise UnreadableEvent("content-type is not application/json")
    return _envelope(attributes, _data(event_class, value))


def _attributes(headers: Headers) -> dict[str, str]:
    """Return the headers of the envelope as text; each attribute may come once and must be short and printable."""
    found: dict[str, str] = {}
    for name, raw in headers:
        if name == "traceparent":
            # It is not part of the contract: a broken one starts a new trace, a later one is nearer to us.
            found[name] = (raw or b"").decode("ascii", "replace")
        elif name == "content-type" or name.startswith("ce_"):
            if name in found:
                raise UnreadableEvent("an attribute comes twice")
            found[name] = _text(raw)
    return found


def _text(raw: bytes | None) -> str:
    if raw is None or len(raw) > MAX_ATTRIBUTE_BYTES:
        raise UnreadableEvent("an attribute is empty or too long")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        raise UnreadableEvent("an attribute is not UTF-8") from None
    if not text.isprintable():
        raise UnreadableEvent("an attribute holds control characters")
    return text


def _event_class(attributes: Mapping[str, str]) -> type[Event]:
    wire_type = attributes.get("ce_type", "")
    event_class = EVENT_TYPES.get(wire_type)
    if event_class is not None:
        return event_class
    if len(wire_type) > _LONGEST_TYPE or not _TYPE.fullmatch(wire_type):
        raise UnreadableEvent("ce_type is missing or malformed")
    raise UnknownEventType(wire_type)


def _data(event_class: type[Event], value: bytes | None) -> Event:
    if not value:
        raise UnreadableEvent("the body is empty")
    if len(value) > MAX_EVENT_BYTES:
        raise UnreadableEvent("the body is too large")
    try:
        return event_class.model_validate_json(value, strict=True)
    except ValidationError as error:
        raise UnreadableEvent(_fault(error)) from None


def _fault(error: ValidationError) -> str:
    """Name the first field that is wrong and the rule it breaks, never its value."""
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    field = first["loc"][0] if first["loc"] else "the body"
    return f"{field}: {first['type']}"


def _envelope(attributes: Mapping[str, str], data: Event) -> Envelope[Event]:
    if attributes.get("ce_subject") != str(data.aggregate_id):
        raise UnreadableEvent("ce_subject is not the id of the aggregate")
    source = attributes.get("ce_source", "")
    if not SOURCE.fullmatch(source):
        raise UnreadableEvent("ce_source is missing or malformed")
    traceparent = attributes.get("traceparent", "")
    return Envelope(
        id=EventId(_uuid(attributes, "ce_id")),
        type=data.TYPE,
        source=source,
        subject=attributes["ce_subject"],
        time=_time(attributes),
        tenant_id=TenantId(_uuid(attributes, "ce_tenantid")),
        correlation_id=_uuid(attributes, "ce_correlationid"),
        causation_id=_uuid(attributes, "ce_causationid") if "ce_causationid" in attributes else None,
        traceparent=traceparent if TRACEPARENT.fullmatch(traceparent) else None,
        data=data,
    )


def _uuid(attributes: Mapping[str, str], name: str) -> UUID:
    text = attributes.get(name, "")
    if not _UUID.fullmatch(text):
        raise UnreadableEvent(f"{name} is missing or not a UUID")
    return UUID(text)


def _time(attributes: Mapping[str, str]) -> datetime:
    text = attributes.get("ce_time", "")
    try:
        time = datetime.fromisoformat(text).astimezone(UTC) if _TIME.fullmatch(text) else None
    except (ValueError, OverflowError):
        time = None
    if time is None or time < _EPOCH:
        raise UnreadableEvent("ce_time is missing, malformed or before 1970")
    return time
