"""Bodies of alerts and their timelines."""

from __future__ import annotations

from datetime import datetime
from typing import Self
from uuid import UUID

from pydantic import ConfigDict, Field, model_validator
from pydantic.config import JsonDict

from bloom_events.alerts import AlertCause, ChainStep
from bloom_events.ids import UserId
from bloom_events.notifications import Channel
from bloom_events.risk import RiskLevel
from notifications.domain.alerts import Alert, AlertStatus
from notifications.domain.chain import Successor
from notifications.domain.timeline import Hop, Point, Timeline
from notifications.schemas.fields import Note, Request, Response
from service_kit.pagination import decode_cursor

_ALERT_ID = "01992f3e-7a10-7c31-9d11-0a4f5b6c7d8e"
_PERSON = "01992f3e-7a10-7c31-9d11-0a4f5b6c7d8f"
_AT = "2026-03-02T09:00:00.120000Z"
_ALERT: JsonDict = {
    "id": _ALERT_ID,
    "conversationId": "01992f3e-7a10-7c31-9d11-0a4f5b6c7d80",
    "patientId": "01992f3e-7a10-7c31-9d11-0a4f5b6c7d81",
    "cause": "risk",
    "level": "high",
    "status": "calling",
    "messageId": "01992f3e-7a10-7c31-9d11-0a4f5b6c7d82",
    "messageSentAt": "2026-03-02T09:00:00Z",
    "raisedAt": _AT,
    "step": "therapist",
    "round": 1,
    "called": [_PERSON],
    "deadline": "2026-03-02T09:05:00.120000Z",
    "acknowledgedBy": None,
    "acknowledgedAt": None,
    "resolvedBy": None,
    "resolvedAt": None,
    "note": None,
    "revision": 1,
}


class HandOverRequest(Request):
    """To whom: one person, or everybody of a step of the chain."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"userId": _PERSON}, {"step": "on_call"}]})

    user_id: UUID | None = None
    step: ChainStep | None = None

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if (self.user_id is None) == (self.step is None):
            raise ValueError("name either a person or a step")
        return self

    def successor(self) -> Successor:
        """The same as the use case takes it."""
        return Successor(UserId(self.user_id) if self.user_id else None, self.step)


class ResolveRequest(Request):
    """How it was dealt with."""

    note: Note


class AlertResponse(Response):
    """An alert. It calls people until somebody acknowledges it, and is over when somebody has resolved it."""

    model_config = ConfigDict(json_schema_extra={"examples": [_ALERT]})

    id: UUID
    conversation_id: UUID
    patient_id: UUID
    cause: AlertCause = Field(description="Whether the model found risk, or a message had no score in time.")
    level: RiskLevel = Field(description="The highest level of its messages; an unscored one counts as moderate.")
    status: AlertStatus
    message_id: UUID = Field(description="The message that raised it.")
    message_sent_at: datetime
    raised_at: datetime
    step: ChainStep = Field(description="Whose turn it is, or was when somebody acknowledged it.")
    round: int = Field(description="Counts its calls from 1.")
    called: list[UUID] = Field(description="Who was called last.")
    deadline: datetime | None = Field(description="When the next ones are called; null once it is acknowledged.")
    acknowledged_by: UUID | None
    acknowledged_at: datetime | None
    resolved_by: UUID | None
    resolved_at: datetime | None
    note: str | None = Field(default=None, description="How it was dealt with; for those who were called, and only here.")
    revision: int

    @classmethod
    def of(cls, alert: Alert, note: str | None = None) -> Self:
        return cls(
            id=alert.alert_id,
            conversation_id=alert.conversation_id,
            patient_id=alert.patient_id,
            cause=alert.cause,
            level=alert.level,
            status=alert.status,
            message_id=alert.message_id,
            message_sent_at=alert.message_sent_at,
            raised_at=alert.raised_at,
            step=alert.step,
            round=alert.round,
            called=list(alert.called),
            deadline=alert.deadline,
            acknowledged_by=alert.acknowledged_by,
            acknowledged_at=alert.acknowledged_at,
            resolved_by=alert.resolved_by,
            resolved_at=alert.resolved_at,
            note=note,
            revision=alert.revision,
        )


class PointResponse(Response):
    """One hop at its time; what does not apply to it is null."""

    hop: Hop
    at: datetime
    milliseconds: float = Field(description="Since the first point of the timeline.")
    message_id: UUID | None
    user_id: UUID | None = Field(description="Who did it, or whom it reached.")
    channel: Channel | None
    level: RiskLevel | None
    step: ChainStep | None
    round: int | None
    called: list[UUID]
    deadline: datetime | None

    @classmethod
    def of(cls, point: Point, begin: datetime) -> Self:
        return cls(
            hop=point.hop,
            at=point.at,
            milliseconds=(point.at - begin).total_seconds() * 1000,
            message_id=point.message_id,
            user_id=point.user_id,
            channel=point.channel,
            level=point.level,
            step=point.step,
            round=point.round,
            called=list(point.called),
            deadline=point.deadline,
        )


class TimelineResponse(Response):
    """Everything that is known of an alert, in order of time."""

    alert_id: UUID
    points: list[PointResponse]
    is_complete: bool = Field(description="False when messages and changes between the first and the latest are left out.")

    @classmethod
    def of(cls, alert_id: UUID, timeline: Timeline) -> Self:
        points = [PointResponse.of(point, timeline.points[0].at) for point in timeline.points]
        return cls(alert_id=alert_id, points=points, is_complete=timeline.is_complete)


def after_alert(cursor: str | None) -> UUID | None:
    """The last alert of the page before."""
    if cursor is None:
        return None
    (alert_id,) = decode_cursor(cursor, UUID)
    return alert_id if isinstance(alert_id, UUID) else None
