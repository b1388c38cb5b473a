"""What clients send over their sockets, and what only sockets are told."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from bloom_events.alerts import ChainStep
from bloom_events.risk import RiskLevel
from messaging.domain.alerts import AlertStanding
from messaging.domain.feed import AlertPush
from messaging.schemas.fields import Request, Response, SequenceNumber

Place = Annotated[int, Field(ge=0, le=2**53 - 1, strict=True)]
"""A place in the order of a conversation's changes; 0 is before the first."""


class ConnectAuth(BaseModel):
    """The `auth` of a connect; `after` names for conversations the place up to which the client has everything."""

    model_config = ConfigDict(alias_generator=to_camel, extra="ignore", frozen=True)

    token: str
    after: dict[UUID, Place] = {}


class ConversationEvent(Request):
    """An event about one conversation."""

    conversation_id: UUID


class ResumeEvent(ConversationEvent):
    """The client has everything of the conversation up to this place."""

    after: Place


class ReceiptEvent(ConversationEvent):
    """Everything up to this place was delivered, or read."""

    sequence: SequenceNumber


class AlertSeenEvent(Request):
    """The client shows the alert."""

    alert_id: UUID


class RenewEvent(Request):
    """A younger access token of the same session."""

    token: str


class AlertResponse(Response):
    """An alert as it is pushed to the people who are called."""

    alert_id: UUID
    state: AlertStanding
    level: RiskLevel
    step: ChainStep | None
    deadline: datetime | None
    conversation_id: UUID
    patient_id: UUID
    revision: int
    at: datetime

    @classmethod
    def of(cls, push: AlertPush) -> Self:
        return cls(
            alert_id=push.alert_id,
            state=push.state,
            level=push.level,
            step=push.step,
            deadline=push.deadline,
            conversation_id=push.conversation_id,
            patient_id=push.patient_id,
            revision=push.revision,
            at=push.changed_at,
        )
