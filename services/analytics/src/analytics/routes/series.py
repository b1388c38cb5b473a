"""Routes of metrics: what is measured, and its values over time, to look at or to take along."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from analytics.dependencies import Now, Sighted, Staff
from analytics.domain.metrics import METRICS
from analytics.domain.questions import PROBLEMS, Question
from analytics.domain.readers import SeriesNotFound
from analytics.schemas.files import CSV, PARQUET, as_csv, as_parquet
from analytics.schemas.series import CatalogueResponse, SeriesResponse
from analytics.schemas.series_query import Format, SeriesQuery
from analytics.use_cases import series as use_cases
from analytics.use_cases.points import Series
from service_kit.errors import Forbidden
from service_kit.problems import problem_responses

series = APIRouter(prefix="/api/analytics", tags=["analytics"])

_FILES: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The series; as a file when `format` or the Accept header asks for one.",
        "content": {CSV: {"schema": {"type": "string"}}, PARQUET: {"schema": {"type": "string", "format": "binary"}}},
    }
}


@series.get("/metrics", responses=problem_responses(Forbidden))
async def list_metrics(_caller: Staff) -> CatalogueResponse:
    """Everything that is measured, with its steps, its groups and from how many on a group is told of."""
    return CatalogueResponse.of(METRICS.values())


@series.get(
    "/series", responses={**problem_responses(Forbidden, SeriesNotFound, *PROBLEMS), **_FILES}, response_model=SeriesResponse
)
async def get_series(
    request: Request, asked: Annotated[SeriesQuery, Query()], sight: Sighted, now: Now
) -> SeriesResponse | Response:
    """A metric by windows over a range of time: at most 5,000 points, gaps filled with zeros, small groups left out.

    Therapists get their own series. `cumulative` counts from the first event on, not from the start of the range.
    """
    question = asked.question(sight.reader, sight.tenant_id, sight.zone, now=now)
    found = await use_cases.read_series(sight.uow, question, sight.reader)
    wanted = asked.format or _accepted(request.headers.get("Accept", ""))
    if wanted == "csv":
        return await _file(as_csv, question, found, f"{CSV}; charset=utf-8; header=present", "csv")
    if wanted == "parquet":
        return await _file(as_parquet, question, found, PARQUET, "parquet")
    return SeriesResponse.of(question, found, now=now)


def _accepted(accept: str) -> Format:
    """The first format that the header names; JSON when it names none."""
    for part in accept.lower().split(","):
        media_type = part.partition(";")[0].strip()
        if media_type in {CSV, PARQUET}:
            return "csv" if media_type == CSV else "parquet"
        if media_type in {"application/json", "application/*", "*/*"}:
            break
    return "json"


async def _file(
    write: Callable[[Question, Sequence[Series]], bytes],
    question: Question,
    found: Sequence[Series],
    media_type: str,
    ending: str,
) -> Response:
    # Thousands of rows take tens of milliseconds, in which others want answers.
    content = await asyncio.to_thread(write, question, found)
    name = f"{question.metric.name}.{question.span.name}.{ending}"
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Content-Type": media_type}
    return Response(content, headers=headers)
