"""What lies in the databases of the crisis path when its APIs are tried: conversations, scores and alerts of two practices."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from tests.contract.live import Live, Person, ids

from bloom_events.appointments import AppointmentBooked, VisitType
from bloom_events.auth import Role, UserRegistered
from bloom_events.envelope import Envelope, wrap
from bloom_events.event import Event
from bloom_events.ids import (
    AnalysisId,
    AppointmentId,
    ConversationId,
    MessageId,
    PatientId,
    TenantId,
    TherapistId,
    UserId,
    new_id,
)
from bloom_events.messaging import ConversationMemberJoined, MessageSent
from bloom_events.risk import Probabilities, RiskLabel, RiskLevel, RiskScored


@dataclass(frozen=True)
class Pair:
    """A patient and a therapist, and what is told about them."""

    tenant: UUID
    patient: UUID
    therapist: UUID

    @classmethod
    def of(cls, tenant: UUID) -> "Pair":
        return cls(tenant, uuid4(), uuid4())

    def told(self, live: Live, source: str, event: Event) -> Envelope[Any]:
        return wrap(event, source=f"/bloom/{source}", tenant_id=TenantId(self.tenant), time=live.clock(), correlation_id=uuid4())


def pairs() -> tuple[Pair, Pair, Pair]:
    """Two pairs of one practice, and one of another."""
    tenant = uuid4()
    return Pair.of(tenant), Pair.of(tenant), Pair.of(uuid4())


def registered(user: UUID, role: Role) -> UserRegistered:
    return UserRegistered(user_id=UserId(user), role=role, status="active")


# Messaging


@dataclass(frozen=True)
class Chat:
    """What two people have written to each other."""

    pair: Pair
    conversation: str
    messages: list[str]
    attachments: list[str]
    text: str


def plant_conversations(live: Live) -> None:
    """A conversation of each pair, with messages of both and a file that was announced."""
    mine, theirs, foreign = (_chat(live, pair) for pair in pairs())
    for role, subject, key in (("PATIENT", mine.pair.patient, "therapistId"), ("THERAPIST", mine.pair.therapist, "patientId")):
        other = mine.pair.therapist if role == "PATIENT" else mine.pair.patient
        strangers = [each.pair.therapist if role == "PATIENT" else each.pair.patient for each in (theirs, foreign)]
        live.people[role] = Person(
            live.bearer(role, mine.pair.tenant, subject),
            own=ids(user_id=[mine.pair.patient, mine.pair.therapist], **{key: [other]}) | _named(mine),
            foreign=ids(**{key: strangers}) | _named(theirs, foreign),
            secrets=tuple(text for each in (theirs, foreign) for text in (each.conversation, each.text, *each.messages)),
        )
    live.people["ADMINISTRATOR"] = Person(
        live.bearer("ADMINISTRATOR", mine.pair.tenant, uuid4()),
        own=ids(conversation_id=[mine.conversation, theirs.conversation]),
        foreign=ids(conversation_id=[foreign.conversation]),
        secrets=(mine.text, theirs.text, foreign.conversation, foreign.text),
    )


def _named(*chats: Chat) -> dict[str, list[str]]:
    conversations = [each.conversation for each in chats]
    messages = [message for each in chats for message in each.messages]
    attachments = [attachment for each in chats for attachment in each.attachments]
    return ids(
        conversation_id=conversations,
        conversationId=conversations,
        message_id=messages,
        replyToId=messages,
        attachment_id=attachments,
    )


def _chat(live: Live, pair: Pair) -> Chat:
    _in_care(live, pair)
    patient = live.bearer("PATIENT", pair.tenant, pair.patient)()
    therapist = live.bearer("THERAPIST", pair.tenant, pair.therapist)()
    opening = {"kind": "direct", "therapistId": str(pair.therapist)}
    conversation = live.ask("POST", "/api/conversations", patient, json=opening).json()["id"]
    text = f"something private {uuid4().hex}"
    sent = [
        live.ask("POST", "/api/messages", headers, json={"conversationId": conversation, "body": f"{text} {number}"}).json()
        for number, headers in enumerate((patient, therapist, patient))
    ]
    file = {"name": "a.pdf", "contentType": "application/pdf", "sizeBytes": 4, "sha256": "0" * 64}
    announced = live.ask("POST", "/api/attachments", patient, json={"conversationId": conversation, **file}).json()
    return Chat(pair, conversation, [each["message"]["id"] for each in sent], [announced["attachment"]["id"]], text)


def _in_care(live: Live, pair: Pair) -> None:
    from messaging.use_cases.following import note_registration, note_visit

    for user, role in ((pair.patient, Role.PATIENT), (pair.therapist, Role.THERAPIST)):
        live.run(note_registration(live.uow(pair.tenant), pair.told(live, "auth", registered(user, role))))
    starts = live.clock() + timedelta(days=1)
    visit = AppointmentBooked(
        appointment_id=AppointmentId(new_id()),
        patient_id=PatientId(pair.patient),
        therapist_id=TherapistId(pair.therapist),
        visit_type=VisitType.STANDARD,
        starts_at=starts,
        ends_at=starts + timedelta(minutes=50),
        revision=1,
    )
    live.run(note_visit(live.uow(pair.tenant), pair.told(live, "appointments", visit)))


# Scores


def plant_scores(live: Live) -> None:
    """A scored message of each pair; its therapist is told of it."""
    mine, theirs, foreign = ((pair, *_scored(live, pair)) for pair in pairs())
    known = ids(name=["risk-minilm-l6"], version=["1"])
    others = [theirs, foreign]
    for role, subject in (("PATIENT", mine[0].patient), ("THERAPIST", mine[0].therapist), ("ADMINISTRATOR", uuid4())):
        is_reader = role == "THERAPIST"
        live.people[role] = Person(
            live.bearer(role, mine[0].tenant, subject),
            own=known | (ids(conversationId=[mine[1]], message_id=[mine[2]]) if is_reader else {}),
            foreign=ids(message_id=[message for _, _, message in (others if is_reader else [mine, *others])]),
            secrets=tuple(str(each) for _, conversation, message in others for each in (conversation, message)),
        )


def _scored(live: Live, pair: Pair) -> tuple[UUID, UUID]:
    from ml_scoring.domain.analyses import Finding
    from ml_scoring.use_cases.conversations import hear_member
    from ml_scoring.use_cases.predictions import predict
    from ml_scoring.use_cases.scoring import write_findings

    conversation, message = ConversationId(new_id()), MessageId(new_id())
    joined = ConversationMemberJoined(
        conversation_id=conversation,
        patient_id=PatientId(pair.patient),
        member_id=UserId(pair.therapist),
        member_role=Role.THERAPIST,
    )
    live.run(hear_member(live.uow(pair.tenant), pair.told(live, "messaging", joined)))
    sent = MessageSent(
        **_message(pair, conversation, message), key_version=1, nonce="AAAAAAAAAAAAAAAA", ciphertext="AAAA", sent_at=live.clock()
    )

    async def work() -> None:
        (score,) = await predict(live.app.state.kit.resources["shelf"], TenantId(pair.tenant), ["The walk did me good."])
        found = Finding(pair.told(live, "messaging", sent), score, live.clock(), live.clock())
        async with live.uow(pair.tenant).begin() as transaction:
            await write_findings(transaction, [found])

    live.run(work())
    return conversation, message


def _message(pair: Pair, conversation: UUID, message: UUID) -> dict[str, Any]:
    return {
        "conversation_id": conversation,
        "message_id": message,
        "sequence": 1,
        "revision": 1,
        "patient_id": PatientId(pair.patient),
        "author_id": UserId(pair.patient),
        "author_role": Role.PATIENT,
        "therapist_ids": (TherapistId(pair.therapist),),
    }


# Alerts


def plant_alerts(live: Live) -> None:
    """An open alert of each pair, about which its therapist was called, and a browser of each person of the first."""
    mine, theirs, foreign = ((pair, _alerted(live, pair)) for pair in pairs())
    for role, subject, own, others in (
        ("PATIENT", mine[0].patient, [], [mine, theirs, foreign]),
        ("THERAPIST", mine[0].therapist, [mine], [theirs, foreign]),
        ("ADMINISTRATOR", uuid4(), [mine, theirs], [foreign]),
    ):
        signed_in = live.bearer(role, mine[0].tenant, subject)
        strangers = ids(alert_id=[alert for _, alert in others])
        live.people[role] = Person(
            signed_in, ids(alert_id=[alert for _, alert in own]), strangers, secrets=tuple(strangers["alert_id"])
        )


def _alerted(live: Live, pair: Pair) -> UUID:
    from notifications.use_cases.accounts import note_account
    from notifications.use_cases.messages import hear_score

    for user, role in ((pair.patient, Role.PATIENT), (pair.therapist, Role.THERAPIST)):
        live.run(note_account(live.uow(pair.tenant), pair.told(live, "auth", registered(user, role))))
    moments = dict.fromkeys(("message_sent_at", "received_at", "scored_at"), live.clock())
    scored = RiskScored(
        **_message(pair, ConversationId(new_id()), MessageId(new_id())),
        **moments,
        analysis_id=AnalysisId(new_id()),
        label=RiskLabel.SUICIDAL,
        probabilities=Probabilities.by_label({label: float(label is RiskLabel.SUICIDAL) for label in RiskLabel}),
        level=RiskLevel.CRITICAL,
        model_name="planted",
        model_version="1",
        model_hash="0" * 64,
        tokenizer_hash="0" * 64,
        windows=1,
        model_milliseconds=1.0,
    )
    change = live.run(hear_score(live.uow(pair.tenant), pair.told(live, "ml-scoring", scored), now=live.clock()))
    alert: UUID = change.alert.alert_id
    return alert
