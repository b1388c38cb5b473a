"""Rounds over all practices: who takes what, what standing still or a broken part comes to, and what nobody else loses by it."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from bloom_events.ids import TenantId
from bloom_events.notifications import Channel
from bloom_events.risk import RiskLevel
from local_stack.mail import MailSink
from local_stack.providers import ProviderSimulator
from notifications.use_cases import sending
from notifications.use_cases.failpoints import unarmed

SETTLED = timedelta(seconds=6)
PHONES = iter(f"+1202558{number:04d}" for number in range(10_000))


async def test_a_provider_that_cannot_say_is_asked_until_it_can(practice: Any, office: Any, providers: ProviderSimulator) -> None:
    phone = next(PHONES)
    await practice.call((await practice.person(phone=phone))[0])
    providers.fail_next("sms", {"mode": "hang-after"})
    await office.serve(Channel.SMS)
    right, wrong = office.providers[Channel.SMS], SilentProvider()
    office.rounds[Channel.SMS].post = replace(office.rounds[Channel.SMS].post, provider=wrong)
    practice.clock.advance(seconds=SETTLED.total_seconds())
    await office.serve(Channel.SMS)
    assert (await practice.state("sms"))[:2] == ("unknown", "provider_silent")

    office.rounds[Channel.SMS].post = replace(office.rounds[Channel.SMS].post, provider=right)
    practice.clock.advance(seconds=60)
    await office.serve(Channel.SMS)
    assert await practice.state("sms") == ("sent", None, 1)
    assert len(providers.sms(to=phone)) == 1


class SilentProvider:
    """A provider whose answers to questions never come."""

    repeats_collapse = False

    async def send(self, _letter: Any) -> Any:
        raise AssertionError("nothing may be sent before the question is answered")

    async def find(self, _letter: Any) -> Any:
        from notifications.domain.providing import NotTaken

        return NotTaken("provider_silent")

    async def close(self) -> None:
        """Nothing is open."""


async def test_a_process_that_stood_still_after_its_claim_sends_nothing(
    practice: Any, office: Any, providers: ProviderSimulator
) -> None:
    phone = next(PHONES)
    await practice.call((await practice.person(phone=phone))[0])
    rounds = office.rounds[Channel.SMS]
    [errand] = await sending.claim(practice.uow(), rounds.post, most=1, now=practice.clock())
    practice.clock.advance(seconds=SETTLED.total_seconds())
    await sending.carry_out(errand, rounds.post, rounds._unit_in, clock=practice.clock, failpoint=unarmed)
    assert providers.sms(to=phone) == []

    practice.clock.advance(seconds=10)
    await office.serve(Channel.SMS)
    assert await practice.state("sms") == ("sent", None, 2)
    assert len(providers.sms(to=phone)) == 1


async def test_whoever_comes_too_late_with_an_outcome_changes_nothing_and_publishes_nothing(
    practice: Any, office: Any, outbox: Callable[..., Any]
) -> None:
    await practice.call((await practice.person(phone=next(PHONES)))[0])
    rounds = office.rounds[Channel.SMS]
    [errand] = await sending.claim(practice.uow(), rounds.post, most=1, now=practice.clock())
    await sending.carry_out(errand, rounds.post, rounds._unit_in, clock=practice.clock, failpoint=unarmed)
    await sending.carry_out(errand, rounds.post, rounds._unit_in, clock=practice.clock, failpoint=unarmed)

    assert len(await outbox(practice.tenant_id)) == 1


async def test_two_offices_never_take_the_same_notification(practice: Any, office: Any, providers: ProviderSimulator) -> None:
    phones = [next(PHONES) for _ in range(20)]
    people = [(await practice.person(phone=phone))[0] for phone in phones]
    await practice.call(*people)
    post = office.rounds[Channel.SMS].post
    async with practice.uow().begin() as first, practice.uow().begin() as second:
        from notifications.repository.notifications import NotificationRepository

        mine = await NotificationRepository(first.connection).claim(post.channel, 12, practice.clock())
        theirs = await NotificationRepository(second.connection).claim(post.channel, 20, practice.clock())

    assert (len(mine), len(theirs)) == (12, 8)
    assert {due.notification.id for due in mine}.isdisjoint(due.notification.id for due in theirs)


async def test_the_most_urgent_goes_first(practice: Any, office: Any) -> None:
    patient, _ = await practice.person()
    await practice.hear(practice.story(patient, (await practice.person())[0]).booked().events)
    practice.clock.advance(seconds=1)
    await practice.call((await practice.person())[0], level=RiskLevel.HIGH)
    await practice.call((await practice.person())[0], level=RiskLevel.CRITICAL)
    post = office.rounds[Channel.EMAIL].post
    errands = await sending.claim(practice.uow(), post, most=3, now=practice.clock())

    assert [errand.due.notification.urgency for errand in errands] == ["critical", "urgent", "routine"]


async def test_a_text_of_a_newer_version_is_left_to_that_one(practice: Any, office: Any, mail_sink: MailSink) -> None:
    therapist, address = await practice.person()
    about = await practice.call(therapist)
    await practice.execute("update notifications set template = 'of_tomorrow' where about = $1", about)
    await office.rounds[Channel.EMAIL].work(practice.clock())

    assert mail_sink.messages(to=address) == []
    assert await practice.state("email") == ("pending", None, 0)


class HalfBrokenDatabase:
    """The practice's database, where one tenant's transactions fail."""

    def __init__(self, practice: Any, broken: TenantId) -> None:
        self.practice = practice
        self.broken = broken

    async def pool(self) -> Any:
        return await self.practice.pool()

    async def unit_of(self, tenant_id: TenantId, correlation_id: Any = None) -> Any:
        if tenant_id == self.broken:
            raise ValueError("a row that nobody can read")
        return await self.practice.unit_of(tenant_id, correlation_id)


async def test_one_practice_that_cannot_be_served_keeps_no_other_from_its_turn(
    practice: Any, second_practice: Any, office: Any, providers: ProviderSimulator
) -> None:
    await second_practice.call((await second_practice.person(phone=next(PHONES)))[0], level=RiskLevel.CRITICAL)
    phone = next(PHONES)
    await practice.call((await practice.person(phone=phone))[0])
    rounds = office.rounds[Channel.SMS]
    rounds.database = HalfBrokenDatabase(practice, second_practice.tenant_id)
    with pytest.raises(ValueError, match="nobody can read"):
        await rounds.work(practice.clock())
    await asyncio.wait(rounds._under_way)

    assert len(providers.sms(to=phone)) == 1


async def test_a_provider_that_dawdles_is_given_up_before_the_claim_ends(
    practice: Any, office: Any, providers: ProviderSimulator
) -> None:
    class Dawdler(SilentProvider):
        async def send(self, _letter: Any) -> Any:
            await asyncio.sleep(3600)

    rounds = office.rounds[Channel.SMS]
    rounds.post = replace(rounds.post, provider=Dawdler())
    await practice.call((await practice.person(phone=next(PHONES)))[0])
    await office.serve(Channel.SMS)

    assert await practice.state("sms") == ("unknown", "no_answer", 1)


async def test_a_mistake_in_a_provider_counts_as_silence_and_stops_nobody_else(
    practice: Any, office: Any, providers: ProviderSimulator
) -> None:
    class Mistaken(SilentProvider):
        async def send(self, letter: Any) -> Any:
            if letter.address == wrong:
                raise KeyError("a mistake")
            return await right.send(letter)

    wrong, phone = next(PHONES), next(PHONES)
    rounds, right = office.rounds[Channel.SMS], office.providers[Channel.SMS]
    rounds.post = replace(rounds.post, provider=Mistaken())
    people = [(await practice.person(phone=each))[0] for each in (wrong, phone)]
    await practice.call(*people)
    await office.serve(Channel.SMS)

    states = {(row["status"], row["reason"]) for row in await practice.notifications(channel="sms")}
    assert states == {("unknown", "internal_error"), ("sent", None)}
    assert len(providers.sms(to=phone)) == 1


async def test_while_postgresql_is_away_an_outcome_is_kept_until_it_can_be_written(practice: Any, office: Any) -> None:
    await practice.call((await practice.person(phone=next(PHONES)))[0])
    rounds = office.rounds[Channel.SMS]
    [errand] = await sending.claim(practice.uow(), rounds.post, most=1, now=practice.clock())
    tries: list[int] = []

    async def unit_in(context: Any) -> Any:
        tries.append(len(tries))
        if len(tries) < 4:
            raise ConnectionRefusedError
        return await rounds._unit_in(context)

    await sending.carry_out(errand, rounds.post, unit_in, clock=practice.clock, failpoint=unarmed)

    assert len(tries) == 4
    assert await practice.state("sms") == ("sent", None, 1)
