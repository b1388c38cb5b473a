"""The life of a message: each transition returns the new state and its event, or refuses."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Self
from uuid import UUID

from bloom_events import messaging as events
from bloom_events.auth import Role
from bloom_events.ids import AttachmentId, ConversationId, MessageId, UserId
from messaging.domain.conversations import Conversation
from messaging.domain.outcomes import MessageDeleted, NotTheAuthor
from messaging.domain.people import Actor


@dataclass(frozen=True, slots=True)
class SealedText:
    """A text under a conversation's key; `sequence` is the place of the change that sealed it and a part of the seal."""

    key_version: int
    sequence: int
    nonce: bytes
    ciphertext: bytes


@dataclass(frozen=True, slots=True)
class AttachedFile:
    """What a reader is told about a file that belongs to a message."""

    id: AttachmentId
    name: str
    content_type: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Message:
    """One message. `sequence` is the place where it was sent; `sealed` is its present text, gone once it is deleted."""

    id: MessageId
    conversation_id: ConversationId
    sequence: int
    revision: int
    author_id: UserId
    author_role: Role
    sent_at: datetime
    sealed: SealedText | None
    attachment_count: int = 0
    reply_to_id: MessageId | None = None
    edited_at: datetime | None = None
    deleted_at: datetime | None = None

    @classmethod
    def send(
        cls,
        message_id: MessageId,
        held: Conversation,
        author: Actor,
        sealed: SealedText,
        *,
        attachment_count: int = 0,
        reply_to_id: MessageId | None = None,
    ) -> tuple[Self, events.MessageSent]:
        """The author writes at the place that the conversation was numbered to."""
        message = cls(
            id=message_id,
            conversation_id=held.id,
            sequence=held.last_sequence,
            revision=1,
            author_id=UserId(author.user_id),
            author_role=author.role,
            sent_at=held.last_change_at,
            sealed=sealed,
            attachment_count=attachment_count,
            reply_to_id=reply_to_id,
        )
        sent = events.MessageSent(
            **_facts(message, held),
            **_seal(sealed),
            sent_at=message.sent_at,
            attachments=attachment_count,
            reply_to_id=reply_to_id,
        )
        return message, sent

    def edit(self, held: Conversation, editor: Actor, sealed: SealedText) -> tuple[Self, events.MessageEdited]:
        """The author replaces the text."""
        self._must_be_changeable_by(editor)
        edited = replace(self, revision=self.revision + 1, sealed=sealed, edited_at=held.last_change_at)
        event = events.MessageEdited(**_facts(edited, held), **_seal(sealed), sent_at=self.sent_at, edited_at=held.last_change_at)
        return edited, event

    def delete(self, held: Conversation, actor: Actor) -> tuple[Self, events.MessageDeleted]:
        """The author takes the message back: its place stays, its text is gone."""
        self._must_be_changeable_by(actor)
        deleted = replace(self, revision=self.revision + 1, sealed=None, deleted_at=held.last_change_at)
        return deleted, events.MessageDeleted(**_facts(deleted, held), deleted_at=held.last_change_at)

    def _must_be_changeable_by(self, actor: Actor) -> None:
        if actor.user_id != self.author_id:
            raise NotTheAuthor
        if self.deleted_at is not None:
            raise MessageDeleted


def content_of(body: str, reply_to_id: UUID | None, attachment_ids: tuple[UUID, ...]) -> bytes:
    """What was asked to be sent, as bytes that differ whenever any part of it does."""
    reply = reply_to_id.bytes if reply_to_id else b""
    files = b"".join(each.bytes for each in attachment_ids)
    parts = (reply, files, body.encode())
    return b"".join(len(part).to_bytes(8) + part for part in parts)


def _facts(message: Message, held: Conversation) -> dict[str, Any]:
    """The fields that every message event carries, at the place of this change."""
    return {
        "conversation_id": message.conversation_id,
        "message_id": message.id,
        "sequence": held.last_sequence,
        "revision": message.revision,
        "patient_id": held.patient_id,
        "author_id": message.author_id,
        "author_role": message.author_role,
        "therapist_ids": held.therapist_ids,
    }


def _seal(sealed: SealedText) -> dict[str, Any]:
    return {
        "key_version": sealed.key_version,
        "nonce": b64encode(sealed.nonce).decode(),
        "ciphertext": b64encode(sealed.ciphertext).decode(),
    }


@dataclass(frozen=True, slots=True)
class SentMark:
    """What tells a retry from another message of the same id: a keyed digest of what was first sent."""

    key_version: int
    digest: bytes


@dataclass(frozen=True, slots=True)
class ReadableMessage:
    """A message with its text opened for a reader; None where it was deleted or its key destroyed."""

    message: Message
    body: str | None
    attachments: tuple[AttachedFile, ...] = ()
