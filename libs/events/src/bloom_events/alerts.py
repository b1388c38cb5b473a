"""Events of alerts: a patient may be at risk, and people are called one after the other until one of them answers."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import Field

from bloom_events.event import Event, Revision, UtcTime
from bloom_events.ids import AlertId, ConversationId, MessageId, PatientId, UserId
from bloom_events.risk import RiskLevel
from bloom_events.topics import ALERTS, Topic

People = Annotated[tuple[UserId, ...], Field(max_length=100)]
"""Accounts of people."""


class AlertCause(StrEnum):
    """Why an alert was raised."""

    RISK = "risk"
    """The model found high or critical risk."""
    UNSCORED = "unscored"
    """A message had no score within its deadline, so a person has to read it."""


class ChainStep(StrEnum):
    """Who is called, in this order."""

    THERAPIST = "therapist"
    SUPERVISOR = "supervisor"
    ON_CALL = "on_call"


class AlertEvent(Event):
    """Something that happened to an alert, with its state after that."""

    TOPIC: ClassVar[Topic] = ALERTS
    KEY: ClassVar[str] = "alert_id"

    alert_id: AlertId
    """The alert."""
    revision: Revision
    """Counts the alert's changes from 1."""
    conversation_id: ConversationId
    """The conversation; it has at most one open alert."""
    patient_id: PatientId
    """The patient whom it is about."""
    level: RiskLevel
    """The highest level of its messages so far; an unscored message counts as moderate."""
    notify: People
    """Everybody called so far, who are told of this change."""


class CallingEvent(AlertEvent):
    """People are called and have until the deadline."""

    step: ChainStep
    """Whose turn it is."""
    called: People
    """Who is called now."""
    deadline: UtcTime
    """When the next ones are called if nobody acknowledges."""


class AlertRaised(CallingEvent):
    """A conversation has an open alert from now on."""

    TYPE: ClassVar[str] = "alert.raised.v1"

    cause: AlertCause
    """Why."""
    message_id: MessageId
    """The message that raised it."""
    message_sent_at: UtcTime
    """When the server took that message."""
    raised_at: UtcTime
    """When the alert was raised."""


class AlertExtended(AlertEvent):
    """Another message belongs to the open alert; the level may have risen, the deadline come nearer."""

    TYPE: ClassVar[str] = "alert.extended.v1"

    cause: AlertCause
    """Why the message belongs to it."""
    message_id: MessageId
    """The message."""
    deadline: UtcTime | None
    """When the next ones are called; none once it is acknowledged."""
    extended_at: UtcTime
    """When."""


class AlertEscalated(CallingEvent):
    """Nobody acknowledged in time: the next ones are called, or the last ones again."""

    TYPE: ClassVar[str] = "alert.escalated.v1"

    round: Annotated[int, Field(ge=1)]
    """Counts the calls of this alert: 1 was the first, so that the first escalation is 2."""
    escalated_at: UtcTime
    """When."""


class AlertAcknowledged(AlertEvent):
    """A person answered: nobody else is called."""

    TYPE: ClassVar[str] = "alert.acknowledged.v1"

    acknowledged_by: UserId
    """Who."""
    acknowledged_at: UtcTime
    """When."""
    message_sent_at: UtcTime | None = None
    """When the server took the message that raised the alert; none from writers that did not tell it yet."""


class AlertHandedOver(CallingEvent):
    """Whoever acknowledged it asks somebody else to answer."""

    TYPE: ClassVar[str] = "alert.handed-over.v1"

    handed_over_by: UserId
    """Who asks."""
    handed_over_at: UtcTime
    """When."""


class AlertResolved(AlertEvent):
    """A person dealt with it; the note stays with the alert."""

    TYPE: ClassVar[str] = "alert.resolved.v1"

    resolved_by: UserId
    """Who."""
    resolved_at: UtcTime
    """When."""


EVENTS: tuple[type[Event], ...] = (AlertRaised, AlertExtended, AlertEscalated, AlertAcknowledged, AlertHandedOver, AlertResolved)
