"""Reads the cursors of this service's lists back into sort keys; anything that could not be one of ours is refused."""

from __future__ import annotations

from typing import cast
from uuid import UUID

from service_kit.errors import InvalidCursor
from service_kit.pagination import decode_cursor


def before_conversation(cursor: str | None) -> UUID | None:
    """The sort key of a list of conversations."""
    return cast("tuple[UUID]", decode_cursor(cursor, UUID))[0] if cursor else None


def before_place(cursor: str | None) -> int | None:
    """The sort key of a list of messages."""
    return cast("tuple[int]", decode_cursor(cursor, _place))[0] if cursor else None


def before_place_in(cursor: str | None) -> tuple[UUID, int] | None:
    """The sort key of a search."""
    return cast("tuple[UUID, int]", decode_cursor(cursor, UUID, _place)) if cursor else None


def _place(text: str) -> int:
    if not text.isascii() or not text.isdecimal():
        raise InvalidCursor
    return int(text)
