"""Appointments as iCalendar objects (RFC 5545, RFC 5546): one UID for good, a growing SEQUENCE, times in UTC."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal, TypeAlias

from icalendar import Calendar, Event, vCalAddress

from notifications.clients.composing import Words, moment_of
from notifications.domain.notices import Notification

Method: TypeAlias = Literal["REQUEST", "CANCEL"]

_PRODUCT = "-//Bloom//Bloom notifications//EN"


def method_of(notification: Notification) -> Method:
    """What the object asks of a calendar."""
    return "CANCEL" if notification.template.is_cancellation else "REQUEST"


def render_calendar(notification: Notification, words: Words, *, organizer: str, attendee: str) -> bytes:
    """The object for one attendee; the same appointment has the same UID in every one, and nothing says what it is about."""
    method = method_of(notification)
    event = Event()
    event.add("uid", f"{notification.about}@{organizer.rpartition('@')[2]}")
    event.add("sequence", int(notification.facts["sequence"]))
    event.add("dtstamp", _whole_second(notification.created_at))
    event.add("dtstart", _whole_second(moment_of(notification, "starts_at")))
    event.add("dtend", _whole_second(moment_of(notification, "ends_at")))
    event.add("summary", words.summary)
    event.add("url", words.url.partition("?")[0])
    event.add("status", "CANCELLED" if method == "CANCEL" else "CONFIRMED")
    event.add("class", "PRIVATE")
    event.add("transp", "OPAQUE")
    event.add("organizer", vCalAddress(f"mailto:{organizer}"))
    event.add("attendee", _attendee(attendee))
    calendar = Calendar()
    calendar.add("prodid", _PRODUCT)
    calendar.add("version", "2.0")
    calendar.add("method", method)
    calendar.add_component(event)
    rendered: bytes = calendar.to_ical()
    return rendered


def _attendee(address: str) -> vCalAddress:
    attendee = vCalAddress(f"mailto:{address}")
    attendee.params["ROLE"] = "REQ-PARTICIPANT"
    # Booking and confirming happen in Bloom: a calendar has nothing to answer.
    attendee.params["PARTSTAT"] = "ACCEPTED"
    attendee.params["RSVP"] = "FALSE"
    return attendee


def _whole_second(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(microsecond=0)
