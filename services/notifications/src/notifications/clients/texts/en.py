"""English."""

from __future__ import annotations

from notifications.clients.texts.wording import Language, Wording
from notifications.domain.notices import Template

_SHOW = "Show the appointment"
_IN_CALENDAR = "The attached file puts it into your calendar."
_CALL = (
    "Somebody is waiting for your answer.",
    "Please sign in to Bloom now and answer there. An answer to this e-mail is not read.",
)

ENGLISH = Language(
    wordings={
        Template.APPOINTMENT_BOOKED: Wording(
            "Appointment booked: {day}",
            ("Your appointment is booked for {when}.", "You will hear from us as soon as it is confirmed.", _IN_CALENDAR),
            _SHOW,
            "Appointment booked: {day}.",
        ),
        Template.APPOINTMENT_CONFIRMED: Wording(
            "Appointment confirmed: {day}",
            ("Your appointment on {when} is confirmed.", _IN_CALENDAR),
            _SHOW,
            "Appointment confirmed: {day}.",
        ),
        Template.APPOINTMENT_NEW: Wording(
            "New appointment: {day}",
            ("You have a new appointment on {when}.", "Please confirm it in Bloom.", _IN_CALENDAR),
            _SHOW,
            "New appointment: {day}.",
        ),
        Template.APPOINTMENT_RESCHEDULED: Wording(
            "Appointment moved: {day}",
            ("Your appointment has moved to {when}.", "It was planned for {was}.", _IN_CALENDAR),
            _SHOW,
            "Appointment moved to {day}.",
        ),
        Template.APPOINTMENT_CANCELLED: Wording(
            "Appointment cancelled: {day}",
            ("Your appointment on {when} will not take place.", "The attached file takes it out of your calendar."),
            _SHOW,
            "Appointment cancelled: {day}.",
        ),
        Template.REMINDER_DAY_BEFORE: Wording(
            "Reminder: {day}",
            ("This is a reminder of your appointment on {when}.", "If you cannot come, please cancel it in Bloom in time."),
            _SHOW,
            "Reminder: appointment {day}.",
        ),
        Template.REMINDER_HOUR_BEFORE: Wording(
            "In one hour: {day}",
            ("Your appointment begins in one hour, on {when}.",),
            _SHOW,
            "Your appointment begins in one hour: {day}.",
        ),
        Template.ALERT_CALLED: Wording("Please open Bloom now", _CALL, "Open Bloom", "Please open Bloom now and answer."),
        Template.ALERT_HANDED_OVER: Wording(
            "Please take over in Bloom now",
            ("A colleague asks you to take over.", *_CALL[1:]),
            "Open Bloom",
            "A colleague asks you to take over in Bloom now.",
        ),
    },
    at="{date} at {time} ({zone})",
    at_short="{date}, {time}",
    summary="Appointment",
    footer="Bloom sent this e-mail by itself.",
    unsubscribe="To get no more e-mails of this kind",
)
