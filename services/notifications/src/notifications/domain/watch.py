"""What is known of a patient's messages: what was written, whether it has a score, and until when it may wait for one.

Messages and scores come on two topics, in any order to each other; each change of a message has facts of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TypeAlias

from bloom_events.alerts import AlertCause
from bloom_events.ids import ConversationId, MessageId, PatientId, UserId
from bloom_events.risk import RiskLevel
from notifications.domain.alerts import Finding
from notifications.domain.levels import CALLING_LEVELS, UNSCORED_LEVEL, is_worse, worst


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a message may wait for its score, and how much longer while scores are still being read."""

    deadline: timedelta = timedelta(seconds=5)
    catching_up: timedelta = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class Score:
    """What the scorer found in one change of a message, and when."""

    level: RiskLevel
    received_at: datetime
    scored_at: datetime


ChangeKey: TypeAlias = tuple[MessageId, int]
"""A message and the number of its change."""


@dataclass(frozen=True, slots=True)
class WatchedMessage:
    """One change of a message. `due_at` is when a person has to read it; None once it has a score or a person was called.

    `committed_at` is the time of its event, which the transaction that saved the message wrote; `heard_at` is when we read it.
    """

    message_id: MessageId
    revision: int
    conversation_id: ConversationId
    patient_id: PatientId
    therapists: tuple[UserId, ...]
    written_at: datetime
    committed_at: datetime | None = None
    heard_at: datetime | None = None
    due_at: datetime | None = None
    score: Score | None = None
    unscored_at: datetime | None = None

    @property
    def key(self) -> ChangeKey:
        return self.message_id, self.revision

    def heard(self, *, committed_at: datetime, patience: Patience, now: datetime) -> WatchedMessage:
        """The message itself has come; it waits for a score unless that was quicker.

        The deadline counts from when we could know of it: after a pause everything would be late at once.
        """
        due_at = max(self.written_at, now) + patience.deadline if self.score is None else None
        return replace(self, committed_at=committed_at, heard_at=now, due_at=due_at)

    def scored(self, score: Score) -> WatchedMessage:
        """Its score has come. Of several, by more than one version of the model, the worst one stays."""
        if self.score is not None and not is_worse(score.level, self.score.level):
            return replace(self, due_at=None)
        return replace(self, score=score, due_at=None)

    def given_up(self, now: datetime) -> WatchedMessage:
        """No score came in time."""
        return replace(self, due_at=None, unscored_at=now)

    def no_longer_awaited(self) -> WatchedMessage:
        """A later change of the message was scored, so this one needs no score any more."""
        return replace(self, due_at=None)

    def finding(self, cause: AlertCause) -> Finding:
        """The reason to call somebody about this message."""
        level = self.score.level if self.score and cause is AlertCause.RISK else UNSCORED_LEVEL
        return Finding(
            cause=cause,
            level=level,
            conversation_id=self.conversation_id,
            patient_id=self.patient_id,
            message_id=self.message_id,
            written_at=self.written_at,
            therapists=self.therapists,
        )


def calls_for_people(level: RiskLevel, revision: int, known: Sequence[WatchedMessage]) -> bool:
    """Whether a score has to raise or extend an alert: it is high enough, and nothing as bad is known of that text or a later.

    A score that comes late still counts: what was written was written.
    """
    if level not in CALLING_LEVELS:
        return False
    before = worst(each.score.level for each in known if each.score and each.revision >= revision)
    return is_worse(level, before)


def is_still_unscored(message: WatchedMessage, known: Sequence[WatchedMessage]) -> bool:
    """Whether neither this change of the message nor a later one has a score."""
    return not any(each.score and each.revision >= message.revision for each in known)
