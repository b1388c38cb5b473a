"""Many events on their way to Kafka: out of order, late, twice, from the future, in older and newer shapes, of unknown types."""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from uuid import UUID

import orjson
from tests.faults.many_events import MAKERS, Crowd, Moment, random_id

from bloom_events.envelope import Envelope, to_kafka, wrap
from bloom_events.event import Event
from bloom_events.ids import EventId, TenantId

LATE, TWICE, FUTURE, OLD_SHAPE, NEW_SHAPE, UNKNOWN = 0.1, 0.05, 0.003, 0.2, 0.05, 0.01
"""Which share of the events is told how."""

FIRST_DAY, DAYS = datetime(2025, 10, 24, tzinfo=UTC), 10
"""Long past, so that every watermark gets there, and with days of 23 and 25 hours in some zones."""

_BUSY_MINUTES, _SCATTERED = 80, 1_000
"""Most happens in a few minutes; so many events in all lie anywhere else, so that windows do not grow with the events."""

_JITTER_SECONDS = 300.0
_MAKERS, _WEIGHTS = list(MAKERS), list(itertools.accumulate(MAKERS.values()))
# What older writers left out: optional fields that came later.
_ADDED_LATER = ("message_sent_at", "attachments", "reply_to_id", "number")
_STILL_NEEDED = ("alert.raised.v1", "risk.scored.v1", "invoice.opened.v1", "invoice.paid.v1", "invoice.credited.v1")


class Told(NamedTuple):
    """One record, and what of its envelope a batch needs to know."""

    topic: str
    key: bytes
    value: bytes
    headers: list[tuple[str, bytes]]
    event_id: UUID
    type: str
    tenant_id: UUID
    time: datetime


class Stretch(NamedTuple):
    """A part of the time that is told of, and the minutes of it in which much happens."""

    start: datetime
    end: datetime
    busy: Sequence[datetime]


@dataclass
class Teller:
    """Tells events portion by portion: times go on from one to the next, what is late or told twice comes in a later one.

    `now` is what the future is measured from; everything else depends on the seed alone.
    """

    rng: random.Random
    crowds: Sequence[Crowd]
    now: datetime
    _busy: Sequence[datetime] = ()
    _scattered: float = 0.0
    _kept_back: list[tuple[int, Told]] = field(default_factory=list)

    def __post_init__(self) -> None:
        minutes = self.rng.sample(range(DAYS * 1440), _BUSY_MINUTES)
        self._busy = [FIRST_DAY + timedelta(minutes=minute) for minute in minutes]

    def portion(self, number: int, *, of: int, events: int) -> list[Told]:
        """The next portion, counted from 1: of all events those of one stretch of time, nearly in the order of their times.

        What was kept back until now is among them; the last portion leaves nothing out.
        """
        self._scattered = min(0.03, _SCATTERED / events)
        told: list[tuple[float, Told]] = []
        stretch, last = self._stretch((number - 1) / of, number / of), number == of
        for _ in range(events * number // of - events * (number - 1) // of):
            one = self._one(stretch)
            place = one.time.timestamp() + self.rng.gauss(0, _JITTER_SECONDS)
            if not last and self.rng.random() < LATE:
                self._kept_back.append((min(of, number + self.rng.randrange(1, 4)), one))
            else:
                told.append((place, one))
            if self.rng.random() < TWICE:
                # A relay that was killed sends a record again soon: near the first time, or in the next portion.
                if last or self.rng.random() < 0.5:
                    told.append((place + abs(self.rng.gauss(0, 10 * _JITTER_SECONDS)), one))
                else:
                    self._kept_back.append((number + 1, one))
        places = [place for place, _ in told] or [0.0]
        due = [one for when, one in self._kept_back if when <= number]
        self._kept_back = [each for each in self._kept_back if each[0] > number]
        told += [(self.rng.choice(places), one) for one in due]
        return [one for _, one in sorted(told, key=lambda each: each[0])]

    def _stretch(self, since: float, until: float) -> Stretch:
        start, end = (FIRST_DAY + timedelta(days=DAYS * part) for part in (since, until))
        return Stretch(start, end, [minute for minute in self._busy if start <= minute < end])

    def _one(self, stretch: Stretch) -> Told:
        at = self._time(stretch)
        crowd = self.rng.choice(self.crowds)
        (make,) = self.rng.choices(_MAKERS, cum_weights=_WEIGHTS)
        return self._record(make(Moment(self.rng, crowd, at)), crowd.tenant_id, at)

    def _time(self, stretch: Stretch) -> datetime:
        """A moment in this stretch, mostly in a busy minute; a few are hours ahead of every clock."""
        chance = self.rng.random()
        if chance < FUTURE:
            return self.now + timedelta(hours=self.rng.uniform(1, 30))
        if chance < 1 - self._scattered and stretch.busy:
            return self.rng.choice(stretch.busy) + timedelta(microseconds=self.rng.randrange(60_000_000))
        return stretch.start + (stretch.end - stretch.start) * self.rng.random()

    def _record(self, event: Event, tenant_id: UUID, at: datetime) -> Told:
        envelope = wrap(
            event,
            source="/bloom/faults",
            tenant_id=TenantId(tenant_id),
            time=at,
            correlation_id=random_id(self.rng),
            event_id=EventId(random_id(self.rng)),
        )
        topic, key, value, headers, _ = to_kafka(envelope)
        value, headers, kind = self._shaped(envelope, value, headers)
        return Told(topic, key, value, headers, envelope.id, kind, tenant_id, envelope.time)

    def _shaped(
        self, envelope: Envelope[Event], value: bytes, headers: list[tuple[str, bytes]]
    ) -> tuple[bytes, list[tuple[str, bytes]], str]:
        """The record as writers of another version would have it."""
        chance = self.rng.random()
        if chance < UNKNOWN:
            kind = envelope.type.removesuffix("1") + "9"
            return value, [(name, kind.encode() if name == "ce_type" else held) for name, held in headers], kind
        if chance < UNKNOWN + NEW_SHAPE:
            newer = {**orjson.loads(value), "added_later": {"nobody": ["knows", 1]}}
            return orjson.dumps(newer), [*headers, ("ce_addedlater", b"1")], envelope.type
        if chance < UNKNOWN + NEW_SHAPE + OLD_SHAPE and envelope.type not in _STILL_NEEDED:
            older = {name: held for name, held in orjson.loads(value).items() if name not in _ADDED_LATER}
            return orjson.dumps(older), headers, envelope.type
        return value, headers, envelope.type
