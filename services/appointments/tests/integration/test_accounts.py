"""What auth tells of accounts opens, hides and shows directory entries, in any order and however often it is told."""

from __future__ import annotations

from datetime import timedelta
from itertools import permutations
from typing import Any
from uuid import uuid4

import pytest

from appointments.use_cases import accounts
from bloom_events.auth import Role, TherapistVerified, UserReinstated, UserSuspended
from bloom_events.ids import UserId


async def is_shown(clinic: Any, therapist_id: Any) -> bool:
    answer = await clinic.patient().get(f"/api/therapists/{therapist_id}")
    assert answer.status_code in {200, 404}
    return bool(answer.status_code == 200)


def story(clinic: Any, therapist_id: UserId) -> list[tuple[Any, Any]]:
    """Verified, suspended, reinstated, suspended again: each with its use case."""
    at = clinic.clock.moment
    verified = TherapistVerified(user_id=therapist_id, display_name="Dr. Robin Vale")
    suspended = UserSuspended(user_id=therapist_id, role=Role.THERAPIST)
    reinstated = UserReinstated(user_id=therapist_id, role=Role.THERAPIST)
    return [
        (accounts.welcome_therapist, clinic.told(verified, at=at)),
        (accounts.note_suspension, clinic.told(suspended, at=at + timedelta(minutes=1))),
        (accounts.note_reinstatement, clinic.told(reinstated, at=at + timedelta(minutes=2))),
        (accounts.note_suspension, clinic.told(suspended, at=at + timedelta(minutes=3))),
    ]


async def test_a_verified_therapist_has_a_directory_entry_that_takes_no_new_patients_yet(clinic: Any) -> None:
    therapist = clinic.person("THERAPIST")
    verified = TherapistVerified(user_id=UserId(therapist.id), display_name="Dr. Robin Vale")
    await accounts.welcome_therapist(clinic.uow(), clinic.told(verified))
    entry = (await therapist.get("/api/therapists/me")).json()
    assert (entry["displayName"], entry["acceptsNewPatients"]) == ("Dr. Robin Vale", False)
    [(_, event)] = await clinic.published("therapist.profile-changed.v1")
    assert event["therapist_id"] == str(therapist.id)


async def test_each_event_takes_effect_once(clinic: Any) -> None:
    therapist_id = UserId(uuid4())
    for handle, cause in story(clinic, therapist_id)[:3]:
        await handle(clinic.uow(), cause)
        await handle(clinic.uow(), cause)
    assert await is_shown(clinic, therapist_id)
    assert len(await clinic.published("therapist.profile-changed.v1")) == 1


@pytest.mark.parametrize("length", [3, 4])
async def test_events_in_any_order_and_twice_end_in_the_same_directory(clinic: Any, length: int) -> None:
    for order in permutations(range(length)):
        therapist_id = UserId(uuid4())
        told = story(clinic, therapist_id)[:length]
        for number in (*order, *reversed(order)):
            handle, cause = told[number]
            await handle(clinic.uow(), cause)
        assert await is_shown(clinic, therapist_id) is (length == 3)


async def test_a_second_verification_leaves_what_the_therapist_wrote(clinic: Any) -> None:
    therapist = await clinic.therapist("Dr. Robin Vale", displayName="Robin Vale, psychotherapist")
    verified = TherapistVerified(user_id=UserId(therapist.id), display_name="Dr. Robin Vale")
    await accounts.welcome_therapist(clinic.uow(), clinic.told(verified))
    assert (await therapist.get("/api/therapists/me")).json()["displayName"] == "Robin Vale, psychotherapist"


async def test_a_suspended_patient_changes_nothing_here(clinic: Any) -> None:
    therapist = await clinic.therapist()
    suspended = UserSuspended(user_id=UserId(therapist.id), role=Role.PATIENT)
    await accounts.note_suspension(clinic.uow(), clinic.told(suspended))
    assert await is_shown(clinic, therapist.id)


async def test_a_reinstated_therapist_can_be_booked_again(clinic: Any) -> None:
    therapist = await clinic.therapist()
    await clinic.suspend(therapist)
    assert not await is_shown(clinic, therapist.id)
    clinic.clock.advance(minutes=1)
    reinstated = UserReinstated(user_id=UserId(therapist.id), role=Role.THERAPIST)
    await accounts.note_reinstatement(clinic.uow(), clinic.told(reinstated))
    assert (await clinic.book(clinic.patient(), therapist))["status"] == "booked"
