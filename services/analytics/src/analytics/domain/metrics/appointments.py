"""Metrics of appointments."""

from __future__ import annotations

from analytics.domain.metric import TENANT, Aggregate, Happening, Metric, Reading, Unit, each, once
from analytics.domain.spans import DAY, HOUR, MINUTE, WEEK_BY_DAY
from bloom_events.analytics import AppointmentsMeasured
from bloom_events.appointments import AppointmentBooked, AppointmentCancelled, AppointmentCompleted, AppointmentMissed
from bloom_events.event import Event

BY_THERAPIST = ("therapist_id",)


def _counted(name: str, says: str, kind: type[Event]) -> Metric:
    return Metric(
        name,
        says,
        Aggregate.COUNT,
        Unit.EVENTS,
        each(kind),
        spans=(MINUTE, HOUR, DAY),
        publishes=AppointmentsMeasured,
        groupings=(TENANT, BY_THERAPIST),
    )


def _lead_time(happening: Happening) -> Reading:
    return Reading(value=max(0.0, (happening.data.starts_at - happening.time).total_seconds()))


def _no_miss(_: Happening) -> Reading:
    return Reading(amount=0)


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
        {AppointmentMissed: once, AppointmentCompleted: _no_miss},
        spans=(WEEK_BY_DAY,),
        publishes=AppointmentsMeasured,
        groupings=(TENANT, BY_THERAPIST),
    ),
)
