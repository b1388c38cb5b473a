"""Events of messaging: who takes part in a conversation, and its messages, whose text is sealed under the conversation's key."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, ClassVar, Literal
from uuid import UUID

from pydantic import Field

from bloom_events.auth import Role
from bloom_events.event import Base64, Event, Revision, Sequence, UtcTime
from bloom_events.ids import AlertId, ConversationId, MessageId, PatientId, TherapistId, UserId
from bloom_events.topics import ALERT_DELIVERIES, CONVERSATIONS, MESSAGES, Topic

MAX_MEMBERS = 50
"""The most people that a conversation can have at a time."""

Therapists = Annotated[tuple[TherapistId, ...], Field(max_length=MAX_MEMBERS)]
"""The therapists who take part in a conversation at the time of the event."""

KeyVersion = Annotated[int, Field(ge=1, le=2**31 - 1)]
"""Counts a conversation's keys from 1."""


class ConversationKind(StrEnum):
    """What a conversation is for."""

    DIRECT = "direct"
    """A patient and a therapist."""
    CARE_TEAM = "care_team"
    """Those who care for one patient, with or without the patient."""


def sealed_with(conversation_id: UUID, message_id: UUID, sequence: int) -> bytes:
    """The associated data of a message's AES-256-GCM seal, 40 bytes: conversation, message and place in the conversation.

    Whoever unseals a text must give the same three, so that a sealed text moved to another message or place cannot be read.
    An edit is sealed anew, with the sequence of the edit.
    """
    return conversation_id.bytes + message_id.bytes + sequence.to_bytes(8, "big")


class ConversationEvent(Event):
    """Something that happened to a conversation."""

    TOPIC: ClassVar[Topic] = CONVERSATIONS
    KEY: ClassVar[str] = "conversation_id"

    conversation_id: ConversationId
    """The conversation."""
    patient_id: PatientId
    """The patient whom it is about."""


class ConversationOpened(ConversationEvent):
    """A conversation began; its members follow as events of their own."""

    TYPE: ClassVar[str] = "conversation.opened.v1"

    kind: ConversationKind
    """What it is for."""
    opened_by: UserId
    """Who opened it."""


class ConversationMemberJoined(ConversationEvent):
    """Somebody takes part from now on and may read what was written before."""

    TYPE: ClassVar[str] = "conversation.member-joined.v1"

    member_id: UserId
    """Who joined."""
    member_role: Role
    """The role of their account."""


class ConversationMemberLeft(ConversationEvent):
    """Somebody takes part no longer and may read nothing of it."""

    TYPE: ClassVar[str] = "conversation.member-left.v1"

    member_id: UserId
    """Who left."""
    member_role: Role
    """The role of their account."""


class ConversationKeyDestroyed(ConversationEvent):
    """Every key of the conversation is gone for good: nobody can read its text any more, wherever a copy lies."""

    TYPE: ClassVar[str] = "conversation.key-destroyed.v1"

    destroyed_at: UtcTime
    """When the keys were destroyed; whoever holds a copy of one forgets it."""


class MessageEvent(Event):
    """Something that happened to a message; the events of one conversation keep their order."""

    TOPIC: ClassVar[Topic] = MESSAGES
    KEY: ClassVar[str] = "conversation_id"

    conversation_id: ConversationId
    """The conversation it belongs to."""
    message_id: MessageId
    """The message."""
    sequence: Sequence
    """The place of this change in the conversation."""
    revision: Revision
    """Counts the message's changes from 1."""
    patient_id: PatientId
    """The patient whom the conversation is about."""
    author_id: UserId
    """Who wrote the message."""
    author_role: Role
    """The role of the author's account."""
    therapist_ids: Therapists
    """The therapists who take part in the conversation now."""


class SealedMessageEvent(MessageEvent):
    """A message with its text, sealed by AES-256-GCM under the conversation's key; see `sealed_with`."""

    key_version: KeyVersion
    """Which of the conversation's keys seals the text."""
    nonce: Base64
    """The seal's nonce, 12 bytes."""
    ciphertext: Base64
    """The sealed UTF-8 text with its tag of 16 bytes at the end; the text may be empty when there are attachments."""


class MessageSent(SealedMessageEvent):
    """Somebody wrote a message."""

    TYPE: ClassVar[str] = "message.sent.v1"

    sent_at: UtcTime
    """When the server took it."""
    attachments: Annotated[int, Field(ge=0, le=100)] = 0
    """How many files are attached."""
    reply_to_id: MessageId | None = None
    """The message it answers, if any."""


class MessageEdited(SealedMessageEvent):
    """The author changed the text; this is all of the new one."""

    TYPE: ClassVar[str] = "message.edited.v1"

    sent_at: UtcTime
    """When the message was first sent."""
    edited_at: UtcTime
    """When it was changed."""


class MessageDeleted(MessageEvent):
    """The author took the message back: its place stays, its text is gone."""

    TYPE: ClassVar[str] = "message.deleted.v1"

    deleted_at: UtcTime
    """When it was taken back."""


class AlertDeliveryEvent(Event):
    """What became of an alert at somebody's open connections."""

    TOPIC: ClassVar[Topic] = ALERT_DELIVERIES
    KEY: ClassVar[str] = "alert_id"

    alert_id: AlertId
    """The alert."""
    user_id: UserId
    """To whom it was shown."""
    channel: Literal["socket"] = "socket"
    """How it got there."""


class AlertPushed(AlertDeliveryEvent):
    """The alert was written to at least one open connection of this person, for the first time."""

    TYPE: ClassVar[str] = "alert.pushed.v1"

    pushed_at: UtcTime
    """When it was written."""


class AlertSeen(AlertDeliveryEvent):
    """A client of this person confirmed that it shows the alert, for the first time; nobody acknowledged it by that."""

    TYPE: ClassVar[str] = "alert.seen.v1"

    seen_at: UtcTime
    """When the confirmation arrived."""


EVENTS: tuple[type[Event], ...] = (
    ConversationOpened,
    ConversationMemberJoined,
    ConversationMemberLeft,
    ConversationKeyDestroyed,
    MessageSent,
    MessageEdited,
    MessageDeleted,
    AlertPushed,
    AlertSeen,
)
