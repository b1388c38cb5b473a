"""Events of ml-scoring: what the model says about a message. A triage aid under human review, never a diagnosis."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from bloom_events.auth import Role
from bloom_events.event import Event, Milliseconds, PlainText, Probability, Revision, Sequence, UtcTime
from bloom_events.ids import AnalysisId, ConversationId, MessageId, PatientId, UserId
from bloom_events.messaging import Therapists
from bloom_events.topics import RISK_SCORES, Topic

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
"""A content hash in hexadecimal digits."""


class RiskLabel(StrEnum):
    """The classes that a text is sorted into."""

    ANXIETY = "Anxiety"
    BIPOLAR = "Bipolar"
    DEPRESSION = "Depression"
    NORMAL = "Normal"
    PERSONALITY_DISORDER = "Personality disorder"
    STRESS = "Stress"
    SUICIDAL = "Suicidal"


class RiskLevel(StrEnum):
    """How urgent a text is, by the thresholds that come with the model; from high on a person is called."""

    LOW = "low"
    MODERATE = "moderate"
    HIGH = "high"
    CRITICAL = "critical"


class Probabilities(BaseModel):
    """The probability of each class; together they are 1, but for rounding."""

    model_config = ConfigDict(frozen=True, extra="ignore", use_attribute_docstrings=True)

    anxiety: Probability
    """Of `Anxiety`."""
    bipolar: Probability
    """Of `Bipolar`."""
    depression: Probability
    """Of `Depression`."""
    normal: Probability
    """Of `Normal`."""
    personality_disorder: Probability
    """Of `Personality disorder`."""
    stress: Probability
    """Of `Stress`."""
    suicidal: Probability
    """Of `Suicidal`."""

    @classmethod
    def by_label(cls, found: Mapping[RiskLabel, float]) -> Self:
        """The same from a mapping of labels; raises KeyError when one of the seven is missing."""
        return cls(**{field: found[label] for label, field in _FIELDS.items()})


_FIELDS = {label: label.name.lower() for label in RiskLabel}


class RiskEvent(Event):
    """Something that the scorer found out about a message; the events of one conversation keep their order."""

    TOPIC: ClassVar[Topic] = RISK_SCORES
    KEY: ClassVar[str] = "conversation_id"

    conversation_id: ConversationId
    """The conversation."""
    message_id: MessageId
    """The message."""
    sequence: Sequence
    """The place in the conversation of the change that was scored or withdrawn."""
    revision: Revision
    """The revision of the message that this speaks of; a lower one than already seen is late."""
    patient_id: PatientId
    """The patient whom the conversation is about."""
    author_id: UserId
    """Who wrote the message."""
    author_role: Role
    """The role of the author's account; only what patients write calls anybody."""
    therapist_ids: Therapists
    """The therapists who took part in the conversation when the message was written."""


class RiskScored(RiskEvent):
    """The model scored a message; an edited message is scored again under the same analysis id."""

    TYPE: ClassVar[str] = "risk.scored.v1"

    analysis_id: AnalysisId
    """The stored analysis of the message."""
    label: RiskLabel
    """The most probable class."""
    probabilities: Probabilities
    """The probability of each class, of the window with the highest risk."""
    level: RiskLevel
    """How urgent the message is."""
    model_name: PlainText
    """Which model."""
    model_version: PlainText
    """Which version of it."""
    model_hash: Sha256
    """Hash of the model's weights."""
    tokenizer_hash: Sha256
    """Hash of its tokenizer."""
    windows: Annotated[int, Field(ge=1)]
    """Into how many windows the text was cut; the risk is the highest of them."""
    message_sent_at: UtcTime
    """When the server took the message, or its edit."""
    received_at: UtcTime
    """When the scorer had read it from Kafka."""
    scored_at: UtcTime
    """When the score was there."""
    model_milliseconds: Milliseconds
    """How long the model alone took."""


class RiskWithdrawn(RiskEvent):
    """The message was deleted, so its score counts no longer."""

    TYPE: ClassVar[str] = "risk.withdrawn.v1"

    withdrawn_at: UtcTime
    """When that was."""


EVENTS: tuple[type[Event], ...] = (RiskScored, RiskWithdrawn)
