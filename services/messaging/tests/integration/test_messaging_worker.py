"""The worker on a real Kafka: what auth, appointments and notifications tell becomes rows, whatever order it comes in."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import orjson
import pytest
from confluent_kafka import Producer
from redis.asyncio import Redis

from bloom_events.alerts import (
    AlertAcknowledged,
    AlertCause,
    AlertEscalated,
    AlertEvent,
    AlertExtended,
    AlertRaised,
    AlertResolved,
    ChainStep,
)
from bloom_events.appointments import AppointmentCancelled, AppointmentCompleted, AppointmentCorrected
from bloom_events.auth import Role, SessionRevoked, TherapistVerified, UserRegistered, UserReinstated, UserSuspended
from bloom_events.envelope import Envelope, to_kafka
from bloom_events.ids import AlertId, ConversationId, MessageId, PatientId, SessionId, UserId
from bloom_events.risk import RiskLevel
from local_stack.ports import free_port
from local_stack.services import ServiceProcess, Surroundings
from messaging.clients.wake import CHANNEL
from service_kit.testing import as_tenant
from service_kit.unit_of_work import utc_now

if TYPE_CHECKING:
    from local_stack.postgres import ServiceDatabase


@pytest.fixture(scope="module")
def worker(
    database: ServiceDatabase,
    kafka_topics: str,
    valkey_server: Any,
    key_file: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Callable[[], ServiceProcess]]:
    """Starts a worker process of its own on the test's database, Kafka and Valkey; whatever still runs is killed at the end."""
    folder = tmp_path_factory.mktemp("workers")
    started: list[ServiceProcess] = []
    around = Surroundings(
        environment="test",
        databases={"messaging": database},
        kafka_bootstrap=kafka_topics,
        valkey_url=valkey_server.url,
        jwks_url="",
        own_settings={"messaging": {"KEY_ENCRYPTION": f"file:{key_file}"}},
    )

    def start() -> ServiceProcess:
        port, instance = free_port(), len(started) + 1
        environment = around.of("messaging", "worker", port=port)
        process = ServiceProcess(
            "messaging", "worker", port=port, environment=environment, logs=folder, pids=folder, instance=instance, guarded=True
        )
        started.append(process)
        process.start()
        return process

    yield start
    for process in started:
        process.kill()


@pytest.fixture(scope="module")
def deliver(kafka_topics: str) -> Callable[[Sequence[Envelope[Any]]], None]:
    """Puts events on their topics in just this order and waits until Kafka has them."""
    producer = Producer({"bootstrap.servers": kafka_topics, "enable.idempotence": True, "acks": "all"})

    def send(events: Sequence[Envelope[Any]]) -> None:
        for event in events:
            message = to_kafka(event)
            producer.produce(
                message.topic, message.value, message.key, headers=list(message.headers), timestamp=message.timestamp_ms
            )
        assert producer.flush(20) == 0

    return send


async def eventually(is_so: Callable[[], Awaitable[bool]], limit_seconds: float = 90.0) -> bool:
    deadline = time.monotonic() + limit_seconds
    while not await is_so():
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(0.1)
    return True


async def rows(practice: Any, query: str, *values: Any) -> list[Any]:
    async with as_tenant(practice.pool, practice.tenant_id) as connection:
        return [tuple(row) for row in await connection.fetch(query, *values)]


def an_alert(practice: Any, kind: type[AlertEvent], revision: int, notify: Sequence[Any], **more: Any) -> AlertEvent:
    facts: dict[str, Any] = {
        "alert_id": AlertId(practice.tenant_id),
        "revision": revision,
        "conversation_id": ConversationId(uuid4()),
        "patient_id": PatientId(uuid4()),
        "level": RiskLevel.HIGH,
        "notify": tuple(UserId(each) for each in notify),
    }
    return kind(**facts, **more)


