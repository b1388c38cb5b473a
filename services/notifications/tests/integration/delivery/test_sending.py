"""One message per intent: refusals, silence after the provider acted, silence before it, and processes that stand still."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest

from bloom_events.alerts import ChainStep
from bloom_events.ids import AlertId
from bloom_events.notifications import Channel
from bloom_events.risk import RiskLevel
from local_stack.mail import MailSink
from local_stack.providers import ProviderSimulator
from notifications.domain.calls import Call, CallReason
from notifications.use_cases.deliveries import call_people, stop_calling

SETTLED = timedelta(seconds=6)
PHONES = iter(f"+1202555{number:04d}" for number in range(10_000))


@pytest.mark.promise("AL4")
async def test_who_is_called_gets_an_e_mail_an_sms_and_a_push_message_in_every_browser(
    practice: Any, office: Any, mail_sink: MailSink, providers: ProviderSimulator
) -> None:
    phone, browser = next(PHONES), providers.new_browser()
    therapist, address = await practice.person(phone=phone, browser=browser)
    alert_id = await practice.call(therapist)
    await office.serve()

    link = f"https://portal.example/alerts/{alert_id}"
    [mail], [sms], [push] = mail_sink.messages(to=address), providers.sms(to=phone), providers.pushed(browser)
    assert mail["Subject"] == "Please open Bloom now"
    assert mail["List-Unsubscribe"] is None
    assert link in mail.get_body(("plain",)).get_content()  # type: ignore[union-attr]  # every mail has a plain text
    assert sms["body"].startswith(f"Bloom: Please open Bloom now and answer. {link}?n=")
    assert push["payload"]["url"].startswith(link)
    assert (push["urgency"], push["topic"]) == ("high", push["payload"]["tag"])


async def test_the_same_call_handled_twice_is_one_message_and_the_next_round_another(
    practice: Any, office: Any, providers: ProviderSimulator
) -> None:
    phone = next(PHONES)
    therapist, _ = await practice.person(phone=phone)
    calling = Call(AlertId(uuid4()), CallReason.RAISED, 1, ChainStep.THERAPIST, RiskLevel.HIGH, (therapist,), practice.clock())
    for each in (calling, calling, replace(calling, reason=CallReason.ESCALATED, round=2)):
        async with practice.uow().begin() as transaction:
            await call_people(transaction, each, now=practice.clock())
        await office.serve()

    assert len(providers.sms(to=phone)) == 2


@pytest.mark.promise("AL4")
async def test_an_sms_provider_that_acts_and_does_not_answer_gets_no_second_message(
    practice: Any, office: Any, providers: ProviderSimulator
) -> None:
    phone = next(PHONES)
    await practice.call((await practice.person(phone=phone))[0])
    providers.fail_next("sms", {"mode": "hang-after"})
    await office.serve(Channel.SMS)
    assert await practice.state("sms") == ("unknown", "no_answer", 1)
    practice.clock.advance(seconds=SETTLED.total_seconds())
    await office.serve(Channel.SMS)

    assert await practice.state("sms") == ("sent", None, 1)
    [message] = providers.sms(to=phone)
    [row] = await practice.notifications(channel="sms")
    assert row["provider_id"] == message["sid"]


async def test_a_message_is_found_behind_many_later_ones_to_the_same_number(
    practice: Any, office: Any, settings: Any, providers: ProviderSimulator
) -> None:
    phone = next(PHONES)
    await practice.call((await practice.person(phone=phone))[0])
    providers.fail_next("sms", {"mode": "hang-after"})
    await office.serve(Channel.SMS)
    account = settings.sms.account_sid
    async with httpx.AsyncClient(auth=(account, providers.auth_token), trust_env=False) as client:
        for number in range(60):
            form = {"To": phone, "From": settings.sms.sender, "Body": f"Something else {number}"}
            await client.post(f"{providers.url}/2010-04-01/Accounts/{account}/Messages.json", data=form)
    practice.clock.advance(seconds=SETTLED.total_seconds())
    await office.serve(Channel.SMS)

    assert await practice.state("sms") == ("sent", None, 1)
    assert len(providers.sms(to=phone)) == 61


async def test_an_sms_provider_that_answers_nothing_and_did_nothing_is_asked_and_then_told_again(
    practice: Any, office: Any, providers: ProviderSimulator
) -> None:
    phone = next(PHONES)
    await practice.call((await practice.person(phone=phone))[0])
    providers.fail_next("sms", {"mode": "hang-before"})
    await office.serve(Channel.SMS)
    practice.clock.advance(seconds=SETTLED.total_seconds())
    await office.serve(Channel.SMS)

    assert await practice.state("sms") == ("sent", None, 2)
    assert len(providers.sms(to=phone)) == 1


@pytest.mark.parametrize("fault", ["hang-after", "drop-after"])
async def test_a_mail_whose_acceptance_got_lost_is_found_in_the_log_and_not_sent_again(
    practice: Any, office: Any, mail_sink: MailSink, fault: Any
) -> None:
    therapist, address = await practice.person()
    await practice.call(therapist)
    mail_sink.fail_next(fault)
    await office.serve(Channel.EMAIL)
    assert await practice.state("email") == ("unknown", "no_answer", 1)
    practice.clock.advance(seconds=SETTLED.total_seconds())
    await office.serve(Channel.EMAIL)

    assert await practice.state("email") == ("sent", None, 1)
    assert len(mail_sink.messages(to=address)) == 1


async def test_a_mail_that_was_cut_off_before_it_was_taken_is_sent_again_under_the_same_id(
    practice: Any, office: Any, mail_sink: MailSink
) -> None:
    therapist, address = await practice.person()
    await practice.call(therapist)
    mail_sink.fail_next("hang-before")
    await office.serve(Channel.EMAIL)
    practice.clock.advance(seconds=SETTLED.total_seconds())
    await office.serve(Channel.EMAIL)

    [mail] = mail_sink.messages(to=address)
    [row] = await practice.notifications(channel="email")
    assert mail["Message-ID"] == f"<{row['id'].hex}@bloom.local>"
    assert (row["status"], row["attempts"]) == ("sent", 2)


async def test_a_push_message_sent_again_after_silence_is_one_to_its_reader(
    practice: Any, office: Any, providers: ProviderSimulator
) -> None:
    browser = providers.new_browser()
    await practice.call((await practice.person(browser=browser))[0])
    providers.fail_next("push", {"mode": "hang-after"})
    await office.serve(Channel.PUSH)
    practice.clock.advance(seconds=SETTLED.total_seconds())
    await office.serve(Channel.PUSH)

    assert await practice.state("push") == ("sent", None, 2)
    assert len({message["topic"] for message in providers.pushed(browser)}) == 1
    assert len(providers.shown(browser)) == 1


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ({"mode": "error", "status": 429, "code": 20429, "retry_after": 30}, "provider_busy"),
        ({"mode": "error", "status": 401, "code": 20003}, "provider_refuses"),
    ],
)
async def test_what_the_sms_provider_certainly_did_not_take_is_tried_again_later(
    practice: Any, office: Any, providers: ProviderSimulator, fault: Any, reason: str
) -> None:
    phone = next(PHONES)
    await practice.call((await practice.person(phone=phone))[0])
    providers.fail_next("sms", fault)
    await office.serve(Channel.SMS)
    assert await practice.state("sms") == ("pending", reason, 1)
    practice.clock.advance(seconds=31)
    await office.serve(Channel.SMS)

    assert await practice.state("sms") == ("sent", None, 2)
    assert len(providers.sms(to=phone)) == 1


async def test_after_an_error_of_the_provider_itself_it_is_asked_first(
    practice: Any, office: Any, providers: ProviderSimulator
) -> None:
    phone = next(PHONES)
    await practice.call((await practice.person(phone=phone))[0])
    providers.fail_next("sms", {"mode": "error", "status": 503})
    await office.serve(Channel.SMS)
    assert await practice.state("sms") == ("unknown", "provider_failed", 1)
    practice.clock.advance(seconds=SETTLED.total_seconds())
    await office.serve(Channel.SMS)
    assert await practice.state("sms") == ("sent", None, 2)


@pytest.mark.parametrize(("phone", "reason"), [("+15005550001", "address_refused"), ("+15005550004", "opted_out")])
async def test_a_number_that_gets_no_sms_is_given_up_and_told(
    practice: Any, office: Any, outbox: Callable[..., Any], phone: str, reason: str
) -> None:
    await practice.call((await practice.person(phone=phone))[0])
    await office.serve(Channel.SMS)

    assert await practice.state("sms") == ("failed", reason, 1)
    [(wire_type, body)] = await outbox(practice.tenant_id)
    assert wire_type == "notification.failed.v1"
    assert phone.encode() not in body


@pytest.mark.parametrize(
    ("fault", "expected"),
    [("defer", ("pending", "provider_busy", 1)), ("refuse", ("failed", "content_refused", 1)),
     ("refuse-recipient", ("failed", "address_refused", 1))],
)  # fmt: skip
async def test_what_a_mail_server_says_is_believed(
    practice: Any, office: Any, mail_sink: MailSink, fault: Any, expected: tuple[str, str, int]
) -> None:
    await practice.call((await practice.person())[0])
    mail_sink.fail_next(fault)
    await office.serve(Channel.EMAIL)

    assert await practice.state("email") == expected


async def test_a_browser_that_is_gone_is_forgotten(practice: Any, office: Any, providers: ProviderSimulator) -> None:
    gone, there = providers.new_browser(), providers.new_browser()
    therapist, _ = await practice.person(browser=gone)
    await practice.call(therapist)
    providers.forget_browser(gone)
    await office.serve(Channel.PUSH)

    assert await practice.state("push") == ("failed", "subscription_gone", 1)
    assert await practice.rows("select * from push_subscriptions where user_id = $1", therapist) == []
    assert providers.pushed(there) == []


async def test_what_is_not_delivered_in_time_is_given_up(practice: Any, office: Any, outbox: Callable[..., Any]) -> None:
    therapist, _ = await practice.person(has_mail=False)
    await practice.call(therapist)
    await office.serve(Channel.EMAIL)
    assert await practice.state("email") == ("pending", "no_address", 0)
    practice.clock.advance(hours=24)
    await office.serve(Channel.EMAIL)

    assert await practice.state("email") == ("failed", "no_address", 0)
    assert [wire_type for wire_type, _ in await outbox(practice.tenant_id)] == ["notification.failed.v1"]


async def test_an_answered_alert_calls_nobody_any_more(practice: Any, office: Any, providers: ProviderSimulator) -> None:
    phone = next(PHONES)
    therapist, _ = await practice.person(phone=phone)
    alert_id = await practice.call(therapist)
    providers.fail_next("sms", {"mode": "hang-before"})
    await office.serve(Channel.SMS)
    async with practice.uow().begin() as transaction:
        await stop_calling(transaction, alert_id, now=practice.clock())
    practice.clock.advance(seconds=SETTLED.total_seconds())
    await office.serve()

    states = {row["channel"]: (row["status"], row["reason"]) for row in await practice.notifications(about=alert_id)}
    assert states == {"email": ("suppressed", "answered"), "sms": ("suppressed", "answered")}
    assert providers.sms(to=phone) == []


async def test_a_suspended_account_is_told_nothing(practice: Any, office: Any, mail_sink: MailSink) -> None:
    therapist, address = await practice.person()
    await practice.execute(
        "insert into people (user_id, role, is_verified, is_suspended, standing_at, standing_event_id)"
        " values ($1, 'THERAPIST', true, true, now(), gen_random_uuid())",
        therapist,
    )
    await practice.call(therapist)
    await office.serve()

    assert await practice.state("email") == ("suppressed", "account_suspended", 0)
    assert mail_sink.messages(to=address) == []


async def test_a_channel_without_a_provider_is_closed_and_says_so(practice: Any, office: Any) -> None:
    office.rounds[Channel.SMS].post = replace(office.rounds[Channel.SMS].post, provider=None)
    await practice.call((await practice.person(phone=next(PHONES)))[0])
    await office.serve(Channel.SMS)

    assert await practice.state("sms") == ("suppressed", "channel_closed", 0)
