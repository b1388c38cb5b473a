"""Building blocks of the bodies and parameters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints
from pydantic.alias_generators import to_camel

from analytics.domain.metric import Aggregate, Unit

__all__ = ["Aggregate", "Moment", "Name", "Only", "Response", "Unit", "wanted_values"]

Name = Annotated[str, StringConstraints(max_length=100, pattern=r"^[a-z0-9]+([._-][a-z0-9]+)*$")]
"""Of a metric, a step or a dimension; whether it is known is seen later."""

Only = Annotated[str, StringConstraints(max_length=200, pattern=r"^[a-z][a-z_]*:[^\x00-\x1f\x7f]+$")]
"""A dimension and the value it has to have, such as `level:HIGH`."""

Moment = Annotated[AwareDatetime, Field(examples=["2026-03-02T00:00:00Z"])]


class Response(BaseModel):
    """A body that is answered."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True)


def wanted_values(only: Sequence[str]) -> dict[str, str]:
    """Dimensions with the value that each must have."""
    return dict(each.split(":", 1) for each in only)
