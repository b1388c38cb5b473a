"""Metrics of appointments."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from analytics.domain.metric import TENANT, Aggregate, Metric, Read, Reading, Unit, each
from analytics.domain.spans import DAY, HOUR, MINUTE, WEEK_BY_DAY
from bloom_events.analytics import AppointmentsMeasured
from bloom_events.appointments import AppointmentBooked, AppointmentCancelled, AppointmentCompleted, AppointmentMissed
from bloom_events.envelope import Envelope
from bloom_events.event import Event

BY_THERAPIST = ("therapist_id",)


def therapist(envelope: Envelope[Any]) -> Mapping[str, str]:
    """The dimension by which appointments are split."""
    return {"therapist_id": str(envelope.data.therapist_id)}


def _counted(name: str, says: str, kind: type[Event]) -> Metric:
    return Metric(
        name,
        says,
        Aggregate.COUNT,
        Unit.EVENTS,
        each(kind, by=therapist),
        spans=(MINUTE, HOUR, DAY),
        publishes=AppointmentsMeasured,
        groupings=(TENANT, BY_THERAPIST),
    )


def _lead_time(envelope: Envelope[Any]) -> Reading:
    return Reading(therapist(envelope), value=max(0.0, (envelope.data.starts_at - envelope.time).total_seconds()))


def _outcome(was_missed: int) -> Read:
    return lambda envelope: Reading(therapist(envelope), amount=was_missed)


METRICS = (
    _counted("appointments.booked", "Appointments that were booked.", AppointmentBooked),
    _counted("appointments.cancelled", "Appointments that were cancelled.", AppointmentCancelled),
    _counted("appointments.completed", "Visits that took place.", AppointmentCompleted),
    _counted("appointments.missed", "Appointments to which the patient did not come.", AppointmentMissed),
    Metric(
        "appointments.lead-time",
        "From the booking to the planned start.",
        Aggregate.PERCENTILES,
        Unit.SECONDS,
        {AppointmentBooked: _lead_time},
        spans=(HOUR, DAY),
        publishes=AppointmentsMeasured,
        groupings=(TENANT, BY_THERAPIST),
    ),
    Metric(
        "appointments.no-show-rate",
        "The share of visits due to which the patient did not come, over a week, told anew every day.",
        Aggregate.SHARE,
        Unit.EVENTS,
        {AppointmentMissed: _outcome(1), AppointmentCompleted: _outcome(0)},
        spans=(WEEK_BY_DAY,),
        publishes=AppointmentsMeasured,
        groupings=(TENANT, BY_THERAPIST),
    ),
)
