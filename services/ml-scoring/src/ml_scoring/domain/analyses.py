"""The analysis of a message: what was found about its newest revision, and what everybody else is told of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from bloom_events.auth import Role
from bloom_events.envelope import Envelope
from bloom_events.ids import AnalysisId, ConversationId, MessageId, PatientId, UserId, new_id
from bloom_events.messaging import MessageDeleted, MessageEdited, MessageEvent, MessageSent
from bloom_events.risk import Probabilities, RiskEvent, RiskScored, RiskWithdrawn
from ml_scoring.domain.scores import Score
from service_kit.errors import NotFound


class AnalysisNotFound(NotFound):
    """There is no such analysis for this caller."""

    slug, status, title = "analysis-not-found", 404, "There is no such analysis"


_MOMENTS: Mapping[type[MessageEvent], str] = {MessageSent: "sent_at", MessageEdited: "edited_at", MessageDeleted: "deleted_at"}


class State(StrEnum):
    """What is known of a message."""

    SCORED = "scored"
    WITHDRAWN = "withdrawn"
    """Its author deleted it."""
    UNREADABLE = "unreadable"
    """Nobody can read it, or no model of this kind can say anything about it; a person has to look."""


KEY_DESTROYED = "key-destroyed"
"""Why a message is unreadable whose conversation's keys are gone for good."""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Why there is no score and will never be one: `KEY_DESTROYED`, or the slug of what the model said."""

    reason: str


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """The message was deleted."""


Found = Score | Unreadable | Withdrawn


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found about one change of a message; `received_at` is when it had been read from Kafka."""

    cause: Envelope[MessageEvent]
    found: Found
    received_at: datetime
    finished_at: datetime
    traceparent: str | None = None

    @property
    def change(self) -> MessageEvent:
        return self.cause.data


class Known(NamedTuple):
    """As much of a stored analysis as decides what may change it."""

    analysis_id: AnalysisId
    revision: int


@dataclass(frozen=True, slots=True)
class Analysis:
    """The newest state of a message's analysis; `score` is there exactly when it is scored."""

    analysis_id: AnalysisId
    message_id: MessageId
    conversation_id: ConversationId
    patient_id: PatientId
    author_id: UserId
    author_role: Role
    sequence: int
    revision: int
    state: State
    reason: str | None
    score: Score | None
    changed_at: datetime
    received_at: datetime
    finished_at: datetime

    @classmethod
    def after(cls, finding: Finding, analysis_id: AnalysisId) -> tuple[Analysis, RiskEvent | None]:
        """The analysis after a change of its message, and what is told of it; an unreadable message is nobody's news.

        Whoever waits for its score hears nothing then, and calls a person when the time is over.
        """
        change, found = finding.change, finding.found
        analysis = cls(
            analysis_id=analysis_id,
            message_id=change.message_id,
            conversation_id=change.conversation_id,
            patient_id=change.patient_id,
            author_id=change.author_id,
            author_role=change.author_role,
            sequence=change.sequence,
            revision=change.revision,
            state=_state_of(found),
            reason=found.reason if isinstance(found, Unreadable) else None,
            score=found if isinstance(found, Score) else None,
            changed_at=changed_at(change),
            received_at=finding.received_at,
            finished_at=finding.finished_at,
        )
        return analysis, _event_of(analysis, change)


@dataclass(frozen=True, slots=True)
class Advance:
    """What a batch of findings comes to: the last state of each message, and what is told, in order."""

    analyses: Sequence[Analysis]
    told: Sequence[tuple[Finding, RiskEvent]]


def advance(known: Mapping[MessageId, Known], findings: Iterable[Finding]) -> Advance:
    """Take the findings in their order; one about a revision that is not newer than what is known changes nothing.

    Each newer revision is told even when a later one of the same batch replaces it at once: what was written for a moment
    only may still be a cry for help.
    """
    newest = dict(known)
    analyses: dict[MessageId, Analysis] = {}
    told: list[tuple[Finding, RiskEvent]] = []
    for finding in findings:
        message_id, revision = finding.change.message_id, finding.change.revision
        before = newest.get(message_id)
        if before is not None and before.revision >= revision:
            continue
        analysis_id = before.analysis_id if before else AnalysisId(new_id())
        newest[message_id] = Known(analysis_id, revision)
        analyses[message_id], event = Analysis.after(finding, analysis_id)
        if event is not None:
            told.append((finding, event))
    return Advance(tuple(analyses.values()), told)


def changed_at(change: MessageEvent) -> datetime:
    """When the server took this change of the message."""
    # By the exact class: asking a class of pydantic's for its instances costs a microsecond each.
    moment: datetime = getattr(change, _MOMENTS[type(change)])
    return moment


def _state_of(found: Found) -> State:
    match found:
        case Score():
            return State.SCORED
        case Unreadable():
            return State.UNREADABLE
        case Withdrawn():
            return State.WITHDRAWN


def _event_of(analysis: Analysis, change: MessageEvent) -> RiskEvent | None:
    about = {
        "conversation_id": change.conversation_id,
        "message_id": change.message_id,
        "sequence": change.sequence,
        "revision": change.revision,
        "patient_id": change.patient_id,
        "author_id": change.author_id,
        "author_role": change.author_role,
        "therapist_ids": change.therapist_ids,
    }
    if analysis.state is State.WITHDRAWN:
        return RiskWithdrawn(**about, withdrawn_at=analysis.changed_at)
    if analysis.score is None:
        return None
    score, model = analysis.score, analysis.score.model
    return RiskScored(
        **about,
        analysis_id=analysis.analysis_id,
        label=score.label,
        probabilities=Probabilities.by_label(score.probabilities),
        level=score.level,
        model_name=model.name,
        model_version=model.version,
        model_hash=model.model_hash,
        tokenizer_hash=model.tokenizer_hash,
        windows=score.windows,
        message_sent_at=analysis.changed_at,
        received_at=analysis.received_at,
        scored_at=analysis.finished_at,
        model_milliseconds=score.milliseconds,
    )
