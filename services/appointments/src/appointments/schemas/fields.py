"""Building blocks of the bodies: moments, days, local times, codes."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints
from pydantic.alias_generators import to_camel

from appointments.domain.therapists import is_time_zone

FIRST_YEAR, LAST_YEAR = 2000, 2199

_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?([Zz]|[+-]\d{2}:\d{2})?", re.ASCII)
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_MINUTES_PER_HOUR = 60


class Request(BaseModel):
    """A body that a caller sends."""

    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", frozen=True)


class Response(BaseModel):
    """A body that is answered."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True)


def _written_moment(value: object) -> object:
    # Numbers would be read as Unix times, which nobody means here.
    if isinstance(value, datetime) or (isinstance(value, str) and _MOMENT.fullmatch(value)):
        return value
    raise ValueError("must be a date and time with offset, such as 2026-03-02T09:00:00Z")


def _written_day(value: object) -> object:
    if isinstance(value, date) or (isinstance(value, str) and _DAY.fullmatch(value)):
        return value
    raise ValueError("must be a date such as 2026-03-02")


def _sensible_moment(moment: datetime) -> datetime:
    _sensible_day(moment.date())
    return moment.astimezone(UTC)


def _sensible_day(day: date) -> date:
    if not FIRST_YEAR <= day.year <= LAST_YEAR:
        raise ValueError(f"must lie in the years {FIRST_YEAR} to {LAST_YEAR}")
    return day


def _known_zone(name: str) -> str:
    if not is_time_zone(name):
        raise ValueError("must be an IANA time zone such as Europe/Berlin")
    return name


def _unique(codes: list[str]) -> list[str]:
    if len(set(codes)) != len(codes):
        raise ValueError("must not name the same thing twice")
    return codes


Moment = Annotated[
    AwareDatetime,
    BeforeValidator(_written_moment),
    AfterValidator(_sensible_moment),
    Field(examples=["2026-03-02T09:00:00Z"]),
]
"""A moment with its offset, between the years 2000 and 2199; held in UTC."""

# Without the checks of what a caller writes, which cost 2 us per moment.
Instant = Annotated[datetime, Field(examples=["2026-03-02T09:00:00Z"])]
"""A moment in an answer, in UTC."""

Day = Annotated[date, BeforeValidator(_written_day), AfterValidator(_sensible_day), Field(examples=["2026-12-24"])]
"""A local calendar day between the years 2000 and 2199."""

OpensAt = Annotated[str, StringConstraints(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$"), Field(examples=["09:00"])]
"""A local time from 00:00 to 23:59."""

ClosesAt = Annotated[str, StringConstraints(pattern=r"^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$"), Field(examples=["17:00"])]
"""A local time up to 24:00, the end of the day."""

DisplayName = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$"),
    Field(examples=["Dr. Robin Vale"]),
]
ZoneName = Annotated[str, StringConstraints(max_length=64), AfterValidator(_known_zone), Field(examples=["Europe/Berlin"])]
LanguageCode = Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}$"), Field(examples=["en"])]
"""A language by its ISO 639 code."""

SpecialtyCode = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z-]{1,39}$"), Field(examples=["anxiety"])]
Languages = Annotated[list[LanguageCode], Field(max_length=10), AfterValidator(_unique)]
Specialties = Annotated[list[SpecialtyCode], Field(max_length=20), AfterValidator(_unique)]
SlotMinutes = Annotated[int, Field(ge=5, le=480, multiple_of=5, strict=True, examples=[50])]
BufferMinutes = Annotated[int, Field(ge=0, le=240, multiple_of=5, strict=True, examples=[10])]


def minute_of(local_time: str) -> int:
    """The minute of the day that a local time names."""
    hours, minutes = local_time.split(":")
    return int(hours) * _MINUTES_PER_HOUR + int(minutes)


def local_time_of(minute: int) -> str:
    """The local time that a minute of the day is written as."""
    return f"{minute // _MINUTES_PER_HOUR:02d}:{minute % _MINUTES_PER_HOUR:02d}"
