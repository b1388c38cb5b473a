"""The worker as a process, killed between claim, call and mark: one message per intent, and nothing said in the log."""

import asyncio
import json
import re
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from bloom_events.envelope import Envelope, to_kafka
from bloom_events.registry import unwrap
from bloom_events.risk import RiskLevel
from bloom_events.topics import NOTIFICATIONS
from local_stack.mail import MailSink
from local_stack.ports import HOST, free_port
from local_stack.postgres import ServiceDatabase
from local_stack.providers import ProviderSimulator
from local_stack.secret_files import new_key
from local_stack.services import ServiceProcess, Surroundings
from service_kit.service_tokens import new_service_key, public_service_key

Start = Callable[..., ServiceProcess]
PHONES = iter(f"+1202557{number:04d}" for number in range(10_000))
QUICK = {"PROVIDER_SECONDS": "5", "SETTLE_SECONDS": "1"}
ALERT_CHANNELS = ("email", "sms", "push")


@pytest.fixture(scope="module")
def auth_database(service_database: Callable[..., ServiceDatabase]) -> ServiceDatabase:
    return service_database("auth")


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("logs")


@pytest.fixture(scope="module")
def start(
    database: ServiceDatabase,
    auth_database: ServiceDatabase,
    kafka_topics: str,
    mail_sink: MailSink,
    providers: ProviderSimulator,
    logs: Path,
) -> Iterator[Start]:
    """Starts a process of notifications or auth on the servers of this run; whatever still runs is killed at the end."""
    started: list[ServiceProcess] = []
    key, auth_port = new_service_key(), free_port()
    notifications = {**mail_sink.settings, **providers.settings, **QUICK, "MASTER_KEY": new_key(), "SERVICE_KEY": key}
    auth = {
        "MASTER_KEY": new_key(),
        "DEFAULT_TENANT": "demo",
        "TRUSTED_SERVICES": json.dumps({"notifications": public_service_key(key)}),
    }
    own = {"notifications": {**notifications, "AUTH_URL": f"http://{HOST}:{auth_port}"}, "auth": auth}
    around = Surroundings(
        environment="test",
        databases={"notifications": database, "auth": auth_database},
        kafka_bootstrap=kafka_topics,
        valkey_url="",
        jwks_url="http://127.0.0.1:9/jwks.json",
        own_settings=own,
    )

    def begin(process: str, *, service: str = "notifications", **settings: str) -> ServiceProcess:
        port = auth_port if (service, process) == ("auth", "api") else free_port()
        environment = {**around.of(service, process, port=port), **{f"NOTIFICATIONS_{k}": v for k, v in settings.items()}}
        folders = {"logs": logs, "pids": logs}
        one = ServiceProcess(
            service, process, port=port, environment=environment, instance=len(started) + 1, guarded=True, **folders
        )
        started.append(one)
        one.start()
        return one

    yield begin
    for one in started:
        one.kill()


def deliver(bootstrap: str, events: Sequence[Envelope[Any]]) -> None:
    """Puts events on their topic in this order, and waits until Kafka has them."""
    producer = Producer({"bootstrap.servers": bootstrap, "enable.idempotence": True, "acks": "all"})
    for event in events:
        topic, key, value, headers, timestamp = to_kafka(event)
        producer.produce(topic, value, key, headers=list(headers), timestamp=timestamp)
    assert producer.flush(20) == 0


async def eventually(is_so: Callable[[], Awaitable[bool]], limit_seconds: float = 150.0) -> bool:
    deadline = time.monotonic() + limit_seconds
    while not await is_so():
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(0.1)
    return True


def ended(practice: Any, about: UUID) -> Callable[[], Awaitable[bool]]:
    async def is_so() -> bool:
        rows = await practice.notifications(about=about)
        return bool(rows) and all(row["due_at"] is None for row in rows)

    return is_so


