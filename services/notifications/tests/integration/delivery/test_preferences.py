"""Preferences and quiet hours hold for everything but safety, and for what is critical not even quiet hours do."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from bloom_events.alerts import ChainStep
from bloom_events.ids import AlertId, UserId
from bloom_events.notifications import Channel
from bloom_events.risk import RiskLevel
from local_stack.mail import MailSink
from local_stack.providers import ProviderSimulator
from notifications.domain.calls import Call, CallReason
from notifications.domain.notices import Kind
from notifications.domain.preferences import CHOICES, Preferences, QuietHours
from notifications.use_cases import preferences
from notifications.use_cases.deliveries import call_people
from service_kit.errors import PreconditionFailed

NOTHING = Preferences(wanted=frozenset())
EVERYTHING = Preferences(wanted=frozenset(CHOICES))
PHONES = iter(f"+1202556{number:04d}" for number in range(10_000))


def all_day_but_now(clock: Any) -> QuietHours:
    """Quiet hours that reign now and end in two hours, on a clock in Tokyo."""
    minute = (clock().hour + 9) % 24 * 60 + clock().minute
    return QuietHours((minute - 60) % 1440, (minute + 120) % 1440, "Asia/Tokyo")


async def called(practice: Any, user_id: UserId, level: RiskLevel, *, alert_id: AlertId | None = None) -> AlertId:
    reason = CallReason.LEVEL_RAISED if alert_id else CallReason.RAISED
    alert_id = alert_id or AlertId(uuid4())
    call = Call(alert_id, reason, 1, ChainStep.THERAPIST, level, (user_id,), practice.clock())
    async with practice.uow().begin() as transaction:
        await call_people(transaction, call, now=practice.clock())
    return alert_id


async def states(practice: Any) -> set[tuple[str, str, str | None]]:
    return {(row["channel"], row["status"], row["reason"]) for row in await practice.notifications()}


async def test_what_somebody_does_not_want_is_not_sent(practice: Any, office: Any, mail_sink: MailSink) -> None:
    patient, address = await practice.person(wants=NOTHING, phone=next(PHONES))
    story = practice.story(patient, uuid4()).booked()
    await practice.hear(story.events)
    await office.serve()

    mine = await practice.rows("select channel, status, reason from notifications where user_id = $1", patient)
    assert {(row["channel"], row["status"], row["reason"]) for row in mine} == {
        ("email", "suppressed", "not_wanted"),
        ("sms", "suppressed", "not_wanted"),
    }
    assert mail_sink.messages(to=address) == []


async def test_an_sms_about_an_appointment_comes_only_to_who_asked_for_it(
    practice: Any, office: Any, providers: ProviderSimulator
) -> None:
    usual, wished = next(PHONES), next(PHONES)
    for phone, wants in ((usual, None), (wished, EVERYTHING)):
        patient, _ = await practice.person(phone=phone, wants=wants)
        await practice.hear(practice.story(patient, uuid4()).booked().events)
    await office.serve()

    assert (len(providers.sms(to=usual)), len(providers.sms(to=wished))) == (0, 1)


async def test_safety_cannot_be_switched_off(
    practice: Any, office: Any, providers: ProviderSimulator, mail_sink: MailSink
) -> None:
    phone, browser = next(PHONES), providers.new_browser()
    therapist, address = await practice.person(phone=phone, browser=browser, wants=NOTHING)
    await called(practice, therapist, RiskLevel.HIGH)
    await office.serve()

    assert await states(practice) == {("email", "sent", None), ("sms", "sent", None), ("push", "sent", None)}
    assert [len(mail_sink.messages(to=address)), len(providers.sms(to=phone)), len(providers.pushed(browser))] == [1, 1, 1]
    with pytest.raises(ValueError, match="safety"):
        Preferences(wanted=frozenset({(Kind.SAFETY, Channel.EMAIL)}))


async def test_quiet_hours_put_off_what_is_not_critical_until_they_are_over(
    practice: Any, office: Any, mail_sink: MailSink
) -> None:
    patient, address = await practice.person(wants=Preferences(quiet_hours=all_day_but_now(practice.clock)))
    await practice.hear(practice.story(patient, uuid4()).booked().events)
    await office.serve()
    assert mail_sink.messages(to=address) == []
    [row] = await practice.rows("select status, reason, due_at from notifications where user_id = $1", patient)
    assert (row["status"], row["reason"]) == ("pending", "quiet_hours")
    assert row["due_at"] == practice.clock().replace(second=0, microsecond=0) + timedelta(hours=2)

    practice.clock.moment = row["due_at"]
    await office.serve()
    assert len(mail_sink.messages(to=address)) == 1


@pytest.mark.promise("AL4")
async def test_quiet_hours_never_silence_a_critical_alert(
    practice: Any, office: Any, providers: ProviderSimulator, mail_sink: MailSink
) -> None:
    phone = next(PHONES)
    quiet = Preferences(quiet_hours=all_day_but_now(practice.clock))
    therapist, address = await practice.person(phone=phone, wants=quiet)
    await called(practice, therapist, RiskLevel.CRITICAL)
    await office.serve()

    assert (len(providers.sms(to=phone)), len(mail_sink.messages(to=address))) == (1, 1)


async def test_an_alert_that_becomes_critical_wakes_everybody_who_was_left_alone_so_far(
    practice: Any, office: Any, providers: ProviderSimulator
) -> None:
    phones = next(PHONES), next(PHONES)
    quiet = Preferences(quiet_hours=all_day_but_now(practice.clock))
    first, second = [(await practice.person(phone=phone, wants=quiet))[0] for phone in phones]
    alert_id = await called(practice, first, RiskLevel.HIGH)
    await office.serve()
    assert providers.sms(to=phones[0]) == []
    await called(practice, second, RiskLevel.CRITICAL, alert_id=alert_id)
    await office.serve()

    assert await states(practice) == {("email", "sent", None), ("sms", "sent", None)}
    assert [len(providers.sms(to=phone)) for phone in phones] == [1, 1]


async def test_after_quiet_hours_or_an_outage_only_the_latest_call_comes(
    practice: Any, office: Any, providers: ProviderSimulator
) -> None:
    phone = next(PHONES)
    quiet = Preferences(quiet_hours=all_day_but_now(practice.clock))
    therapist, _ = await practice.person(phone=phone, wants=quiet)
    alert_id = AlertId(uuid4())
    for round_ in (1, 2, 3):
        call = Call(alert_id, CallReason.ESCALATED, round_, ChainStep.THERAPIST, RiskLevel.HIGH, (therapist,), practice.clock())
        async with practice.uow().begin() as transaction:
            await call_people(transaction, call, now=practice.clock())
        await office.serve()
    practice.clock.advance(hours=2)
    await office.serve()

    assert len(providers.sms(to=phone)) == 1
    rows = await practice.notifications(channel="sms")
    assert {row["occasion"]: row["status"] for row in rows} == {
        "round_1": "suppressed",
        "round_2": "suppressed",
        "round_3": "sent",
    }


async def test_what_would_come_too_late_after_quiet_hours_does_not_come_at_all(practice: Any, office: Any) -> None:
    patient, _ = await practice.person(wants=Preferences(quiet_hours=all_day_but_now(practice.clock)))
    story = practice.story(patient, uuid4(), starts_at=practice.clock() + timedelta(hours=1, minutes=30)).booked()
    await practice.hear(story.events)
    practice.clock.moment = story.starts_at - timedelta(hours=1)
    await practice.remind()
    await office.serve()

    [row] = await practice.rows("select status, reason from notifications where template = 'appointment_reminder_1h'")
    assert (row["status"], row["reason"]) == ("suppressed", "quiet_hours")


async def test_a_change_of_mind_counts_for_what_is_on_its_way_to_being_sent(
    practice: Any, office: Any, mail_sink: MailSink
) -> None:
    patient, address = await practice.person()
    await practice.hear(practice.story(patient, uuid4()).booked().events)
    await preferences.set_preferences(practice.uow(), patient, NOTHING, seen=0, now=practice.clock())
    await office.serve()

    assert mail_sink.messages(to=address) == []


async def test_two_changes_from_the_same_revision_do_not_both_count(practice: Any) -> None:
    user_id, _ = await practice.person()
    await preferences.set_preferences(practice.uow(), user_id, NOTHING, seen=0, now=practice.clock())
    for seen in (0, 2):
        with pytest.raises(PreconditionFailed):
            await preferences.set_preferences(practice.uow(), user_id, EVERYTHING, seen=seen, now=practice.clock())
    kept = await preferences.get_preferences(practice.uow(), user_id)
    assert kept == replace(NOTHING, revision=1)


def test_quiet_hours_over_midnight_end_on_the_next_morning() -> None:
    quiet = QuietHours(22 * 60, 7 * 60, "Europe/Berlin")
    evening, noon = datetime(2035, 1, 10, 21, 30, tzinfo=UTC), datetime(2035, 1, 10, 11, tzinfo=UTC)

    assert quiet.end_after(evening, None) == datetime(2035, 1, 11, 6, tzinfo=UTC)
    assert quiet.end_after(noon, None) is None
