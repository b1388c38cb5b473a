"""Following conversations: who takes part, so that therapists read what is theirs, and keys that are gone."""

from __future__ import annotations

from datetime import datetime

from bloom_events.envelope import Envelope
from bloom_events.messaging import ConversationKeyDestroyed, ConversationMemberJoined, ConversationMemberLeft
from ml_scoring.clients.conversation_keys import ConversationKeys
from ml_scoring.repository.members import MemberRepository
from ml_scoring.repository.waiting import WaitingRepository
from ml_scoring.use_cases.scoring import CONSUMER
from service_kit import inbox
from service_kit.unit_of_work import UnitOfWork


async def hear_member(uow: UnitOfWork, cause: Envelope[ConversationMemberJoined | ConversationMemberLeft]) -> None:
    """Somebody takes part from now on, or no longer."""
    async with uow.begin() as transaction:
        if await inbox.first_time(transaction.connection, CONSUMER, cause.id):
            await MemberRepository(transaction.connection).hear(cause.data, cause.time)


async def forget_keys(
    uow: UnitOfWork, keys: ConversationKeys, cause: Envelope[ConversationKeyDestroyed], *, now: datetime
) -> None:
    """Keep no key of the conversation, however often this is heard, and have its waiting messages find out at once."""
    keys.forget(cause.data.conversation_id)
    async with uow.begin() as transaction:
        if await inbox.first_time(transaction.connection, CONSUMER, cause.id):
            await WaitingRepository(transaction.connection).hurry(cause.data.conversation_id, now)
