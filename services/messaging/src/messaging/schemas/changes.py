"""A change of a conversation as the feed answers it and as the sockets push it: the same JSON in both places."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal, Self, TypeAlias
from uuid import UUID

from pydantic import Field

from bloom_events.auth import Role
from messaging.domain.changes import Change, MemberChange, MessageChange, ReceiptChange
from messaging.domain.messages import AttachedFile, Message
from messaging.schemas.fields import Instant, Response


class AttachmentResponse(Response):
    """A file that is attached to a message; its content is had at `/api/attachments/{id}`."""

    id: UUID
    name: str
    content_type: str
    size_bytes: int

    @classmethod
    def of(cls, file: AttachedFile) -> Self:
        return cls(id=file.id, name=file.name, content_type=file.content_type, size_bytes=file.size_bytes)


class MessageResponse(Response):
    """A message as it stands now. Its text is plain text, never markup."""

    id: UUID
    conversation_id: UUID
    sequence: int = Field(description="The place in the conversation where it was sent.")
    revision: int = Field(description="Counts its changes from 1; the ETag names it.")
    author_id: UUID
    author_role: Role
    body: str | None = Field(description="Null once it was deleted, or once the conversation's keys were destroyed.")
    sent_at: Instant
    edited_at: Instant | None
    deleted_at: Instant | None
    reply_to_id: UUID | None
    attachments: list[AttachmentResponse]

    @classmethod
    def of(cls, message: Message, *, body: str | None, attachments: Sequence[AttachedFile] = ()) -> Self:
        return cls(
            id=message.id,
            conversation_id=message.conversation_id,
            sequence=message.sequence,
            revision=message.revision,
            author_id=message.author_id,
            author_role=message.author_role,
            body=body,
            sent_at=message.sent_at,
            edited_at=message.edited_at,
            deleted_at=message.deleted_at,
            reply_to_id=message.reply_to_id,
            attachments=[AttachmentResponse.of(each) for each in attachments],
        )


class _Change(Response):
    conversation_id: UUID
    sequence: int = Field(description="The place of this change in the conversation; there are no gaps.")
    at: Instant


class MessageChangeResponse(_Change):
    """A message was sent, edited or deleted. The message is given as it stands now, which may be later than this change."""

    kind: Literal["message-sent", "message-edited", "message-deleted"]
    message: MessageResponse


class ReceiptResponse(_Change):
    """A member has received and read everything up to these places."""

    kind: Literal["receipt"]
    member_id: UUID
    delivered: int
    read: int


class MemberChangeResponse(_Change):
    """Somebody takes part from now on, or no longer; `actorId` is who brought that about."""

    kind: Literal["member-joined", "member-left"]
    member_id: UUID
    member_role: Role
    actor_id: UUID


class ClosedResponse(_Change):
    """The conversation's keys were destroyed: its text can be read by nobody, and nothing more can be written."""

    kind: Literal["closed"]
    actor_id: UUID


ChangeResponse: TypeAlias = Annotated[
    MessageChangeResponse | ReceiptResponse | MemberChangeResponse | ClosedResponse, Field(discriminator="kind")
]
"""Any change; `kind` tells which."""


class ChangesResponse(Response):
    """What happened behind `after`, in order. There is more while the last item's sequence is below `lastSequence`."""

    items: list[ChangeResponse]
    last_sequence: int = Field(description="The place of the conversation's latest change.")


def present_change(
    change: Change, *, body: str | None = None, attachments: Sequence[AttachedFile] = ()
) -> MessageChangeResponse | ReceiptResponse | MemberChangeResponse | ClosedResponse:
    """The change as it is told to a member; `body` is the opened text of its message, if it has one that can be read."""
    place = {"conversation_id": change.conversation_id, "sequence": change.sequence, "at": change.at}
    match change:
        case MessageChange(kind=kind, message=message):
            shown = MessageResponse.of(message, body=body, attachments=attachments)
            return MessageChangeResponse(kind=kind.value, message=shown, **place)
        case ReceiptChange(member_id=member_id, delivered=delivered, read=read):
            return ReceiptResponse(kind="receipt", member_id=member_id, delivered=delivered, read=read, **place)
        case MemberChange(kind=kind, member_id=member_id, member_role=role, actor_id=actor_id):
            return MemberChangeResponse(kind=kind.value, member_id=member_id, member_role=role, actor_id=actor_id, **place)
        case _:
            return ClosedResponse(kind="closed", actor_id=change.actor_id, **place)