@pytest.mark.promise("AL4", "PL20")
@pytest.mark.timeout(400)
@pytest.mark.parametrize("failpoint", ["claimed", "called", "marking"])
async def test_a_worker_killed_at_any_point_of_a_delivery_leaves_one_message_per_intent(
    practice: Any, start: Start, mail_sink: MailSink, providers: ProviderSimulator, failpoint: str
) -> None:
    phone, browser = next(PHONES), providers.new_browser()
    therapist, address = await practice.person(phone=phone, browser=browser)
    # Each life of the process ends as soon as one of the three channels passes the point.
    about = await practice.call(therapist, level=RiskLevel.CRITICAL)
    for _ in range(3):
        doomed = start("worker", FAILPOINT=failpoint)
        died = await asyncio.to_thread(wait_for_end, doomed)
        if not died:
            doomed.stop()
            break
    worker = start("worker")

    assert await eventually(ended(practice, about))
    worker.stop()
    rows = await practice.notifications(about=about)
    assert {(row["channel"], row["status"]) for row in rows} == {(channel, "sent") for channel in ALERT_CHANNELS}
    assert [len(mail_sink.messages(to=address)), len(providers.sms(to=phone)), len(providers.shown(browser))] == [1, 1, 1]


def wait_for_end(process: ServiceProcess, limit_seconds: float = 45.0) -> bool:
    """Whether the process died by its failpoint; it goes on when nothing is left to be sent."""
    deadline = time.monotonic() + limit_seconds
    while time.monotonic() < deadline:
        if not process.processes[0].is_alive():
            process.kill()
            return True
        time.sleep(0.05)
    return False


@pytest.mark.timeout(600)
async def test_a_worker_killed_again_and_again_under_load_sends_every_intent_once(
    practice: Any, start: Start, mail_sink: MailSink, providers: ProviderSimulator
) -> None:
    people = {next(PHONES): None for _ in range(40)}
    addresses = {}
    for phone in people:
        user_id, addresses[phone] = await practice.person(phone=phone)
        people[phone] = user_id
    about = await practice.call(*(user_id for user_id in people.values() if user_id), level=RiskLevel.CRITICAL)

    async def sent_at_least(count: int) -> bool:
        rows = await practice.rows("select count(*) as n from notifications where about = $1 and status = 'sent'", about)
        return int(rows[0]["n"]) >= count

    for goal in (5, 25, 50):
        worker = start("worker")

        async def has_come_so_far(goal: int = goal) -> bool:
            return await sent_at_least(goal)

        assert await eventually(has_come_so_far)
        worker.kill()
    last = start("worker")
    assert await eventually(ended(practice, about))
    last.stop()

    assert {len(providers.sms(to=phone)) for phone in people} == {1}
    assert {len(mail_sink.messages(to=address)) for address in addresses.values()} == {1}
    assert {row["status"] for row in await practice.notifications(about=about)} == {"sent"}


@pytest.mark.promise("AP7", "PL11", "PL18")
@pytest.mark.timeout(400)
async def test_from_a_registration_and_a_booking_on_the_log_to_the_mail_in_the_persons_language(
    practice: Any, start: Start, auth_database: ServiceDatabase, kafka_topics: str, mail_sink: MailSink, logs: Path
) -> None:
    await create_tenant(auth_database, practice.tenant_id)
    auth, relays = start("api", service="auth"), [start("relay", service="auth"), start("relay")]
    worker = start("worker")
    await asyncio.to_thread(auth.wait_ready)
    address = f"new-{uuid4().hex}@example.test"
    user_id = await register(auth.port, str(practice.tenant_id), address)

    async def is_known() -> bool:
        rows = await practice.rows("select email from contacts where user_id = $1", user_id)
        return [row["email"] for row in rows] == [address]

    assert await eventually(is_known)
    story = practice.story(user_id, uuid4()).booked()
    deliver(kafka_topics, story.events)

    async def has_mail() -> bool:
        return len(await asyncio.to_thread(mail_sink.messages, to=address)) == 1

    async def is_told() -> bool:
        return [event.type for event in await asyncio.to_thread(told_on_kafka, kafka_topics, practice.tenant_id)] == [
            "notification.sent.v1"
        ]

    assert await eventually(has_mail)
    [mail] = mail_sink.messages(to=address)
    assert str(mail["Subject"]).startswith("Termin gebucht: ")
    assert await eventually(is_told)
    async with httpx.AsyncClient(trust_env=False) as client:
        measured = (await client.get(f"http://{HOST}:{worker.port}/metrics")).text
    assert 'bloom_notifications_total{channel="email"' in measured
    assert not re.search(r"example\.test|\+1202|Robin", measured)
    [told] = told_on_kafka(kafka_topics, practice.tenant_id)
    assert (told.correlation_id, told.causation_id) == (story.events[0].correlation_id, story.events[0].id)
    for process in (worker, *relays, auth):
        process.stop()


