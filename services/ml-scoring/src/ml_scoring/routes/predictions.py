"""The route that scores texts on request, beside what is scored off the log."""

from __future__ import annotations

from fastapi import APIRouter

from ml_scoring.dependencies import Shelf, Staff
from ml_scoring.domain.models import NoModelYet
from ml_scoring.domain.scores import CannotScore, ScorerBusy, TextNotReadable, TextTooLong
from ml_scoring.schemas.predictions import PredictionResponse, PredictionsResponse, PredictRequest
from ml_scoring.use_cases import predictions as use_cases
from service_kit.errors import Forbidden, InvalidRequest, PayloadTooLarge
from service_kit.problems import problem_responses

predictions = APIRouter(prefix="/v1", tags=["predictions"])

_PROBLEMS = (Forbidden, PayloadTooLarge, InvalidRequest, TextNotReadable, TextTooLong, NoModelYet, ScorerBusy)


@predictions.post("/predict", responses=problem_responses(*_PROBLEMS))
async def predict(body: PredictRequest, caller: Staff, shelf: Shelf) -> PredictionResponse | PredictionsResponse:
    """Scores one text, or up to 32, each alone: its score never depends on the others. Nothing is kept.

    When more texts wait than the queue holds the answer is 503 with Retry-After. Of several texts, one that cannot be scored
    says why in its place.
    """
    if body.texts is not None:
        return PredictionsResponse.of(await use_cases.predict(shelf, caller.tenant_id, body.texts))
    (scored,) = await use_cases.predict(shelf, caller.tenant_id, [body.text or ""])
    if isinstance(scored, CannotScore):
        raise scored
    return PredictionResponse.of(scored)
