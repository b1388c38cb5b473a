"""Reminders come 24 hours and one hour before, once, for the time that the appointment has by then."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bloom_events.notifications import Channel
from local_stack.mail import MailSink


async def planned(practice: Any) -> list[tuple[str, datetime]]:
    rows = await practice.rows("select template, due_at from reminders order by due_at")
    return [(row["template"].rpartition("_")[2], row["due_at"]) for row in rows]


async def reminded(practice: Any) -> list[str]:
    rows = await practice.rows("select template from notifications where template like '%reminder%' order by created_at")
    return [row["template"].rpartition("_")[2] for row in rows]


async def a_booking(practice: Any, **more: Any) -> tuple[Any, str]:
    patient, address = await practice.person()
    story = practice.story(patient, (await practice.person())[0], **more).booked()
    await practice.hear(story.events)
    return story, address


@pytest.mark.promise("PL11")
async def test_a_patient_is_reminded_a_day_and_an_hour_before(practice: Any, office: Any, mail_sink: MailSink) -> None:
    story, address = await a_booking(practice)
    await office.serve()
    for moment in (story.starts_at - timedelta(hours=24), story.starts_at - timedelta(hours=1)):
        practice.clock.moment = moment - timedelta(seconds=1)
        await practice.remind()
        before = len(mail_sink.messages(to=address))
        practice.clock.moment = moment
        await practice.remind()
        await practice.remind()
        await office.serve()
        assert len(mail_sink.messages(to=address)) == before + 1

    subjects = [str(mail["Subject"]) for mail in mail_sink.messages(to=address)]
    assert [subject.partition(":")[0] for subject in subjects] == ["Appointment booked", "Reminder", "In one hour"]
    assert await planned(practice) == []


async def test_the_next_reminder_is_known_to_the_moment(practice: Any) -> None:
    story, _ = await a_booking(practice)

    assert await practice.remind() == story.starts_at - timedelta(hours=24)


async def test_a_moved_appointment_is_reminded_of_at_its_new_time_alone(practice: Any) -> None:
    story, _ = await a_booking(practice)
    practice.clock.moment = story.starts_at - timedelta(hours=24)
    await practice.remind()
    story.told_at = practice.clock()
    await practice.hear(story.rescheduled(timedelta(days=2)).events[-1:])

    assert await planned(practice) == [
        ("24h", story.starts_at - timedelta(hours=24)),
        ("1h", story.starts_at - timedelta(hours=1)),
    ]
    practice.clock.moment = story.starts_at - timedelta(hours=24)
    await practice.remind()
    assert await reminded(practice) == ["24h", "24h"]
    states = await practice.rows("select status, occasion from notifications where template like '%24h' and channel = 'email'")
    assert {(row["occasion"], row["status"]) for row in states} == {("revision_1", "suppressed"), ("revision_2", "pending")}


async def test_a_confirmation_changes_no_reminder(practice: Any) -> None:
    story, _ = await a_booking(practice)
    before = await practice.rows("select * from reminders order by due_at")
    await practice.hear(story.confirmed().events[-1:])

    assert await practice.rows("select * from reminders order by due_at") == before


@pytest.mark.parametrize("end", ["cancelled", "completed"])
async def test_an_appointment_that_is_over_is_not_reminded_of(practice: Any, office: Any, mail_sink: MailSink, end: str) -> None:
    story, address = await a_booking(practice)
    practice.clock.moment = story.starts_at - timedelta(hours=1)
    await practice.remind()
    await practice.hear(getattr(story, end)().events[-1:])
    await office.serve()

    assert await planned(practice) == []
    assert not [mail for mail in mail_sink.messages(to=address) if str(mail["Subject"]).startswith(("Reminder", "In one"))]


async def test_who_books_late_is_not_reminded_of_what_they_just_did(practice: Any) -> None:
    starts_at = practice.clock() + timedelta(hours=3)
    await a_booking(practice, starts_at=starts_at)

    assert await planned(practice) == [("1h", starts_at - timedelta(hours=1))]


async def test_after_a_pause_a_reminder_still_comes_if_it_still_helps(practice: Any) -> None:
    story, _ = await a_booking(practice)
    practice.clock.moment = story.starts_at - timedelta(hours=5)
    await practice.remind()
    assert await reminded(practice) == ["24h"]


async def test_after_a_long_pause_what_would_say_nothing_new_is_left_out(practice: Any) -> None:
    late, _ = await a_booking(practice)
    practice.clock.moment = late.starts_at - timedelta(minutes=30)
    await practice.remind()
    assert await reminded(practice) == ["1h"]

    over, _ = await a_booking(practice)
    practice.clock.moment = over.starts_at + timedelta(minutes=1)
    await practice.remind()
    assert await reminded(practice) == ["1h"]


async def test_a_booking_that_is_heard_of_late_still_gets_the_reminders_ahead(practice: Any) -> None:
    patient, _ = await practice.person()
    story = practice.story(patient, (await practice.person())[0]).booked()
    practice.clock.moment = story.starts_at - timedelta(hours=6)
    await practice.hear(story.events)
    await practice.remind()

    assert await reminded(practice) == ["24h"]
    assert await planned(practice) == [("1h", story.starts_at - timedelta(hours=1))]


@pytest.mark.parametrize(
    ("starts_at", "shown"),
    [
        # Berlin puts its clocks forward in the night before, and back half a year later: 24 hours are 24 hours.
        (datetime(2035, 3, 25, 8, tzinfo=UTC), "10:00 (Mitteleuropäische Sommerzeit)"),
        (datetime(2035, 10, 28, 9, tzinfo=UTC), "10:00 (Mitteleuropäische Normalzeit)"),
    ],
)
async def test_when_clocks_change_a_reminder_comes_at_its_instant_and_names_the_time_on_the_wall(
    practice: Any, office: Any, mail_sink: MailSink, starts_at: datetime, shown: str
) -> None:
    patient, address = await practice.person(locale="de-DE", time_zone="Europe/Berlin")
    practice.clock.moment = starts_at - timedelta(days=3)
    await practice.hear(practice.story(patient, (await practice.person())[0], starts_at=starts_at).booked().events)
    await office.serve(Channel.EMAIL)
    practice.clock.moment = starts_at - timedelta(hours=24)
    await practice.remind()
    await office.serve(Channel.EMAIL)

    mail = mail_sink.messages(to=address)[-1]
    assert shown in mail.get_body(("plain",)).get_content()  # type: ignore[union-attr]  # every mail has a plain text
    assert str(mail["Subject"]).startswith("Erinnerung")
