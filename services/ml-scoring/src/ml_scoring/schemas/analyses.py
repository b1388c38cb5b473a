"""Bodies of analyses."""

from __future__ import annotations

from datetime import datetime
from typing import Self
from uuid import UUID

from pydantic import ConfigDict, Field
from pydantic.config import JsonDict

from bloom_events.auth import Role
from ml_scoring.domain.analyses import Analysis, State
from ml_scoring.schemas.fields import Response
from ml_scoring.schemas.predictions import PREDICTION, PredictionResponse
from service_kit.pagination import decode_cursor

_ID = "0195a000-0000-7000-8000-000000000001"
_ANALYSIS: JsonDict = {
    "id": _ID,
    "messageId": _ID,
    "conversationId": _ID,
    "patientId": _ID,
    "authorId": _ID,
    "authorRole": "PATIENT",
    "sequence": 12,
    "revision": 1,
    "status": "scored",
    "reason": None,
    "prediction": PREDICTION,
    "messageAt": "2026-03-02T09:00:00Z",
    "analysedAt": "2026-03-02T09:00:00.045Z",
}


class AnalysisResponse(Response):
    """What is known of a message, in its newest revision. One without an analysis is on its way, or waits for its key."""

    model_config = ConfigDict(json_schema_extra={"examples": [_ANALYSIS]})

    id: UUID
    message_id: UUID
    conversation_id: UUID
    patient_id: UUID
    author_id: UUID
    author_role: Role
    sequence: int = Field(description="The place of the message's newest change in the conversation.")
    revision: int = Field(description="Counts the changes of the message.")
    status: State = Field(description="`withdrawn`: the message was deleted. `unreadable`: it has no score and will have none.")
    reason: str | None = Field(description="Why it is unreadable, such as `key-destroyed` or `text-not-readable`.")
    prediction: PredictionResponse | None = Field(description="Null unless the message is scored.")
    message_at: datetime = Field(description="When the message, or its newest change, was taken.")
    analysed_at: datetime

    @classmethod
    def of(cls, analysis: Analysis) -> Self:
        return cls(
            id=analysis.analysis_id,
            message_id=analysis.message_id,
            conversation_id=analysis.conversation_id,
            patient_id=analysis.patient_id,
            author_id=analysis.author_id,
            author_role=analysis.author_role,
            sequence=analysis.sequence,
            revision=analysis.revision,
            status=analysis.state,
            reason=analysis.reason,
            prediction=PredictionResponse.of(analysis.score) if analysis.score else None,
            message_at=analysis.changed_at,
            analysed_at=analysis.finished_at,
        )


def before_sequence(cursor: str | None) -> int | None:
    """The place below which the next page begins; raises InvalidCursor for what could not be one of ours."""
    if cursor is None:
        return None
    (sequence,) = decode_cursor(cursor, int)
    return sequence if isinstance(sequence, int) else None
