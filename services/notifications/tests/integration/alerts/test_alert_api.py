"""The API of alerts: who sees what, who may do what, and what is refused with which words."""

import json
from typing import Any
from uuid import uuid4

import httpx
import pytest

from bloom_events.risk import RiskLevel

Client = httpx.AsyncClient


async def an_alert(ward: Any) -> str:
    await ward.hear(ward.message().scored())
    return str((await ward.alert())["id"])


def slug(response: httpx.Response) -> str:
    return str(response.json()["type"]).rpartition(":")[2]


@pytest.mark.promise("AL2")
async def test_a_therapist_sees_the_alerts_about_which_he_was_called_with_their_level(
    client: Client, ward: Any, headers: Any
) -> None:
    await ward.hear(ward.message().scored(RiskLevel.CRITICAL), ward.message().scored(RiskLevel.HIGH))
    await ward.hear(ward.message(therapists=(ward.supervisor,)).scored(RiskLevel.HIGH))

    answer = await client.get("/api/alerts", headers=headers(ward.therapist))

    assert answer.status_code == 200
    assert [alert["level"] for alert in answer.json()["items"]] == ["high", "critical"]
    assert {tuple(alert["called"]) for alert in answer.json()["items"]} == {(str(ward.therapist),)}
    assert all(alert["note"] is None for alert in answer.json()["items"])


async def test_an_administrator_sees_all_alerts_of_the_tenant_and_of_no_other(
    client: Client, ward: Any, other_ward: Any, headers: Any
) -> None:
    alert_id = await an_alert(ward)
    await other_ward.hear(other_ward.message().scored())
    foreign = (await other_ward.alert())["id"]
    administrator = headers(ward.administrator, "ADMINISTRATOR")

    listed = await client.get("/api/alerts", headers=administrator)

    assert [alert["id"] for alert in listed.json()["items"]] == [alert_id]
    assert (await client.get(f"/api/alerts/{foreign}", headers=administrator)).status_code == 404


async def test_a_list_is_narrowed_by_state_and_comes_in_pages(client: Client, ward: Any, headers: Any) -> None:
    for _ in range(5):
        await ward.hear(ward.message().scored())
    newest = [str(alert["id"]) for alert in await ward.rows("select id from alerts order by id desc")]
    await ward.answer((await ward.alerts())[0]["id"])
    caller, seen, cursor = headers(ward.therapist), [], None
    while True:
        asked = {"limit": "2", **({"cursor": cursor} if cursor else {})}
        page = (await client.get("/api/alerts", params=asked, headers=caller)).json()
        seen += [alert["id"] for alert in page["items"]]
        cursor = page["nextCursor"]
        if cursor is None:
            break

    calling = await client.get("/api/alerts?status=calling", headers=caller)
    both = await client.get("/api/alerts?status=calling&status=acknowledged", headers=caller)

    assert seen == newest
    assert (len(calling.json()["items"]), len(both.json()["items"])) == (4, 5)


async def test_whoever_was_not_called_gets_the_same_answer_as_for_an_alert_that_does_not_exist(
    client: Client, ward: Any, headers: Any
) -> None:
    alert_id, stranger = await an_alert(ward), headers(ward.on_call)
    asked = [("GET", ""), ("GET", "/timeline"), ("POST", "/acknowledge"), ("POST", "/hand-over"), ("POST", "/resolve")]
    bodies = {"/hand-over": {"step": "on_call"}, "/resolve": {"note": "x"}}
    for method, path in asked:
        answers = [
            await client.request(method, f"/api/alerts/{each}{path}", json=bodies.get(path), headers=stranger)
            for each in (alert_id, uuid4())
        ]
        assert [answer.status_code for answer in answers] == [404, 404]
        assert slug(answers[0]) == slug(answers[1]) == "alert-not-found"
        assert {key: answers[0].json()[key] for key in ("title", "status")} == {
            key: answers[1].json()[key] for key in ("title", "status")
        }

    assert (await client.get("/api/alerts", headers=stranger)).json()["items"] == []


