"""Scoring texts on request; nothing is kept."""

from __future__ import annotations

from collections.abc import Sequence

from bloom_events.ids import TenantId
from ml_scoring.clients import meters
from ml_scoring.clients.model_shelf import ModelShelf
from ml_scoring.domain.scores import CannotScore, Score, ScorerBusy


async def predict(shelf: ModelShelf, tenant_id: TenantId, texts: Sequence[str]) -> list[Score | CannotScore]:
    """Score each text alone, in their order, with the model of the organisation; raises NoModelYet and ScorerBusy."""
    try:
        scored = await shelf.serving(tenant_id).pool.score_batch(texts)
    except ScorerBusy:
        meters.PREDICTIONS.labels("busy").inc(len(texts))
        raise
    for each in scored:
        meters.PREDICTIONS.labels("scored" if isinstance(each, Score) else "refused").inc()
    return scored
