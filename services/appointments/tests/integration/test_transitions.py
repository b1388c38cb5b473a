"""The life of an appointment over HTTP: who may do what and when, with an event for each step."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest


def slug_of(answer: Any) -> str:
    return str(answer.json()["type"]).rpartition(":")[2]


def path_of(appointment: dict[str, Any], step: str = "") -> str:
    return f"/api/appointments/{appointment['id']}" + (f"/{step}" if step else "")


@pytest.fixture
async def scene(clinic: Any) -> Any:
    """A clinic with a booked visit."""
    clinic.sam, clinic.robin = clinic.patient(), await clinic.therapist()
    clinic.visit = await clinic.book(clinic.sam, clinic.robin)
    return clinic


async def test_a_visit_is_confirmed_held_and_recorded(scene: Any) -> None:
    confirmed = await scene.robin.post(path_of(scene.visit, "confirm"))
    assert (confirmed.status_code, confirmed.json()["status"], confirmed.headers["ETag"]) == (200, "confirmed", '"2"')
    scene.move_to_start(scene.visit, minutes=50)
    completed = await scene.robin.post(path_of(scene.visit, "complete"))
    assert (completed.json()["status"], completed.json()["revision"]) == ("completed", 3)
    kinds = [(kind, event["revision"]) for kind, event in await scene.published() if kind.startswith("appointment.")]
    assert kinds == [("appointment.booked.v1", 1), ("appointment.confirmed.v1", 2), ("appointment.completed.v1", 3)]


async def test_a_moved_visit_frees_its_old_slot_and_takes_the_new_one(scene: Any) -> None:
    moved = await scene.sam.post(path_of(scene.visit, "reschedule"), scene.times(hours=3))
    assert (moved.status_code, moved.json()["startAt"]) == (200, scene.times(hours=3)["startAt"])
    [(_, event)] = await scene.published("appointment.rescheduled.v1")
    assert (event["previous_starts_at"], event["starts_at"]) == (scene.visit["startAt"], moved.json()["startAt"])
    await scene.book(scene.patient(), scene.robin)
    body = {"therapistId": str(scene.robin.id), "visitType": "standard", **scene.times(hours=3)}
    assert slug_of(await scene.patient().post("/api/appointments", body)) == "slot-taken"


@pytest.mark.parametrize(
    ("when", "slug"),
    [
        ({}, "same-time"),
        ({"hours": 1.5}, "not-a-slot"),
        ({"days": -2}, "starts-in-the-past"),
        ({"days": 300}, "beyond-booking-horizon"),
        ({"hours": 2}, "slot-taken"),
    ],
)
async def test_a_move_to_a_time_that_cannot_be_booked_is_refused(scene: Any, when: Any, slug: str) -> None:
    await scene.book(scene.patient(), scene.robin, hours=2)
    answer = await scene.sam.post(path_of(scene.visit, "reschedule"), scene.times(**when))
    assert (answer.status_code, slug_of(answer)) == (409, slug)
    assert (await scene.sam.get(path_of(scene.visit))).json() == scene.visit


async def test_a_move_into_another_visit_of_the_same_patient_is_refused(scene: Any) -> None:
    other = await scene.therapist("Dr. Kim Moss")
    await scene.book(scene.sam, other, hours=2)
    answer = await scene.sam.post(path_of(scene.visit, "reschedule"), scene.times(hours=2))
    assert (answer.status_code, slug_of(answer)) == (409, "patient-already-booked")


@pytest.mark.parametrize("who", ["sam", "robin", "administrator"])
async def test_a_cancelled_visit_frees_its_slot_and_says_who_cancelled(scene: Any, who: str) -> None:
    actor = scene.administrator() if who == "administrator" else getattr(scene, who)
    cancelled = await actor.post(path_of(scene.visit, "cancel"))
    party = {"sam": "patient", "robin": "therapist"}.get(who, "administrator")
    assert (cancelled.json()["status"], cancelled.json()["cancelledBy"]) == ("cancelled", party)
    [(_, event)] = await scene.published("appointment.cancelled.v1")
    assert (event["cancelled_by"], event["revision"]) == (party, 2)
    await scene.book(scene.patient(), scene.robin)


@pytest.mark.parametrize("to", ["no_show", "cancelled"])
@pytest.mark.parametrize("who", ["robin", "administrator"])
async def test_a_completed_visit_can_be_corrected(scene: Any, who: str, to: str) -> None:
    scene.move_to_start(scene.visit)
    await scene.robin.post(path_of(scene.visit, "complete"))
    actor = scene.administrator() if who == "administrator" else scene.robin
    corrected = await actor.post(path_of(scene.visit, "correct"), {"correctedTo": to})
    assert (corrected.status_code, corrected.json()["status"]) == (200, to)
    [(_, event)] = await scene.published("appointment.corrected.v1")
    assert (event["corrected_to"], event["revision"]) == (to, 3)


async def test_a_missed_visit_is_recorded(scene: Any) -> None:
    scene.move_to_start(scene.visit, minutes=15)
    missed = await scene.robin.post(path_of(scene.visit, "no-show"))
    assert (missed.status_code, missed.json()["status"]) == (200, "no_show")
    assert len(await scene.published("appointment.missed.v1")) == 1


@pytest.mark.parametrize(
    ("before", "step", "slug"),
    [
        ([], "complete", "visit-not-started"),
        ([], "no-show", "visit-not-started"),
        ([], "correct", "not-completed"),
        (["confirm"], "confirm", "already-confirmed"),
        (["cancel"], "confirm", "already-cancelled"),
        (["cancel"], "cancel", "already-cancelled"),
        (["cancel"], "complete", "already-cancelled"),
        (["start", "complete"], "complete", "already-completed"),
        (["start", "complete"], "no-show", "already-completed"),
        (["start", "complete"], "cancel", "already-completed"),
        (["start", "no-show"], "complete", "already-missed"),
        (["start", "no-show"], "correct", "not-completed"),
        (["end"], "confirm", "visit-already-over"),
        (["start"], "reschedule", "visit-already-started"),
    ],
)
async def test_a_step_that_makes_no_sense_is_refused(scene: Any, before: list[str], step: str, slug: str) -> None:
    for earlier in before:
        if earlier in {"start", "end"}:
            scene.move_to_start(scene.visit, minutes=50 if earlier == "end" else 0)
        else:
            assert (await scene.robin.post(path_of(scene.visit, earlier))).status_code == 200
    published = await scene.published()
    bodies = {"correct": {"correctedTo": "no_show"}, "reschedule": scene.times(days=2)}
    answer = await scene.robin.post(path_of(scene.visit, step), bodies.get(step))
    assert (answer.status_code, slug_of(answer)) == (409, slug)
    assert await scene.published() == published


async def test_a_patient_cannot_cancel_once_the_visit_has_started(scene: Any) -> None:
    scene.move_to_start(scene.visit)
    answer = await scene.sam.post(path_of(scene.visit, "cancel"))
    assert (answer.status_code, slug_of(answer)) == (409, "visit-already-started")
    assert (await scene.robin.post(path_of(scene.visit, "cancel"))).status_code == 200


@pytest.mark.parametrize(
    ("who", "step"),
    [
        ("sam", "confirm"),
        ("sam", "complete"),
        ("sam", "no-show"),
        ("sam", "correct"),
        ("administrator", "confirm"),
        ("administrator", "complete"),
        ("administrator", "no-show"),
        ("administrator", "reschedule"),
    ],
)
async def test_a_step_is_refused_to_roles_that_may_not_take_it(scene: Any, who: str, step: str) -> None:
    actor = scene.administrator() if who == "administrator" else scene.sam
    bodies = {"correct": {"correctedTo": "no_show"}, "reschedule": scene.times(hours=3)}
    answer = await actor.post(path_of(scene.visit, step), bodies.get(step))
    assert (answer.status_code, slug_of(answer)) == (403, "forbidden")


STEPS = ["confirm", "cancel", "complete", "no-show", "correct", "reschedule", ""]


@pytest.mark.parametrize("step", STEPS)
async def test_somebody_elses_appointment_is_as_missing_as_one_that_never_was(scene: Any, other_clinic: Any, step: str) -> None:
    other_therapist = await scene.therapist("Dr. Kim Moss")
    strangers = [other_therapist, other_clinic.person("THERAPIST", scene.robin.id), await other_clinic.therapist()]
    bodies = {"correct": {"correctedTo": "no_show"}, "reschedule": scene.times(hours=3)}

    async def answered(stranger: Any, appointment_id: str) -> tuple[int, dict[str, Any]]:
        path = path_of({"id": appointment_id}, step)
        answer = await (stranger.post(path, bodies.get(step)) if step else stranger.get(path))
        body = answer.json()
        body.pop("instance", None)
        body.pop("trace_id", None)
        return answer.status_code, body

    for stranger in strangers:
        foreign, missing = await answered(stranger, scene.visit["id"]), await answered(stranger, str(uuid4()))
        assert foreign == missing
        assert foreign[0] == 404
    assert (await scene.sam.get(path_of(scene.visit))).json() == scene.visit


async def test_another_patient_cannot_see_move_or_cancel_a_visit(scene: Any) -> None:
    stranger = scene.patient()
    assert (await stranger.get(path_of(scene.visit))).status_code == 404
    assert (await stranger.post(path_of(scene.visit, "cancel"))).status_code == 404
    assert (await stranger.post(path_of(scene.visit, "reschedule"), scene.times(hours=3))).status_code == 404
    assert (await stranger.get("/api/appointments")).json()["items"] == []


async def test_a_change_made_from_an_old_revision_is_refused(scene: Any) -> None:
    path = path_of(scene.visit, "cancel")
    stale = await scene.sam.post(path, If_Match='"7"')
    assert (stale.status_code, slug_of(stale)) == (412, "precondition-failed")
    nonsense = await scene.sam.post(path, If_Match="banana")
    assert nonsense.status_code == 412
    moved = await scene.sam.post(path_of(scene.visit, "reschedule"), scene.times(hours=3), If_Match='"9"')
    assert moved.status_code == 412
    assert (await scene.sam.post(path, If_Match='"1"')).status_code == 200


async def test_a_visit_with_a_suspended_therapist_can_be_cancelled_and_not_moved(scene: Any) -> None:
    await scene.suspend(scene.robin)
    answer = await scene.sam.post(path_of(scene.visit, "reschedule"), scene.times(hours=3))
    assert (answer.status_code, slug_of(answer)) == (409, "therapist-unavailable")
    assert (await scene.sam.post(path_of(scene.visit, "cancel"))).status_code == 200
