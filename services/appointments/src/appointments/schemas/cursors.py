"""Reads the cursors of this service's lists back into sort keys; anything that could not be one of ours is refused."""

from __future__ import annotations

from datetime import date, datetime
from typing import cast
from uuid import UUID

from pydantic import TypeAdapter

from appointments.schemas.fields import Day, Moment
from bloom_events.event import PlainText
from service_kit.pagination import decode_cursor

_MOMENT: TypeAdapter[datetime] = TypeAdapter(Moment)
_DAY: TypeAdapter[date] = TypeAdapter(Day)
_NAME: TypeAdapter[str] = TypeAdapter(PlainText)


def after_name(cursor: str | None) -> tuple[str, UUID] | None:
    """The sort key of a list by name."""
    return cast("tuple[str, UUID]", decode_cursor(cursor, _NAME.validate_python, UUID)) if cursor else None


def after_moment(cursor: str | None) -> tuple[datetime, UUID] | None:
    """The sort key of a list by time."""
    return cast("tuple[datetime, UUID]", decode_cursor(cursor, _MOMENT.validate_python, UUID)) if cursor else None


def after_day(cursor: str | None) -> tuple[date, UUID] | None:
    """The sort key of a list by day."""
    return cast("tuple[date, UUID]", decode_cursor(cursor, _DAY.validate_python, UUID)) if cursor else None
