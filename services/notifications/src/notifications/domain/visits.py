"""What an appointment means for the people in it: who is told what, and when they are reminded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from bloom_events.appointments import (
    AppointmentBooked,
    AppointmentCancelled,
    AppointmentConfirmed,
    AppointmentEvent,
    AppointmentRescheduled,
)
from bloom_events.ids import AppointmentId, PatientId, TherapistId, UserId
from notifications.domain.notices import Template

NEWS_LASTS = timedelta(hours=24)
"""An event that is handled later than this is no news any more: a replay of the log from its beginning writes to nobody."""

_LEADS: Mapping[Template, tuple[timedelta, timedelta]] = {
    # How long before the start it is due, and until how long before it still helps: a day's notice that comes
    # an hour ahead would only repeat the other one.
    Template.REMINDER_DAY_BEFORE: (timedelta(hours=24), timedelta(hours=2)),
    Template.REMINDER_HOUR_BEFORE: (timedelta(hours=1), timedelta(0)),
}


@dataclass(frozen=True, slots=True)
class Visit:
    """An appointment as its newest event tells it; `is_ahead` until it was cancelled, held or missed."""

    appointment_id: AppointmentId
    revision: int
    patient_id: PatientId
    therapist_id: TherapistId
    starts_at: datetime
    ends_at: datetime
    is_ahead: bool

    @property
    def people(self) -> tuple[UserId, UserId]:
        return UserId(self.patient_id), UserId(self.therapist_id)


@dataclass(frozen=True, slots=True)
class News:
    """One person is told one thing about a visit."""

    user_id: UserId
    template: Template


@dataclass(frozen=True, slots=True)
class Reminder:
    """A reminder that is still to come; `round` is the revision that set the time."""

    appointment_id: AppointmentId
    template: Template
    round: int
    due_at: datetime
    expires_at: datetime


def visit_from(event: AppointmentEvent) -> Visit:
    """Read a visit off any event of its appointment; each carries the whole state."""
    return Visit(
        appointment_id=event.appointment_id,
        revision=event.revision,
        patient_id=event.patient_id,
        therapist_id=event.therapist_id,
        starts_at=event.starts_at,
        ends_at=event.ends_at,
        is_ahead=isinstance(event, (AppointmentBooked, AppointmentConfirmed, AppointmentRescheduled)),
    )


def news_of(event: AppointmentEvent, *, happened_at: datetime, now: datetime) -> tuple[News, ...]:
    """Who is to be told of an event; nobody of what is long past, or of an appointment that has begun."""
    if now - happened_at > NEWS_LASTS or event.starts_at <= now:
        return ()
    patient, therapist = UserId(event.patient_id), UserId(event.therapist_id)
    match event:
        case AppointmentBooked():
            return News(patient, Template.APPOINTMENT_BOOKED), News(therapist, Template.APPOINTMENT_NEW)
        case AppointmentConfirmed():
            return (News(patient, Template.APPOINTMENT_CONFIRMED),)
        case AppointmentRescheduled():
            return tuple(News(user, Template.APPOINTMENT_RESCHEDULED) for user in (patient, therapist))
        case AppointmentCancelled():
            return tuple(News(user, Template.APPOINTMENT_CANCELLED) for user in (patient, therapist))
        case _:
            return ()


def reminders_of(visit: Visit, *, known_from: datetime, now: datetime) -> Iterator[Reminder]:
    """The reminders that a visit still has ahead; none whose moment had passed when the time was set, at `known_from`.

    They are instants, 24 hours and one hour before the start, whatever the clocks on the wall do in between.
    """
    for template, (lead, still_helps) in _LEADS.items():
        due_at, expires_at = visit.starts_at - lead, visit.starts_at - still_helps
        if visit.is_ahead and known_from < due_at and now < expires_at:
            yield Reminder(visit.appointment_id, template, visit.revision, due_at, expires_at)


def facts_of(visit: Visit, previous_starts_at: datetime | None = None) -> dict[str, str | int]:
    """What a text and a calendar entry need to know of a visit."""
    facts: dict[str, str | int] = {
        "starts_at": visit.starts_at.isoformat(),
        "ends_at": visit.ends_at.isoformat(),
        "sequence": visit.revision,
    }
    return facts | ({"previous_starts_at": previous_starts_at.isoformat()} if previous_starts_at else {})
