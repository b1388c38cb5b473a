"""As in production: PostgreSQL, Kafka and Valkey are reached by TLS alone, with names and passwords, or not at all."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import httpx
import orjson
import pytest
from confluent_kafka import Consumer, Producer
from pydantic import SecretStr
from redis.asyncio import Redis
from services.messaging.tests.integration.conftest import ISSUER
from services.messaging.tests.integration.issuer_over_http import keys_of

from bloom_events.auth import Role, TherapistVerified, UserRegistered
from bloom_events.envelope import to_kafka
from bloom_events.ids import UserId
from bloom_events.messaging import MessageSent
from bloom_events.registry import unwrap
from bloom_events.topics import MESSAGES, all_topics
from local_stack.certificates import Authority
from local_stack.kafka import KafkaCluster
from local_stack.ports import free_port
from local_stack.postgres import ServiceDatabase
from local_stack.sasl_listener import SaslListener, let_in
from local_stack.services import ServiceProcess, Surroundings
from local_stack.tls_gate import TlsGate
from local_stack.topics import create_topics
from messaging.clients.wake import CHANNEL
from service_kit.broker import wait_for_broker
from service_kit.database import create_pool
from service_kit.health import Health, database_check
from service_kit.kafka_access import KafkaAccess
from service_kit.relay import Relay, RelayOptions
from service_kit.unit_of_work import utc_now

if TYPE_CHECKING:
    from local_stack.postgres import PostgresServer
    from local_stack.valkey import ValkeyServer

NAME = "bloom-messaging"
# The slowest of what a test waits for is three processes that start at once on a busy machine.
LIMIT_SECONDS = 90.0


@dataclass(frozen=True)
class Encrypted:
    """The doors to the servers, and whom their certificates come from."""

    authority: Authority
    stranger: Authority
    postgres: TlsGate
    valkey: TlsGate
    plain_database: ServiceDatabase
    plain_kafka: str
    kafka: KafkaAccess
    valkey_password: str

    def database(self, authority: Authority) -> ServiceDatabase:
        """The same database behind the door, trusted where this authority vouches for it."""
        return replace(
            self.plain_database,
            app_url=self._through(self.plain_database.app_url, authority),
            owner_url=self._through(self.plain_database.owner_url, authority),
            relay_url=self._through(self.plain_database.relay_url, authority),
        )

    def valkey_url(self, authority: Authority) -> str:
        return f"rediss://:{self.valkey_password}@{self.valkey.address}/0?ssl_ca_certs={authority.ca_file}"

    def _through(self, url: str, authority: Authority) -> str:
        account, _, place = url.partition("@")
        database = place.partition("/")[2]
        return f"{account}@{self.postgres.address}/{database}?sslmode=verify-full&sslrootcert={authority.ca_file}"


@pytest.fixture(scope="module")
def authorities(tmp_path_factory: pytest.TempPathFactory) -> tuple[Authority, Authority]:
    """The one that servers have their certificates from, and another of the same name."""
    return Authority(tmp_path_factory.mktemp("authority")), Authority(tmp_path_factory.mktemp("stranger"))


@pytest.fixture(scope="module")
def guarded_kafka(authorities: tuple[Authority, Authority], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A Kafka with a second door for one name, its topics made."""
    guard = SaslListener(free_port(), authorities[0].issue("kafka"))
    cluster = KafkaCluster(tmp_path_factory.mktemp("guarded"), quick=True, guarded=True, guard=guard)
    try:
        cluster.start()
        cluster.wait_ready(LIMIT_SECONDS)
        create_topics(cluster.bootstrap, all_topics())
        password = uuid4().hex
        let_in(cluster.bootstrap, NAME, password)
        access = KafkaAccess(
            servers=guard.address,
            protocol="SASL_SSL",
            mechanism="SCRAM-SHA-512",
            username=NAME,
            password=SecretStr(password),
            ca_file=authorities[0].ca_file,
        )
        yield cluster.bootstrap, access
    finally:
        cluster.kill()


