"""Computes the bookable slots of a therapist from weekly hours, exceptions, buffers and what is booked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from appointments.domain.availability import AvailabilityException, ExceptionKind, WeeklyHours
from appointments.domain.outcomes import BeyondBookingHorizon, InvalidRange, NotASlot, StartsInThePast
from appointments.domain.wall_clock import MINUTES_PER_DAY, instant_of

BOOKING_HORIZON = timedelta(days=180)
LONGEST_RANGE = timedelta(days=31)


@dataclass(frozen=True, slots=True, order=True)
class Interval:
    """The time from `start` up to but without `end`, both UTC."""

    start: datetime
    end: datetime

    def overlaps(self, other: Interval) -> bool:
        """Whether the two share any moment."""
        return self.start < other.end and other.start < self.end

    def widened(self, before: timedelta, after: timedelta) -> Interval:
        """The interval with room before and after it."""
        return Interval(self.start - before, self.end + after)


def checked_range(start: datetime, end: datetime) -> Interval:
    """The asked range, refused when it runs backwards or is longer than LONGEST_RANGE."""
    if end <= start:
        raise InvalidRange("The end must be after the start.")
    if end - start > LONGEST_RANGE:
        raise InvalidRange(f"A range may span at most {LONGEST_RANGE.days} days.")
    return Interval(start.astimezone(UTC), end.astimezone(UTC))


@dataclass(frozen=True, slots=True)
class Schedule:
    """All that decides when a therapist can be booked, apart from what is already booked.

    Slots are laid end to end from each opening, one buffer pair and one slot length apart, and stay within one local day.
    """

    time_zone: str
    slot_length: timedelta
    buffer_before: timedelta
    buffer_after: timedelta
    weekly: tuple[WeeklyHours, ...]
    exceptions: tuple[AvailabilityException, ...]

    def slots(self, within: Interval) -> Iterator[Interval]:
        """The slots that lie wholly in the range, in time order."""
        for day in self._days(within):
            for opening in self.open_on(day):
                for slot in self._cut(opening):
                    if within.start <= slot.start and slot.end <= within.end:
                        yield slot

    def free_slots(self, within: Interval, busy: Sequence[Interval], now: datetime) -> Iterator[Interval]:
        """The slots that can still be booked: in the future, within the horizon, clear of every blocked time."""
        for slot in self.slots(within):
            block = self.block_of(slot)
            if now < slot.start <= now + BOOKING_HORIZON and not any(block.overlaps(taken) for taken in busy):
                yield slot

    def slot_at(self, wanted: Interval, now: datetime) -> Interval:
        """The wanted time, if it is a slot; refuses a past one, one beyond the horizon and one that is not offered."""
        if wanted.start <= now:
            raise StartsInThePast
        if wanted.start > now + BOOKING_HORIZON:
            raise BeyondBookingHorizon(f"Bookings are taken up to {BOOKING_HORIZON.days} days ahead.")
        if wanted.end - wanted.start != self.slot_length or not self._is_laid(wanted):
            raise NotASlot
        return wanted

    def block_of(self, slot: Interval) -> Interval:
        """The slot with the buffers around it: what must not overlap with another visit's."""
        return slot.widened(self.buffer_before, self.buffer_after)

    def open_on(self, day: date) -> list[Interval]:
        """When the therapist works on a local day: weekly hours and extra hours, less what is closed."""
        weekday = day.isoweekday()
        opened = [self._instants(day, hours.opens, hours.closes) for hours in self.weekly if hours.weekday == weekday]
        closed: list[Interval] = []
        for exception in self.exceptions:
            if exception.covers(day):
                hours = self._instants(day, exception.opens or 0, exception.closes or MINUTES_PER_DAY)
                (closed if exception.kind is ExceptionKind.CLOSED else opened).append(hours)
        return _without(_joined(opened), closed)

    def _instants(self, day: date, opens: int, closes: int) -> Interval:
        zone = ZoneInfo(self.time_zone)
        return Interval(instant_of(day, opens, zone), instant_of(day, closes, zone))

    def _is_laid(self, wanted: Interval) -> bool:
        """Whether a slot lies exactly there; reckoned, since cutting three days into slots cost a booking 150 us."""
        openings = (opening for day in self._days(wanted) for opening in self.open_on(day))
        return any(
            opening.start <= wanted.start and wanted.end <= opening.end and not (wanted.start - opening.start) % self._pitch
            for opening in openings
        )

    @property
    def _pitch(self) -> timedelta:
        """From the start of one slot to the start of the next."""
        return self.buffer_before + self.slot_length + self.buffer_after

    def _cut(self, opening: Interval) -> Iterator[Interval]:
        start = opening.start
        while start + self.slot_length <= opening.end:
            yield Interval(start, start + self.slot_length)
            start += self._pitch

    def _days(self, within: Interval) -> Iterator[date]:
        """The local days that may hold a slot of the range, with a day to spare: some zones turn the clock back over midnight."""
        zone = ZoneInfo(self.time_zone)
        day = within.start.astimezone(zone).date() - timedelta(days=1)
        last = within.end.astimezone(zone).date() + timedelta(days=1)
        while day <= last:
            yield day
            day += timedelta(days=1)


def _joined(intervals: list[Interval]) -> list[Interval]:
    """The same time as ordered intervals that neither touch nor overlap."""
    joined: list[Interval] = []
    for interval in sorted(intervals):
        if interval.start >= interval.end:
            continue
        if joined and interval.start <= joined[-1].end:
            joined[-1] = Interval(joined[-1].start, max(joined[-1].end, interval.end))
        else:
            joined.append(interval)
    return joined


def _without(intervals: list[Interval], removed: list[Interval]) -> list[Interval]:
    """What is left of ordered intervals when others are cut out of them."""
    for cut in removed:
        pieces: list[Interval] = []
        for interval in intervals:
            if not interval.overlaps(cut):
                pieces.append(interval)
                continue
            if interval.start < cut.start:
                pieces.append(Interval(interval.start, cut.start))
            if cut.end < interval.end:
                pieces.append(Interval(cut.end, interval.end))
        intervals = pieces
    return intervals