async def test_a_patient_sees_no_alerts_and_nobody_sees_any_without_a_token(client: Client, ward: Any, headers: Any) -> None:
    alert_id, patient = await an_alert(ward), headers(ward.patient_id, "PATIENT")

    for path in ("/api/alerts", f"/api/alerts/{alert_id}", f"/api/alerts/{alert_id}/timeline", "/api/alerts/chain"):
        assert (await client.get(path, headers=patient)).status_code == 403
        assert (await client.get(path)).status_code == 401
    assert (await client.post(f"/api/alerts/{alert_id}/acknowledge", headers=patient)).status_code == 403


async def test_an_alert_is_acknowledged_once_and_shows_by_whom(client: Client, ward: Any, headers: Any) -> None:
    alert_id = await an_alert(ward)
    await ward.pass_deadline()
    therapist, administrator = headers(ward.therapist), headers(ward.administrator, "ADMINISTRATOR")

    first = await client.post(f"/api/alerts/{alert_id}/acknowledge", headers=therapist)
    again = await client.post(f"/api/alerts/{alert_id}/acknowledge", headers=therapist)
    late = await client.post(f"/api/alerts/{alert_id}/acknowledge", headers=administrator)

    assert (first.status_code, first.json()["acknowledgedBy"], first.json()["deadline"]) == (200, str(ward.therapist), None)
    assert (again.status_code, again.json()) == (200, first.json())
    assert (late.status_code, slug(late)) == (409, "alert-already-acknowledged")


async def test_an_alert_is_handed_over_to_a_step_or_to_a_person(client: Client, ward: Any, headers: Any) -> None:
    alert_id, therapist = await an_alert(ward), headers(ward.therapist)
    path = f"/api/alerts/{alert_id}/hand-over"

    early = await client.post(path, json={"userId": str(ward.supervisor)}, headers=therapist)
    await ward.answer((await ward.alert())["id"])
    nobody = await client.post(path, json={"step": "on_call"}, headers=therapist)
    itself = await client.post(path, json={"userId": str(ward.therapist)}, headers=therapist)
    patient = await client.post(path, json={"userId": str(ward.patient_id)}, headers=therapist)
    unknown = await client.post(path, json={"userId": str(uuid4())}, headers=therapist)
    to_person = await client.post(path, json={"userId": str(ward.supervisor)}, headers=therapist)
    acknowledged = await client.post(f"/api/alerts/{alert_id}/acknowledge", headers=headers(ward.supervisor))
    to_step = await client.post(path, json={"step": "supervisor"}, headers=headers(ward.supervisor))

    assert [slug(answer) for answer in (early, nobody, itself, patient, unknown)] == [
        "alert-not-acknowledged",
        "nobody-to-hand-over-to",
        "nobody-to-hand-over-to",
        "person-cannot-be-called",
        "person-cannot-be-called",
    ]
    assert (to_person.status_code, to_person.json()["status"], to_person.json()["called"]) == (
        200,
        "calling",
        [str(ward.supervisor)],
    )
    assert acknowledged.status_code == 200
    assert (to_step.json()["step"], to_step.json()["called"], to_step.json()["round"]) == (
        "supervisor",
        [str(ward.administrator)],
        3,
    )


