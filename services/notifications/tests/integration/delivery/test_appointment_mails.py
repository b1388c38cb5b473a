"""What happens to appointments reaches the people in them by e-mail, once, with a calendar entry that stays the same one."""

import re
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from typing import Any

import icalendar
import pytest

from local_stack.mail import MailSink


def text_of(mail: EmailMessage) -> str:
    body = mail.get_body(("plain",))
    assert body is not None
    return str(body.get_content()).replace("\r\n", "\n")


def calendar_of(mail: EmailMessage) -> Any:
    """The file and the alternative are the same object."""
    [file] = [part for part in mail.iter_attachments() if part.get_filename() == "appointment.ics"]
    [part] = [part for part in mail.walk() if part.get_content_type() == "text/calendar"]
    calendar = icalendar.Calendar.from_ical(file.get_content())
    assert part.get_content().replace("\r\n", "\n").encode() == file.get_content().replace(b"\r\n", b"\n")
    assert part.get_param("method") == str(calendar["METHOD"])
    return calendar


def event_of(mail: EmailMessage) -> Any:
    [event] = calendar_of(mail).walk("VEVENT")
    return event


@pytest.mark.promise("AP7", "PL11")
async def test_a_booking_and_its_confirmation_are_told_to_patient_and_therapist(
    practice: Any, office: Any, mail_sink: MailSink
) -> None:
    patient, patient_mail = await practice.person()
    therapist, therapist_mail = await practice.person(locale="de-DE", time_zone="Europe/Berlin")
    story = practice.story(patient, therapist, starts_at=datetime(2035, 3, 2, 9, tzinfo=UTC)).booked().confirmed()

    await practice.hear(story.events)
    await office.serve()

    # Two letters go out beside each other.
    confirmed, booked = sorted(mail_sink.messages(to=patient_mail), key=lambda mail: "booked" in mail["Subject"])
    assert booked["Subject"] == "Appointment booked: Fri 2 Mar, 09:00"
    assert confirmed["Subject"] == "Appointment confirmed: Fri 2 Mar, 09:00"
    assert "on Friday, 2 March 2035 at 09:00 (Greenwich Mean Time) is confirmed." in text_of(confirmed)
    [new] = mail_sink.messages(to=therapist_mail)
    assert new["Subject"] == "Neuer Termin: Fr. 2. März, 10:00"
    assert "Freitag, 2. März 2035 um 10:00 (Mitteleuropäische Normalzeit)" in text_of(new)


async def test_the_html_says_the_same_and_links_to_the_appointment(practice: Any, office: Any, mail_sink: MailSink) -> None:
    patient, address = await practice.person()
    story = practice.story(patient, (await practice.person())[0]).booked()
    await practice.hear(story.events)
    await office.serve()

    [mail] = mail_sink.messages(to=address)
    html = mail.get_body(("html",))
    assert html is not None
    shown = re.sub(r"<[^>]+>", "", html.get_content())
    for sentence in text_of(mail).split("\n\n")[:3]:
        assert sentence in shown
    assert f"https://portal.example/appointments/{story.appointment_id}?n=" in html.get_content()
    assert '<html lang="en">' in html.get_content()


async def test_a_mail_says_that_a_machine_wrote_it_and_how_to_get_no_more(
    practice: Any, office: Any, mail_sink: MailSink
) -> None:
    patient, address = await practice.person()
    await practice.hear(practice.story(patient, (await practice.person())[0]).booked().events)
    await office.serve()

    [mail] = mail_sink.messages(to=address)
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["From"] == "Bloom <no-reply@bloom.local>"
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    link = str(mail["List-Unsubscribe"])
    assert re.fullmatch(r"<https://api\.example/api/notifications/unsubscribe\?token=[A-Za-z0-9_-]+>", link)
    assert link.strip("<>") in text_of(mail)


async def test_the_calendar_entry_moves_and_goes_with_the_appointment(practice: Any, office: Any, mail_sink: MailSink) -> None:
    patient, address = await practice.person()
    story = practice.story(patient, (await practice.person())[0])
    for told in (story.booked, lambda: story.rescheduled(timedelta(days=1)), story.cancelled):
        told()
        await practice.hear(story.events[-1:])
        await office.serve()

    mails = mail_sink.messages(to=address)
    methods = [str(calendar_of(mail)["METHOD"]) for mail in mails]
    events = [event_of(mail) for mail in mails]
    assert methods == ["REQUEST", "REQUEST", "CANCEL"]
    assert [int(event["SEQUENCE"]) for event in events] == [1, 2, 3]
    assert {str(event["UID"]) for event in events} == {f"{story.appointment_id}@bloom.local"}
    assert [str(event["STATUS"]) for event in events] == ["CONFIRMED", "CONFIRMED", "CANCELLED"]
    starts = [event.decoded("DTSTART") for event in events]
    assert starts == [story.starts_at - timedelta(days=1), story.starts_at, story.starts_at]
    assert all(event["DTSTART"].to_ical().endswith(b"Z") for event in events)
    assert {str(event["ATTENDEE"]) for event in events} == {f"mailto:{address}"}