async def create_tenant(database: ServiceDatabase, tenant_id: UUID) -> None:
    import asyncpg

    connection = await asyncpg.connect(database.owner_url)
    await connection.execute(
        "insert into tenants (id, slug, name, created_at) values ($1, $2, 'Vale', now())", tenant_id, str(tenant_id)
    )
    await connection.close()


async def register(port: int, tenant: str, address: str) -> UUID:
    body = {
        "email": address, "password": "correct horse battery staple", "role": "PATIENT", "tenant": tenant,
        "displayName": "Robin Vale", "locale": "de-DE", "timeZone": "Europe/Berlin",
    }  # fmt: skip
    async with httpx.AsyncClient(trust_env=False) as client:
        answer = await client.post(f"http://{HOST}:{port}/api/auth/register", json=body, timeout=30)
    assert answer.status_code == 201, answer.text
    return UUID(answer.json()["id"])


def told_on_kafka(bootstrap: str, tenant_id: UUID) -> list[Envelope[Any]]:
    """What the tenant has on the topic of notifications."""
    settings = {"bootstrap.servers": bootstrap, "group.id": uuid4().hex, "auto.offset.reset": "earliest"}
    consumer = Consumer({**settings, "enable.auto.commit": False})
    consumer.assign([TopicPartition(NOTIFICATIONS.name, number, 0) for number in range(NOTIFICATIONS.partitions)])
    read: list[Any] = consumer.consume(1000, timeout=2.0)
    found = [unwrap(message.headers(), message.value()) for message in read]
    consumer.close()
    return [envelope for envelope in found if envelope.tenant_id == tenant_id]


@pytest.mark.timeout(400)
async def test_a_call_goes_out_at_once_and_reminders_at_their_moment(
    practice: Any, start: Start, providers: ProviderSimulator, mail_sink: MailSink, kafka_topics: str
) -> None:
    worker = start("worker")
    await asyncio.to_thread(worker.wait_ready)
    phone = next(PHONES)
    therapist, address = await practice.person(phone=phone)
    starts_at = datetime.now(UTC) + timedelta(hours=1, seconds=4)
    deliver(kafka_topics, practice.story(therapist, uuid4(), starts_at=starts_at).booked().events)
    about = await practice.call(therapist, level=RiskLevel.CRITICAL)
    assert await eventually(ended(practice, about))
    [row] = await practice.notifications(about=about, channel="sms")
    assert (row["ended_at"] - row["updated_at"]).total_seconds() < 5

    async def is_reminded() -> bool:
        subjects = [str(mail["Subject"]) for mail in await asyncio.to_thread(mail_sink.messages, to=address)]
        return any(subject.startswith("In one hour") for subject in subjects)

    assert await eventually(is_reminded)
    worker.stop()
    [reminder] = await practice.rows(
        "select created_at from notifications where template = 'appointment_reminder_1h' and channel = 'email'"
    )
    late = reminder["created_at"] - (starts_at - timedelta(hours=1))
    assert timedelta(0) <= late < timedelta(seconds=2)


def test_no_line_of_any_log_names_an_address_a_number_or_a_link(logs: Path, mail_sink: MailSink) -> None:
    text = "".join(path.read_text(errors="replace") for path in logs.glob("notifications-*.log"))

    assert "notification.settled" in text
    private = r"@people\.example|@example\.test|\+1202557\d{4}|Robin|token=|/push/|Please open Bloom|Termin gebucht"
    assert not re.search(private, text)
