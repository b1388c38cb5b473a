"""Which windows a moment belongs to, remembered: a million events of an hour fall into sixty minutes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TypeAlias
from zoneinfo import ZoneInfo

from analytics.domain.spans import Span, Window

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MINUTE = 60
# Since the last zone gave up seconds in its offset (Monrovia, in January 1972) every window begins and ends with a minute.
_WHOLE_MINUTES = int(datetime(1972, 2, 1, tzinfo=UTC).timestamp())
_MOST_KNOWN = 100_000

Found: TypeAlias = tuple[tuple[str, Window], ...]


def cell_of(at: datetime) -> int:
    """The start of the minute of a moment in seconds since 1970: all moments of a cell belong to the same windows."""
    since = at - _EPOCH
    second = since.days * 86_400 + since.seconds
    return second - second % _MINUTE if second >= _WHOLE_MINUTES else second


class Calendar:
    """The windows of cells, by spans and zone; what it remembers has a limit."""

    def __init__(self) -> None:
        # By the identity of the spans' tuple, which is kept with it: hashing spans would take longer than all the rest.
        self._known: dict[tuple[int, ZoneInfo, int], tuple[tuple[Span, ...], Found]] = {}

    def windows_of(self, spans: tuple[Span, ...], zone: ZoneInfo, cell: int) -> Found:
        """The windows of these spans that hold the cell, each with the name of its span."""
        key = (id(spans), zone, cell)
        known = self._known.get(key)
        if known is None:
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            at = _EPOCH + timedelta(seconds=cell)
            found = tuple((span.name, window) for span in spans for window in span.windows_of(at, zone))
            known = self._known[key] = (spans, found)
        return known[1]
