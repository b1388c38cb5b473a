"""Every command of notifications, and the kinds of events that it listens to, each in a ward of its own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from types import ModuleType
from typing import Any
from uuid import UUID, uuid4

from tests.faults.crash_appointments import good
from tests.faults.stands import MORNING, Answer, Command, Send, Stand

from bloom_events.appointments import AppointmentBooked, AppointmentCancelled, VisitType
from bloom_events.auth import Role, TherapistVerified, UserRegistered, UserSuspended
from bloom_events.envelope import Envelope
from bloom_events.event import Event
from bloom_events.ids import AnalysisId, AppointmentId, ConversationId, MessageId, PatientId, TherapistId, UserId, new_id
from bloom_events.messaging import AlertPushed, AlertSeen, MessageDeleted, MessageSent
from bloom_events.risk import Probabilities, RiskLabel, RiskLevel, RiskScored, RiskWithdrawn
from notifications.agents import accounts, appointments, contacts, crisis
from notifications.domain.watch import Patience
from notifications.repository.deadlines import DueAlert
from notifications.use_cases.by_the_clock import escalate_alert
from notifications.use_cases.messages import give_up_waiting, is_calm
from service_kit.chores import Chore
from service_kit.unit_of_work import UnitOfWork

Prepare = Callable[[Stand], Awaitable[Send]]

_SECONDS = {"moderate": 900, "high": 300, "critical": 120}
_CHANNELS = {"email": True, "sms": False, "push": True}
_CHOICE = {"appointments": _CHANNELS, "reminders": _CHANNELS, "quietHours": {"from": "22:00", "until": "07:00"}}
_LATER = MORNING + timedelta(days=1)


class Ward:
    """A tenant with a therapist, a supervisor and an administrator whom auth told of, and a patient's one message."""

    def __init__(self, stand: Stand) -> None:
        self.stand = stand
        self.tenant_id = uuid4()
        self.therapist_id, self.supervisor_id, self.administrator_id = (UserId(new_id()) for _ in range(3))
        self.therapist = stand.caller("THERAPIST", self.tenant_id, self.therapist_id)
        self.administrator = stand.caller("ADMINISTRATOR", self.tenant_id, self.administrator_id)
        self.message = _message([self.therapist_id])
        stand.clock.moment = MORNING

    async def open(self) -> Ward:
        """Have auth tell of everybody."""
        for user_id, role in ((self.therapist_id, Role.THERAPIST), (self.supervisor_id, Role.THERAPIST)):
            await self.heard(UserRegistered(user_id=user_id, role=role, status="active"))()
        await self.heard(UserRegistered(user_id=self.administrator_id, role=Role.ADMINISTRATOR, status="active"))()
        return self

    def heard(self, event: Event, part: ModuleType | None = None) -> Send:
        """What one part of notifications does with an event: its parts are done, and remembered, each by itself."""
        cause, clock = self.stand.told(self.tenant_id, event), self.stand.clock

        async def handle(uow: UnitOfWork) -> None:
            async def same_uow(_: Envelope[Any]) -> UnitOfWork:
                return uow

            watchdog = Chore("unscored", _nothing_due, clock=clock)
            if is_calm(event):
                # As the worker does, which takes these together.
                await crisis.hearing_calm(same_uow, patience=Patience(), watchdog=watchdog, clock=clock)([cause])
                return
            heard = crisis.handlers(same_uow, patience=Patience(), watchdog=watchdog, clock=clock)
            parts = [part] if part else [accounts, appointments]
            for each in parts:
                heard = {**heard, **each.handlers(same_uow)}
            await heard[type(event)](cause)

        return self.stand.hearing(handle, cause)

    def sent(self) -> MessageSent:
        return MessageSent(**self.message, key_version=1, nonce="AAAA", ciphertext="AAAA", sent_at=MORNING)

    def scored(self, level: RiskLevel = RiskLevel.HIGH, *, message_id: MessageId | None = None) -> RiskScored:
        facts = self.message if message_id is None else {**self.message, "message_id": message_id}
        return _scored(facts, MORNING, level)

    async def raised(self) -> UUID:
        """The only alert there is."""
        await self.heard(self.scored())()
        row = await self.stand.database.connection.fetchrow("select id from alerts where tenant_id = $1", self.tenant_id)
        if row is None:
            raise RuntimeError("the scene has no alert")
        return UUID(int=row["id"].int)

    async def ask(self, path: str, body: object = None, *, method: str = "POST", **headers: str) -> Answer:
        return await self.stand.ask(method, path, body, headers={**self.therapist, **headers})

    def by_the_clock(self, work: Callable[[UnitOfWork], Awaitable[object]]) -> Send:
        """What the worker does when a deadline is over."""
        cause = self.stand.told(self.tenant_id, self.sent())
        return self.stand.doing(lambda: work(self.stand.unit_of_work(cause)))


