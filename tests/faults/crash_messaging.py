"""Every command of messaging, and every kind of event that it listens to, each in a practice of its own."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

from tests.faults.crash_appointments import good
from tests.faults.stands import MORNING, Answer, Command, Send, Stand

from bloom_events.alerts import AlertCause, AlertRaised, ChainStep
from bloom_events.appointments import AppointmentBooked, AppointmentCancelled, VisitType
from bloom_events.auth import Role, SessionRevoked, TherapistVerified, UserRegistered, UserReinstated, UserSuspended
from bloom_events.event import Event
from bloom_events.ids import AlertId, AppointmentId, ConversationId, MessageId, PatientId, SessionId, TherapistId, UserId
from bloom_events.risk import RiskLevel
from messaging.agents import handlers
from messaging.clients.wake import Waker
from service_kit.unit_of_work import UnitOfWork

Prepare = Callable[[Stand], Awaitable[Send]]


class Practice:
    """A tenant with a patient, a therapist who cares for them, and a colleague of that therapist."""

    def __init__(self, stand: Stand) -> None:
        self.stand = stand
        self.tenant_id = uuid4()
        self.patient_id, self.therapist_id, self.colleague_id = uuid4(), uuid4(), uuid4()
        self.patient = stand.caller("PATIENT", self.tenant_id, self.patient_id)
        self.therapist = stand.caller("THERAPIST", self.tenant_id, self.therapist_id)
        self.administrator = stand.caller("ADMINISTRATOR", self.tenant_id)
        self.visit = {
            "appointment_id": AppointmentId(uuid4()),
            "patient_id": PatientId(self.patient_id),
            "therapist_id": TherapistId(self.therapist_id),
            "visit_type": VisitType.STANDARD,
            "starts_at": MORNING,
            "ends_at": MORNING + timedelta(hours=1),
        }
        stand.clock.moment = MORNING

    def heard(self, event: Event) -> Send:
        """What messaging does with an event."""
        cause = self.stand.told(self.tenant_id, event)

        async def handle(uow: UnitOfWork) -> None:
            async def same_uow(_: object) -> UnitOfWork:
                return uow

            async def silent() -> Waker:
                return Waker(None)

            await handlers(same_uow, silent)[type(event)](cause)

        return self.stand.hearing(handle, cause)

    def booked(self) -> AppointmentBooked:
        return AppointmentBooked(**self.visit, revision=1)

    def registered(self) -> UserRegistered:
        return UserRegistered(user_id=UserId(self.patient_id), role=Role.PATIENT, status="active")

    async def meet(self) -> Practice:
        """Everybody is known, and the patient has a visit with the therapist."""
        for user_id in (self.therapist_id, self.colleague_id):
            await self.heard(TherapistVerified(user_id=UserId(user_id), display_name="Dr. Robin Vale"))()
        await self.heard(self.registered())()
        await self.heard(self.booked())()
        return self

    async def ask(self, method: str, path: str, body: object, who: dict[str, str], key: str | None = None) -> Answer:
        return await self.stand.ask(method, path, body, headers=who, key=key)

    async def open_direct(self, key: str | None = None) -> Answer:
        body = {"kind": "direct", "therapistId": str(self.therapist_id)}
        return await self.ask("POST", "/api/conversations", body, self.patient, key)

    async def open_team(self, key: str | None = None) -> Answer:
        body = {"kind": "care_team", "patientId": str(self.patient_id), "memberIds": [str(self.patient_id)]}
        return await self.ask("POST", "/api/conversations", body, self.therapist, key)

    async def team(self) -> str:
        """The path of a care team of patient and therapist."""
        return f"/api/conversations/{json.loads(good(await self.open_team()).body)['id']}"

    async def send(self, conversation_id: str, key: str | None = None, **more: object) -> Answer:
        body = {"conversationId": conversation_id, "body": "See you on Tuesday.", **more}
        return await self.ask("POST", "/api/messages", body, self.patient, key)

    async def written(self) -> tuple[str, str]:
        """The ids of a conversation and of its first message. The conversation's key is at hand from then on."""
        conversation_id = json.loads(good(await self.open_direct()).body)["id"]
        return conversation_id, json.loads(good(await self.send(conversation_id)).body)["message"]["id"]


async def _opening(stand: Stand) -> Send:
    practice, key = await Practice(stand).meet(), str(uuid4())
    return lambda: practice.open_direct(key)


