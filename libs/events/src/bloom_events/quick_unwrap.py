"""Reading for those who read millions: what `unwrap` gives, in less than half of its time for records as our relays write them.

Nothing is accepted here that `unwrap` would not accept: whatever looks unusual is left to it.
"""

from __future__ import annotations

import re
from datetime import datetime
from functools import lru_cache
from uuid import UUID, SafeUUID

from pydantic import ValidationError

from bloom_events.envelope import SOURCE, TRACEPARENT, Envelope
from bloom_events.event import Event
from bloom_events.ids import EventId, TenantId
from bloom_events.registry import EVENT_TYPES, MAX_ATTRIBUTE_BYTES, MAX_EVENT_BYTES, Headers, unwrap

_ID = rb"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_IDS = re.compile(rb"(?:%s\|){4}(?:%s)?" % (_ID, _ID)).fullmatch
# Times as they are written by us: UTC with a Z, after 1970.
_TIME = re.compile(rb"(?:19[7-9]\d|[2-9]\d{3})-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d{1,6})?Z").fullmatch
_NEEDED = ("ce_type", "ce_source", "ce_subject", "ce_time", "ce_tenantid", "ce_correlationid", "ce_id")


def unwrap_quickly(headers: Headers | None, value: bytes | None) -> Envelope[Event]:
    """Read a record as `unwrap` does, with the same result and the same exceptions."""
    pairs = list(headers or ())
    attributes = dict(pairs)
    if len(attributes) == len(pairs) and value and len(value) <= MAX_EVENT_BYTES:
        envelope = _quickly(attributes, value)
        if envelope is not None:
            return envelope
    return unwrap(pairs, value)


def _quickly(attributes: dict[str, bytes | None], value: bytes) -> Envelope[Event] | None:
    """The envelope, or None for what has to be looked at closely."""
    optional = ("ce_causationid" in attributes) + ("traceparent" in attributes)
    if len(attributes) != len(_NEEDED) + 2 + optional:
        # There is another attribute, or one is missing.
        return None
    try:
        wire_type, source, subject, time, tenant, correlation, event_id = (attributes[name] or b"" for name in _NEEDED)
        # An empty one is no UUID, so it must not look as if there were none.
        causation = (attributes["ce_causationid"] or b"-") if "ce_causationid" in attributes else b""
        if not _IDS(b"|".join((event_id, subject, tenant, correlation, causation))) or not _TIME(time):
            return None
        event_class, source_text = _kind_of(attributes["ce_specversion"], wire_type, source, attributes.get("content-type"))
        data = event_class.model_validate_json(value, strict=True)
        at = datetime.fromisoformat(time.decode())
    except (KeyError, ValueError, ValidationError):
        return None
    text = subject.decode()
    if str(data.aggregate_id) != text:
        return None
    return Envelope(
        EventId(_uuid(event_id)),
        event_class.TYPE,
        source_text,
        text,
        at,
        _tenant(tenant),
        _uuid(correlation),
        _uuid(causation) if causation else None,
        _traceparent(attributes.get("traceparent")),
        data,
    )


@lru_cache(maxsize=1000)
def _kind_of(version: bytes | None, wire_type: bytes, source: bytes, content_type: bytes | None) -> tuple[type[Event], str]:
    """The class of a type and the text of a source; raises KeyError or ValueError for what `unwrap` has to judge."""
    text = source.decode("ascii")
    if (
        version != b"1.0"
        or content_type != b"application/json"
        or len(source) > MAX_ATTRIBUTE_BYTES
        or not SOURCE.fullmatch(text)
    ):
        raise ValueError
    return EVENT_TYPES[wire_type.decode("ascii")], text


@lru_cache(maxsize=10_000)
def _tenant(text: bytes) -> TenantId:
    return TenantId(_uuid(text))


def _traceparent(raw: bytes | None) -> str | None:
    text = (raw or b"").decode("ascii", "replace")
    return text if TRACEPARENT.fullmatch(text) else None


_set_int, _set_is_safe = vars(UUID)["int"].__set__, vars(UUID)["is_safe"].__set__


def _uuid(text: bytes) -> UUID:
    """The UUID of its 36 characters, which were checked; `UUID(..)` checks again and takes three times as long."""
    made = object.__new__(UUID)
    _set_int(made, int(text.replace(b"-", b""), 16))
    _set_is_safe(made, SafeUUID.unknown)
    return made
