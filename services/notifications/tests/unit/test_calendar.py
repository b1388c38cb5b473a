"""Whatever is known of an appointment makes one valid iCalendar object, and reads back as the same."""

import re
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import icalendar
from hypothesis import given, settings
from hypothesis import strategies as st

from bloom_events.ids import NotificationId, UserId
from bloom_events.notifications import Channel
from notifications.clients.calendar import render_calendar
from notifications.clients.composing import compose
from notifications.domain.notices import Kind, Notification, Template, Urgency
from notifications.domain.providing import Letter

MOMENTS = st.datetimes(datetime(2000, 1, 1), datetime(2199, 12, 31), timezones=st.sampled_from([UTC]))  # noqa: DTZ001  # in UTC
LENGTHS = st.timedeltas(timedelta(minutes=1), timedelta(hours=12))
LOCAL_PARTS = st.text(st.characters(whitelist_categories=["L", "N"], whitelist_characters=".+-_'"), min_size=1, max_size=64)
TEMPLATES = st.sampled_from([template for template in Template if template.kind is not Kind.SAFETY])


def a_notification(template: Template, about: UUID, starts_at: datetime, length: timedelta, sequence: int) -> Notification:
    return Notification(
        id=NotificationId(uuid4()),
        user_id=UserId(uuid4()),
        channel=Channel.EMAIL,
        template=template,
        about=about,
        occasion="revision_1",
        urgency=Urgency.ROUTINE,
        due_at=None,
        expires_at=starts_at,
        created_at=starts_at - timedelta(days=1),
        facts={
            "starts_at": starts_at.isoformat(),
            "ends_at": (starts_at + length).isoformat(),
            "previous_starts_at": starts_at.isoformat(),
            "sequence": sequence,
        },
    )


@given(
    template=TEMPLATES,
    about=st.uuids(),
    starts_at=MOMENTS,
    length=LENGTHS,
    sequence=st.integers(1, 2**31 - 1),
    attendee=LOCAL_PARTS,
    locale=st.sampled_from(["en", "de-DE", "fr", None]),
)
@settings(max_examples=300, deadline=None)
def test_every_appointment_makes_an_object_that_reads_back_as_the_same(  # what hypothesis draws
    template: Template, about: UUID, starts_at: datetime, length: timedelta, sequence: int, attendee: str, locale: str | None
) -> None:
    notification = a_notification(template, about, starts_at, length, sequence)
    words = compose(Letter(notification, "x", locale=locale, time_zone="Europe/Berlin"), "https://portal.example")
    address = f"{attendee}@people.example"

    raw = render_calendar(notification, words, organizer="no-reply@bloom.example", attendee=address)

    lines = raw.split(b"\r\n")
    assert all(len(line) <= 75 for line in lines)
    assert b"\n" not in b"".join(lines)
    calendar = icalendar.Calendar.from_ical(raw)
    [event] = calendar.walk("VEVENT")
    assert calendar.errors == event.errors == []
    assert str(event["UID"]) == f"{about}@bloom.example"
    assert int(event["SEQUENCE"]) == sequence
    assert event.decoded("DTSTART") == starts_at.replace(microsecond=0)
    assert event.decoded("DTEND") == (starts_at + length).replace(microsecond=0)
    assert str(event["ATTENDEE"]) == f"mailto:{address}"
    is_over = template is Template.APPOINTMENT_CANCELLED
    assert (str(calendar["METHOD"]), str(event["STATUS"])) == (("CANCEL", "CANCELLED") if is_over else ("REQUEST", "CONFIRMED"))


def test_it_has_what_the_standard_asks_for_and_says_nothing_about_why() -> None:
    notification = a_notification(
        Template.APPOINTMENT_BOOKED, uuid4(), datetime(2035, 3, 2, 9, tzinfo=UTC), timedelta(hours=1), 1
    )
    words = compose(Letter(notification, "x"), "https://portal.example")
    raw = render_calendar(notification, words, organizer="no-reply@bloom.example", attendee="a@people.example").decode()

    names = re.findall(r"^([A-Z-]+)[;:]", raw.replace("\r\n ", ""), re.MULTILINE)
    assert sorted(names) == sorted(
        ["BEGIN", "VERSION", "PRODID", "METHOD", "BEGIN", "SUMMARY", "DTSTART", "DTEND", "DTSTAMP", "UID", "SEQUENCE", "STATUS",
         "CLASS", "TRANSP", "URL", "ORGANIZER", "ATTENDEE", "END", "END"]
    )  # fmt: skip
    assert "SUMMARY:Appointment\r\n" in raw
    assert "CLASS:PRIVATE\r\n" in raw
    assert re.search(r"DTSTART:20350302T090000Z", raw)