async def _opening_a_team(stand: Stand) -> Send:
    practice, key = await Practice(stand).meet(), str(uuid4())
    return lambda: practice.open_team(key)


async def _taking_in(stand: Stand) -> Send:
    practice = await Practice(stand).meet()
    path = await practice.team()
    return lambda: practice.ask("POST", f"{path}/members", {"userId": str(practice.colleague_id)}, practice.therapist)


async def _leaving(stand: Stand) -> Send:
    practice = await Practice(stand).meet()
    path = await practice.team()
    return lambda: practice.ask("DELETE", f"{path}/members/{practice.patient_id}", None, practice.patient)


async def _sending(stand: Stand) -> Send:
    practice, key = await Practice(stand).meet(), str(uuid4())
    conversation_id, message_id = await practice.written()
    return lambda: practice.send(conversation_id, key, replyToId=message_id)


def _changing(method: str, body: object) -> Prepare:
    async def prepare(stand: Stand) -> Send:
        practice = await Practice(stand).meet()
        _, message_id = await practice.written()
        return lambda: practice.ask(method, f"/api/messages/{message_id}", body, practice.patient)

    return prepare


async def _confirming(stand: Stand) -> Send:
    practice = await Practice(stand).meet()
    conversation_id, _ = await practice.written()
    path = f"/api/conversations/{conversation_id}/receipts"
    return lambda: practice.ask("POST", path, {"delivered": 3, "read": 3}, practice.therapist)


async def _renewing(stand: Stand) -> Send:
    practice = await Practice(stand).meet()
    conversation_id, _ = await practice.written()
    return lambda: practice.ask("POST", f"/api/conversations/{conversation_id}/rotate-key", None, practice.administrator)


def _hearing(event_of: Callable[[Practice], Event]) -> Prepare:
    async def prepare(stand: Stand) -> Send:
        practice = await Practice(stand).meet()
        return practice.heard(event_of(practice))

    return prepare


def _raised(practice: Practice) -> AlertRaised:
    called: tuple[UserId, ...] = (UserId(practice.therapist_id), UserId(practice.colleague_id))
    times: dict[str, Any] = {"deadline": MORNING, "message_sent_at": MORNING, "raised_at": MORNING}
    return AlertRaised(
        alert_id=AlertId(uuid4()),
        revision=1,
        conversation_id=ConversationId(uuid4()),
        patient_id=PatientId(practice.patient_id),
        level=RiskLevel.HIGH,
        notify=called,
        step=ChainStep.THERAPIST,
        called=called,
        cause=AlertCause.RISK,
        message_id=MessageId(uuid4()),
        **times,
    )


def _cancelled(practice: Practice) -> AppointmentCancelled:
    return AppointmentCancelled(**practice.visit, revision=2, cancelled_by="patient", cancelled_at=MORNING)


def _ended(practice: Practice) -> SessionRevoked:
    return SessionRevoked(session_id=SessionId(uuid4()), user_id=UserId(practice.therapist_id), reason="signed_out")


def _registered(_: Practice) -> UserRegistered:
    return UserRegistered(user_id=UserId(uuid4()), role=Role.PATIENT, status="active")


def _suspended(practice: Practice) -> UserSuspended:
    return UserSuspended(user_id=UserId(practice.therapist_id), role=Role.THERAPIST)


def _reinstated(practice: Practice) -> UserReinstated:
    return UserReinstated(user_id=UserId(practice.therapist_id), role=Role.THERAPIST)


COMMANDS = (
    Command("open a conversation", _opening, 201, keyed=True),
    Command("open a care team", _opening_a_team, 201, keyed=True),
    Command("take somebody into a care team", _taking_in),
    Command("leave a conversation", _leaving),
    Command("send a message", _sending, 201, keyed=True),
    Command("edit a message", _changing("PATCH", {"body": "See you on Wednesday."})),
    Command("delete a message", _changing("DELETE", None)),
    Command("confirm a receipt", _confirming),
    Command("renew a key", _renewing),
    Command("hear of a registration", _hearing(_registered), 204),
    Command("hear of a suspended therapist", _hearing(_suspended), 204),
    Command("hear of a reinstated therapist", _hearing(_reinstated), 204),
    Command("hear of a visit called off", _hearing(_cancelled), 204),
    Command("hear of an ended session", _hearing(_ended), 204),
    Command("hear of an alert", _hearing(_raised), 204),
)
