"""Stories of visits as the appointments service would tell them, and what each has to cost, computed here and nowhere else.

The rules are those of docs/decisions/0006; nothing of billing's own code is used, so that a mistake there is not repeated here.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any
from uuid import UUID, uuid4

from bloom_events.appointments import (
    AppointmentBooked,
    AppointmentCancelled,
    AppointmentCompleted,
    AppointmentConfirmed,
    AppointmentCorrected,
    AppointmentEvent,
    AppointmentMissed,
    AppointmentRescheduled,
    VisitType,
)
from bloom_events.envelope import Envelope, wrap
from bloom_events.ids import AppointmentId, PatientId, TenantId, TherapistId, new_id

LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)
NEW_YEAR = datetime(2027, 1, 1, tzinfo=UTC)
ENDINGS = ("ahead", "completed", "missed", "cancelled late", "cancelled in time", "cancelled by us", "to no_show", "to cancelled")

Bill = tuple[int, str, str, int, int]
"""One invoice of a visit: sequence, status, currency, net and tax in minor units."""


@dataclass(frozen=True, slots=True)
class Price:
    """What a type of visit costs from a moment on."""

    visit_type: VisitType
    valid_from: datetime
    net_minor: int
    tax_basis_points: int


@dataclass(frozen=True, slots=True)
class Terms:
    """What a tenant charges."""

    tenant_id: UUID
    currency: str
    late_window_hours: int
    late_percent: int
    no_show_percent: int
    prices: tuple[Price, ...]

    def amounts(self, visit_type: VisitType, starts_at: datetime, percent: int = 100) -> tuple[int, int]:
        """Net and tax of this part of the price in force when the visit starts."""
        started = [p for p in self.prices if p.visit_type is visit_type and p.valid_from <= starts_at]
        price = max(started, key=lambda p: p.valid_from)
        net = _part(price.net_minor, percent, 100)
        return net, _part(net, price.tax_basis_points, 10_000)


def _part(amount: int, parts: int, whole: int) -> int:
    return int((Decimal(amount) * parts / whole).quantize(Decimal(1), rounding=ROUND_HALF_UP))


def random_terms(rng: random.Random) -> Terms:
    """Odd prices and rates, so that nearly every line has to be rounded; each price changes once, at the turn of the year."""
    prices = tuple(
        Price(visit_type, valid_from, rng.randrange(1_001, 30_000), rng.randrange(0, 2_500))
        for visit_type in VisitType
        for valid_from in (LONG_AGO, NEW_YEAR)
    )
    currency = rng.choice(["EUR", "CHF", "USD"])
    return Terms(uuid4(), currency, rng.choice([12, 24, 48]), rng.choice([0, 33, 50]), rng.choice([67, 75, 100]), prices)


@dataclass
class Story:
    """One visit: its events in order, and how it ended."""

    terms: Terms
    ending: str
    visit_type: VisitType
    starts_at: datetime
    appointment_id: UUID = field(default_factory=new_id)
    patient_id: UUID = field(default_factory=uuid4)
    events: list[Envelope[Any]] = field(default_factory=list)

    def tell(self, event_type: type[AppointmentEvent], **more: Any) -> None:
        """The next thing that happened."""
        event = event_type(
            appointment_id=AppointmentId(self.appointment_id),
            revision=len(self.events) + 1,
            patient_id=PatientId(self.patient_id),
            therapist_id=TherapistId(self.patient_id),
            visit_type=self.visit_type,
            starts_at=self.starts_at,
            ends_at=self.starts_at + timedelta(minutes=50),
            **more,
        )
        tenant_id, now = TenantId(self.terms.tenant_id), datetime.now(UTC)
        self.events.append(wrap(event, source="/bloom/appointments", tenant_id=tenant_id, time=now, correlation_id=uuid4()))

    def bills(self) -> list[Bill]:
        """The invoices that the visit must have led to, by sequence."""
        full = self._bill(1, "draft", 100)
        late, missed = self.terms.late_percent, self.terms.no_show_percent
        match self.ending:
            case "ahead":
                return [full]
            case "completed":
                return [self._bill(1, "open", 100)]
            case "missed":
                return [self._bill(1, "open", missed)]
            case "cancelled late" if late:
                return [self._bill(1, "open", late)]
            case "to no_show":
                return [self._bill(1, "credited", 100), self._bill(2, "open", missed)]
            case "to cancelled":
                return [self._bill(1, "credited", 100)]
            case _:
                return [self._bill(1, "discarded", 100)]

    def _bill(self, sequence: int, status: str, percent: int) -> Bill:
        return sequence, status, self.terms.currency, *self.terms.amounts(self.visit_type, self.starts_at, percent)


def random_story(terms: Terms, rng: random.Random) -> Story:
    """A visit around the turn of the year that was perhaps moved and confirmed before it ended in one of the ways."""
    starts_at = NEW_YEAR + timedelta(minutes=5 * rng.randrange(-8_000, 8_000))
    story = Story(terms, rng.choice(ENDINGS), rng.choice(list(VisitType)), starts_at)
    story.tell(AppointmentBooked)
    for _ in range(rng.choice([0, 0, 1, 2])):
        before = story.starts_at
        story.starts_at += timedelta(hours=rng.randrange(-200, 200) or 1)
        story.tell(AppointmentRescheduled, previous_starts_at=before, previous_ends_at=before + timedelta(minutes=50))
    if rng.random() < 0.5:
        story.tell(AppointmentConfirmed)
    _end(story, rng)
    return story


def _end(story: Story, rng: random.Random) -> None:
    window, after = timedelta(hours=story.terms.late_window_hours), story.starts_at + timedelta(hours=1)
    if story.ending == "completed" or story.ending.startswith("to "):
        story.tell(AppointmentCompleted, completed_at=after)
    if story.ending.startswith("to "):
        story.tell(AppointmentCorrected, corrected_to=story.ending.removeprefix("to "), corrected_at=after + timedelta(days=1))
    if story.ending == "missed":
        story.tell(AppointmentMissed, recorded_at=after)
    if story.ending == "cancelled late":
        # At most a second short of the window.
        at = story.starts_at - window + timedelta(seconds=rng.randrange(1, int(window.total_seconds())))
        story.tell(AppointmentCancelled, cancelled_by="patient", cancelled_at=at)
    if story.ending == "cancelled in time":
        at = story.starts_at - window - timedelta(minutes=rng.randrange(0, 600))
        story.tell(AppointmentCancelled, cancelled_by="patient", cancelled_at=at)
    if story.ending == "cancelled by us":
        story.tell(AppointmentCancelled, cancelled_by=rng.choice(["therapist", "administrator"]), cancelled_at=story.starts_at)


def told_badly(
    stories: Sequence[Story], rng: random.Random, *, redelivered: float = 0.2, out_of_order: float = 0.1
) -> list[Envelope[Any]]:
    """All events, interleaved, with this share swapped with the visit's next event, and this share told a second time, later."""
    queues = [_shaken(story.events, rng, out_of_order) for story in stories]
    turns = [number for number, queue in enumerate(queues) for _ in queue]
    rng.shuffle(turns)
    told = [queues[number].pop(0) for number in turns]
    again = [
        (rng.randrange(position + 1, len(told) + 1), event) for position, event in enumerate(told) if rng.random() < redelivered
    ]
    for position, event in sorted(again, key=lambda each: each[0], reverse=True):
        told.insert(position, event)
    return told


def _shaken(events: Sequence[Envelope[Any]], rng: random.Random, share: float) -> list[Envelope[Any]]:
    shaken = list(events)
    for position in range(len(shaken) - 1):
        if rng.random() < share:
            shaken[position], shaken[position + 1] = shaken[position + 1], shaken[position]
    return shaken
