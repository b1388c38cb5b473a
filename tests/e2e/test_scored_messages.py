"""What becomes of a message beside being delivered: its score, as the therapist sees it, and as nobody else does."""

import time
from dataclasses import dataclass
from typing import Any

import pytest
from tests.e2e.people import Person, Practice, book, eventually, slug

CRISIS = "I cannot go on. I want to end my life tonight and I have a plan."
CALM = "Thank you, the walk in the morning did me good. See you on Tuesday."


@dataclass
class Chat:
    """A patient and a therapist who have a conversation, and a therapist who has no part in it."""

    patient: Person
    therapist: Person
    stranger: Person
    conversation_id: str

    def write(self, body: str) -> Any:
        """A message of the patient's; gives all of the answer."""
        return self.patient.post("/api/messages", {"conversationId": self.conversation_id, "body": body})

    def analysis(self, message_id: str, *, revision: int = 1) -> Any:
        """The analysis of a message once it is of this revision."""

        def ask() -> Any:
            answer = self.therapist.ask("GET", f"/api/analyses/{message_id}")
            return answer.json() if answer.status_code == 200 and answer.json()["revision"] == revision else None

        return eventually(ask)


@pytest.fixture(scope="module")
def chat(practice: Practice) -> Chat:
    patient, therapist, stranger = practice.patient(), practice.therapist(), practice.therapist("Dr. Sam Fern")
    book(patient, therapist)
    opening = {"kind": "direct", "therapistId": therapist.id}
    # Messaging hears of the visit through Kafka, a moment after the booking is answered.
    eventually(lambda: patient.ask("POST", "/api/conversations", opening).is_success)
    opened = patient.post("/api/conversations", opening)
    return Chat(patient, therapist, stranger, opened["id"])


@pytest.mark.promise("ML6", "ML7", "MS3", "X3")
def test_a_message_is_answered_at_once_and_its_score_follows(chat: Chat) -> None:
    sent = chat.write(CRISIS)
    assert sent["analysis"] == {"status": "pending"}
    found = chat.analysis(sent["message"]["id"])
    assert (found["status"], found["prediction"]["label"]) == ("scored", "Suicidal")
    assert found["prediction"]["riskLevel"] in {"high", "critical"}
    assert found["prediction"]["model"]["name"] == "risk-minilm-l6"
    calm = chat.analysis(chat.write(CALM)["message"]["id"])
    assert calm["prediction"]["riskLevel"] == "low"


def test_the_score_is_shown_to_the_therapist_of_the_conversation_and_to_nobody_else(chat: Chat, practice: Practice) -> None:
    message_id = chat.write(CALM)["message"]["id"]
    chat.analysis(message_id)
    one, all_of_it = f"/api/analyses/{message_id}", f"/api/analyses?conversationId={chat.conversation_id}"
    for path in (one, all_of_it):
        assert slug(chat.stranger.ask("GET", path)) == (404, "analysis-not-found")
        assert slug(chat.patient.ask("GET", path)) == (403, "forbidden")
        assert slug(practice.administrator.ask("GET", path)) == (403, "forbidden")
    assert chat.therapist.get(all_of_it)["items"][0]["messageId"] == message_id


def test_an_edit_is_scored_again_and_a_deletion_withdraws_the_score(chat: Chat) -> None:
    message_id = chat.write(CALM)["message"]["id"]
    first = chat.analysis(message_id)
    chat.patient.must("PATCH", f"/api/messages/{message_id}", {"body": CRISIS})
    edited = chat.analysis(message_id, revision=2)
    chat.patient.must("DELETE", f"/api/messages/{message_id}")
    deleted = chat.analysis(message_id, revision=3)
    assert first["id"] == edited["id"] == deleted["id"]
    assert (first["prediction"]["riskLevel"], edited["prediction"]["label"]) == ("low", "Suicidal")
    assert (deleted["status"], deleted["prediction"]) == ("withdrawn", None)


@pytest.mark.promise("ML1", "ML5")
def test_staff_may_have_a_text_scored_and_patients_may_not(chat: Chat, practice: Practice) -> None:
    found = chat.therapist.post("/v1/predict", {"text": CRISIS})
    assert (found["label"], found["riskLevel"]) == ("Suicidal", "critical")
    several = practice.administrator.post("/v1/predict", {"texts": [CALM, CRISIS]})["predictions"]
    assert [each["riskLevel"] for each in several] == ["low", "critical"]
    assert slug(chat.patient.ask("POST", "/v1/predict", {"text": CALM})) == (403, "forbidden")


def test_the_keys_of_conversations_cannot_be_had_through_the_gateway(chat: Chat, practice: Practice) -> None:
    path = f"/internal/conversations/{chat.conversation_id}/keys/1"
    for person in (chat.therapist, practice.administrator):
        assert person.ask("GET", path).status_code == 404


@pytest.mark.promise("ML8", "X3", "PL20")
def test_messages_are_taken_while_the_scorer_is_away_and_scored_when_it_is_back(chat: Chat, practice: Practice) -> None:
    worker = practice.stack.services["ml-scoring-worker"]
    worker.stop()
    began = time.monotonic()
    sent = chat.write(CRISIS)
    assert time.monotonic() - began < 10
    message_id = sent["message"]["id"]
    assert slug(chat.therapist.ask("GET", f"/api/analyses/{message_id}")) == (404, "analysis-not-found")
    worker.start()
    assert chat.analysis(message_id)["prediction"]["label"] == "Suicidal"


def test_a_destroyed_key_takes_the_text_and_leaves_what_was_found_in_it(chat: Chat, practice: Practice) -> None:
    message_id = chat.write(CRISIS)["message"]["id"]
    before = chat.analysis(message_id)
    practice.administrator.post(f"/api/conversations/{chat.conversation_id}/destroy-key")
    assert chat.therapist.get(f"/api/analyses/{message_id}") == before
    assert CRISIS not in chat.therapist.ask("GET", f"/api/conversations/{chat.conversation_id}/messages").text
