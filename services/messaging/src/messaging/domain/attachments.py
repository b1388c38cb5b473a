"""A file on its way into a message: announced, uploaded straight to the object store, checked, attached."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Self
from uuid import UUID

from bloom_events.ids import AttachmentId, ConversationId, MessageId, TenantId, UserId
from messaging.domain.messages import SealedText
from messaging.domain.people import Actor
from service_kit.errors import Problem

MAX_BYTES = 25 * 1024 * 1024
"""The largest file."""

MAX_NAME_CHARACTERS = 200
"""The longest name of a file."""

MAX_PER_MESSAGE = 10
"""The most files that one message can have."""

MAX_UNSENT = 20
"""The most files that one person can have announced or uploaded without sending them."""

UPLOAD_TIME = timedelta(minutes=15)
"""How long the link for the upload is good."""

DOWNLOAD_TIME = timedelta(seconds=60)
"""How long a link for a download is good: long enough to begin it."""

KEEP_UNSENT = timedelta(hours=24)
"""How long a file that belongs to no message is kept."""

NAME_PLACE = 0
"""The sequence in the seal of a name: no change of a conversation has it."""

EXTENSIONS: Mapping[str, str] = {
    "application/pdf": "pdf",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
    "audio/mp4": "m4a",
    "audio/mpeg": "mp3",
    "audio/ogg": "ogg",
    "audio/webm": "weba",
    "audio/wav": "wav",
    "image/gif": "gif",
    "image/heic": "heic",
    "image/jpeg": "jpg",
    "image/png": "png",
    "image/webp": "webp",
    "text/plain": "txt",
    "video/mp4": "mp4",
    "video/webm": "webm",
}
"""The content types that are taken, each with its usual extension: nothing that a browser would run."""


class AttachmentNotFound(Problem):
    """No such attachment, or one that the caller may not see: the answer is the same."""

    slug, status, title = "attachment-not-found", 404, "Attachment not found"


class AttachmentNotReady(Problem):
    """One of the attachments cannot be sent: not the sender's own, of another conversation, not uploaded, or sent already."""

    slug, status, title = "attachment-not-ready", 409, "An attachment cannot be sent with this message"


class TooManyUnsent(Problem):
    """The person has as many files waiting to be sent as allowed."""

    slug, status, title = "too-many-unsent-attachments", 409, "Too many files wait to be sent"


class NothingUploaded(Problem):
    """The announced content has not arrived in the object store."""

    slug, status, title = "nothing-uploaded", 409, "Nothing was uploaded yet"


class UploadDiffers(Problem):
    """What was uploaded is not what was announced; it is thrown away."""

    slug, status, title = "upload-differs", 409, "What was uploaded is not what was announced"


class AttachmentState(StrEnum):
    """How far a file has got."""

    PENDING = "pending"
    UPLOADED = "uploaded"
    ATTACHED = "attached"
    DISCARDED = "discarded"


@dataclass(frozen=True, slots=True)
class Content:
    """What can be checked of a file: its type, its size and the SHA-256 of its bytes."""

    content_type: str
    size_bytes: int
    sha256: bytes


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file of a conversation; its name is sealed."""

    id: AttachmentId
    conversation_id: ConversationId
    uploader_id: UserId
    content: Content
    name: SealedText
    state: AttachmentState
    requested_at: datetime
    message_id: MessageId | None = None

    @classmethod
    def announce(
        cls,
        attachment_id: AttachmentId,
        uploader: Actor,
        *,
        conversation_id: UUID,
        content: Content,
        name: SealedText,
        now: datetime,
    ) -> Self:
        """Somebody is about to upload a file."""
        return cls(
            id=attachment_id,
            conversation_id=ConversationId(conversation_id),
            uploader_id=UserId(uploader.user_id),
            content=content,
            name=name,
            state=AttachmentState.PENDING,
            requested_at=now,
        )

    def accept(self, found: Content | None) -> Self:
        """The upload is over; what was found in the object store has to be what was announced."""
        if found is None:
            raise NothingUploaded
        return replace(self, state=AttachmentState.UPLOADED if found == self.content else AttachmentState.DISCARDED)

    @property
    def upload_ends_at(self) -> datetime:
        """When the link for the upload is over."""
        return self.requested_at + UPLOAD_TIME


def object_key(tenant_id: TenantId, conversation_id: UUID, attachment_id: UUID) -> str:
    """Where the content lies in the object store: ids only, so that the address tells nothing."""
    return f"{tenant_id}/{conversation_id}/{attachment_id}"
