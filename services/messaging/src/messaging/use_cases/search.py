"""Searching in one's own conversations. Texts are sealed in the tables, so a search opens them one by one, within a bound."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from messaging.clients.keys.keyring import Keyring
from messaging.domain.messages import ReadableMessage
from messaging.domain.people import Actor
from messaging.domain.texts import comparable
from messaging.repository.messages import MessageRepository
from messaging.use_cases.texts import open_messages
from service_kit.unit_of_work import UnitOfWork

MOST_OPENED = 500
"""So many messages one request looks into, or fewer where they are long; the answer says where the next one goes on."""

MOST_CHARACTERS = 500_000
"""So many characters one request compares."""


@dataclass(frozen=True, slots=True)
class Found:
    """Messages that hold what was looked for, and the place behind which the search goes on; None when it is at its end."""

    messages: list[ReadableMessage]
    goes_on_before: tuple[UUID, int] | None


async def search_messages(
    uow: UnitOfWork,
    keyring: Keyring,
    reader: Actor,
    text: str,
    *,
    conversation_id: UUID | None,
    before: tuple[UUID, int] | None,
    limit: int,
) -> Found:
    """Messages of the reader's own conversations that hold the text, without regard to case, width or composition.

    They come conversation by conversation, the youngest conversation first and in it the youngest message.
    """
    async with uow.begin() as transaction:
        stored = await MessageRepository(transaction.connection).scan(
            reader.user_id, conversation_id=conversation_id, before=before, limit=MOST_OPENED
        )
    readable = await open_messages(keyring, uow.context.tenant_id, stored)
    return _look_through(readable, comparable(text), limit, is_all=len(stored) < MOST_OPENED)


def _look_through(messages: list[ReadableMessage], wanted: str, limit: int, *, is_all: bool) -> Found:
    found: list[ReadableMessage] = []
    characters = 0
    for each in messages:
        characters += len(each.body or "")
        if each.body is not None and wanted in comparable(each.body):
            found.append(each)
        if len(found) == limit or characters > MOST_CHARACTERS:
            return Found(found, _place(each))
    return Found(found, None if is_all else _place(messages[-1]))


def _place(readable: ReadableMessage) -> tuple[UUID, int]:
    return readable.message.conversation_id, readable.message.sequence
