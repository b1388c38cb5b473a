"""Working hours of a therapist: the weekly pattern and the exceptions to it, in local time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from itertools import pairwise
from uuid import UUID

from appointments.domain.outcomes import InvalidRange, OverlappingHours
from bloom_events.ids import TherapistId

LONGEST_EXCEPTION = timedelta(days=366)
MOST_EXCEPTIONS = 200
LONGEST_BUFFER = timedelta(hours=4)


class ExceptionKind(StrEnum):
    """Whether an exception takes hours away or adds some. Closed wins where both cover a time."""

    CLOSED = "closed"
    OPEN = "open"


@dataclass(frozen=True, slots=True, order=True)
class WeeklyHours:
    """Open from minute `opens` to minute `closes` of the local day, every `weekday` (1 is Monday)."""

    weekday: int
    opens: int
    closes: int


@dataclass(frozen=True, slots=True)
class AvailabilityException:
    """Local days `first_on` to `last_on`, both included, closed or with extra hours; no minutes means the whole day."""

    id: UUID
    therapist_id: TherapistId
    kind: ExceptionKind
    first_on: date
    last_on: date
    opens: int | None
    closes: int | None

    def __post_init__(self) -> None:
        if self.last_on < self.first_on:
            raise InvalidRange("The last day must not be before the first.")
        if self.last_on - self.first_on > LONGEST_EXCEPTION:
            raise InvalidRange(f"An exception may span at most {LONGEST_EXCEPTION.days} days.")

    def covers(self, day: date) -> bool:
        """Whether the exception speaks about this local day."""
        return self.first_on <= day <= self.last_on


def checked_week(hours: Sequence[WeeklyHours]) -> tuple[WeeklyHours, ...]:
    """The weekly pattern in order; refuses hours that overlap on a day."""
    ordered = tuple(sorted(hours))
    for earlier, later in pairwise(ordered):
        if earlier.weekday == later.weekday and later.opens < earlier.closes:
            raise OverlappingHours
    return ordered
