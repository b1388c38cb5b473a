"""What is heard of patients' messages and their scores; a score that is high enough raises an alert, and so does none in time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TypeAlias
from uuid import UUID

from bloom_events.alerts import AlertCause
from bloom_events.auth import Role
from bloom_events.envelope import Envelope
from bloom_events.event import Event
from bloom_events.ids import UserId
from bloom_events.messaging import MessageDeleted, MessageEdited, MessageSent
from bloom_events.risk import RiskScored, RiskWithdrawn
from notifications.domain.alerts import Change
from notifications.domain.levels import CALLING_LEVELS
from notifications.domain.timeline import Ending
from notifications.domain.watch import ChangeKey, Patience, Score, WatchedMessage, calls_for_people, is_still_unscored
from notifications.repository.watched_messages import Found, Told, WatchRepository
from notifications.use_cases import measures
from notifications.use_cases.consumer import CONSUMER
from notifications.use_cases.raising import call_for
from service_kit import inbox
from service_kit.unit_of_work import UnitOfWork

CalmEvent: TypeAlias = MessageSent | MessageEdited | RiskScored


def is_calm(event: Event) -> bool:
    """Whether nobody has to be called for it, whatever else is known of the message."""
    return isinstance(event, MessageSent | MessageEdited) or (isinstance(event, RiskScored) and event.level not in CALLING_LEVELS)


async def hear_calm(
    uow: UnitOfWork, causes: Sequence[Envelope[CalmEvent]], *, patience: Patience, now: datetime
) -> datetime | None:
    """Take what calls nobody, of one organisation and in the order of the log; gives when the first message has waited too long.

    A patient's message is watched until it has a score; what others write nobody has to watch.
    """
    watched = [cause for cause in causes if cause.data.author_role is Role.PATIENT]
    if not watched:
        return None
    async with uow.begin() as transaction:
        new = await inbox.first_times(transaction.connection, CONSUMER, [cause.id for cause in watched])
        told = _by_change([cause for cause in watched if cause.id in new])
        if not told:
            return None
        messages = await _keep_told(WatchRepository(transaction.connection), told, patience, now)
    return min((message.due_at for message in messages if message.due_at is not None), default=None)


async def hear_score(uow: UnitOfWork, cause: Envelope[RiskScored], *, now: datetime) -> Change | None:
    """Take the score of a patient's message; a high one raises an alert, or has the open one take the message in."""
    event = cause.data
    if event.author_role is not Role.PATIENT:
        return None
    score = _score(event)
    message, change = _watched(event).scored(score), None
    async with uow.begin() as transaction:
        if not await inbox.first_time(transaction.connection, CONSUMER, cause.id):
            return None
        watch = WatchRepository(transaction.connection)
        found = await watch.add(message, uow.context.correlation_id)
        if found.before is not None:
            message = found.before.scored(score)
            await watch.save(message)
        if calls_for_people(score.level, event.revision, await _known_before(watch, found, event)):
            change = await call_for(uow, transaction, message.finding(AlertCause.RISK), now)
    if change is not None:
        measures.note(change)
    return change


async def hear_deletion(uow: UnitOfWork, cause: Envelope[MessageDeleted]) -> None:
    """Keep that a message was taken back. Its alert stays, and a score is still awaited: nobody has read what was written."""
    await _keep_ending(uow, cause, Ending(cause.data.message_id, deleted_at=cause.data.deleted_at))


async def hear_withdrawal(uow: UnitOfWork, cause: Envelope[RiskWithdrawn]) -> None:
    """Keep that a score counts no longer. Its alert stays: a person must look."""
    await _keep_ending(uow, cause, Ending(cause.data.message_id, withdrawn_at=cause.data.withdrawn_at))


async def give_up_waiting(uow: UnitOfWork, message_id: UUID, revision: int, *, now: datetime) -> Change | None:
    """Call people to a message that had no score in time; nothing when it got one, or another worker is at it."""
    change = None
    async with uow.begin() as transaction:
        watch = WatchRepository(transaction.connection)
        message = await watch.claim(message_id, revision, now)
        if message is None:
            return None
        if not is_still_unscored(message, await watch.of_message(message_id)):
            await watch.save(message.no_longer_awaited())
            return None
        await watch.save(message.given_up(now))
        change = await call_for(uow, transaction, message.finding(AlertCause.UNSCORED), now)
    measures.UNSCORED.inc()
    if change is not None:
        measures.note(change)
    return change


async def _known_before(watch: WatchRepository, found: Found, event: RiskScored) -> list[WatchedMessage]:
    """What was known of a message before its score came; of a low score nobody has to know it."""
    known = [found.before] if found.before else []
    if found.has_others and event.level in CALLING_LEVELS:
        known += [each for each in await watch.of_message(event.message_id) if each.revision != event.revision]
    return known


def _by_change(causes: Sequence[Envelope[CalmEvent]]) -> dict[ChangeKey, list[Envelope[CalmEvent]]]:
    """The events of each change of a message in their order, each of them once."""
    once = causes if inbox.is_switched_off() else {cause.id: cause for cause in causes}.values()
    told: dict[ChangeKey, list[Envelope[CalmEvent]]] = {}
    for cause in once:
        told.setdefault((cause.data.message_id, cause.data.revision), []).append(cause)
    return told


async def _keep_told(
    watch: WatchRepository, told: Mapping[ChangeKey, Sequence[Envelope[CalmEvent]]], patience: Patience, now: datetime
) -> list[WatchedMessage]:
    """Write what the events of each change come to, from what was known of it before, and give that."""

    def after(message: WatchedMessage, causes: Sequence[Envelope[CalmEvent]]) -> WatchedMessage:
        for cause in causes:
            if isinstance(cause.data, RiskScored):
                message = message.scored(_score(cause.data))
            else:
                message = message.heard(committed_at=cause.time, patience=patience, now=now)
        return message

    fresh = [Told(after(_watched(causes[0].data), causes), causes[0].correlation_id, len(causes)) for causes in told.values()]
    known = await watch.add_all(fresh)
    changed = [after(message, told[message.key]) for message in known]
    await watch.save_all(changed)
    keys = {message.key for message in known}
    return changed + [each.message for each in fresh if each.message.key not in keys]


def _score(event: RiskScored) -> Score:
    return Score(event.level, event.received_at, event.scored_at)


def _watched(event: CalmEvent) -> WatchedMessage:
    match event:
        case MessageSent():
            written_at = event.sent_at
        case MessageEdited():
            written_at = event.edited_at
        case RiskScored():
            written_at = event.message_sent_at
    return WatchedMessage(
        message_id=event.message_id,
        revision=event.revision,
        conversation_id=event.conversation_id,
        patient_id=event.patient_id,
        therapists=tuple(UserId(user_id) for user_id in event.therapist_ids),
        written_at=written_at,
    )


async def _keep_ending(uow: UnitOfWork, cause: Envelope[MessageDeleted] | Envelope[RiskWithdrawn], ending: Ending) -> None:
    if cause.data.author_role is not Role.PATIENT:
        return
    async with uow.begin() as transaction:
        if await inbox.first_time(transaction.connection, CONSUMER, cause.id):
            await WatchRepository(transaction.connection).keep_ending(ending)