async def test_a_moved_appointment_names_both_times_to_both_people(practice: Any, office: Any, mail_sink: MailSink) -> None:
    patient, patient_mail = await practice.person(time_zone="America/New_York", locale="en-US")
    therapist, therapist_mail = await practice.person()
    story = practice.story(patient, therapist, starts_at=datetime(2035, 7, 2, 9, tzinfo=UTC)).booked()
    await practice.hear(story.events)
    await office.serve()
    await practice.hear(story.rescheduled(timedelta(hours=26)).events[-1:])
    await office.serve()

    moved = mail_sink.messages(to=patient_mail)[-1]
    assert "Tuesday, July 3, 2035 at 7:00 AM (Eastern Daylight Time)" in text_of(moved)
    assert "planned for Monday, July 2, 2035 at 5:00 AM (Eastern Daylight Time)" in text_of(moved)
    assert mail_sink.messages(to=therapist_mail)[-1]["Subject"] == "Appointment moved: Tue 3 Jul, 12:00"


async def test_events_that_come_twice_or_late_write_to_nobody_again(practice: Any, office: Any, mail_sink: MailSink) -> None:
    patient, address = await practice.person()
    story = practice.story(patient, (await practice.person())[0]).booked().confirmed()
    booked, confirmed = story.events
    await practice.hear([confirmed, confirmed, booked, booked])
    await office.serve()
    await office.serve()

    assert [mail["Subject"][:21] for mail in mail_sink.messages(to=address)] == ["Appointment confirmed"]


async def test_what_happened_long_ago_is_no_news_so_that_a_replay_of_the_log_writes_to_nobody(practice: Any) -> None:
    patient, therapist = (await practice.person())[0], (await practice.person())[0]
    story = practice.story(patient, therapist).booked()
    practice.clock.advance(hours=25)
    ended = practice.story(patient, therapist, starts_at=practice.clock() - timedelta(minutes=1)).booked().cancelled()

    await practice.hear([*story.events, *ended.events])

    assert await practice.notifications() == []
    [reminder] = await practice.rows("select * from reminders where template = 'appointment_reminder_24h'")
    assert reminder["appointment_id"] == story.appointment_id


async def test_a_time_that_has_changed_is_not_told_any_more(practice: Any, office: Any, mail_sink: MailSink) -> None:
    patient, address = await practice.person()
    story = practice.story(patient, (await practice.person())[0]).booked().rescheduled(timedelta(days=1))
    await practice.hear(story.events)
    await office.serve()

    assert [mail["Subject"][:17] for mail in mail_sink.messages(to=address)] == ["Appointment moved"]
    states = {(row["template"], row["status"], row["reason"]) for row in await practice.notifications()}
    assert ("appointment_booked", "suppressed", "superseded") in states


async def test_every_mail_is_one_event_with_ids_alone(practice: Any, office: Any, outbox: Any) -> None:
    patient, address = await practice.person()
    story = practice.story(patient, (await practice.person())[0]).booked()
    await practice.hear(story.events)
    await office.serve()

    published = await outbox(practice.tenant_id)
    assert [wire_type for wire_type, _ in published] == ["notification.sent.v1"] * 2
    for _, body in published:
        assert str(story.appointment_id).encode() in body
        assert address.encode() not in body
        assert b"@" not in body


async def test_nobody_is_left_out_when_one_of_many_addresses_is_refused(practice: Any, office: Any, mail_sink: MailSink) -> None:
    patients = [await practice.person() for _ in range(3)]
    therapist, _ = await practice.person(wants=None)
    for patient, _ in patients:
        await practice.hear(practice.story(patient, therapist).booked().events)
    mail_sink.fail_next("refuse-recipient")
    await office.serve()

    states = [row["status"] for row in await practice.notifications()]
    assert sorted(states) == ["failed", *["sent"] * 5]
