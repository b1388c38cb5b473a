"""Schedules and visits to test the rules with."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from appointments.domain.availability import WeeklyHours
from appointments.domain.slots import Schedule


@pytest.fixture
def schedule_of() -> Callable[..., Schedule]:
    """Open from `opens` to `closes` (minutes of the day) on every weekday, slots of an hour without buffers unless told."""

    def make(time_zone: str = "UTC", opens: int = 9 * 60, closes: int = 17 * 60, **changed: Any) -> Schedule:
        week = tuple(WeeklyHours(weekday, opens, closes) for weekday in range(1, 8))
        given: dict[str, Any] = {"slot": 60, "before": 0, "after": 0, "weekly": week, "exceptions": (), **changed}
        return Schedule(
            time_zone=time_zone,
            slot_length=timedelta(minutes=given["slot"]),
            buffer_before=timedelta(minutes=given["before"]),
            buffer_after=timedelta(minutes=given["after"]),
            weekly=given["weekly"],
            exceptions=given["exceptions"],
        )

    return make


@pytest.fixture
def utc() -> Callable[[str], datetime]:
    """The moment that a short text such as `2030-01-07T09:00` names."""
    return lambda text: datetime.fromisoformat(text).replace(tzinfo=UTC)
