"""People as this service knows them: who acts, and what auth and appointments tell about them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from bloom_events.appointments import AppointmentCancelled, AppointmentCorrected, AppointmentEvent
from bloom_events.auth import Role
from bloom_events.ids import AppointmentId, PatientId, TherapistId


class AccountStatus(StrEnum):
    """Whether an account may be used."""

    ACTIVE = "active"
    PENDING = "pending_verification"
    SUSPENDED = "suspended"


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts: the account and its role."""

    user_id: UUID
    role: Role


@dataclass(frozen=True, slots=True)
class Person:
    """An account, as the latest event about it says."""

    user_id: UUID
    role: Role
    status: AccountStatus
    changed_at: datetime

    @property
    def is_active(self) -> bool:
        return self.status is AccountStatus.ACTIVE


@dataclass(frozen=True, slots=True)
class CareVisit:
    """What one appointment says about the care relationship of its two people; it stands unless the visit was called off."""

    appointment_id: AppointmentId
    patient_id: PatientId
    therapist_id: TherapistId
    stands: bool
    revision: int

    @classmethod
    def of(cls, event: AppointmentEvent) -> CareVisit:
        is_called_off = isinstance(event, AppointmentCancelled) or (
            isinstance(event, AppointmentCorrected) and event.corrected_to == "cancelled"
        )
        return cls(event.appointment_id, event.patient_id, event.therapist_id, not is_called_off, event.revision)
