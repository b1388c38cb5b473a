"""Bodies of attachments."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import AfterValidator, ConfigDict, Field

from messaging.clients.objects.port import UploadLink
from messaging.domain.attachments import EXTENSIONS, MAX_BYTES, MAX_NAME_CHARACTERS, Attachment, AttachmentState, Content
from messaging.schemas.fields import Instant, Request, Response
from messaging.use_cases.attachments import Download

# Control characters, halves of surrogate pairs, what separates folders, and what turns the direction of text around, so that a
# name cannot pretend to be another one.
_REFUSED = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff/\\\\\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def _checked_name(name: str) -> str:
    if _REFUSED.search(name) or name.strip(" .") == "":
        raise ValueError("must be the name of a file, without folders, control characters or marks of direction")
    return name


FileName = Annotated[str, Field(min_length=1, max_length=MAX_NAME_CHARACTERS), AfterValidator(_checked_name)]


def _checked_type(content_type: str) -> str:
    if content_type not in EXTENSIONS:
        raise ValueError(f"must be one of {', '.join(sorted(EXTENSIONS))}")
    return content_type


ContentType = Annotated[str, AfterValidator(_checked_type), Field(json_schema_extra={"enum": sorted(EXTENSIONS)})]


class UploadRequest(Request):
    """A file that is about to be uploaded: exactly these bytes, and no others, are taken."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "conversationId": "0195a000-0000-7000-8000-000000000001",
                    "name": "form.pdf",
                    "contentType": "application/pdf",
                    "sizeBytes": 48213,
                    "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
                }
            ]
        }
    )

    conversation_id: UUID
    name: FileName
    content_type: ContentType
    size_bytes: Annotated[int, Field(ge=1, le=MAX_BYTES, strict=True)]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$", description="The SHA-256 of the content, in hexadecimal digits.")]

    @property
    def content(self) -> Content:
        """What is announced."""
        return Content(self.content_type, self.size_bytes, bytes.fromhex(self.sha256))


class AttachmentStateResponse(Response):
    """How far a file has got. Its name is told with the message, and with the link for its download."""

    id: UUID
    conversation_id: UUID
    content_type: str
    size_bytes: int
    state: Literal["pending", "uploaded", "attached"]
    requested_at: Instant

    @classmethod
    def of(cls, attachment: Attachment) -> Self:
        if attachment.state is AttachmentState.DISCARDED:
            raise ValueError("nobody is shown a discarded file")
        return cls(
            id=attachment.id,
            conversation_id=attachment.conversation_id,
            content_type=attachment.content.content_type,
            size_bytes=attachment.content.size_bytes,
            state=attachment.state.value,
            requested_at=attachment.requested_at,
        )


class UploadInstructions(Response):
    """Send the content as the body with this method to this address, with exactly these headers."""

    method: Literal["PUT"]
    url: str
    headers: Mapping[str, str]
    expires_at: Instant


class UploadResponse(Response):
    """An announced file and how to upload it; `complete` it then, and send a message with its id."""

    attachment: AttachmentStateResponse
    upload: UploadInstructions

    @classmethod
    def of(cls, attachment: Attachment, link: UploadLink) -> Self:
        upload = UploadInstructions(method="PUT", url=link.url, headers=dict(link.headers), expires_at=attachment.upload_ends_at)
        return cls(attachment=AttachmentStateResponse.of(attachment), upload=upload)


class DownloadResponse(Response):
    """A file and a link to its content that a browser saves, good for a minute."""

    id: UUID
    name: str
    content_type: str
    size_bytes: int
    url: str
    expires_at: Instant

    @classmethod
    def of(cls, download: Download) -> Self:
        file = download.file
        return cls(
            id=file.id,
            name=file.name,
            content_type=file.content_type,
            size_bytes=file.size_bytes,
            url=download.url,
            expires_at=download.expires_at,
        )
