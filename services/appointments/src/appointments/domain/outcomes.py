"""Every business refusal of this service, one class for each outcome."""

from __future__ import annotations

from service_kit.errors import Problem


class TherapistNotFound(Problem):
    """No such therapist for this caller."""

    slug, status, title = "therapist-not-found", 404, "Therapist not found"


class AppointmentNotFound(Problem):
    """No such appointment, or it is somebody else's: the answer is the same."""

    slug, status, title = "appointment-not-found", 404, "Appointment not found"


class AvailabilityExceptionNotFound(Problem):
    """No such exception among the therapist's own."""

    slug, status, title = "availability-exception-not-found", 404, "Availability exception not found"


class SlotTaken(Problem):
    """Somebody else holds that time with the therapist."""

    slug, status, title = "slot-taken", 409, "That slot is taken"


class PatientAlreadyBooked(Problem):
    """The patient has another visit at that time."""

    slug, status, title = "patient-already-booked", 409, "Another appointment overlaps that time"


class NotASlot(Problem):
    """The times do not match a slot that the therapist offers."""

    slug, status, title = "not-a-slot", 409, "The therapist offers no such slot"


class StartsInThePast(Problem):
    """The visit would begin before now."""

    slug, status, title = "starts-in-the-past", 409, "That time has passed"


class BeyondBookingHorizon(Problem):
    """The visit lies further ahead than bookings are taken."""

    slug, status, title = "beyond-booking-horizon", 409, "That time is too far ahead to be booked"


class NotAcceptingNewPatients(Problem):
    """The therapist takes only patients who have had a visit with them."""

    slug, status, title = "not-accepting-new-patients", 409, "The therapist does not accept new patients"


class TherapistUnavailable(Problem):
    """The therapist of an existing appointment takes no bookings at present."""

    slug, status, title = "therapist-unavailable", 409, "The therapist takes no bookings at present"


class SameTime(Problem):
    """A reschedule to the time that the appointment already has."""

    slug, status, title = "same-time", 409, "The appointment already has that time"


class AlreadyConfirmed(Problem):
    """Confirming twice."""

    slug, status, title = "already-confirmed", 409, "The appointment is already confirmed"


class AlreadyCancelled(Problem):
    """The appointment was cancelled and stays so."""

    slug, status, title = "already-cancelled", 409, "The appointment is cancelled"


class AlreadyCompleted(Problem):
    """The visit took place; only a correction can change that."""

    slug, status, title = "already-completed", 409, "The visit is already completed"


class AlreadyMissed(Problem):
    """The visit is on record as missed by the patient."""

    slug, status, title = "already-missed", 409, "The visit is on record as missed"


class NotCompleted(Problem):
    """Only a completed visit can be corrected."""

    slug, status, title = "not-completed", 409, "Only a completed visit can be corrected"


class VisitNotStarted(Problem):
    """The outcome of a visit cannot be recorded before it begins."""

    slug, status, title = "visit-not-started", 409, "The visit has not started"


class VisitAlreadyStarted(Problem):
    """Too late to move the visit, or for the patient to cancel it."""

    slug, status, title = "visit-already-started", 409, "The visit has already started"


class VisitAlreadyOver(Problem):
    """Too late to confirm the visit."""

    slug, status, title = "visit-already-over", 409, "The visit's time is over"


class InvalidRange(Problem):
    """The asked range runs backwards or is longer than allowed."""

    slug, status, title = "invalid-range", 422, "The range is not acceptable"


class OverlappingHours(Problem):
    """Two of the given working hours overlap."""

    slug, status, title = "overlapping-hours", 422, "Working hours overlap"


class TooManyExceptions(Problem):
    """The therapist keeps as many exceptions as allowed."""

    slug, status, title = "too-many-exceptions", 409, "No more availability exceptions can be added"
