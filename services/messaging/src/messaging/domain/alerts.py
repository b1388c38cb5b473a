"""An alert as the people who are called see it: each event is the whole state that they are told."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from bloom_events.alerts import (
    AlertAcknowledged,
    AlertEscalated,
    AlertEvent,
    AlertExtended,
    AlertHandedOver,
    AlertRaised,
    AlertResolved,
    CallingEvent,
    ChainStep,
)
from bloom_events.ids import AlertId, ConversationId, EventId, PatientId, UserId
from bloom_events.risk import RiskLevel
from service_kit.errors import Problem


class NotCalledToAlert(Problem):
    """No such alert, or one of which the caller is not told: the answer is the same."""

    slug, status, title = "not-called-to-alert", 404, "There is no such alert for this person"


class AlertStanding(StrEnum):
    """What happened to an alert last."""

    RAISED = "raised"
    EXTENDED = "extended"
    ESCALATED = "escalated"
    ACKNOWLEDGED = "acknowledged"
    HANDED_OVER = "handed-over"
    RESOLVED = "resolved"


_STANDINGS: dict[type[AlertEvent], AlertStanding] = {
    AlertRaised: AlertStanding.RAISED,
    AlertExtended: AlertStanding.EXTENDED,
    AlertEscalated: AlertStanding.ESCALATED,
    AlertAcknowledged: AlertStanding.ACKNOWLEDGED,
    AlertHandedOver: AlertStanding.HANDED_OVER,
    AlertResolved: AlertStanding.RESOLVED,
}


@dataclass(frozen=True, slots=True)
class Origin:
    """The event that changed an alert, and what that belongs to."""

    correlation_id: UUID
    causation_id: EventId
    traceparent: str | None


@dataclass(frozen=True, slots=True)
class AlertState:
    """The state of an alert and who is told of it. `step` is None where the event does not name whose turn it is."""

    alert_id: AlertId
    revision: int
    conversation_id: ConversationId
    patient_id: PatientId
    state: AlertStanding
    level: RiskLevel
    step: ChainStep | None
    deadline: datetime | None
    notify: tuple[UserId, ...]
    changed_at: datetime

    @classmethod
    def of(cls, event: AlertEvent, changed_at: datetime) -> AlertState:
        return cls(
            alert_id=event.alert_id,
            revision=event.revision,
            conversation_id=event.conversation_id,
            patient_id=event.patient_id,
            state=_STANDINGS[type(event)],
            level=event.level,
            step=event.step if isinstance(event, CallingEvent) else None,
            deadline=event.deadline if isinstance(event, CallingEvent | AlertExtended) else None,
            notify=event.notify,
            changed_at=changed_at,
        )
