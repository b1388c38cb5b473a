"""The chain of a practice: who is called at which step, how long each step has, and whose turn is next."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from bloom_events.alerts import ChainStep
from bloom_events.ids import UserId
from bloom_events.risk import RiskLevel
from notifications.domain.people import Accounts

STEPS = tuple(ChainStep)
MIN_DEADLINE_SECONDS = 5
"""The clock of the worker looks for new deadlines every second, so that no step may be shorter than a few of them."""
MAX_DEADLINE_SECONDS = 24 * 60 * 60
MAX_PEOPLE_PER_STEP = 20
"""Three steps, the therapists of a conversation among them (at most 50), stay below the 100 people that an event can name."""


@dataclass(frozen=True, slots=True)
class Deadlines:
    """How many seconds the people of a step have to answer, by the level of the alert."""

    moderate: int = 900
    high: int = 300
    critical: int = 120

    def __post_init__(self) -> None:
        if not all(MIN_DEADLINE_SECONDS <= each <= MAX_DEADLINE_SECONDS for each in (self.moderate, self.high, self.critical)):
            raise ValueError(f"a deadline lies between {MIN_DEADLINE_SECONDS} and {MAX_DEADLINE_SECONDS} seconds")

    def after(self, now: datetime, level: RiskLevel) -> datetime:
        """When the next ones are called about an alert of this level if nobody answers from now on."""
        seconds = {RiskLevel.HIGH: self.high, RiskLevel.CRITICAL: self.critical}.get(level, self.moderate)
        return now + timedelta(seconds=seconds)


@dataclass(frozen=True, slots=True)
class Successor:
    """To whom an alert is handed over: one person, or everybody of a step."""

    user_id: UserId | None = None
    step: ChainStep | None = None


@dataclass(frozen=True, slots=True)
class Turn:
    """Whose turn it is: `lap` counts the passes through the chain from 1; from the second on everybody is called."""

    step: ChainStep
    lap: int
    called: tuple[UserId, ...]


@dataclass(frozen=True, slots=True)
class Roster:
    """Who can be called at each step about one alert, now."""

    people: Mapping[ChainStep, tuple[UserId, ...]]

    def at(self, step: ChainStep) -> tuple[UserId, ...]:
        """The people of a step; nobody when it is empty."""
        return self.people.get(step, ())

    def everyone(self) -> tuple[UserId, ...]:
        """The people of all steps, each once."""
        return tuple(dict.fromkeys(user_id for step in STEPS for user_id in self.at(step)))

    def step_of(self, user_id: UserId) -> ChainStep | None:
        """The first step at which somebody stands."""
        return next((step for step in STEPS if user_id in self.at(step)), None)

    def first(self) -> Turn:
        """The turn that an alert begins with. With nobody to call at all the therapists' deadline still runs."""
        step = next(self._manned(), ChainStep.THERAPIST)
        return Turn(step, 1, self.at(step))

    def after(self, step: ChainStep, lap: int) -> Turn:
        """The next step that has anybody; after the last one the first again, and everybody with it."""
        later = next((each for each in self._manned() if STEPS.index(each) > STEPS.index(step)), None)
        following, lap = (later, lap) if later else (self.first().step, lap + 1)
        return Turn(following, lap, self.at(following) if lap == 1 else self.everyone())

    def _manned(self) -> Iterator[ChainStep]:
        return (step for step in STEPS if self.at(step))


@dataclass(frozen=True, slots=True)
class Chain:
    """What a practice has set; `revision` 0 is the platform's own chain, in which all administrators are the supervisors."""

    revision: int = 0
    supervisors: tuple[UserId, ...] = ()
    on_call: tuple[UserId, ...] = ()
    deadlines: Mapping[ChainStep, Deadlines] = field(default_factory=lambda: dict.fromkeys(STEPS, Deadlines()))

    def __post_init__(self) -> None:
        if set(self.deadlines) != set(STEPS):
            raise ValueError("every step has its deadlines")
        for people in (self.supervisors, self.on_call):
            if len(people) > MAX_PEOPLE_PER_STEP or len(set(people)) != len(people):
                raise ValueError(f"a step has at most {MAX_PEOPLE_PER_STEP} people, each once")

    @property
    def people(self) -> tuple[UserId, ...]:
        """Everybody whom the practice has named."""
        return tuple(dict.fromkeys((*self.supervisors, *self.on_call)))

    def roster(self, therapists: Iterable[UserId], accounts: Accounts) -> Roster:
        """Who can be called now. A chain in which nobody can be called falls back on the administrators."""
        roster = Roster(
            {
                ChainStep.THERAPIST: accounts.callable_among(therapists),
                ChainStep.SUPERVISOR: accounts.callable_among(self.supervisors if self.revision else _few(accounts)),
                ChainStep.ON_CALL: accounts.callable_among(self.on_call),
            }
        )
        return roster if roster.everyone() else Roster({ChainStep.SUPERVISOR: _few(accounts)})


def _few(accounts: Accounts) -> tuple[UserId, ...]:
    return accounts.administrators[:MAX_PEOPLE_PER_STEP]