@pytest.mark.promise("MS1")
@pytest.mark.timeout(240)
async def test_a_killed_worker_and_repeated_events_leave_what_the_events_say(
    practice: Any, worker: Callable[[], ServiceProcess], deliver: Callable[[Sequence[Envelope[Any]]], None]
) -> None:
    practice.clock.moment = utc_now()
    pairs = [(practice.person("PATIENT"), practice.person("THERAPIST")) for _ in range(40)]
    events: list[Envelope[Any]] = []
    for index, (patient, therapist) in enumerate(pairs):
        events.append(practice.told(UserRegistered(user_id=UserId(patient.id), role=Role.PATIENT, status="active")))
        events.append(practice.told(TherapistVerified(user_id=UserId(therapist.id), display_name="Dr. Robin Vale")))
        booked = practice.visit(patient, therapist)
        events.append(practice.told(booked))
        if index % 2:
            facts = booked.model_dump() | {"revision": 2}
            events.append(practice.told(AppointmentCancelled(**facts, cancelled_by="patient", cancelled_at=practice.clock())))
    rng = random.Random(7)
    delivered = [*events, *rng.choices(events, k=30)]
    rng.shuffle(delivered)

    async def has(count: int) -> bool:
        found = await rows(practice, "select count(*) from people")
        return bool(found[0][0] >= count)

    async def is_done() -> bool:
        settled = await rows(practice, "select count(*) from care_relationships where stands = (revision = 1)")
        return await has(80) and bool(settled[0][0] == 40) and await standing(practice) == 20

    first = worker()
    deliver(delivered)
    assert await eventually(lambda: has(5))
    first.kill()
    second = worker()
    assert await eventually(is_done)
    second.stop()
    assert await practice.open(*pairs[0])


async def standing(practice: Any) -> int:
    return int((await rows(practice, "select count(*) from care_relationships where stands"))[0][0])


@pytest.mark.timeout(240)
async def test_alerts_sessions_and_suspensions_wake_the_sockets_once_they_are_stored(
    practice: Any, worker: Callable[[], ServiceProcess], deliver: Callable[[Sequence[Envelope[Any]]], None], valkey_server: Any
) -> None:
    practice.clock.moment = utc_now()
    therapist, session_id = practice.person("THERAPIST"), uuid4()
    raised = an_alert(
        practice,
        AlertRaised,
        1,
        [therapist.id],
        step=ChainStep.THERAPIST,
        called=(UserId(therapist.id),),
        deadline=utc_now(),
        cause=AlertCause.RISK,
        message_id=MessageId(uuid4()),
        message_sent_at=utc_now(),
        raised_at=utc_now(),
    )
    revoked = SessionRevoked(session_id=SessionId(session_id), user_id=UserId(therapist.id), reason="signed_out")
    suspended = UserSuspended(user_id=UserId(therapist.id), role=Role.THERAPIST)
    wanted = [
        {"t": str(practice.tenant_id), "u": str(therapist.id), "a": 1},
        {"t": str(practice.tenant_id), "x": str(session_id)},
        {"t": str(practice.tenant_id), "p": str(therapist.id)},
    ]
    async with Redis.from_url(valkey_server.url.replace("valkey://", "redis://")) as valkey, valkey.pubsub() as heard:
        await heard.subscribe(CHANNEL)
        process = worker()
        deliver([practice.told(event) for event in (raised, revoked, suspended)])
        wakes: list[dict[str, Any]] = []

        async def all_came() -> bool:
            message = await heard.get_message(ignore_subscribe_messages=True, timeout=0.1)
            if message:
                wakes.append(orjson.loads(message["data"]))
            return all(each in wakes for each in wanted)

        assert await eventually(all_came), wakes
    process.stop()
    assert await rows(practice, "select user_id, state, level, step from alert_pushes") == [
        (therapist.id, "raised", "high", "therapist")
    ]
    assert await rows(practice, "select session_id from ended_sessions") == [(session_id,)]


