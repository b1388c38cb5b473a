"""What the socket processes ask for and note: who may be connected, what happened since, which alerts were pushed and seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from bloom_events.ids import AlertId, UserId
from bloom_events.messaging import AlertPushed, AlertSeen
from messaging.clients.keys.keyring import Keyring
from messaging.domain.alerts import NotCalledToAlert
from messaging.domain.feed import AlertPush, Found, Standing
from messaging.domain.outcomes import ConversationNotFound
from messaging.repository import feed
from messaging.repository.alert_pushes import AlertPushRepository
from messaging.repository.feed import FeedRepository
from messaging.use_cases.reading import ShownChange, show
from service_kit.unit_of_work import UnitOfWork

MOST_OPEN_ALERTS = 200
"""Of a person's open alerts the latest so many are shown when they connect."""


async def read_standing(uow: UnitOfWork, user_id: UUID, session_id: UUID, *, most: int) -> Standing:
    """Whether somebody may be connected, and what they may follow, all as of one moment."""
    async with uow.begin() as transaction:
        return await FeedRepository(transaction.connection).standing(user_id, session_id, most)


async def read_place(uow: UnitOfWork, conversation_id: UUID, member_id: UUID) -> int:
    """The place of the latest change of a conversation in which the person takes part."""
    place = await feed.read_place(uow, conversation_id, member_id)
    if place is None:
        raise ConversationNotFound
    return place


async def read_changes(uow: UnitOfWork, keyring: Keyring, wanted: Mapping[UUID, int], *, limit: int) -> list[ShownChange]:
    """What happened in each conversation behind a place, in order, at most `limit` changes of each."""
    return await show(uow, keyring, await feed.read_behind(uow, wanted, limit))


async def look_since(uow: UnitOfWork, since: int | None) -> Found:
    """What may have become visible since a snapshot; without one nothing but where to begin."""
    if since is None:
        return Found(await feed.read_snapshot(uow))
    return await feed.look(uow, since)


async def read_alerts(uow: UnitOfWork, user_ids: Sequence[UUID], alert_ids: Sequence[UUID]) -> list[AlertPush]:
    """What these people are told of these alerts."""
    return await feed.read_alerts(uow, user_ids, alert_ids, len(user_ids) * len(alert_ids))


async def read_open_alerts(uow: UnitOfWork, user_ids: Sequence[UUID]) -> list[AlertPush]:
    """What these people are told of the alerts that nobody has resolved."""
    return await feed.read_alerts(uow, user_ids, None, MOST_OPEN_ALERTS * len(user_ids))


async def list_conversations_of(uow: UnitOfWork, user_id: UUID, *, most: int) -> list[UUID]:
    """Conversations in which somebody takes part."""
    return await feed.list_conversations_of(uow, user_id, most)


async def list_members(uow: UnitOfWork, conversation_id: UUID) -> list[UUID]:
    """Who takes part in a conversation."""
    return await feed.list_members(uow, conversation_id)


async def note_pushed(uow: UnitOfWork, alert_id: UUID, user_id: UUID, *, now: datetime) -> None:
    """The alert was written to an open connection of this person; the first time is told."""
    async with uow.begin() as transaction:
        if await AlertPushRepository(transaction.connection).note_pushed(alert_id, user_id, now):
            await transaction.publish(AlertPushed(alert_id=AlertId(alert_id), user_id=UserId(user_id), pushed_at=now))


async def note_seen(uow: UnitOfWork, alert_id: UUID, user_id: UUID, *, now: datetime) -> None:
    """A client of this person shows the alert; the first time is told."""
    async with uow.begin() as transaction:
        repository = AlertPushRepository(transaction.connection)
        if await repository.note_seen(alert_id, user_id, now):
            await transaction.publish(AlertSeen(alert_id=AlertId(alert_id), user_id=UserId(user_id), seen_at=now))
        elif not await repository.is_told(alert_id, user_id):
            raise NotCalledToAlert