@pytest.fixture(scope="module")
def encrypted(
    authorities: tuple[Authority, Authority],
    guarded_kafka: tuple[str, KafkaAccess],
    database: ServiceDatabase,
    postgres_server: PostgresServer,
    valkey_server: ValkeyServer,
) -> Iterator[Encrypted]:
    authority, stranger = authorities
    postgres = TlsGate(postgres_server.port, authority.issue("postgres"), asked_first=True)
    valkey = TlsGate(valkey_server.port, authority.issue("valkey"))
    plain_kafka, kafka = guarded_kafka
    yield Encrypted(authority, stranger, postgres, valkey, database, plain_kafka, kafka, valkey_server.password)
    postgres.close()
    valkey.close()


@pytest.fixture
def processes(
    encrypted: Encrypted, key_file: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, ServiceProcess]]:
    """API, worker and relay with the settings of production, which knows none but encrypted connections; all are ready."""
    folder, kafka = tmp_path_factory.mktemp("encrypted"), encrypted.kafka
    with keys_of(ISSUER) as jwks_url:
        around = Surroundings(
            environment="production",
            databases={"messaging": encrypted.database(encrypted.authority)},
            kafka_bootstrap=kafka.servers,
            valkey_url=encrypted.valkey_url(encrypted.authority),
            jwks_url=jwks_url,
            own_settings={
                "messaging": {
                    "KEY_ENCRYPTION": f"file:{key_file}",
                    "TOKEN_ISSUER": ISSUER.issuer,
                    "KAFKA_SECURITY_PROTOCOL": kafka.protocol,
                    "KAFKA_SASL_MECHANISM": str(kafka.mechanism),
                    "KAFKA_USERNAME": NAME,
                    "KAFKA_PASSWORD": kafka.password.get_secret_value() if kafka.password else "",
                    "KAFKA_CA_FILE": str(kafka.ca_file),
                }
            },
        )
        started = {name: started_process(around, name, folder) for name in ("api", "worker", "relay")}
        try:
            for process in started.values():
                process.wait_ready()
            yield started
        finally:
            for process in started.values():
                process.kill()


def started_process(around: Surroundings, name: str, folder: Path) -> ServiceProcess:
    port = free_port()
    environment = around.of("messaging", name, port=port)
    process = ServiceProcess("messaging", name, port=port, environment=environment, logs=folder, pids=folder, guarded=True)
    process.start()
    return process


@pytest.fixture
async def wakes(encrypted: Encrypted) -> AsyncIterator[Any]:
    """The channel of wakes, heard by TLS."""
    url = encrypted.valkey_url(encrypted.authority)
    async with Redis.from_url(url) as valkey, valkey.pubsub(ignore_subscribe_messages=True) as heard:
        await heard.subscribe(CHANNEL)
        yield heard


def deliver(kafka: KafkaAccess, events: list[Any]) -> None:
    producer = Producer({**kafka.for_confluent(), "enable.idempotence": True, "acks": "all"})
    for event in events:
        topic, key, value, headers, timestamp = to_kafka(event)
        producer.produce(topic, value, key, headers=list(headers), timestamp=timestamp)
    assert producer.flush(20) == 0


def told_on_messages(kafka: KafkaAccess, limit_seconds: float = LIMIT_SECONDS) -> Any:
    """The first event on the topic of messages, whose Kafka nobody else writes to."""
    consumer = Consumer({**kafka.for_confluent(), "group.id": uuid4().hex, "auto.offset.reset": "earliest"})
    try:
        consumer.subscribe([MESSAGES.name])
        record = consumer.poll(limit_seconds)
        assert record is not None
        assert record.error() is None
        return unwrap(record.headers(), record.value())
    finally:
        consumer.close()


async def eventually(is_so: Callable[[], Awaitable[bool]], limit_seconds: float = LIMIT_SECONDS) -> bool:
    deadline = time.monotonic() + limit_seconds
    while not await is_so():
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(0.1)
    return True


