"""Who is called: the practice's chain or the platform's, without those who cannot be called, and within its limits."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bloom_events.alerts import ChainStep
from bloom_events.auth import Role
from bloom_events.ids import UserId, new_id
from bloom_events.risk import RiskLevel
from notifications.domain.chain import (
    MAX_DEADLINE_SECONDS,
    MAX_PEOPLE_PER_STEP,
    MIN_DEADLINE_SECONDS,
    Chain,
    Deadlines,
    Roster,
)
from notifications.domain.people import Accounts, Person

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


def person(role: Role = Role.ADMINISTRATOR, **more: Any) -> Person:
    return Person(UserId(new_id()), role, **{"is_verified": True, "is_suspended": False, **more})


def test_a_practice_that_has_set_nothing_calls_therapists_and_then_all_its_administrators() -> None:
    administrators = (person(), person())
    therapist = UserId(new_id())

    roster = Chain().roster([therapist], Accounts(administrators))

    assert roster.at(ChainStep.THERAPIST) == (therapist,)
    assert roster.at(ChainStep.SUPERVISOR) == tuple(each.user_id for each in administrators)
    assert roster.at(ChainStep.ON_CALL) == ()


def test_of_very_many_administrators_the_oldest_accounts_are_called() -> None:
    administrators = tuple(person() for _ in range(MAX_PEOPLE_PER_STEP + 5))

    called = Chain().roster([], Accounts(administrators)).at(ChainStep.SUPERVISOR)

    assert called == tuple(each.user_id for each in administrators[:MAX_PEOPLE_PER_STEP])


@pytest.mark.parametrize(
    "barred", [{"is_suspended": True}, {"is_verified": False}, {"role": Role.PATIENT}], ids=["suspended", "unverified", "patient"]
)
def test_who_cannot_open_an_alert_is_not_called(barred: dict[str, Any]) -> None:
    out, therapist = person(**{"role": Role.THERAPIST, **barred}), person(Role.THERAPIST)
    chain = Chain(1, supervisors=(out.user_id,), on_call=(therapist.user_id,))

    roster = chain.roster([out.user_id, therapist.user_id], Accounts((out, therapist)))

    assert roster.everyone() == (therapist.user_id,)
    assert roster.at(ChainStep.SUPERVISOR) == ()


def test_somebody_of_whom_nobody_has_told_yet_is_called() -> None:
    unknown = UserId(new_id())

    assert Chain().roster([unknown, unknown], Accounts()).at(ChainStep.THERAPIST) == (unknown,)


def test_a_chain_in_which_nobody_can_be_called_falls_back_on_the_administrators() -> None:
    suspended, administrator = person(Role.THERAPIST, is_suspended=True), person()

    roster = Chain(3, supervisors=(suspended.user_id,)).roster([], Accounts((suspended, administrator)))

    assert roster.first().step is ChainStep.SUPERVISOR
    assert roster.first().called == (administrator.user_id,)


def test_with_nobody_at_all_the_turn_stays_with_the_therapists_and_nobody_is_called() -> None:
    turn = Roster({}).first()

    assert (turn.step, turn.lap, turn.called) == (ChainStep.THERAPIST, 1, ())
    assert Roster({}).after(ChainStep.THERAPIST, 1).lap == 2


def test_somebody_stands_at_the_first_step_that_names_them() -> None:
    both, nobody = UserId(new_id()), UserId(new_id())
    roster = Roster({ChainStep.SUPERVISOR: (both,), ChainStep.ON_CALL: (both,)})

    assert roster.step_of(both) is ChainStep.SUPERVISOR
    assert roster.step_of(nobody) is None


@pytest.mark.parametrize(("level", "seconds"), [(RiskLevel.MODERATE, 900), (RiskLevel.HIGH, 300), (RiskLevel.CRITICAL, 120)])
def test_the_worse_an_alert_the_sooner_the_next_are_called(level: RiskLevel, seconds: int) -> None:
    assert Deadlines().after(NOW, level) == NOW + timedelta(seconds=seconds)


@pytest.mark.parametrize("seconds", [MIN_DEADLINE_SECONDS - 1, MAX_DEADLINE_SECONDS + 1])
def test_deadlines_have_limits(seconds: int) -> None:
    with pytest.raises(ValueError, match="between"):
        Deadlines(high=seconds)


def test_a_step_has_a_limited_number_of_people_each_once() -> None:
    someone = UserId(new_id())
    Chain(on_call=tuple(UserId(new_id()) for _ in range(MAX_PEOPLE_PER_STEP)))

    with pytest.raises(ValueError, match="at most"):
        Chain(on_call=tuple(UserId(new_id()) for _ in range(MAX_PEOPLE_PER_STEP + 1)))
    with pytest.raises(ValueError, match="each once"):
        Chain(supervisors=(someone, someone))
    with pytest.raises(ValueError, match="every step"):
        Chain(deadlines={ChainStep.THERAPIST: Deadlines()})


def test_all_callable_is_about_known_people_alone() -> None:
    known = person()

    assert Accounts((known,)).all_callable([known.user_id])
    assert not Accounts((known,)).all_callable([known.user_id, UserId(new_id())])
