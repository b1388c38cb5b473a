"""The life of an alert: raised, extended, escalated until somebody acknowledges it, handed over, resolved.

Each transition returns the new state, its event, and whom to call for it; what makes no sense is refused.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from bloom_events.alerts import (
    AlertAcknowledged,
    AlertCause,
    AlertEscalated,
    AlertEvent,
    AlertExtended,
    AlertHandedOver,
    AlertRaised,
    AlertResolved,
    ChainStep,
)
from bloom_events.ids import AlertId, ConversationId, MessageId, PatientId, UserId
from bloom_events.risk import RiskLevel
from notifications.domain.calls import Call, CallReason
from notifications.domain.chain import Chain, Roster, Turn
from notifications.domain.levels import is_worse
from notifications.domain.outcomes import (
    AlertAlreadyAcknowledged,
    AlertAlreadyResolved,
    AlertNotAcknowledged,
    NobodyToHandOverTo,
)

MAX_TOLD = 100
"""The most people that an event can name."""


class AlertStatus(StrEnum):
    """Where an alert stands. It is open until it is resolved."""

    CALLING = "calling"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True)
class Finding:
    """A message that a person has to look at: the model found risk in it, or nothing has scored it in time."""

    cause: AlertCause
    level: RiskLevel
    conversation_id: ConversationId
    patient_id: PatientId
    message_id: MessageId
    written_at: datetime
    therapists: tuple[UserId, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """What a call is planned by: the practice's chain, and who of it can be called now."""

    chain: Chain
    roster: Roster


@dataclass(frozen=True, slots=True)
class Change:
    """What a transition came to; `call` is None when nobody has to be called for it."""

    alert: Alert
    event: AlertEvent
    call: Call | None = None