def scored_message(therapists: Sequence[UserId], at: datetime, level: RiskLevel) -> RiskScored:
    """The score of a patient's only message in a conversation with these therapists."""
    return _scored(_message(therapists), at, level)


def _message(therapists: Sequence[UserId]) -> dict[str, Any]:
    patient_id = UserId(uuid4())
    return {
        "conversation_id": ConversationId(uuid4()),
        "message_id": MessageId(uuid4()),
        "sequence": 1,
        "revision": 1,
        "patient_id": PatientId(patient_id),
        "author_id": patient_id,
        "author_role": Role.PATIENT,
        "therapist_ids": tuple(TherapistId(user_id) for user_id in therapists),
    }


def _scored(facts: Mapping[str, Any], at: datetime, level: RiskLevel) -> RiskScored:
    share = {label: 1.0 if label is RiskLabel.SUICIDAL else 0.0 for label in RiskLabel}
    return RiskScored(
        **facts, analysis_id=AnalysisId(uuid4()), label=RiskLabel.SUICIDAL, probabilities=Probabilities.by_label(share),
        level=level, model_name="risk", model_version="1", model_hash="a" * 64, tokenizer_hash="b" * 64, windows=1,
        message_sent_at=at, received_at=at, scored_at=at, model_milliseconds=3.0,
    )  # fmt: skip


async def _nothing_due(_: object) -> None:
    return None


def _hearing(
    event_of: Callable[[Ward], Event], *, after: Callable[[Ward], Event] | None = None, part: ModuleType | None = None
) -> Prepare:
    async def prepare(stand: Stand) -> Send:
        ward = await Ward(stand).open()
        if after is not None:
            await ward.heard(after(ward))()
        return ward.heard(event_of(ward), part)

    return prepare


def _worse(ward: Ward) -> RiskScored:
    return ward.scored(RiskLevel.CRITICAL, message_id=MessageId(uuid4()))


def _deleted(ward: Ward) -> MessageDeleted:
    return MessageDeleted(**{**ward.message, "revision": 2, "sequence": 2}, deleted_at=MORNING)


def _withdrawn(ward: Ward) -> RiskWithdrawn:
    return RiskWithdrawn(**{**ward.message, "revision": 2, "sequence": 2}, withdrawn_at=MORNING)


def _reaching(kind: type[AlertPushed | AlertSeen], field: str) -> Prepare:
    async def prepare(stand: Stand) -> Send:
        ward = await Ward(stand).open()
        return ward.heard(kind(alert_id=await ward.raised(), user_id=ward.therapist_id, **{field: MORNING}))

    return prepare


def _registered(_: Ward) -> UserRegistered:
    return UserRegistered(user_id=UserId(uuid4()), role=Role.THERAPIST, status="pending_verification")


def _verified(ward: Ward) -> TherapistVerified:
    return TherapistVerified(user_id=ward.therapist_id, display_name="Dr. Robin Vale")


def _suspended(ward: Ward) -> UserSuspended:
    return UserSuspended(user_id=ward.therapist_id, role=Role.THERAPIST)


def _visit(ward: Ward, kind: type[AppointmentBooked | AppointmentCancelled], revision: int, **more: Any) -> Event:
    ids = {"appointment_id": AppointmentId(ward.tenant_id), "patient_id": ward.message["patient_id"]}
    times = {"starts_at": _LATER, "ends_at": _LATER + timedelta(minutes=50)}
    therapist_id = TherapistId(ward.therapist_id)
    return kind(**ids, **times, therapist_id=therapist_id, visit_type=VisitType.STANDARD, revision=revision, **more)


def _booked(ward: Ward) -> Event:
    return _visit(ward, AppointmentBooked, 1)


