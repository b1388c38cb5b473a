"""Bodies of the chain."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Self
from uuid import UUID

from pydantic import AfterValidator, ConfigDict, Field
from pydantic.config import JsonDict

from bloom_events.alerts import ChainStep
from bloom_events.ids import UserId
from notifications.domain.chain import MAX_DEADLINE_SECONDS, MAX_PEOPLE_PER_STEP, MIN_DEADLINE_SECONDS, Chain, Deadlines
from notifications.schemas.fields import Request, Response

_SECONDS: JsonDict = {"moderate": 900, "high": 300, "critical": 120}
_CHAIN: JsonDict = {
    "supervisors": ["01992f3e-7a10-7c31-9d11-0a4f5b6c7d8f"],
    "onCall": [],
    "deadlines": {"therapist": _SECONDS, "supervisor": _SECONDS, "onCall": _SECONDS},
}


def _each_once(people: Sequence[UUID]) -> Sequence[UUID]:
    if len(set(people)) != len(people):
        raise ValueError("must name each person once")
    return people


People = Annotated[list[UUID], Field(max_length=MAX_PEOPLE_PER_STEP), AfterValidator(_each_once)]
Seconds = Annotated[int, Field(ge=MIN_DEADLINE_SECONDS, le=MAX_DEADLINE_SECONDS, strict=True, examples=[300])]


class DeadlinesRequest(Request):
    """How many seconds the people of a step have to acknowledge, by the level of the alert."""

    moderate: Seconds
    high: Seconds
    critical: Seconds

    def deadlines(self) -> Deadlines:
        """The same as the domain holds it."""
        return Deadlines(self.moderate, self.high, self.critical)


class StepDeadlinesRequest(Request):
    """The deadlines of each step."""

    therapist: DeadlinesRequest
    supervisor: DeadlinesRequest
    on_call: DeadlinesRequest


class ChainRequest(Request):
    """Who is called when the therapists of a conversation do not acknowledge in time; a step without people is skipped."""

    model_config = ConfigDict(json_schema_extra={"examples": [_CHAIN]})

    supervisors: People
    on_call: People
    deadlines: StepDeadlinesRequest

    def step_deadlines(self) -> dict[ChainStep, Deadlines]:
        """The deadlines by step, as the domain holds them."""
        asked = self.deadlines
        return {
            ChainStep.THERAPIST: asked.therapist.deadlines(),
            ChainStep.SUPERVISOR: asked.supervisor.deadlines(),
            ChainStep.ON_CALL: asked.on_call.deadlines(),
        }

    def people_of(self, step: ChainStep) -> list[UserId]:
        """The people named for a step."""
        return [UserId(user_id) for user_id in (self.supervisors if step is ChainStep.SUPERVISOR else self.on_call)]


class DeadlinesResponse(Response):
    """How many seconds the people of a step have to acknowledge, by the level of the alert."""

    moderate: int
    high: int
    critical: int

    @classmethod
    def of(cls, deadlines: Deadlines) -> Self:
        return cls(moderate=deadlines.moderate, high=deadlines.high, critical=deadlines.critical)


class StepDeadlinesResponse(Response):
    """The deadlines of each step."""

    therapist: DeadlinesResponse
    supervisor: DeadlinesResponse
    on_call: DeadlinesResponse


class ChainResponse(Response):
    """The chain in force."""

    model_config = ConfigDict(json_schema_extra={"examples": [{**_CHAIN, "revision": 1}]})

    supervisors: list[UUID] = Field(description="Empty in revision 0, where all administrators are the supervisors.")
    on_call: list[UUID]
    deadlines: StepDeadlinesResponse
    revision: int = Field(description="Counts the changes; 0 while the platform's own chain is in force.")

    @classmethod
    def of(cls, chain: Chain) -> Self:
        of_step = {step.value: DeadlinesResponse.of(deadlines) for step, deadlines in chain.deadlines.items()}
        return cls(
            supervisors=list(chain.supervisors),
            on_call=list(chain.on_call),
            deadlines=StepDeadlinesResponse(**of_step),
            revision=chain.revision,
        )
