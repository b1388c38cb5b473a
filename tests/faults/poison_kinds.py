"""Ways to break a record: what its reader has to park, and what it has to pass over."""

from __future__ import annotations

import random
from collections.abc import Callable
from uuid import uuid4

from bloom_events.envelope import KafkaMessage

Headers = list[tuple[str, bytes]]


def _with(message: KafkaMessage, name: str, value: bytes | None) -> KafkaMessage:
    """The message with this header changed, or without it."""
    kept = [(each, held) for each, held in message.headers if each != name]
    return message._replace(headers=kept if value is None else [*kept, (name, value)])


def _body(message: KafkaMessage, value: bytes) -> KafkaMessage:
    return message._replace(value=value)


_POISON: tuple[Callable[[KafkaMessage, random.Random], KafkaMessage], ...] = (
    lambda message, rng: _body(message, rng.randbytes(rng.randrange(1, 400))),
    lambda message, rng: _body(message, message.value[: rng.randrange(1, len(message.value))]),
    lambda message, _: _body(message, b""),
    lambda message, _: _body(message, b"[" * 5_000),
    lambda message, _: _body(message, message.value.replace(b'"revision":', b'"revision":"one","was":')),
    lambda message, _: _body(message, message.value.replace(b'"starts_at":', b'"began_at":')),
    lambda message, rng: _with(message, "ce_type", rng.choice([b"appointment.booked.v0", b"booked", b"", b"\xff\xfe"])),
    lambda message, rng: _with(message, rng.choice(["ce_id", "ce_tenantid", "ce_time", "ce_subject", "ce_type"]), None),
    lambda message, rng: _with(message, "ce_id", rng.randbytes(16)),
    lambda message, _: _with(message, "ce_subject", str(uuid4()).encode()),
    lambda message, _: _with(message, "ce_specversion", b"0.3"),
    lambda message, _: _with(message, "content-type", b"text/xml"),
    lambda message, _: message._replace(headers=[]),
)
_FOREIGN_TYPES = (
    b"appointment.booked.v2",
    b"appointment.completed.v77",
    b"appointment.archived.v1",
    b"sample.noted.v1",
)


def poisoned(message: KafkaMessage, rng: random.Random) -> KafkaMessage:
    """A record that cannot be read, out of one that can."""
    return rng.choice(_POISON)(message, rng)


def foreign(message: KafkaMessage, rng: random.Random) -> KafkaMessage:
    """A record of a version or a type that its reader does not know."""
    return _with(message, "ce_type", rng.choice(_FOREIGN_TYPES))


def newer(message: KafkaMessage) -> KafkaMessage:
    """A record of a known type from a newer writer: with a field and a header more, it has to be read all the same."""
    more = _body(message, message.value.replace(b'"revision":', b'"added_later":{"to":["v1"]},"revision":', 1))
    return _with(more, "ce_addedlater", b"yes")
