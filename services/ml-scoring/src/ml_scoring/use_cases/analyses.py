"""Reading analyses."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from ml_scoring.domain.analyses import Analysis
from ml_scoring.domain.readers import MemberReader
from ml_scoring.repository.analyses import AnalysisRepository
from service_kit.unit_of_work import UnitOfWork


async def get_analysis(uow: UnitOfWork, message_id: UUID, reader: MemberReader) -> Analysis:
    """The analysis of one message."""
    async with uow.begin() as transaction:
        return await AnalysisRepository(transaction.connection).get(message_id, reader)


async def list_analyses(
    uow: UnitOfWork, conversation_id: UUID, reader: MemberReader, *, before: int | None, limit: int
) -> Sequence[Analysis]:
    """Up to `limit` analyses of a conversation, the newest first, from below a place in the conversation."""
    async with uow.begin() as transaction:
        repository = AnalysisRepository(transaction.connection)
        return await repository.list_of(conversation_id, reader, before=before, limit=limit)
