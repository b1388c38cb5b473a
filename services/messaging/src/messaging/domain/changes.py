"""The changes of a conversation, which its feed holds in one gapless order."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Literal, TypeAlias

from bloom_events.auth import Role
from bloom_events.ids import ConversationId, UserId
from messaging.domain.messages import Message


class ChangeKind(StrEnum):
    """What kind of thing happened."""

    MESSAGE_SENT = "message-sent"
    MESSAGE_EDITED = "message-edited"
    MESSAGE_DELETED = "message-deleted"
    RECEIPT = "receipt"
    MEMBER_JOINED = "member-joined"
    MEMBER_LEFT = "member-left"
    CLOSED = "closed"


MessageKind: TypeAlias = Literal[ChangeKind.MESSAGE_SENT, ChangeKind.MESSAGE_EDITED, ChangeKind.MESSAGE_DELETED]
MemberKind: TypeAlias = Literal[ChangeKind.MEMBER_JOINED, ChangeKind.MEMBER_LEFT]


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What happened at one place of a conversation, and who did it."""

    conversation_id: ConversationId
    sequence: int
    at: datetime
    actor_id: UserId


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageChange(Change):
    """A message was sent, edited or deleted; `message` is how it stands when the change is read."""

    kind: MessageKind
    message: Message


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiptChange(Change):
    """A member has received and read everything up to these places."""

    member_id: UserId
    delivered: int
    read: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberChange(Change):
    """Somebody takes part from now on, or no longer."""

    kind: MemberKind
    member_id: UserId
    member_role: Role


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosedChange(Change):
    """The keys of the conversation were destroyed."""


AnyChange: TypeAlias = MessageChange | ReceiptChange | MemberChange | ClosedChange
