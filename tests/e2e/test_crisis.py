"""A patient writes in crisis: the score follows off the log, people are called one after the other, and one of them answers."""

from datetime import timedelta
from typing import Any

import pytest
from tests.e2e.care import CALM, DEADLINE_SECONDS, DESPAIR, Care, StandIns, heard_alert, heard_message, lines_of, moment
from tests.e2e.people import Person, Practice, eventually, slug

NUMBER = "+15005550011"


@pytest.fixture(scope="module")
def stand_ins(practice: Practice) -> StandIns:
    return StandIns.of(practice)


@pytest.fixture
def care(practice: Practice, stand_ins: StandIns) -> Care:
    return Care.of(practice)


def timeline(person: Person, alert_id: str, *hops: str) -> list[dict[str, Any]]:
    """The points of an alert's timeline, once all of these are among them: some come back over Kafka."""
    path = f"/api/alerts/{alert_id}/timeline"
    eventually(lambda: set(hops) <= {point["hop"] for point in person.get(path)["points"]})
    points: list[dict[str, Any]] = person.get(path)["points"]
    return points


@pytest.mark.promise("AL1")
@pytest.mark.promise("AL2")
@pytest.mark.promise("AL3")
@pytest.mark.promise("X3")
def test_a_message_in_crisis_calls_the_therapist_then_the_supervisor_until_somebody_answers(
    care: Care, stand_ins: StandIns
) -> None:
    supervisor = stand_ins.supervisor
    with lines_of(care.therapist, supervisor, stand_ins.on_call, care.patient) as (therapist, second, third, patient):
        message = care.write(care.patient, DESPAIR)
        raised = heard_alert(therapist, care, "raised")
        escalated = heard_alert(second, care, "escalated")
        assert heard_message(therapist, message).at <= raised.at
        assert (raised.data["level"], raised.data["step"]) == ("critical", "therapist")
        assert escalated.data["step"] == "supervisor"
        assert timedelta(0) <= escalated.at - moment(raised.data["deadline"]) < timedelta(seconds=DEADLINE_SECONDS)
        alert_id = raised.data["alertId"]
        assert second.tell("alert-seen", {"alertId": alert_id})["ok"]
        supervisor.post(f"/api/alerts/{alert_id}/acknowledge")
        assert heard_alert(therapist, care, "acknowledged").data["alertId"] == alert_id
        supervisor.post(f"/api/alerts/{alert_id}/resolve", {"note": "Called the patient."})
        heard_alert(therapist, care, "resolved")
        assert [each.name for each in (*third.heard, *patient.heard) if each.name == "alert"] == []

    hops = (
        "written",
        "committed",
        "read_by_scorer",
        "scored",
        "raised",
        "pushed",
        "escalated",
        "seen",
        "acknowledged",
        "resolved",
    )
    points = timeline(supervisor, alert_id, *hops)
    first = {hop: next(point["milliseconds"] for point in points if point["hop"] == hop) for hop in hops}
    assert [hop for hop in sorted(first, key=lambda hop: first[hop]) if hop not in {"seen", "pushed"}] == [
        hop for hop in hops if hop not in {"seen", "pushed"}
    ]
    assert points == sorted(points, key=lambda point: point["milliseconds"])


def test_an_ordinary_message_is_scored_low_and_calls_nobody(care: Care) -> None:
    message = care.write(care.patient, CALM)
    assert care.analysis(message["id"])["prediction"]["riskLevel"] in {"low", "moderate"}
    assert care.open_alerts() == []
    assert care.patient.ask("GET", f"/api/analyses/{message['id']}").status_code == 403


def test_what_a_therapist_writes_calls_nobody(care: Care) -> None:
    message = care.write(care.therapist, DESPAIR)
    assert care.analysis(message["id"])["prediction"]["riskLevel"] == "critical"
    assert care.open_alerts() == []


