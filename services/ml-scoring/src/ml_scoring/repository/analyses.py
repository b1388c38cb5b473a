"""Rows of analyses: one per message, of its newest revision."""

from __future__ import annotations

from collections.abc import Sequence
from types import MappingProxyType
from typing import Any
from uuid import UUID

from asyncpg import Record

from bloom_events.auth import Role
from bloom_events.ids import AnalysisId, ConversationId, MessageId, PatientId, UserId
from bloom_events.risk import RiskLabel, RiskLevel
from ml_scoring.domain.analyses import Analysis, AnalysisNotFound, Known, State
from ml_scoring.domain.models import ModelIdentity, Thresholds
from ml_scoring.domain.readers import MemberReader
from ml_scoring.domain.scores import Score
from service_kit.database import Connection

_LOCK = "select message_id, id, revision from analyses where message_id = any($1::uuid[]) order by message_id for update"

# One statement for a batch; a row that became newer in the meantime is left alone and missing from what comes back.
_SAVE = """
    insert into analyses as a (id, message_id, conversation_id, patient_id, author_id, author_role, sequence, revision, state,
        reason, label, anxiety, bipolar, depression, normal, personality_disorder, stress, suicidal, level, windows, model_name,
        model_version, model_seal, model_hash, tokenizer_hash, threshold_moderate, threshold_high, threshold_critical,
        model_milliseconds, changed_at, received_at, finished_at)
    select * from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::uuid[], $6::text[], $7::bigint[], $8::int[],
        $9::text[], $10::text[], $11::text[], $12::float8[], $13::float8[], $14::float8[], $15::float8[], $16::float8[],
        $17::float8[], $18::float8[], $19::text[], $20::int[], $21::text[], $22::text[], $23::text[], $24::text[], $25::text[],
        $26::float8[], $27::float8[], $28::float8[], $29::float8[], $30::timestamptz[], $31::timestamptz[], $32::timestamptz[])
    on conflict (tenant_id, message_id) do update set
        sequence = excluded.sequence, revision = excluded.revision, state = excluded.state, reason = excluded.reason,
        label = excluded.label, anxiety = excluded.anxiety, bipolar = excluded.bipolar, depression = excluded.depression,
        normal = excluded.normal, personality_disorder = excluded.personality_disorder, stress = excluded.stress,
        suicidal = excluded.suicidal, level = excluded.level, windows = excluded.windows, model_name = excluded.model_name,
        model_version = excluded.model_version, model_seal = excluded.model_seal, model_hash = excluded.model_hash,
        tokenizer_hash = excluded.tokenizer_hash, threshold_moderate = excluded.threshold_moderate,
        threshold_high = excluded.threshold_high, threshold_critical = excluded.threshold_critical,
        model_milliseconds = excluded.model_milliseconds, changed_at = excluded.changed_at, received_at = excluded.received_at,
        finished_at = excluded.finished_at
    where a.revision < excluded.revision and a.id = excluded.id
    returning 1
"""
_OF_MESSAGE = """
    select a.* from analyses a where a.message_id = $1 and exists (
        select from conversation_members m
        where m.conversation_id = a.conversation_id and m.member_id = $2 and m.is_member)
"""
_MAY_READ = """
    select exists (select from conversation_members m where m.conversation_id = $1 and m.member_id = $2 and m.is_member)
"""
_OF_CONVERSATION = """
    select * from analyses a where a.conversation_id = $1 and ($2::bigint is null or a.sequence < $2)
    order by a.sequence desc limit $3
"""


class AnalysisRepository:
    """Reads and writes analyses within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def lock(self, message_ids: Sequence[MessageId]) -> dict[MessageId, Known]:
        """What is known of these messages, locked; those without a row are not."""
        rows = await self._connection.fetch(_LOCK, message_ids)
        return {MessageId(row["message_id"]): Known(AnalysisId(row["id"]), row["revision"]) for row in rows}

    async def save(self, analyses: Sequence[Analysis]) -> int:
        """Write the newest states, one per message; gives how many were written, fewer when others were faster."""
        rows = [_row_of(analysis) for analysis in analyses]
        return len(await self._connection.fetch(_SAVE, *map(list, zip(*rows, strict=True))))

    async def get(self, message_id: UUID, reader: MemberReader) -> Analysis:
        """The analysis of a message in a conversation of the reader's."""
        row = await self._connection.fetchrow(_OF_MESSAGE, message_id, reader.member_id)
        if row is None:
            raise AnalysisNotFound
        return _analysis(row)

    async def list_of(self, conversation_id: UUID, reader: MemberReader, *, before: int | None, limit: int) -> list[Analysis]:
        """Analyses of one of the reader's conversations, the newest first; for any other it is as if there were none such."""
        if not await self._connection.fetchval(_MAY_READ, conversation_id, reader.member_id):
            raise AnalysisNotFound
        return [_analysis(row) for row in await self._connection.fetch(_OF_CONVERSATION, conversation_id, before, limit)]


def _row_of(analysis: Analysis) -> tuple[Any, ...]:
    about = (
        analysis.analysis_id,
        analysis.message_id,
        analysis.conversation_id,
        analysis.patient_id,
        analysis.author_id,
        analysis.author_role,
        analysis.sequence,
        analysis.revision,
        analysis.state,
        analysis.reason,
    )
    return (*about, *_score_of(analysis.score), analysis.changed_at, analysis.received_at, analysis.finished_at)


_NOTHING = (None,) * 19


def _score_of(score: Score | None) -> tuple[Any, ...]:
    if score is None:
        return _NOTHING
    model, thresholds = score.model, score.model.thresholds
    return (
        score.label,
        *(score.probabilities[label] for label in RiskLabel),
        score.level,
        score.windows,
        model.name,
        model.version,
        model.seal,
        model.model_hash,
        model.tokenizer_hash,
        thresholds.moderate,
        thresholds.high,
        thresholds.critical,
        score.milliseconds,
    )


def _analysis(row: Record) -> Analysis:
    return Analysis(
        analysis_id=AnalysisId(row["id"]),
        message_id=MessageId(row["message_id"]),
        conversation_id=ConversationId(row["conversation_id"]),
        patient_id=PatientId(row["patient_id"]),
        author_id=UserId(row["author_id"]),
        author_role=Role(row["author_role"]),
        sequence=row["sequence"],
        revision=row["revision"],
        state=State(row["state"]),
        reason=row["reason"],
        score=_score(row) if row["label"] is not None else None,
        changed_at=row["changed_at"],
        received_at=row["received_at"],
        finished_at=row["finished_at"],
    )


def _score(row: Record) -> Score:
    thresholds = Thresholds(row["threshold_moderate"], row["threshold_high"], row["threshold_critical"])
    model = ModelIdentity(
        row["model_name"], row["model_version"], row["model_hash"], row["tokenizer_hash"], row["model_seal"], thresholds
    )
    return Score(
        label=RiskLabel(row["label"]),
        probabilities=MappingProxyType({label: row[label.name.lower()] for label in RiskLabel}),
        level=RiskLevel(row["level"]),
        windows=row["windows"],
        milliseconds=row["model_milliseconds"],
        model=model,
    )
