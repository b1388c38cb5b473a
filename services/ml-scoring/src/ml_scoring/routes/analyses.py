"""Routes that show analyses to the therapists of a conversation."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from ml_scoring.dependencies import Reader, Uow
from ml_scoring.domain.analyses import AnalysisNotFound
from ml_scoring.schemas.analyses import AnalysisResponse, before_sequence
from ml_scoring.use_cases import analyses as use_cases
from service_kit.errors import Forbidden, InvalidCursor
from service_kit.pagination import DEFAULT_LIMIT, Cursor, Limit, Page, page_of
from service_kit.problems import problem_responses

analyses = APIRouter(prefix="/api/analyses", tags=["analyses"])


@analyses.get("", responses=problem_responses(Forbidden, AnalysisNotFound, InvalidCursor))
async def list_analyses(
    *,
    conversation_id: Annotated[UUID, Query(alias="conversationId")],
    reader: Reader,
    uow: Uow,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> Page[AnalysisResponse]:
    """The analyses of a conversation in which the therapist takes part now, the newest message first."""
    before = before_sequence(cursor)
    found = await use_cases.list_analyses(uow, conversation_id, reader, before=before, limit=limit + 1)
    return page_of(found, limit=limit, present=AnalysisResponse.of, key=lambda analysis: (analysis.sequence,))


@analyses.get("/{message_id}", responses=problem_responses(Forbidden, AnalysisNotFound))
async def get_analysis(message_id: UUID, reader: Reader, uow: Uow) -> AnalysisResponse:
    """The analysis of a message; 404 also while it is still on its way."""
    return AnalysisResponse.of(await use_cases.get_analysis(uow, message_id, reader))
