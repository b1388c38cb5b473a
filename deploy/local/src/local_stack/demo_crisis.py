"""The story of one crisis: two people write, one message alarms, nobody answers, and the next person who is called does.

For the time of the story the demo tenant's chain has short deadlines; afterwards it has those again that it had before.
"""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from local_stack.api import Api
from local_stack.errors import StackError
from local_stack.process import wait_until
from local_stack.seed import demo_person
from local_stack.socket_line import Heard, SocketLine
from local_stack.stack import Stack
from local_stack.story import Somebody, Story

# The shortest that the API takes.
DEADLINE_SECONDS = 5
ORDINARY = ("How was your week?", "Quiet. I slept better and went for a walk twice.")
CRISIS = "I cannot go on any more. I want to kill myself tonight and nobody would notice."
NOTE = "Called the patient; a friend is with them, visit tomorrow at nine."


@dataclass
class Crisis:
    """Who is in it, with their open connections by name."""

    story: Story
    conversation: str
    people: Mapping[str, Somebody]
    lines: Mapping[str, SocketLine]

    def writes(self, author: str, body: str) -> dict[str, Any]:
        """Somebody writes; the other one's socket has it, and the time from commit to socket is printed."""
        sent = self.people[author].api.post("/api/messages", {"conversationId": self.conversation, "body": body})
        message: dict[str, Any] = sent.body["message"]
        reader = "therapist" if author == "patient" else "patient"
        heard = self.lines[reader].await_event("new-message", lambda data: data["message"]["id"] == message["id"])
        self.story.tell(f'the {author} writes: "{body}"')
        self.story.time(f"new-message at the {reader}'s socket", moment(message["sentAt"]), heard.at, "its commit")
        return message

    def alert_at(self, who: str, state: str) -> Heard:
        """The alert of this conversation in this state, at somebody's socket."""
        return self.lines[who].await_event(
            "alert", lambda data: data["conversationId"] == self.conversation and data["state"] == state
        )


def tell_of_a_crisis(story: Story, stack: Stack, *, therapist: Somebody, patient: Somebody) -> None:
    """Tell it whole."""
    supervisor = _demo_somebody(stack, "supervisor")
    people = {each.name: each for each in (patient, therapist, supervisor)}
    with _short_deadlines(story, demo_person(stack, "administrator")), ExitStack() as open_lines:
        conversation = _they_open_a_conversation(story, patient, therapist)
        lines = {
            name: open_lines.enter_context(SocketLine(story.url, somebody.api.token or "")) for name, somebody in people.items()
        }
        story.tell("patient, therapist and supervisor connect their sockets")
        crisis = Crisis(story, conversation, people, lines)
        crisis.writes("therapist", ORDINARY[0])
        crisis.writes("patient", ORDINARY[1])
        alert = _one_message_alarms(crisis)
        _nobody_answers(crisis, alert)
        _somebody_answers(crisis, alert["alertId"])
        _the_timeline(crisis, alert["alertId"])
    mails = stack.mail.messages(to=story.email("therapist"))
    story.tell(f"the therapist was written to as well, without a word of it: {len(mails)} mails at {stack.mail.url}")


def _demo_somebody(stack: Stack, role: str) -> Somebody:
    api = demo_person(stack, role)
    return Somebody(role, api, UUID(api.get("/api/users/me").body["id"]))


@contextmanager
def _short_deadlines(story: Story, admin: Api) -> Iterator[None]:
    before = admin.get("/api/alerts/chain").body
    chain = {name: before[name] for name in ("supervisors", "onCall", "deadlines")}
    step = dict.fromkeys(("moderate", "high", "critical"), DEADLINE_SECONDS)
    admin.change("PUT", "/api/alerts/chain", {**chain, "deadlines": dict.fromkeys(chain["deadlines"], step)})
    story.tell(f"the administrator gives each step of the chain {DEADLINE_SECONDS} s")
    try:
        yield
    finally:
        admin.change("PUT", "/api/alerts/chain", chain)


def _they_open_a_conversation(story: Story, patient: Somebody, therapist: Somebody) -> str:
    opening = {"kind": "direct", "therapistId": str(therapist.id)}
    # Messaging hears of the visit, which makes the two a patient and his therapist, a moment after it was booked.
    wait_until(lambda: patient.api.ask("POST", "/api/conversations", opening).status == 201, 30.0, pause=0.1)
    conversation: str = patient.api.post("/api/conversations", opening).body["id"]
    story.tell("the patient opens a conversation with the therapist")
    return conversation


def _one_message_alarms(crisis: Crisis) -> dict[str, Any]:
    message = crisis.writes("patient", CRISIS)
    crisis.story.show(["message.sent.v1", "risk.scored.v1", "alert.raised.v1"], [UUID(message["id"])])
    heard = crisis.alert_at("therapist", "raised")
    level = heard.data["level"]
    crisis.story.time(f"alert at the therapist's socket: {level}", moment(message["sentAt"]), heard.at, "the message's commit")
    return heard.data


def _nobody_answers(crisis: Crisis, alert: dict[str, Any]) -> None:
    crisis.story.tell("nobody answers")
    heard = crisis.alert_at("supervisor", "escalated")
    crisis.story.tell("the supervisor is called")
    crisis.story.time("alert at the supervisor's socket: escalated", moment(alert["deadline"]), heard.at, "the deadline")


def _somebody_answers(crisis: Crisis, alert_id: str) -> None:
    line, api = crisis.lines["supervisor"], crisis.people["supervisor"].api
    if not line.tell("alert-seen", {"alertId": alert_id})["ok"]:
        raise StackError("demo", "the server did not take that the alert was seen")
    answered = api.post(f"/api/alerts/{alert_id}/acknowledge").body
    crisis.story.tell("the supervisor takes it in hand")
    heard = crisis.alert_at("therapist", "acknowledged")
    crisis.story.time("alert at the therapist's socket: acknowledged", moment(answered["acknowledgedAt"]), heard.at, "the answer")
    api.post(f"/api/alerts/{alert_id}/resolve", {"note": NOTE})
    crisis.story.tell("and resolves it with a note, which is sealed")


def _the_timeline(crisis: Crisis, alert_id: str) -> None:
    """Print every hop that was stored, with the milliseconds since the message was written."""
    api = crisis.people["supervisor"].api
    path = f"/api/alerts/{alert_id}/timeline"
    # What reached people and providers comes back over Kafka.
    wait_until(lambda: {"pushed", "seen", "sent"} <= {point["hop"] for point in api.get(path).body["points"]}, 15.0, pause=0.1)
    crisis.story.tell("the timeline, rebuilt from what was stored:")
    names = {str(somebody.id): name for name, somebody in crisis.people.items()}
    for point in api.get(path).body["points"]:
        who = [names.get(each, "somebody") for each in (point["called"] or [point["userId"]]) if each]
        facts = [point["level"], point["step"], point["channel"], ", ".join(who)]
        told = "  ".join(fact for fact in facts if fact)
        print(f"            {point['milliseconds']:9.0f} ms  {point['hop']:<16} {told}", flush=True)


def moment(text: str) -> datetime:
    """A time as the API writes it."""
    return datetime.fromisoformat(text.replace("Z", "+00:00"))
