"""A patient and a therapist who write to each other, those who are called when one is in danger, and all their connections."""

import hashlib
import secrets
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import httpx
from tests.e2e.people import Person, Practice, book, eventually

from local_stack.socket_line import Heard, SocketLine

# The start-up model calls this critical, and nothing else in the stories.
DESPAIR = "I cannot go on any more. I want to kill myself tonight and nobody would notice."
CALM = "Thank you, see you on Tuesday then."
# The shortest that the API takes.
DEADLINE_SECONDS = 5


def line_of(person: Person) -> SocketLine:
    """A connection as this person; it is open while its block runs."""
    return SocketLine(person.url, person.headers["Authorization"].removeprefix("Bearer "))


def moment(text: str) -> datetime:
    """A time as the API writes it."""
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


@dataclass
class Care:
    """A patient and a therapist with a visit ahead of them and a conversation of their own."""

    practice: Practice
    patient: Person
    therapist: Person
    conversation: str

    @classmethod
    def of(cls, practice: Practice) -> "Care":
        """Two new people who have met by booking."""
        patient, therapist = practice.patient(), practice.therapist()
        return cls.between(practice, patient, therapist)

    @classmethod
    def between(cls, practice: Practice, patient: Person, therapist: Person) -> "Care":
        """These two, once messaging has heard of the visit that the patient books here."""
        book(patient, therapist)
        opening = {"kind": "direct", "therapistId": therapist.id}
        eventually(lambda: patient.ask("POST", "/api/conversations", opening).status_code == 201)
        return cls(practice, patient, therapist, patient.post("/api/conversations", opening)["id"])

    def write(self, author: Person, text: str, **more: Any) -> dict[str, Any]:
        """Send a message whose text must show nowhere else; gives it as it was answered."""
        body = f"{text} {secrets.token_hex(8)}"
        self.practice.private |= {text, body}
        answer = author.must("POST", "/api/messages", {"conversationId": self.conversation, "body": body, **more})
        assert answer["analysis"] == {"status": "pending"}
        message: dict[str, Any] = answer["message"]
        return message

    def attach(self, author: Person, content: bytes) -> str:
        """Announce a file, upload it as a browser would, and say that it is there; gives its id."""
        announced = author.post(
            "/api/attachments",
            {
                "conversationId": self.conversation,
                "name": "letter.pdf",
                "contentType": "application/pdf",
                "sizeBytes": len(content),
                "sha256": hashlib.sha256(content).hexdigest(),
            },
        )
        upload = announced["upload"]
        sent = httpx.request(
            upload["method"], upload["url"], headers=upload["headers"], content=content, timeout=30, trust_env=False
        )
        assert sent.is_success, sent.text
        attachment: str = announced["attachment"]["id"]
        author.post(f"/api/attachments/{attachment}/complete")
        return attachment

    def analysis(self, message_id: str) -> dict[str, Any]:
        """What the scorer found, as the therapist sees it, once it is there."""
        eventually(lambda: self.therapist.ask("GET", f"/api/analyses/{message_id}").status_code == 200)
        found: dict[str, Any] = self.therapist.get(f"/api/analyses/{message_id}")
        return found

    def open_alerts(self) -> list[dict[str, Any]]:
        """The alerts of this conversation that nobody has resolved, as the administrator sees them."""
        listed = self.practice.administrator.get("/api/alerts?status=calling&status=acknowledged&limit=100")["items"]
        return [alert for alert in listed if alert["conversationId"] == self.conversation]


@dataclass
class StandIns:
    """Who is called when a therapist does not answer, and after them."""

    supervisor: Person
    on_call: Person
    chain: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, practice: Practice, *, deadline_seconds: int = DEADLINE_SECONDS) -> "StandIns":
        """Two new people, whom the practice's chain names from now on."""
        stand_ins = cls(practice.therapist("Dr. Sam Okoro", hours=[]), practice.therapist("Dr. Toni Brandt", hours=[]))
        step = dict.fromkeys(("moderate", "high", "critical"), deadline_seconds)
        stand_ins.chain = {
            "supervisors": [stand_ins.supervisor.id],
            "onCall": [stand_ins.on_call.id],
            "deadlines": dict.fromkeys(("therapist", "supervisor", "onCall"), step),
        }
        etag = practice.administrator.ask("GET", "/api/alerts/chain").headers["etag"]
        # A person can be called once notifications has heard of them.
        eventually(
            lambda: practice.administrator.ask("PUT", "/api/alerts/chain", stand_ins.chain, If_Match=etag).status_code == 200
        )
        return stand_ins


@contextmanager
def lines_of(*people: Person) -> Iterator[list[SocketLine]]:
    """Connections of several people at once."""
    with ExitStack() as stack:
        yield [stack.enter_context(line_of(person)) for person in people]


def heard_message(line: SocketLine, message: dict[str, Any], name: str = "new-message") -> Heard:
    """The event by which a connection was told of a message."""
    return line.await_event(name, lambda data: data["message"]["id"] == message["id"])


def heard_alert(line: SocketLine, care: Care, state: str) -> Heard:
    """The event by which a connection was told that the alert of a conversation is in this state."""
    return line.await_event("alert", lambda data: data["conversationId"] == care.conversation and data["state"] == state)
