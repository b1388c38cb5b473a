"""Building blocks of the bodies."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from messaging.domain.texts import MAX_BODY_CHARACTERS, flaw_of


class Request(BaseModel):
    """A body that a caller sends."""

    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", frozen=True)


class Response(BaseModel):
    """A body that is answered."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True)


Instant = Annotated[datetime, Field(examples=["2026-03-02T09:00:00Z"])]
"""A moment in an answer, in UTC."""

SequenceNumber = Annotated[int, Field(ge=1, le=2**53 - 1, strict=True, examples=[42])]
"""A place in the gapless order of a conversation's changes, counted from 1."""

EXAMPLE_ID = "0195a000-0000-7000-8000-000000000001"
ExampleId = Annotated[UUID, Field(examples=[EXAMPLE_ID])]


def _plain_text(text: str) -> str:
    flaw = flaw_of(text)
    if flaw is not None:
        raise ValueError(flaw)
    return text


# The first check keeps a text of megabytes from being looked through before it is refused.
Body = Annotated[
    str,
    Field(max_length=MAX_BODY_CHARACTERS, examples=["See you on Tuesday."]),
    AfterValidator(_plain_text),
]
"""The text of a message: plain text of at most 10,000 code points; line feed and tab are its only control characters."""
