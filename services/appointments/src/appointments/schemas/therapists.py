"""Bodies of the therapist directory."""

from __future__ import annotations

from typing import Any, Self
from uuid import UUID

from pydantic import ConfigDict, Field, model_validator
from pydantic.config import JsonDict

from appointments.domain.slots import Interval
from appointments.domain.therapists import Therapist
from appointments.schemas.fields import (
    BufferMinutes,
    DisplayName,
    Languages,
    Moment,
    Request,
    Response,
    SlotMinutes,
    Specialties,
    ZoneName,
)

_EXAMPLE: JsonDict = {
    "displayName": "Dr. Robin Vale",
    "acceptsNewPatients": True,
    "timeZone": "Europe/Berlin",
    "slotMinutes": 50,
    "bufferBeforeMinutes": 0,
    "bufferAfterMinutes": 10,
    "languages": ["de", "en"],
    "specialties": ["anxiety", "sleep"],
}


class ProfileRequest(Request):
    """The whole profile of a therapist."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    display_name: DisplayName
    accepts_new_patients: bool = Field(strict=True)
    time_zone: ZoneName
    slot_minutes: SlotMinutes
    buffer_before_minutes: BufferMinutes
    buffer_after_minutes: BufferMinutes
    languages: Languages
    specialties: Specialties

    def changes(self) -> dict[str, Any]:
        """The profile's fields as the domain names them."""
        return _tupled(self.model_dump())


class ProfilePatchRequest(Request):
    """Some fields of a therapist's profile; what is left out stays as it is."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"acceptsNewPatients": True}]})

    display_name: DisplayName | None = None
    accepts_new_patients: bool | None = Field(default=None, strict=True)
    time_zone: ZoneName | None = None
    slot_minutes: SlotMinutes | None = None
    buffer_before_minutes: BufferMinutes | None = None
    buffer_after_minutes: BufferMinutes | None = None
    languages: Languages | None = None
    specialties: Specialties | None = None

    @model_validator(mode="after")
    def _given_fields_have_values(self) -> Self:
        if any(getattr(self, name) is None for name in self.model_fields_set):
            raise ValueError("null is no value for a field; leave it out to keep what it is")
        return self

    def changes(self) -> dict[str, Any]:
        """The given fields as the domain names them."""
        return _tupled(self.model_dump(exclude_unset=True))


class TherapistResponse(Response):
    """A therapist as the directory shows them."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"id": "0195a000-0000-7000-8000-000000000001", **_EXAMPLE}]})

    id: UUID
    display_name: str
    accepts_new_patients: bool
    time_zone: str
    slot_minutes: int
    buffer_before_minutes: int
    buffer_after_minutes: int
    languages: list[str]
    specialties: list[str]

    @classmethod
    def of(cls, therapist: Therapist) -> Self:
        profile = therapist.profile
        return cls(
            id=therapist.id,
            display_name=profile.display_name,
            accepts_new_patients=profile.accepts_new_patients,
            time_zone=profile.time_zone,
            slot_minutes=profile.slot_minutes,
            buffer_before_minutes=profile.buffer_before_minutes,
            buffer_after_minutes=profile.buffer_after_minutes,
            languages=list(profile.languages),
            specialties=list(profile.specialties),
        )


class SlotResponse(Response):
    """A time that can be booked, exactly as given here."""

    start_at: Moment
    end_at: Moment

    @classmethod
    def of(cls, slot: Interval) -> Self:
        return cls(start_at=slot.start, end_at=slot.end)


class AvailableTherapistResponse(Response):
    """A therapist with the first slot that is free in the asked range."""

    therapist: TherapistResponse
    first_slot: SlotResponse


class SlotsResponse(Response):
    """The free slots of a therapist in time order."""

    therapist_id: UUID
    time_zone: str = Field(description="The therapist's zone, in which the day was planned.")
    items: list[SlotResponse]


def _tupled(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in fields.items()}
