"""Bodies of messages and of searches."""

from __future__ import annotations

from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import ConfigDict, Field, StringConstraints, model_validator

from bloom_events.ids import MessageId
from messaging.domain.attachments import MAX_PER_MESSAGE
from messaging.domain.messages import ReadableMessage
from messaging.schemas.changes import MessageResponse
from messaging.schemas.fields import EXAMPLE_ID, Body, Request, Response
from messaging.use_cases.messages import Draft


class MessageRequest(Request):
    """A message to send. With an `id` made by the caller it is safe to send again; the text may be empty beside attachments."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"conversationId": EXAMPLE_ID, "id": EXAMPLE_ID, "body": "See you on Tuesday."}]}
    )

    conversation_id: UUID
    body: Body
    id: UUID | None = Field(default=None, description="A new UUID, version 4 or 7; without it the service makes one.")
    reply_to_id: UUID | None = Field(default=None, description="The message of the same conversation that this one answers.")
    attachment_ids: list[UUID] = Field(default_factory=list, max_length=MAX_PER_MESSAGE)

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.body.strip() and not self.attachment_ids:
            raise ValueError("a message has a text or attachments")
        return self

    def draft(self, otherwise: MessageId) -> Draft:
        """What is asked for; `otherwise` is its id where the caller gave none."""
        return Draft(
            message_id=MessageId(self.id) if self.id else otherwise,
            conversation_id=self.conversation_id,
            body=self.body,
            reply_to_id=MessageId(self.reply_to_id) if self.reply_to_id else None,
            attachment_ids=tuple(dict.fromkeys(self.attachment_ids)),
        )


class EditRequest(Request):
    """The whole new text of a message."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"body": "See you on Wednesday."}]})

    body: Body

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.body.strip():
            raise ValueError("a message has a text")
        return self


class PendingAnalysis(Response):
    """The score of a message follows off the log; it never delays the message."""

    status: Literal["pending"] = "pending"


class SentResponse(Response):
    """A message that was taken."""

    message: MessageResponse
    analysis: PendingAnalysis

    @classmethod
    def of(cls, readable: ReadableMessage) -> Self:
        return cls(message=present(readable), analysis=PendingAnalysis())


class SearchRequest(Request):
    """What to look for. It is a body and no query, because what people look for says something about them."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"text": "tuesday"}]})

    text: Annotated[str, StringConstraints(min_length=2, max_length=200)]
    conversation_id: UUID | None = Field(default=None, description="Only in this conversation.")
    cursor: Annotated[str, StringConstraints(max_length=512)] | None = Field(
        default=None, description="The `nextCursor` of the page before."
    )
    limit: Annotated[int, Field(ge=1, le=50, strict=True)] = 20


def present(readable: ReadableMessage) -> MessageResponse:
    """The message as a member reads it."""
    return MessageResponse.of(readable.message, body=readable.body, attachments=readable.attachments)
