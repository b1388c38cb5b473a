"""What billing knows about one visit: the whole state that the last event of its appointment carried."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from bloom_events.appointments import (
    AppointmentCancelled,
    AppointmentCompleted,
    AppointmentCorrected,
    AppointmentEvent,
    AppointmentMissed,
    VisitType,
)
from bloom_events.ids import AppointmentId, PatientId, TherapistId


class Outcome(StrEnum):
    """How far a visit has come, as far as money is concerned."""

    AHEAD = "ahead"
    COMPLETED = "completed"
    MISSED = "missed"
    CANCELLED_BY_PATIENT = "cancelled_by_patient"
    CANCELLED_BY_PRACTICE = "cancelled_by_practice"
    CORRECTED_TO_MISSED = "corrected_to_missed"
    CORRECTED_TO_CANCELLED = "corrected_to_cancelled"

    @property
    def is_correction(self) -> bool:
        return self in {Outcome.CORRECTED_TO_MISSED, Outcome.CORRECTED_TO_CANCELLED}


@dataclass(frozen=True, slots=True)
class Visit:
    """A visit as its appointment's newest revision tells it; `decided_at` is when it was cancelled, held, missed or corrected."""

    appointment_id: AppointmentId
    revision: int
    patient_id: PatientId
    therapist_id: TherapistId
    visit_type: VisitType
    starts_at: datetime
    outcome: Outcome
    decided_at: datetime | None = None

    @property
    def is_over(self) -> bool:
        return self.outcome is not Outcome.AHEAD


def visit_from(event: AppointmentEvent) -> Visit:
    """Read a visit off any event of its appointment; each carries the whole state."""
    outcome, decided_at = _outcome(event)
    return Visit(
        appointment_id=event.appointment_id,
        revision=event.revision,
        patient_id=event.patient_id,
        therapist_id=event.therapist_id,
        visit_type=event.visit_type,
        starts_at=event.starts_at,
        outcome=outcome,
        decided_at=decided_at,
    )


def _outcome(event: AppointmentEvent) -> tuple[Outcome, datetime | None]:
    match event:
        case AppointmentCompleted():
            return Outcome.COMPLETED, event.completed_at
        case AppointmentMissed():
            return Outcome.MISSED, event.recorded_at
        case AppointmentCancelled():
            by_patient = event.cancelled_by == "patient"
            return (Outcome.CANCELLED_BY_PATIENT if by_patient else Outcome.CANCELLED_BY_PRACTICE), event.cancelled_at
        case AppointmentCorrected():
            missed = event.corrected_to == "no_show"
            return (Outcome.CORRECTED_TO_MISSED if missed else Outcome.CORRECTED_TO_CANCELLED), event.corrected_at
        case _:
            return Outcome.AHEAD, None