@dataclass(frozen=True, slots=True)
class Alert:
    """An alert. `called` are the people whose turn it is, `told` everybody who was called or has answered so far.

    `round` counts its calls from 1, `lap` the passes through the chain. It has a deadline while it calls, and only then.
    """

    alert_id: AlertId
    conversation_id: ConversationId
    patient_id: PatientId
    cause: AlertCause
    message_id: MessageId
    message_sent_at: datetime
    raised_at: datetime
    level: RiskLevel
    therapists: tuple[UserId, ...]
    step: ChainStep
    called: tuple[UserId, ...]
    told: tuple[UserId, ...]
    deadline: datetime | None
    round: int = 1
    lap: int = 1
    revision: int = 1
    status: AlertStatus = AlertStatus.CALLING
    acknowledged_by: UserId | None = None
    acknowledged_at: datetime | None = None
    resolved_by: UserId | None = None
    resolved_at: datetime | None = None

    @classmethod
    def raised(cls, alert_id: AlertId, finding: Finding, plan: Plan, now: datetime) -> Change:
        """Open the alert of a conversation that has none, and call the first step."""
        turn = plan.roster.first()
        alert = cls(
            alert_id=alert_id,
            conversation_id=finding.conversation_id,
            patient_id=finding.patient_id,
            cause=finding.cause,
            message_id=finding.message_id,
            message_sent_at=finding.written_at,
            raised_at=now,
            level=finding.level,
            therapists=finding.therapists,
            step=turn.step,
            called=turn.called,
            told=turn.called,
            deadline=plan.chain.deadlines[turn.step].after(now, finding.level),
        )
        message = {"cause": alert.cause, "message_id": alert.message_id, "message_sent_at": alert.message_sent_at}
        event = AlertRaised(**_facts(alert), **_calling(alert), **message, raised_at=now)
        return Change(alert, event, _call(alert, CallReason.RAISED))

    def extended(self, finding: Finding, chain: Chain, now: datetime, *, is_late_score: bool = False) -> Change:
        """Take a further message in. The level only rises; when it does, less time is left and those in charge are told anew.

        Not for the late score of a message that they were called to read already: nobody is called twice for one message.
        """
        self._must_be_open()
        rises = is_worse(finding.level, self.level)
        level = finding.level if rises else self.level
        deadline = self.deadline
        if deadline is not None and rises:
            deadline = min(deadline, chain.deadlines[self.step].after(now, level))
        therapists = finding.therapists or self.therapists
        alert = self._next(level=level, deadline=deadline, therapists=therapists)
        message = {"cause": finding.cause, "message_id": finding.message_id}
        event = AlertExtended(**_facts(alert), **message, deadline=deadline, extended_at=now)
        return Change(alert, event, _call(alert, CallReason.LEVEL_RAISED) if rises and not is_late_score else None)

    def is_due(self, now: datetime) -> bool:
        """Whether nobody has answered in time."""
        return self.deadline is not None and self.deadline <= now

    def escalated(self, plan: Plan, now: datetime) -> Change:
        """Call the next ones; raises ValueError while somebody may still answer in time."""
        if not self.is_due(now):
            raise ValueError("this alert is not due")
        turn = plan.roster.after(self.step, self.lap)
        alert = _calling_next(self, turn, plan.chain, now)
        event = AlertEscalated(**_facts(alert), **_calling(alert), round=alert.round, escalated_at=now)
        return Change(alert, event, _call(alert, CallReason.ESCALATED))

    def acknowledged(self, by: UserId, now: datetime) -> Change | None:
        """Somebody answers, so nobody else is called; None when the same person has done so already."""
        self._must_be_open()
        if self.status is AlertStatus.ACKNOWLEDGED:
            if self.acknowledged_by == by:
                return None
            raise AlertAlreadyAcknowledged
        answered = {"status": AlertStatus.ACKNOWLEDGED, "acknowledged_by": by, "acknowledged_at": now}
        alert = self._next(**answered, deadline=None, told=_told(self.told, (by,)))
        event = AlertAcknowledged(**_facts(alert), acknowledged_by=by, acknowledged_at=now, message_sent_at=self.message_sent_at)
        return Change(alert, event)

    def handed_over(self, by: UserId, step: ChainStep, people: tuple[UserId, ...], chain: Chain, now: datetime) -> Change:
        """Whoever has it asks others to answer; they are called like at an escalation, and so are those after them."""
        self._must_be_acknowledged()
        others = tuple(user_id for user_id in people if user_id != by)
        if not others:
            raise NobodyToHandOverTo
        free = replace(self, status=AlertStatus.CALLING, acknowledged_by=None, acknowledged_at=None, told=_told(self.told, (by,)))
        alert = _calling_next(free, Turn(step, self.lap, others), chain, now)
        event = AlertHandedOver(**_facts(alert), **_calling(alert), handed_over_by=by, handed_over_at=now)
        return Change(alert, event, _call(alert, CallReason.HANDED_OVER))

    def resolved(self, by: UserId, now: datetime) -> Change:
        """Somebody has dealt with it; a further message raises another alert."""
        self._must_be_acknowledged()
        alert = self._next(status=AlertStatus.RESOLVED, resolved_by=by, resolved_at=now, told=_told(self.told, (by,)))
        return Change(alert, AlertResolved(**_facts(alert), resolved_by=by, resolved_at=now))

    def _must_be_open(self) -> None:
        if self.status is AlertStatus.RESOLVED:
            raise AlertAlreadyResolved

    def _must_be_acknowledged(self) -> None:
        self._must_be_open()
        if self.status is not AlertStatus.ACKNOWLEDGED:
            raise AlertNotAcknowledged

    def _next(self, **changes: Any) -> Alert:  # Any: the fields of this class
        return replace(self, revision=self.revision + 1, **changes)


def _calling_next(alert: Alert, turn: Turn, chain: Chain, now: datetime) -> Alert:
    return replace(
        alert,
        revision=alert.revision + 1,
        round=alert.round + 1,
        lap=turn.lap,
        step=turn.step,
        called=turn.called,
        told=_told(alert.told, turn.called),
        deadline=chain.deadlines[turn.step].after(now, alert.level),
    )


def _call(alert: Alert, reason: CallReason) -> Call | None:
    """Those whose turn it is are called, or whoever has the alert in hand."""
    people = alert.called if alert.acknowledged_by is None else (alert.acknowledged_by,)
    if not people:
        return None
    return Call(alert.alert_id, reason, alert.round, alert.step, alert.level, people, alert.deadline)


def _facts(alert: Alert) -> dict[str, Any]:  # Any: what every event of an alert carries
    return {
        "alert_id": alert.alert_id,
        "revision": alert.revision,
        "conversation_id": alert.conversation_id,
        "patient_id": alert.patient_id,
        "level": alert.level,
        "notify": alert.told,
    }


def _calling(alert: Alert) -> dict[str, Any]:  # Any: what every event that calls somebody carries
    return {"step": alert.step, "called": alert.called, "deadline": alert.deadline}


def _told(before: tuple[UserId, ...], more: tuple[UserId, ...]) -> tuple[UserId, ...]:
    """Everybody once; of more people than an event can name the latest stay."""
    return tuple(dict.fromkeys((*(user_id for user_id in before if user_id not in more), *more)))[-MAX_TOLD:]