async def test_a_note_is_shown_to_those_who_were_called_is_sealed_in_the_table_and_in_no_event(
    client: Client, ward: Any, headers: Any, outbox: Any
) -> None:
    alert_id, note = await an_alert(ward), "Spoke by phone.\nSafe at home; call again tomorrow. 🌱"
    await ward.answer((await ward.alert())["id"])

    resolved = await client.post(f"/api/alerts/{alert_id}/resolve", json={"note": f"  {note} "}, headers=headers(ward.therapist))

    assert (resolved.status_code, resolved.json()["status"]) == (200, "resolved")
    mine = await client.get(f"/api/alerts/{alert_id}", headers=headers(ward.therapist))
    administrators = await client.get(f"/api/alerts/{alert_id}", headers=headers(ward.administrator, "ADMINISTRATOR"))
    assert (mine.json()["note"], administrators.json()["note"]) == (note, None)
    assert b"phone" not in (await ward.alert())["sealed_note"]
    assert "phone" not in str(await outbox(ward.tenant_id))


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"note": ""},
        {"note": "   "},
        {"note": "x" * 2001},
        {"note": "bell \x07"},
        {"note": "nul \x00"},
        {"note": "lone \ud800"},
        {"note": 5},
        {"note": "x", "more": 1},
    ],
)
async def test_a_note_has_a_length_and_no_control_characters(client: Client, ward: Any, headers: Any, body: Any) -> None:
    alert_id = await an_alert(ward)
    await ward.answer((await ward.alert())["id"])

    # As ASCII, for half a surrogate pair can be written in JSON only by its number.
    sent = {**headers(ward.therapist), "Content-Type": "application/json"}
    answer = await client.post(f"/api/alerts/{alert_id}/resolve", content=json.dumps(body), headers=sent)

    assert answer.status_code in {400, 422}
    assert (await ward.alert())["status"] == "acknowledged"


async def test_the_longest_note_and_every_script_is_kept_as_it_was_written(client: Client, ward: Any, headers: Any) -> None:
    alert_id, note = await an_alert(ward), "שלום مرحبا \u200f\U0001f469\u200d\U0001f467 " + "é" * 1970
    await ward.answer((await ward.alert())["id"])

    answer = await client.post(f"/api/alerts/{alert_id}/resolve", json={"note": note}, headers=headers(ward.therapist))

    assert answer.status_code == 200
    assert (await client.get(f"/api/alerts/{alert_id}", headers=headers(ward.therapist))).json()["note"] == note


@pytest.mark.parametrize("body", [{}, {"userId": None}, {"step": "director"}, {"step": "on_call", "userId": str(uuid4())}])
async def test_a_hand_over_names_one_person_or_one_step(client: Client, ward: Any, headers: Any, body: Any) -> None:
    alert_id = await an_alert(ward)

    answer = await client.post(f"/api/alerts/{alert_id}/hand-over", json=body, headers=headers(ward.therapist))

    assert answer.status_code == 422


async def test_a_change_may_name_the_revision_that_was_seen(client: Client, ward: Any, headers: Any) -> None:
    alert_id, therapist = await an_alert(ward), headers(ward.therapist)
    seen = (await client.get(f"/api/alerts/{alert_id}", headers=therapist)).headers["etag"]
    await ward.pass_deadline()

    stale = await client.post(f"/api/alerts/{alert_id}/acknowledge", headers={**therapist, "If-Match": seen})
    fresh = await client.post(f"/api/alerts/{alert_id}/acknowledge", headers={**therapist, "If-Match": '"2"'})

    assert (stale.status_code, slug(stale)) == (412, "precondition-failed")
    assert (fresh.status_code, fresh.headers["etag"]) == (200, '"3"')


async def test_a_resolved_alert_takes_nothing_any_more(client: Client, ward: Any, headers: Any) -> None:
    alert_id, therapist = await an_alert(ward), headers(ward.therapist)
    await ward.answer((await ward.alert())["id"])
    await ward.end((await ward.alert())["id"])

    for path, body in (("acknowledge", None), ("hand-over", {"step": "supervisor"}), ("resolve", {"note": "x"})):
        answer = await client.post(f"/api/alerts/{alert_id}/{path}", json=body, headers=therapist)
        assert (answer.status_code, slug(answer)) == (409, "alert-already-resolved")


@pytest.mark.parametrize("query", ["cursor=x", "limit=0", "limit=201", "status=open"])
async def test_a_broken_question_is_refused(client: Client, ward: Any, headers: Any, query: str) -> None:
    answer = await client.get(f"/api/alerts?{query}", headers=headers(ward.therapist))

    assert answer.status_code == 422
