"""Carries intents to their providers: claim, call, write what came of it; where that last part is missing, ask."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeAlias

from bloom_events.ids import TenantId
from bloom_events.notifications import Channel
from notifications.domain.deciding import Decision, Defer, GiveUp, Send, Suppress, decide
from notifications.domain.notices import Kind, Notification, Timing
from notifications.domain.providing import (
    Answer,
    Finding,
    Letter,
    Lost,
    NotTaken,
    Outcome,
    Provider,
    Refused,
    after_asking,
    after_sending,
)
from notifications.domain.unsubscribing import UnsubscribeLinks, Unsubscription
from notifications.repository.notifications import DueNotification, NotificationRepository, tenants_with_notifications
from notifications.repository.preferences import AddressRepository
from notifications.use_cases import sending_measures
from notifications.use_cases.failpoints import Failpoint
from service_kit.consuming import is_dependency_failure
from service_kit.database import Pool
from service_kit.logs import describe_exception, get_logger
from service_kit.unit_of_work import Clock, Context, Transaction, UnitOfWork

_log = get_logger(__name__)

UnitIn: TypeAlias = Callable[[Context], Awaitable[UnitOfWork]]
"""Gives a unit of work on somebody's behalf."""

_WRITE_AGAIN_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Post:
    """One channel as it is served here; without a provider nothing is sent on it."""

    channel: Channel
    provider: Provider | None
    timing: Timing
    links: UnsubscribeLinks
    public_url: str

    def letter(self, due: DueNotification, address: str, tenant_id: TenantId) -> Letter:
        """What the provider gets."""
        recipient = due.recipient
        return Letter(
            notification=due.notification,
            address=address,
            locale=recipient.locale,
            time_zone=recipient.time_zone,
            push=recipient.push,
            unsubscribe_url=self._unsubscribe_url(due.notification, tenant_id),
        )

    def _unsubscribe_url(self, notification: Notification, tenant_id: TenantId) -> str | None:
        kind = notification.template.kind
        if kind is Kind.SAFETY or self.channel is not Channel.EMAIL:
            return None
        token = self.links.token(Unsubscription(tenant_id, notification.user_id, kind, self.channel))
        return f"{self.public_url}/api/notifications/unsubscribe?token={token}"


@dataclass(frozen=True, slots=True)
class Errand:
    """A claimed notification: a letter to send, or one to ask the provider about."""

    due: DueNotification
    letter: Letter
    context: Context
    is_question: bool


async def whose_turn(pool: Pool, channel: Channel, now: datetime) -> list[tuple[TenantId, datetime]]:
    """Tenants with something due on a channel, the most urgent first, and after them the next one that will have."""
    return await tenants_with_notifications(pool, channel, now)


async def claim(uow: UnitOfWork, post: Post, *, most: int, now: datetime) -> list[Errand]:
    """Decide about up to `most` due notifications of a tenant, and write of those that go out that they are on their way."""
    errands: list[Errand] = []
    async with uow.begin() as transaction:
        for due in await NotificationRepository(transaction.connection).claim(post.channel, most, now):
            errand = await _take_up(uow, transaction, post, due, now)
            if errand is not None:
                errands.append(errand)
    return errands


async def _take_up(uow: UnitOfWork, transaction: Transaction, post: Post, due: DueNotification, now: datetime) -> Errand | None:
    notification, context = due.notification, due.context(transaction.tenant_id)
    if notification.may_be_out and post.provider is not None:
        return await _to_errand(transaction, post, due, notification.under_question(now, post.timing), now)
    match _decision(due, now, is_channel_open=post.provider is not None):
        case Send(address):
            return await _to_errand(transaction, post, due, notification.claimed(address, now, post.timing), now)
        case Defer(until, reason):
            outcome: Outcome = notification.put_off(until, reason), None
        case Suppress(reason):
            outcome = notification.suppressed(reason, now), None
        case GiveUp(reason):
            outcome = notification.failed(reason, now)
    await _write(uow.on_behalf_of(context).within(transaction), due, outcome, now)
    return None


def _decision(due: DueNotification, now: datetime, *, is_channel_open: bool) -> Decision:
    if due.notification.may_be_out:
        # The provider that it was given to is no more a part of this installation.
        return GiveUp("outcome_unknown")
    return decide(due.notification, due.recipient, now, is_channel_open=is_channel_open)


