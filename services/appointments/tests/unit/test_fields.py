"""What bodies may hold: moments, days and local times are plain, and everything absurd is refused."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from appointments.schemas.availability import ExceptionRequest, HoursRequest
from appointments.schemas.fields import Day, DisplayName, Moment, local_time_of, minute_of
from appointments.schemas.therapists import ProfilePatchRequest

MOMENT: TypeAdapter[datetime] = TypeAdapter(Moment)


@pytest.mark.parametrize(
    "written",
    [
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
        "1999-12-31T23:59:59Z",
        "2200-01-01T00:00:00Z",
        "2030-01-07T09:00:00",
        "2030-01-07",
        "2030-02-29T09:00:00Z",
        "2030-01-07T25:00:00Z",
        "1893456000",
        1893456000,
        1893456000.5,
        None,
        True,
        "tomorrow",
        "2030-01-07T09:00:00+99:00",
        "\uff12030-01-07T09:00:00Z",
    ],
)
def test_an_absurd_or_unclear_moment_is_refused(written: Any) -> None:
    with pytest.raises(ValidationError):
        MOMENT.validate_python(written)


def test_a_moment_with_any_offset_is_held_in_utc() -> None:
    assert MOMENT.validate_python("2030-01-07T10:00:00+01:00") == datetime(2030, 1, 7, 9, tzinfo=UTC)
    assert MOMENT.validate_python("2028-02-29T10:00:00.5Z").tzinfo is UTC


@pytest.mark.parametrize("written", ["0001-01-01", "2200-01-01", "2030-02-29", "2030-1-7", 20300107, "2030-01-07T00:00:00"])
def test_an_absurd_or_unclear_day_is_refused(written: Any) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Day).validate_python(written)


@pytest.mark.parametrize("name", ["", "   ", "a\nb", "a\x00b", "x" * 201, "\x7f"])
def test_a_name_that_is_empty_too_long_or_holds_control_characters_is_refused(name: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(DisplayName).validate_python(name)


def test_local_times_are_minutes_of_the_day() -> None:
    assert [minute_of(text) for text in ("00:00", "09:30", "24:00")] == [0, 570, 1440]
    assert [local_time_of(minute) for minute in (0, 570, 1440)] == ["00:00", "09:30", "24:00"]


@pytest.mark.parametrize(
    "body",
    [
        {"weekday": 0, "opens": "09:00", "closes": "17:00"},
        {"weekday": 8, "opens": "09:00", "closes": "17:00"},
        {"weekday": "1", "opens": "09:00", "closes": "17:00"},
        {"weekday": 1, "opens": "17:00", "closes": "09:00"},
        {"weekday": 1, "opens": "09:00", "closes": "09:00"},
        {"weekday": 1, "opens": "24:00", "closes": "24:00"},
        {"weekday": 1, "opens": "9:00", "closes": "17:00"},
        {"weekday": 1, "opens": "09:00", "closes": "24:01"},
        {"weekday": 1, "opens": "09:00", "closes": "17:00", "note": "x"},
    ],
)
def test_hours_that_make_no_sense_are_refused(body: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        HoursRequest.model_validate(body)


@pytest.mark.parametrize(
    "body",
    [
        {"kind": "open", "firstOn": "2030-01-07", "lastOn": "2030-01-07"},
        {"kind": "closed", "firstOn": "2030-01-07", "lastOn": "2030-01-07", "opens": "09:00"},
        {"kind": "open", "firstOn": "2030-01-07", "lastOn": "2030-01-07", "opens": "10:00", "closes": "09:00"},
        {"kind": "holiday", "firstOn": "2030-01-07", "lastOn": "2030-01-07"},
        {"kind": "closed", "firstOn": "2030-01-07"},
    ],
)
def test_exceptions_that_make_no_sense_are_refused(body: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        ExceptionRequest.model_validate(body)


def test_a_patch_takes_only_what_it_names_and_no_null() -> None:
    assert ProfilePatchRequest.model_validate({"languages": ["de"]}).changes() == {"languages": ("de",)}
    assert ProfilePatchRequest.model_validate({}).changes() == {}
    with pytest.raises(ValidationError):
        ProfilePatchRequest.model_validate({"timeZone": None})
