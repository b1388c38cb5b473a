"""From a score to somebody's phone: on every channel, again at each step, and no more once somebody answers."""

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from bloom_events.alerts import ChainStep
from bloom_events.auth import Role, TherapistVerified, UserRegistered
from bloom_events.envelope import Envelope, wrap
from bloom_events.event import Event
from bloom_events.ids import MessageId, UserId, new_id
from bloom_events.notifications import Channel
from bloom_events.risk import Probabilities, RiskLabel, RiskLevel, RiskScored
from local_stack.mail import MailSink
from local_stack.providers import ProviderSimulator
from notifications.domain.chain import Successor
from notifications.domain.timeline import Hop
from notifications.domain.visibility import VisibleAlerts
from notifications.use_cases import accounts, alerts, by_the_clock, messages

PHONES = iter(f"+1202559{number:04d}" for number in range(10_000))


def told(practice: Any, event: Event) -> Envelope[Any]:
    return wrap(event, source="/bloom/tests", tenant_id=practice.tenant_id, time=practice.clock(), correlation_id=new_id())


async def a_member(practice: Any, role: Role) -> tuple[UserId, str]:
    """Somebody who can be called, with a phone."""
    phone = next(PHONES)
    user_id, _ = await practice.person(phone=phone)
    events: list[Event] = [UserRegistered(user_id=user_id, role=role, status="active")]
    if role is Role.THERAPIST:
        events.append(TherapistVerified(user_id=user_id, display_name="Dr. Robin Vale"))
    for event in events:
        await accounts.note_account(practice.uow(), told(practice, event))
    return user_id, phone


async def score(practice: Any, therapist: UserId, level: RiskLevel = RiskLevel.HIGH, conversation: UUID | None = None) -> UUID:
    """A patient's message is scored; gives the open alert of its conversation."""
    now = practice.clock()
    share = {label: float(label is RiskLabel.SUICIDAL) for label in RiskLabel}
    patient, conversation = uuid4(), conversation or new_id()
    scored = RiskScored(
        conversation_id=conversation, message_id=MessageId(new_id()), sequence=1, revision=1, patient_id=patient,
        author_id=patient, author_role=Role.PATIENT, therapist_ids=(therapist,), analysis_id=new_id(), label=RiskLabel.SUICIDAL,
        probabilities=Probabilities.by_label(share), level=level, model_name="risk", model_version="1", model_hash="a" * 64,
        tokenizer_hash="b" * 64, windows=1, message_sent_at=now, received_at=now, scored_at=now, model_milliseconds=1.0,
    )  # fmt: skip
    cause = told(practice, scored)
    change = await messages.hear_score(practice.uow(cause), cause, now=now)
    assert change is not None
    return change.alert.alert_id


async def escalate(practice: Any, alert_id: UUID) -> None:
    [row] = await practice.rows("select deadline from alerts where id = $1", alert_id)
    practice.clock.moment = row["deadline"] + timedelta(milliseconds=1)
    await by_the_clock.escalate_due(practice, practice.clock(), clock=practice.clock)


@pytest.mark.promise("AL1", "AL4")
async def test_each_step_of_the_chain_reaches_its_people_and_an_answer_ends_it(
    practice: Any, office: Any, providers: ProviderSimulator
) -> None:
    (therapist, first), (administrator, second) = (
        await a_member(practice, Role.THERAPIST),
        await a_member(practice, Role.ADMINISTRATOR),
    )
    alert_id = await score(practice, therapist)
    await office.serve()
    assert (len(providers.sms(to=first)), len(providers.sms(to=second))) == (1, 0)
    await escalate(practice, alert_id)
    await office.serve()
    assert (len(providers.sms(to=first)), len(providers.sms(to=second))) == (1, 1)

    await alerts.acknowledge(
        practice.uow(), alert_id, VisibleAlerts(administrator, sees_all=True), seen=None, now=practice.clock()
    )
    practice.clock.advance(hours=2)
    await by_the_clock.escalate_due(practice, practice.clock(), clock=practice.clock)
    await office.serve()
    assert (len(providers.sms(to=first)), len(providers.sms(to=second))) == (1, 1)


async def test_what_has_not_gone_out_when_somebody_answers_stays_here(
    practice: Any, office: Any, providers: ProviderSimulator, mail_sink: MailSink
) -> None:
    therapist, phone = await a_member(practice, Role.THERAPIST)
    alert_id = await score(practice, therapist)
    await alerts.acknowledge(practice.uow(), alert_id, VisibleAlerts(therapist, sees_all=False), seen=None, now=practice.clock())
    await office.serve()

    assert providers.sms(to=phone) == []
    assert {row["reason"] for row in await practice.notifications(about=alert_id)} == {"answered"}


async def test_who_is_asked_to_take_over_is_told_so(practice: Any, office: Any, providers: ProviderSimulator) -> None:
    (therapist, _), (administrator, phone) = (
        await a_member(practice, Role.THERAPIST),
        await a_member(practice, Role.ADMINISTRATOR),
    )
    alert_id = await score(practice, therapist)
    sight = VisibleAlerts(therapist, sees_all=False)
    await alerts.acknowledge(practice.uow(), alert_id, sight, seen=None, now=practice.clock())
    to = Successor(user_id=administrator, step=None)
    await alerts.hand_over(practice.uow(), alert_id, sight, to, seen=None, now=practice.clock())
    await office.serve()

    [message] = providers.sms(to=phone)
    assert message["body"].startswith("Bloom: A colleague asks you to take over in Bloom now.")


async def test_a_worse_message_calls_whoever_has_the_alert_once_more(
    practice: Any, office: Any, providers: ProviderSimulator
) -> None:
    therapist, phone = await a_member(practice, Role.THERAPIST)
    conversation = new_id()
    for level in (RiskLevel.HIGH, RiskLevel.HIGH, RiskLevel.CRITICAL):
        await score(practice, therapist, level, conversation)
        await office.serve()

    assert len(providers.sms(to=phone)) == 2


async def test_the_timeline_shows_when_providers_took_it(practice: Any, office: Any) -> None:
    therapist, _ = await a_member(practice, Role.THERAPIST)
    alert_id = await score(practice, therapist)
    await office.serve()
    timeline = await alerts.get_timeline(practice.uow(), alert_id, VisibleAlerts(therapist, sees_all=False))

    sent = [(point.user_id, point.channel) for point in timeline.points if point.hop is Hop.SENT]
    assert sorted(sent, key=str) == sorted([(therapist, Channel.EMAIL), (therapist, Channel.SMS)], key=str)
    assert ChainStep.THERAPIST in {point.step for point in timeline.points}
