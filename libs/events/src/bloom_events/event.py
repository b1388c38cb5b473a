"""What every event is: immutable facts with a wire type, a topic and the aggregate they belong to."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar, cast
from uuid import UUID

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from bloom_events.topics import Topic


def _to_utc(moment: datetime) -> datetime:
    """Return the same moment in UTC; raise ValueError where the calendar ends."""
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("a time outside the calendar") from error


UtcTime = Annotated[AwareDatetime, AfterValidator(_to_utc)]
"""A moment with its offset on the wire (RFC 3339), held in UTC."""

# PostgreSQL's text refuses NUL, and control characters forge lines in logs and documents.
PlainText = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\u0000-\u001f\u007f]+$")]
"""A line of text of 1 to 200 characters without control characters."""

# 2^53 - 1 is the largest whole number that every JSON reader keeps exactly.
MinorUnits = Annotated[int, Field(ge=0, le=2**53 - 1)]
"""An amount of money in the currency's smallest unit, never negative."""

ReasonCode = Annotated[str, StringConstraints(max_length=64, pattern=r"^[a-z][a-z0-9_]*$")]
"""A code such as `issued_in_error`: never a sentence, which could speak about a person."""

Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]
"""An ISO 4217 code."""

Revision = Annotated[int, Field(ge=1, le=2**31 - 1)]
"""Counts the changes of one aggregate from 1, so that a reader can tell late from new."""

Sequence = Annotated[int, Field(ge=1, le=2**53 - 1)]
"""A place in the gapless order of a conversation's changes, counted from 1."""

Base64 = Annotated[str, StringConstraints(min_length=1, max_length=400_000, pattern=r"^[A-Za-z0-9+/]+={0,2}$")]
"""Bytes in standard base64 with padding."""

Probability = Annotated[float, Field(ge=0.0, le=1.0)]
"""A share of certainty from 0 to 1."""

Milliseconds = Annotated[float, Field(ge=0.0)]
"""A duration in milliseconds."""


class Event(BaseModel):
    """A fact of the past, published on `TOPIC` as `TYPE`, keyed by the id that the field `KEY` holds.

    Readers ignore fields they do not know. Within a version only optional fields may be added.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", use_attribute_docstrings=True)

    TYPE: ClassVar[str]
    TOPIC: ClassVar[Topic]
    KEY: ClassVar[str]

    @property
    def aggregate_id(self) -> UUID:
        """The id of the aggregate whose order of events is kept: subject of the envelope, key of the record."""
        values: dict[str, Any] = self.__dict__
        return cast("UUID", values[self.KEY])
