"""What is asked about a metric, as parameters of an address."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field

from analytics.domain.metrics import METRICS
from analytics.domain.questions import Question, ask, choose, find_metric, find_span
from analytics.domain.readers import Reader
from analytics.schemas.fields import Moment, Name, Only, wanted_values
from bloom_events.ids import TenantId

Format = Literal["json", "csv", "parquet"]


class SeriesQuery(BaseModel):
    """The metric, the range, the step and the groups; other parameters are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    metric: Annotated[Name, Field(description="Its name in the catalogue.", examples=["appointments.booked"])]
    step: Annotated[Name, Field(description="One of the metric's steps.", examples=["day"])]
    start: Annotated[Moment, Field(alias="from", description="Windows that begin from here on.")]
    end: Annotated[Moment | None, Field(alias="to", description="Until just before here; without it until now.")] = None
    group: Annotated[list[Name], Field(max_length=4, description="Dimensions by which to split.")] = []
    only: Annotated[
        list[Only],
        Field(max_length=4, description="Only groups with this value, such as `level:HIGH`.", examples=[["level:HIGH"]]),
    ] = []
    compare: Annotated[Literal["previous"] | None, Field(description="Add as many windows just before the range.")] = None
    cumulative: Annotated[bool, Field(description="Add the total of everything up to each window, of counts and sums.")] = False
    format: Annotated[Format | None, Field(description="Instead of an Accept header.")] = None
    scope: Annotated[
        Literal["tenant", "platform"], Field(description="All organisations, for the operator's administrators.")
    ] = "tenant"

    def question(self, reader: Reader, tenant_id: TenantId, zone: ZoneInfo, *, now: datetime) -> Question:
        """What is asked, as far as the reader may; raises the problems of questions, Forbidden and SeriesNotFound."""
        metric = find_metric(METRICS, self.metric)
        groupings = metric.groupings_of(tenant_id)
        chosen = reader.narrowed(choose(metric, groupings, self.group, wanted_values(self.only)), groupings)
        return ask(
            metric,
            find_span(metric, self.step),
            zone,
            start=self.start,
            end=self.end or max(now, self.start),
            now=now,
            chosen=chosen,
            compares=self.compare is not None,
            is_cumulative=self.cumulative,
        )
