"""With a part of the crisis path away people still hear of each other, a human is still called, and nothing is forgotten."""

from collections.abc import Iterator

import pytest
from tests.e2e.care import CALM, DESPAIR, Care, heard_alert, heard_message, lines_of
from tests.e2e.outages import away
from tests.e2e.people import Practice, eventually, slug

from local_stack.process import wait_until

pytestmark = pytest.mark.timeout(400)


@pytest.fixture
def care(practice: Practice) -> Iterator[Care]:
    """Their alert is answered in the end, so that it calls nobody into other stories."""
    care = Care.of(practice)
    yield care
    for alert in care.open_alerts():
        care.practice.administrator.ask("POST", f"/api/alerts/{alert['id']}/acknowledge")


@pytest.mark.promise("PL20")
@pytest.mark.promise("MS9")
def test_messages_and_alerts_reach_the_sockets_while_valkey_is_away(care: Care) -> None:
    with away(care.practice.stack.valkey), lines_of(care.patient, care.therapist) as (patient, therapist):
        heard_message(patient, care.write(care.therapist, CALM))
        heard_message(therapist, care.write(care.patient, DESPAIR))
        assert heard_alert(therapist, care, "raised").data["level"] == "critical"


@pytest.mark.promise("X5")
def test_what_was_written_while_the_socket_process_was_away_is_pushed_when_it_is_back(care: Care) -> None:
    sockets = care.practice.stack.services["messaging-socket"]
    with lines_of(care.therapist) as (before,):
        known = care.write(care.patient, CALM)
        heard_message(before, known)
        with away(sockets):
            missed = care.write(care.patient, DESPAIR)
            assert wait_until(lambda: not before.is_open, 20)
    with lines_of(care.therapist) as (after,):
        assert after.tell("resume", {"conversationId": care.conversation, "after": known["sequence"]})["ok"]
        heard_message(after, missed)
        # Whoever comes back is told of every alert that is open.
        assert after.await_event("alert", lambda data: data["conversationId"] == care.conversation).data["level"] == "critical"


@pytest.mark.promise("ML7")
@pytest.mark.promise("PL20")
def test_a_message_that_nobody_scores_in_time_calls_a_human_and_its_score_follows(care: Care) -> None:
    worker = care.practice.stack.services["ml-scoring-worker"]
    with lines_of(care.therapist) as (therapist,):
        with away(worker):
            message = care.write(care.patient, DESPAIR)
            assert heard_alert(therapist, care, "raised").data["level"] == "moderate"
            (alert,) = care.open_alerts()
            assert alert["cause"] == "unscored"
        assert care.analysis(message["id"])["prediction"]["riskLevel"] == "critical"
        assert eventually(lambda: care.open_alerts()[0]["level"] == "critical")
    assert [each["id"] for each in care.open_alerts()] == [alert["id"]]


def test_without_the_key_of_a_conversation_a_human_is_called_and_the_scorer_goes_on_when_it_is_there(care: Care) -> None:
    services = care.practice.stack.services
    other = Care.of(care.practice)
    with away(services["messaging-api"]) as bring_back:
        with away(services["ml-scoring-worker"]):
            bring_back()
            waiting = care.write(care.patient, DESPAIR)
            services["messaging-api"].kill()
        (alert,) = eventually(care.open_alerts)
        assert alert["cause"] == "unscored"
        assert care.therapist.ask("GET", f"/api/analyses/{waiting['id']}").status_code == 404
        bring_back()
        assert care.analysis(waiting["id"])["prediction"]["riskLevel"] == "critical"
        assert other.analysis(other.write(other.patient, CALM)["id"])["status"] == "scored"


@pytest.mark.promise("PL20")
def test_people_write_to_each_other_while_kafka_is_away_and_the_alert_comes_when_it_is_back(care: Care) -> None:
    with lines_of(care.patient, care.therapist) as (patient, therapist):
        with away(care.practice.stack.kafka):
            heard_message(patient, care.write(care.therapist, CALM))
            heard_message(therapist, care.write(care.patient, DESPAIR))
        assert therapist.await_event("alert", lambda data: data["conversationId"] == care.conversation, limit_seconds=90)
    eventually(lambda: [alert["level"] for alert in care.open_alerts()] == ["critical"], limit_seconds=90)


def test_a_mail_that_could_not_be_sent_goes_out_when_the_server_is_back_and_once(care: Care) -> None:
    stack = care.practice.stack
    with away(stack.mail), lines_of(care.therapist) as (therapist,):
        care.write(care.patient, DESPAIR)
        heard_alert(therapist, care, "raised")

    def told() -> list[str]:
        subjects = [str(mail["Subject"]) for mail in stack.mail.messages(to=care.therapist.email)]
        return [subject for subject in subjects if subject == "Please open Bloom now"]

    eventually(told, limit_seconds=90)
    assert len(told()) == 1


@pytest.mark.promise("PL20")
def test_the_path_goes_on_without_the_apis_of_scores_and_alerts(care: Care) -> None:
    services = care.practice.stack.services
    with away(services["ml-scoring-api"], services["notifications-api"]), lines_of(care.therapist) as (therapist,):
        care.write(care.patient, DESPAIR)
        assert heard_alert(therapist, care, "raised").data["level"] == "critical"
        for path in ("/api/models", "/api/alerts"):
            assert slug(care.therapist.ask("GET", path)) == (503, "service-unavailable")
        assert care.therapist.ask("GET", "/api/conversations").status_code == 200
    eventually(lambda: care.therapist.ask("GET", "/api/alerts").status_code == 200)
