"""A therapist's entry in the directory and what decides whether a patient may book."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Self
from zoneinfo import available_timezones

from appointments.domain.availability import AvailabilityException, WeeklyHours
from appointments.domain.outcomes import NotAcceptingNewPatients
from appointments.domain.slots import Schedule
from bloom_events.appointments import TherapistProfileChanged
from bloom_events.ids import TherapistId


@dataclass(frozen=True, slots=True)
class Profile:
    """What a therapist decides about their own entry; the minutes shape the slots."""

    display_name: str
    accepts_new_patients: bool
    time_zone: str
    slot_minutes: int
    buffer_before_minutes: int
    buffer_after_minutes: int
    languages: tuple[str, ...]
    specialties: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Therapist:
    """A verified therapist. `revision` counts changes of the profile and of the weekly hours together."""

    id: TherapistId
    profile: Profile
    revision: int
    is_suspended: bool = False

    @classmethod
    def verified(cls, therapist_id: TherapistId, display_name: str) -> tuple[Self, TherapistProfileChanged]:
        """A newly verified therapist: takes no new patients and has no hours until they say so."""
        profile = Profile(
            display_name=display_name,
            accepts_new_patients=False,
            time_zone="UTC",
            slot_minutes=50,
            buffer_before_minutes=0,
            buffer_after_minutes=10,
            languages=(),
            specialties=(),
        )
        therapist = cls(therapist_id, profile, revision=1)
        return therapist, _profile_changed(therapist)

    def change_profile(self, profile: Profile) -> tuple[Self, TherapistProfileChanged | None]:
        """Takes over a new profile; no event when it is the one it has."""
        if profile == self.profile:
            return self, None
        changed = replace(self, profile=profile, revision=self.revision + 1)
        return changed, _profile_changed(changed)

    def change_hours(self) -> Self:
        """The therapist after a change of the weekly hours."""
        return replace(self, revision=self.revision + 1)

    def must_take(self, *, is_known_patient: bool) -> None:
        """Refuses a patient who never had a visit here while new ones are not accepted."""
        if not self.profile.accepts_new_patients and not is_known_patient:
            raise NotAcceptingNewPatients

    def schedule(self, weekly: tuple[WeeklyHours, ...], exceptions: tuple[AvailabilityException, ...]) -> Schedule:
        """All that decides the slots."""
        return Schedule(
            time_zone=self.profile.time_zone,
            slot_length=timedelta(minutes=self.profile.slot_minutes),
            buffer_before=timedelta(minutes=self.profile.buffer_before_minutes),
            buffer_after=timedelta(minutes=self.profile.buffer_after_minutes),
            weekly=weekly,
            exceptions=exceptions,
        )


@dataclass(frozen=True, slots=True)
class DirectoryFilter:
    """What narrows the directory; None means any."""

    accepts_new_patients: bool | None = None
    language: str | None = None
    specialty: str | None = None


def _profile_changed(therapist: Therapist) -> TherapistProfileChanged:
    return TherapistProfileChanged(
        therapist_id=therapist.id,
        display_name=therapist.profile.display_name,
        accepts_new_patients=therapist.profile.accepts_new_patients,
        time_zone=therapist.profile.time_zone,
    )


def is_time_zone(name: str) -> bool:
    """Whether this is a zone of the IANA database that names a place, or UTC."""
    return name == "UTC" or ("/" in name and name in available_timezones())