@pytest.mark.promise("SE1", "SE4")
@pytest.mark.timeout(240)
async def test_a_command_goes_from_end_to_end_with_the_settings_of_production(
    practice: Any, encrypted: Encrypted, processes: dict[str, ServiceProcess], wakes: Any
) -> None:
    practice.clock.moment = utc_now()
    async with httpx.AsyncClient(base_url=f"http://{processes['api'].address}", timeout=30) as client:
        outside = replace(practice, client=client)
        patient, therapist = outside.person("PATIENT"), outside.person("THERAPIST")
        news = [
            UserRegistered(user_id=UserId(patient.id), role=Role.PATIENT, status="active"),
            TherapistVerified(user_id=UserId(therapist.id), display_name="Dr. Robin Vale"),
            practice.visit(patient, therapist),
        ]
        await asyncio.to_thread(deliver, encrypted.kafka, [practice.told(event) for event in news])

        async def may_talk() -> bool:
            answer = await patient.post("/api/conversations", {"kind": "direct", "therapistId": str(therapist.id)})
            return answer.status_code in {200, 201}

        assert await eventually(may_talk)
        conversation = await outside.open(patient, therapist)
        sent = await patient.send(conversation, "hello")

        async def has_woken() -> bool:
            # A wake may be lost, as when the first connection takes longer than a wake may; the next message gives the next one.
            await patient.send(conversation, "hello?")
            wake = await wakes.get_message(timeout=0.5)
            return wake is not None and orjson.loads(wake["data"]).get("c") == conversation

        assert await eventually(has_woken)
    told = await asyncio.to_thread(told_on_messages, encrypted.kafka)
    assert isinstance(told.data, MessageSent)
    assert (told.tenant_id, str(told.data.message_id)) == (practice.tenant_id, sent["id"])


async def test_a_database_of_another_authority_is_refused_by_name(encrypted: Encrypted) -> None:
    url = SecretStr(encrypted.database(encrypted.stranger).app_url)
    async with await create_pool(url, size=1, application_name="refused") as pool:
        readiness = await Health({"database": database_check(lambda: pool)}).readiness()
    assert readiness.checks == {"database": "SSLCertVerificationError"}


async def test_a_database_that_is_asked_for_another_host_is_refused(encrypted: Encrypted) -> None:
    url = SecretStr(encrypted.database(encrypted.authority).app_url.replace("@127.0.0.1:", "@localhost:"))
    async with await create_pool(url, size=1, application_name="refused") as pool:
        readiness = await Health({"database": database_check(lambda: pool)}).readiness()
    assert readiness.checks == {"database": "SSLCertVerificationError"}


@pytest.mark.parametrize(
    ("of_a_stranger", "password", "reason"),
    [(True, None, "certificate"), (False, "another word", "password")],
)
async def test_a_relay_says_why_kafka_and_it_do_not_come_together(
    encrypted: Encrypted, of_a_stranger: bool, password: str | None, reason: str
) -> None:
    told = replace(
        encrypted.kafka,
        ca_file=(encrypted.stranger if of_a_stranger else encrypted.authority).ca_file,
        password=SecretStr(password) if password else encrypted.kafka.password,
    )
    dsn = SecretStr(encrypted.database(encrypted.authority).relay_url)
    relay, stop = Relay(RelayOptions(dsn=dsn, bootstrap=told, environment="test")), asyncio.Event()
    running = asyncio.create_task(relay.run(stop))

    async def has_said_so() -> bool:
        return reason in str(await relay.health_checks()["relay"]())

    assert await eventually(has_said_so)
    stop.set()
    await asyncio.wait_for(running, 30)


async def test_a_worker_that_waits_for_a_kafka_of_another_authority_says_why(
    encrypted: Encrypted, caplog: pytest.LogCaptureFixture
) -> None:
    waiting = asyncio.create_task(wait_for_broker(replace(encrypted.kafka, ca_file=encrypted.stranger.ca_file)))

    async def has_said_so() -> bool:
        return "certificate verify failed" in caplog.text

    assert await eventually(has_said_so)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
