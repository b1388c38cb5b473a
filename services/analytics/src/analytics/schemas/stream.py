"""What a stream says: changed windows as server-sent events."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from analytics.domain.following import Wanted
from analytics.domain.metrics import METRICS
from analytics.domain.questions import find_metric, find_span
from analytics.domain.readers import Reader
from analytics.repository.told_windows import ToldWindow
from analytics.schemas.fields import Name
from analytics.schemas.series import PointResponse
from analytics.use_cases.points import Tally, point_of


class StreamQuery(BaseModel):
    """Which metrics are followed; other parameters are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    metric: Annotated[
        list[Name], Field(min_length=1, max_length=20, description="Names of the catalogue.", examples=[["messages.sent"]])
    ]
    step: Annotated[list[Name], Field(max_length=4, description="Only these steps; without it all of each metric.")] = []
    scope: Annotated[
        Literal["tenant", "platform"], Field(description="All organisations, for the operator's administrators.")
    ] = "tenant"

    def wanted(self, reader: Reader) -> Wanted:
        """What is followed; raises UnknownMetric, and StepNotMeasured for a step that one of the metrics does not have."""
        for name in self.metric:
            metric = find_metric(METRICS, name)
            for step in self.step:
                find_span(metric, step)
        return Wanted(reader, frozenset(self.metric), frozenset(self.step))


class ChangeResponse(PointResponse):
    """A window of a group, as it is now; a higher revision takes the place of a lower one."""

    metric: str
    dimensions: Mapping[str, str]
    step: str

    @classmethod
    def of_window(cls, told: ToldWindow) -> Self:
        tally = Tally(told.window, told.contents, told.revision, told.is_final)
        point = PointResponse.of(point_of(METRICS[told.metric], tally))
        return cls(**dict(point), metric=told.metric, dimensions=told.dimensions, step=told.step)