def _called_off(ward: Ward) -> Event:
    return _visit(ward, AppointmentCancelled, 2, cancelled_by="patient", cancelled_at=MORNING)


async def _giving_up(stand: Stand) -> Send:
    ward = await Ward(stand).open()
    await ward.heard(ward.sent())()
    stand.clock.advance(seconds=5)
    return ward.by_the_clock(lambda uow: give_up_waiting(uow, ward.message["message_id"], 1, now=stand.clock()))


async def _escalating(stand: Stand) -> Send:
    ward = await Ward(stand).open()
    due = DueAlert(ward.message["message_id"], await ward.raised(), uuid4(), MORNING)
    stand.clock.advance(minutes=5)
    return ward.by_the_clock(lambda uow: escalate_alert(uow, due, now=stand.clock()))


async def _acknowledging(stand: Stand) -> Send:
    ward = await Ward(stand).open()
    alert_id = await ward.raised()
    return lambda: ward.ask(f"/api/alerts/{alert_id}/acknowledge")


def _after_an_answer(path: str, body: object) -> Prepare:
    async def prepare(stand: Stand) -> Send:
        ward = await Ward(stand).open()
        alert_id = await ward.raised()
        good(await ward.ask(f"/api/alerts/{alert_id}/acknowledge"))
        return lambda: ward.ask(f"/api/alerts/{alert_id}/{path}", body)

    return prepare


async def _setting_the_chain(stand: Stand) -> Send:
    ward = await Ward(stand).open()
    deadlines = dict.fromkeys(("therapist", "supervisor", "onCall"), _SECONDS)
    chain = {"supervisors": [str(ward.supervisor_id)], "onCall": [], "deadlines": deadlines}
    headers = {**ward.administrator, "If-Match": '"1"'}
    return lambda: stand.ask("PUT", "/api/alerts/chain", chain, headers=headers)


async def _choosing(stand: Stand) -> Send:
    ward = await Ward(stand).open()
    return lambda: ward.ask("/api/notifications/preferences", _CHOICE, method="PUT", **{"If-Match": '"1"'})


async def _giving_a_number(stand: Stand) -> Send:
    ward = await Ward(stand).open()
    return lambda: ward.ask("/api/notifications/phone", {"number": "+15005550006"}, method="PUT")


async def _taking_a_number_back(stand: Stand) -> Send:
    ward = await Ward(stand).open()
    good(await ward.ask("/api/notifications/phone", {"number": "+15005550006"}, method="PUT"))
    return lambda: ward.ask("/api/notifications/phone", method="DELETE")


COMMANDS = (
    Command("hear of a message", _hearing(Ward.sent), 204),
    Command("hear of a low score", _hearing(lambda ward: ward.scored(RiskLevel.LOW), after=Ward.sent), 204),
    Command("raise an alert", _hearing(Ward.scored, after=Ward.sent), 204),
    Command("extend an alert", _hearing(_worse, after=Ward.scored), 204),
    Command("give a message up", _giving_up, 204),
    Command("escalate an alert", _escalating, 204),
    Command("hear of a deleted message", _hearing(_deleted, after=Ward.scored), 204),
    Command("hear of a withdrawn score", _hearing(_withdrawn, after=Ward.scored), 204),
    Command("hear of a push", _reaching(AlertPushed, "pushed_at"), 204),
    Command("hear that it was seen", _reaching(AlertSeen, "seen_at"), 204),
    Command("acknowledge an alert", _acknowledging),
    Command("hand an alert over", _after_an_answer("hand-over", {"step": "supervisor"})),
    Command("resolve an alert", _after_an_answer("resolve", {"note": "Spoke by phone; safe at home."})),
    Command("set the chain", _setting_the_chain),
    Command("hear of a registration", _hearing(_registered), 204),
    Command("hear of somebody to ask auth about", _hearing(_registered, part=contacts), 204),
    Command("hear of a verified therapist", _hearing(_verified), 204),
    Command("hear of a suspended therapist", _hearing(_suspended), 204),
    Command("hear of a booking", _hearing(_booked), 204),
    Command("hear of a visit called off", _hearing(_called_off, after=_booked), 204),
    Command("choose what to be told", _choosing),
    Command("give a phone number", _giving_a_number),
    Command("take a phone number back", _taking_a_number_back, 204),
)