async def _to_errand(transaction: Transaction, post: Post, due: DueNotification, taken: Notification, now: datetime) -> Errand:
    await NotificationRepository(transaction.connection).save(due.notification, taken, now)
    is_question = due.notification.may_be_out
    due = DueNotification(taken, due.recipient, due.correlation_id, due.causation_id)
    letter = post.letter(due, taken.address or "", transaction.tenant_id)
    return Errand(due, letter, due.context(transaction.tenant_id), is_question)


async def carry_out(errand: Errand, post: Post, unit_in: UnitIn, *, clock: Clock, failpoint: Failpoint) -> None:
    """Send or ask, and write what came of it; what cannot be written is found out again when the claim has run out."""
    notification, provider = errand.due.notification, post.provider
    if provider is None:
        return
    failpoint("claimed")
    if errand.is_question:
        finding = await _found(provider, errand.letter, post.timing)
        outcome = after_asking(notification, finding, clock(), repeats_collapse=provider.repeats_collapse)
        answer: Answer | Finding = finding
    else:
        if clock() - (notification.called_at or notification.created_at) > post.timing.settle:
            # This process stood still since the claim: somebody else may be about to ask, so nothing may go out now.
            return
        answer = await _answered(provider, errand.letter, post.timing)
        outcome = after_sending(notification, answer, clock(), post.timing)
    failpoint("called")
    is_address_gone = isinstance(answer, Refused) and answer.is_address_gone
    await _keep_writing(errand, outcome, unit_in, is_address_gone=is_address_gone, clock=clock, failpoint=failpoint)


async def _answered(provider: Provider, letter: Letter, timing: Timing) -> Answer:
    """The provider's answer within the time that a call may take: the claim does not last longer."""
    try:
        async with asyncio.timeout(timing.call.total_seconds()):
            return await provider.send(letter)
    except TimeoutError:
        return Lost("no_answer")
    except Exception as error:  # a mistake in a provider: nobody knows how far it came, so it is asked like after silence
        _log.error("notification.provider_failed", failure=describe_exception(error))
        return Lost("internal_error")


async def _found(provider: Provider, letter: Letter, timing: Timing) -> Finding:
    try:
        async with asyncio.timeout(timing.call.total_seconds()):
            return await provider.find(letter)
    except TimeoutError:
        return NotTaken("provider_silent")
    except Exception as error:  # as above: the question failed
        _log.error("notification.provider_failed", failure=describe_exception(error))
        return NotTaken("internal_error")


async def _keep_writing(
    errand: Errand, outcome: Outcome, unit_in: UnitIn, *, is_address_gone: bool, clock: Clock, failpoint: Failpoint
) -> None:
    """Write the outcome, trying again while PostgreSQL is away, for as long as the claim lasts."""
    until = errand.due.notification.due_at or clock()
    while True:
        try:
            uow = await unit_in(errand.context)
            await _write(uow, errand.due, outcome, clock(), is_address_gone=is_address_gone, failpoint=failpoint)
        except Exception as error:
            if not is_dependency_failure(error) or clock() + timedelta(seconds=_WRITE_AGAIN_SECONDS) >= until:
                raise
            await asyncio.sleep(_WRITE_AGAIN_SECONDS)
        else:
            return


async def _write(
    uow: UnitOfWork,
    due: DueNotification,
    outcome: Outcome,
    now: datetime,
    *,
    is_address_gone: bool = False,
    failpoint: Failpoint | None = None,
) -> None:
    """Write the new state and its event together, unless somebody else went on with it meanwhile."""
    after, event = outcome
    async with uow.begin() as transaction:
        if not await NotificationRepository(transaction.connection).save(due.notification, after, now):
            _log.warning("notification.overtaken", notification_id=str(after.id))
            return
        if event is not None:
            await transaction.publish(event)
        if is_address_gone:
            await AddressRepository(transaction.connection).unsubscribe(after.user_id, after.target_id)
        if failpoint is not None:
            failpoint("marking")
    sending_measures.note(after, now)
    _log.info(
        "notification.settled",
        notification_id=str(after.id),
        channel=after.channel,
        template=after.template,
        status=after.status,
        reason=after.reason,
        attempts=after.attempts,
    )