async def test_a_late_event_changes_nothing(practice: Any) -> None:
    patient, therapist = practice.person("PATIENT"), practice.person("THERAPIST")
    booked = practice.visit(patient, therapist)
    facts = booked.model_dump()
    completed = AppointmentCompleted(**facts | {"revision": 2}, completed_at=practice.clock())
    corrected = AppointmentCorrected(**facts | {"revision": 3}, corrected_to="cancelled", corrected_at=practice.clock())
    later = practice.clock.moment + timedelta(minutes=1)

    for event in (corrected, completed, booked):
        await practice.hear(event)
    await practice.hear(UserReinstated(user_id=UserId(therapist.id), role=Role.THERAPIST), time=later)
    await practice.hear(UserSuspended(user_id=UserId(therapist.id), role=Role.THERAPIST))

    assert await rows(practice, "select stands, revision from care_relationships") == [(False, 3)]
    assert await rows(practice, "select status from people") == [("active",)]


@pytest.mark.parametrize("corrected_to", ["no_show", "cancelled"])
async def test_a_visit_that_was_missed_makes_a_relationship_and_one_that_was_called_off_does_not(
    practice: Any, corrected_to: str
) -> None:
    facts = practice.visit(practice.person("PATIENT"), practice.person("THERAPIST")).model_dump() | {"revision": 2}
    await practice.hear(AppointmentCorrected(**facts, corrected_to=corrected_to, corrected_at=practice.clock()))

    assert await rows(practice, "select stands from care_relationships") == [(corrected_to == "no_show",)]


async def test_everybody_who_was_called_sees_each_change_of_an_alert(practice: Any) -> None:
    first, second, now = uuid4(), uuid4(), practice.clock()
    calling = {"step": ChainStep.THERAPIST, "called": (UserId(first),), "deadline": now}
    message = {"cause": AlertCause.RISK, "message_id": MessageId(uuid4())}
    raised = an_alert(practice, AlertRaised, 1, [first], **calling, **message, message_sent_at=now, raised_at=now)
    extended = an_alert(practice, AlertExtended, 2, [first], **message, deadline=now, extended_at=now)
    up = {"step": ChainStep.SUPERVISOR, "called": (UserId(second),), "deadline": now + timedelta(minutes=5)}
    escalated = an_alert(practice, AlertEscalated, 3, [first, second], **up, round=2, escalated_at=now)
    acknowledged = an_alert(practice, AlertAcknowledged, 4, [first, second], acknowledged_by=UserId(second), acknowledged_at=now)
    resolved = an_alert(practice, AlertResolved, 5, [first, second], resolved_by=UserId(second), resolved_at=now)
    query = "select state, step, deadline is not null, revision from alert_pushes where user_id = $1"

    seen = []
    for event in (raised, extended, escalated, acknowledged, resolved, raised):
        await practice.hear(event)
        seen.append(await rows(practice, query, first))

    assert seen == [
        [("raised", "therapist", True, 1)],
        [("extended", "therapist", True, 2)],
        [("escalated", "supervisor", True, 3)],
        [("acknowledged", "supervisor", False, 4)],
        [("resolved", "supervisor", False, 5)],
        [("resolved", "supervisor", False, 5)],
    ]
    assert await rows(practice, query, second) == [("resolved", "supervisor", False, 5)]


async def test_ended_sessions_are_forgotten_once_no_token_of_theirs_can_be_valid(practice: Any) -> None:
    def revoked() -> SessionRevoked:
        return SessionRevoked(session_id=SessionId(uuid4()), user_id=UserId(uuid4()), reason="signed_out")

    for _ in range(3):
        await practice.hear(revoked())
    await practice.hear(revoked(), time=practice.clock.moment + timedelta(days=3))

    assert await rows(practice, "select count(*) from ended_sessions") == [(1,)]


async def test_an_event_heard_twice_has_one_effect(practice: Any) -> None:
    cause = practice.told(UserSuspended(user_id=UserId(uuid4()), role=Role.PATIENT))
    await practice.hear(cause)
    async with as_tenant(practice.pool, practice.tenant_id) as connection:
        await connection.execute("update people set status = 'active'")

    await practice.hear(cause)

    assert await rows(practice, "select status from people") == [("active",)]
