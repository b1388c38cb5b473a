"""Lists by cursor: stable under inserts, with an opaque cursor that holds only the sort key of the last row handed out."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from datetime import MAXYEAR, datetime
from typing import Annotated, Generic, TypeVar
from uuid import UUID

import orjson
from fastapi import Query
from pydantic import BaseModel, Field

from service_kit.errors import InvalidCursor

Item = TypeVar("Item")
Row = TypeVar("Row")

DEFAULT_LIMIT = 50
MAX_LIMIT = 200

Limit = Annotated[int, Query(ge=1, le=MAX_LIMIT, description="At most so many items.")]
"""The query parameter `limit`; give it `= DEFAULT_LIMIT` in the route."""

Cursor = Annotated[str | None, Query(max_length=512, description="The `nextCursor` of the page before.")]
"""The query parameter `cursor`; give it `= None` in the route."""


class Page(BaseModel, Generic[Item]):
    """One page of a list and the cursor of the next one, null on the last."""

    items: list[Item]
    next_cursor: str | None = Field(
        default=None,
        serialization_alias="nextCursor",
        description="Give it as `cursor` to get the next page; null on the last page.",
    )


def encode_cursor(*sort_key: str | int | UUID | datetime) -> str:
    """An opaque cursor that points behind the row with this sort key."""
    # asyncpg's own UUIDs are a subclass, which orjson leaves to `default`.
    return base64.urlsafe_b64encode(orjson.dumps(sort_key, default=str)).rstrip(b"=").decode()


def decode_cursor(cursor: str, *parts: Callable[[str], object]) -> tuple[object, ...]:
    """The sort key in a cursor, each part read by its function, such as `datetime.fromisoformat`; raises InvalidCursor."""
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        values = orjson.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
        return tuple(_storable(read(str(value))) for read, value in zip(parts, values, strict=True))
    except (ValueError, TypeError, binascii.Error, OverflowError) as error:
        raise InvalidCursor from error


def page_of(
    rows: Sequence[Row],
    *,
    limit: int,
    present: Callable[[Row], Item],
    key: Callable[[Row], tuple[str | int | UUID | datetime, ...]],
) -> Page[Item]:
    """A page from up to `limit + 1` rows: the extra row only tells that there is a next page."""
    shown = rows[:limit]
    next_cursor = encode_cursor(*key(shown[-1])) if len(rows) > limit else None
    return Page(items=[present(row) for row in shown], next_cursor=next_cursor)


def _storable(value: object) -> object:
    """The value, unless PostgreSQL could not even compare with it: a forged cursor is refused like a broken one."""
    is_impossible = (
        (isinstance(value, str) and "\x00" in value)
        or (isinstance(value, int) and not -(2**63) <= value < 2**63)
        or (isinstance(value, datetime) and (value.tzinfo is None or not 1 < value.year < MAXYEAR))
    )
    if is_impossible:
        raise ValueError("not a sort key of ours")
    return value
