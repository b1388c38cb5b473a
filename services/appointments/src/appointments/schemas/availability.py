"""Bodies of weekly hours and exceptions."""

from __future__ import annotations

from typing import Annotated, Self
from uuid import UUID

from pydantic import ConfigDict, Field, model_validator
from pydantic.config import JsonDict

from appointments.domain.availability import AvailabilityException, ExceptionKind, WeeklyHours
from appointments.schemas.fields import ClosesAt, Day, OpensAt, Request, Response, local_time_of, minute_of
from bloom_events.ids import TherapistId, new_id

_MOST_HOURS = 70

_WEEK_EXAMPLE: JsonDict = {
    "hours": [
        {"weekday": 1, "opens": "09:00", "closes": "12:00"},
        {"weekday": 1, "opens": "13:00", "closes": "17:00"},
    ]
}


class HoursRequest(Request):
    """Open hours of one weekday in local time; 1 is Monday, 7 is Sunday."""

    weekday: int = Field(ge=1, le=7, strict=True)
    opens: OpensAt
    closes: ClosesAt

    @model_validator(mode="after")
    def _opens_before_it_closes(self) -> Self:
        if minute_of(self.opens) >= minute_of(self.closes):
            raise ValueError("must open before it closes")
        return self


class AvailabilityRequest(Request):
    """The whole weekly pattern of a therapist."""

    model_config = ConfigDict(json_schema_extra={"examples": [_WEEK_EXAMPLE]})

    hours: Annotated[list[HoursRequest], Field(max_length=_MOST_HOURS)]

    def weekly_hours(self) -> list[WeeklyHours]:
        """The pattern as the domain holds it."""
        return [WeeklyHours(each.weekday, minute_of(each.opens), minute_of(each.closes)) for each in self.hours]


class HoursResponse(Response):
    """Open hours of one weekday in local time."""

    weekday: int
    opens: str
    closes: str


class AvailabilityResponse(Response):
    """The weekly pattern of a therapist with the zone that it is meant in."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"timeZone": "Europe/Berlin", **_WEEK_EXAMPLE}]})

    time_zone: str
    hours: list[HoursResponse]

    @classmethod
    def of(cls, time_zone: str, week: tuple[WeeklyHours, ...]) -> Self:
        hours = [
            HoursResponse(weekday=each.weekday, opens=local_time_of(each.opens), closes=local_time_of(each.closes))
            for each in week
        ]
        return cls(time_zone=time_zone, hours=hours)


class ExceptionRequest(Request):
    """Closed days or extra open hours. Without times the whole day is meant; closed wins where both cover a time."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"kind": "closed", "firstOn": "2026-12-24", "lastOn": "2027-01-01"}]}
    )

    kind: ExceptionKind
    first_on: Day
    last_on: Day
    opens: OpensAt | None = None
    closes: ClosesAt | None = None

    @model_validator(mode="after")
    def _times_fit_together(self) -> Self:
        if (self.opens is None) != (self.closes is None):
            raise ValueError("opens and closes go together")
        if self.kind is ExceptionKind.OPEN and self.opens is None:
            raise ValueError("extra open hours need opens and closes")
        if self.opens and self.closes and minute_of(self.opens) >= minute_of(self.closes):
            raise ValueError("must open before it closes")
        return self

    def exception_of(self, therapist_id: TherapistId) -> AvailabilityException:
        """A new exception of this therapist."""
        return AvailabilityException(
            id=new_id(),
            therapist_id=therapist_id,
            kind=self.kind,
            first_on=self.first_on,
            last_on=self.last_on,
            opens=minute_of(self.opens) if self.opens else None,
            closes=minute_of(self.closes) if self.closes else None,
        )


class ExceptionResponse(Response):
    """An exception to the weekly hours."""

    id: UUID
    kind: ExceptionKind
    first_on: Day
    last_on: Day
    opens: str | None
    closes: str | None

    @classmethod
    def of(cls, exception: AvailabilityException) -> Self:
        return cls(
            id=exception.id,
            kind=exception.kind,
            first_on=exception.first_on,
            last_on=exception.last_on,
            opens=None if exception.opens is None else local_time_of(exception.opens),
            closes=None if exception.closes is None else local_time_of(exception.closes),
        )
