"""What the socket processes are told: how a person stands, what has happened since a look, what to say of an alert."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from bloom_events.alerts import ChainStep
from bloom_events.ids import AlertId, ConversationId, PatientId
from bloom_events.risk import RiskLevel
from messaging.domain.alerts import AlertStanding, Origin


@dataclass(frozen=True, slots=True)
class Standing:
    """Whether somebody may be connected, and the place of the latest change of each conversation in which they take part."""

    is_ended: bool
    is_suspended: bool
    conversations: Mapping[UUID, int]


@dataclass(slots=True)
class Found:
    """What happened since a look, up to `snapshot`, from where the next one goes on."""

    snapshot: int
    conversations: dict[UUID, int] = field(default_factory=dict)
    members: list[tuple[UUID, UUID]] = field(default_factory=list)
    alerts: list[tuple[UUID, UUID]] = field(default_factory=list)
    sessions: list[UUID] = field(default_factory=list)
    suspended: list[UUID] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class AlertPush:
    """An alert as one person is told of it."""

    alert_id: AlertId
    user_id: UUID
    conversation_id: ConversationId
    patient_id: PatientId
    state: AlertStanding
    level: RiskLevel
    step: ChainStep | None
    deadline: datetime | None
    revision: int
    changed_at: datetime
    is_pushed: bool
    origin: Origin | None