def test_further_messages_are_taken_in_by_the_open_alert(care: Care) -> None:
    with lines_of(care.therapist) as (therapist,):
        care.write(care.patient, DESPAIR)
        alert_id = heard_alert(therapist, care, "raised").data["alertId"]
        care.therapist.post(f"/api/alerts/{alert_id}/acknowledge")
        again = care.write(care.patient, DESPAIR)
        care.analysis(again["id"])
        extended = heard_alert(therapist, care, "extended")
        assert extended.data["alertId"] == alert_id
    assert [each["id"] for each in care.open_alerts()] == [alert_id]
    points = timeline(care.therapist, alert_id, "extended")
    assert {point["messageId"] for point in points if point["hop"] == "scored"} >= {again["id"]}


@pytest.mark.promise("AL4")
def test_who_is_called_is_told_by_mail_sms_and_push_as_well_without_a_word_of_what_was_written(care: Care) -> None:
    stack, therapist = care.practice.stack, care.therapist
    providers = stack.servers.providers
    browser = providers.new_browser()
    care.practice.private |= {NUMBER, browser["endpoint"]}
    therapist.must("PUT", "/api/notifications/phone", {"number": NUMBER})
    therapist.post("/api/notifications/push-subscriptions", browser)
    message = care.write(care.patient, DESPAIR)
    eventually(
        lambda: [mail for mail in stack.mail.messages(to=therapist.email) if "Please open Bloom now" in str(mail["Subject"])]
    )
    eventually(lambda: providers.sms(to=NUMBER))
    eventually(lambda: providers.shown(browser))
    told = [
        *(
            part.get_content()
            for mail in stack.mail.messages(to=therapist.email)
            for part in mail.walk()
            if not part.is_multipart()
        ),
        *(str(each) for each in providers.sms(to=NUMBER)),
        *(str(each) for each in providers.shown(browser)),
    ]
    private = {
        message["body"],
        care.patient.email,
        care.patient.id,
        message["id"],
        care.conversation,
        "critical",
        "kill",
        "suicid",
    }
    assert [word for word in private for text in told if word in str(text)] == []
    alert_id = care.open_alerts()[0]["id"]
    channels = {point["channel"] for point in timeline(therapist, alert_id, "sent") if point["hop"] == "sent"}
    eventually(
        lambda: (
            {"email", "sms", "push"}
            <= {point["channel"] for point in timeline(therapist, alert_id, "sent") if point["hop"] == "sent"}
        )
    )
    assert channels <= {"email", "sms", "push"}
    therapist.post(f"/api/alerts/{alert_id}/acknowledge")


def test_an_alert_is_nobodys_but_those_who_were_called_and_the_administrators(care: Care) -> None:
    stranger = care.practice.therapist("Dr. Nobody Asked", hours=[])
    care.write(care.patient, DESPAIR)
    (alert,) = eventually(care.open_alerts)
    care.therapist.post(f"/api/alerts/{alert['id']}/acknowledge")
    for path in ("", "/timeline"):
        assert slug(stranger.ask("GET", f"/api/alerts/{alert['id']}{path}")) == (404, "alert-not-found")
        assert care.patient.ask("GET", f"/api/alerts/{alert['id']}{path}").status_code == 403
        assert care.practice.administrator.ask("GET", f"/api/alerts/{alert['id']}{path}").status_code == 200
    assert slug(stranger.ask("POST", f"/api/alerts/{alert['id']}/acknowledge")) == (404, "alert-not-found")


def test_a_deleted_message_takes_its_score_along_and_a_destroyed_key_every_text(care: Care) -> None:
    message = care.write(care.patient, CALM)
    care.analysis(message["id"])
    care.patient.must("DELETE", f"/api/messages/{message['id']}")
    eventually(lambda: care.analysis(message["id"])["status"] == "withdrawn")
    kept = care.write(care.patient, CALM)
    care.practice.administrator.post(f"/api/conversations/{care.conversation}/destroy-key")
    assert care.therapist.get(f"/api/messages/{kept['id']}")["body"] is None
    refused = care.patient.ask("POST", "/api/messages", {"conversationId": care.conversation, "body": CALM})
    assert slug(refused) == (410, "key-destroyed")
