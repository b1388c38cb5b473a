"""A practice with people in it, and a post office: all sending, on simulated providers and with a clock to turn."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from pydantic import SecretStr

from bloom_events.alerts import ChainStep
from bloom_events.appointments import (
    AppointmentBooked,
    AppointmentCancelled,
    AppointmentCompleted,
    AppointmentConfirmed,
    AppointmentEvent,
    AppointmentRescheduled,
    VisitType,
)
from bloom_events.envelope import Envelope, wrap
from bloom_events.ids import AlertId, TenantId, UserId, new_id
from bloom_events.notifications import Channel
from bloom_events.risk import RiskLevel
from local_stack.mail import MailSink
from local_stack.postgres import ServiceDatabase
from local_stack.providers import ProviderSimulator
from notifications.clients.providers import open_providers
from notifications.domain.calls import Call, CallReason
from notifications.domain.deciding import PushAddress
from notifications.domain.preferences import Preferences
from notifications.domain.providing import Provider
from notifications.domain.unsubscribing import UnsubscribeLinks
from notifications.settings import Settings
from notifications.use_cases import preferences
from notifications.use_cases.deliveries import call_people
from notifications.use_cases.rounds import SendingRounds, remind_due
from notifications.use_cases.sending import Post
from notifications.use_cases.visits import hear_of_visit
from service_kit.database import Pool, create_pool
from service_kit.testing import FixedClock, as_tenant
from service_kit.unit_of_work import Context, UnitOfWork

LINKS = UnsubscribeLinks([b"k" * 32])
ADD_CONTACT = """
    insert into contacts (user_id, email, locale, time_zone, revision, heard_at, updated_at)
    values ($1, $2, $3, $4, 1, now(), now())
    on conflict (tenant_id, user_id) do update set email = excluded.email, locale = excluded.locale,
        time_zone = excluded.time_zone, ask_at = null
"""


@dataclass
class Story:
    """The events of one appointment in envelopes, numbered as its service numbers them."""

    tenant_id: TenantId
    told_at: datetime
    starts_at: datetime
    patient_id: UUID
    therapist_id: UUID
    appointment_id: UUID = field(default_factory=new_id)
    events: list[Envelope[AppointmentEvent]] = field(default_factory=list)

    def booked(self) -> "Story":
        return self._add(AppointmentBooked)

    def confirmed(self) -> "Story":
        return self._add(AppointmentConfirmed)

    def rescheduled(self, by: timedelta) -> "Story":
        before = self.starts_at
        self.starts_at += by
        return self._add(AppointmentRescheduled, previous_starts_at=before, previous_ends_at=before + timedelta(minutes=50))

    def cancelled(self) -> "Story":
        return self._add(AppointmentCancelled, cancelled_by="patient", cancelled_at=self.told_at)

    def completed(self) -> "Story":
        return self._add(AppointmentCompleted, completed_at=self.starts_at + timedelta(hours=1))

    def _add(self, event_type: type[AppointmentEvent], **more: Any) -> "Story":
        event = event_type(
            appointment_id=self.appointment_id,
            revision=len(self.events) + 1,
            patient_id=self.patient_id,
            therapist_id=self.therapist_id,
            visit_type=VisitType.STANDARD,
            starts_at=self.starts_at,
            ends_at=self.starts_at + timedelta(minutes=50),
            **more,
        )
        source = "/bloom/appointments"
        self.events.append(wrap(event, source=source, tenant_id=self.tenant_id, time=self.told_at, correlation_id=new_id()))
        return self


class Practice:
    """One tenant on a pool of the application's role; it is the database of its own rounds."""

    def __init__(self, database: Pool, clock: FixedClock) -> None:
        self.database = database
        self.clock = clock
        self.tenant_id = TenantId(uuid4())

    async def pool(self) -> Pool:
        return self.database

    async def unit_of(self, tenant_id: TenantId, correlation_id: UUID | None = None) -> UnitOfWork:
        context = Context(tenant_id, correlation_id or new_id())
        return UnitOfWork(self.database, source="/bloom/notifications", context=context, clock=self.clock)

    def uow(self, cause: Envelope[Any] | None = None) -> UnitOfWork:
        context = Context(self.tenant_id, cause.correlation_id if cause else new_id(), cause.id if cause else None)
        return UnitOfWork(self.database, source="/bloom/notifications", context=context, clock=self.clock)

    async def person(
        self,
        *,
        locale: str | None = "en-GB",
        time_zone: str | None = "Europe/London",
        phone: str | None = None,
        browser: dict[str, Any] | None = None,
        wants: Preferences | None = None,
        has_mail: bool = True,
    ) -> tuple[UserId, str]:
        """Somebody with an address, and whatever else they told; gives their id and address."""
        user_id, address = UserId(uuid4()), f"person-{uuid4().hex}@people.example"
        if has_mail:
            await self.execute(ADD_CONTACT, user_id, address, locale, time_zone)
        if phone is not None:
            await preferences.set_phone(self.uow(), user_id, phone, now=self.clock())
        if browser is not None:
            push = PushAddress(browser["endpoint"], browser["keys"]["p256dh"], browser["keys"]["auth"])
            await preferences.subscribe(self.uow(), user_id, push, now=self.clock())
        if wants is not None:
            await preferences.set_preferences(self.uow(), user_id, wants, seen=0, now=self.clock())
        return user_id, address

    def story(self, patient_id: UUID, therapist_id: UUID, **more: Any) -> Story:
        starts_at = self.clock().replace(microsecond=0) + timedelta(days=3)
        return Story(self.tenant_id, self.clock(), more.pop("starts_at", starts_at), patient_id, therapist_id)

    async def call(self, *people: UserId, level: RiskLevel = RiskLevel.HIGH) -> AlertId:
        """People are called about an alert for the first time; gives the alert."""
        alert_id = AlertId(uuid4())
        call = Call(alert_id, CallReason.RAISED, 1, ChainStep.THERAPIST, level, people, self.clock())
        async with self.uow().begin() as transaction:
            await call_people(transaction, call, now=self.clock())
        return alert_id

    async def state(self, channel: str) -> tuple[str, str | None, int]:
        """Status, reason and attempts of the only notification on a channel."""
        [row] = await self.notifications(channel=channel)
        return row["status"], row["reason"], row["attempts"]

    async def hear(self, events: Sequence[Envelope[AppointmentEvent]]) -> None:
        for event in events:
            await hear_of_visit(self.uow(event), event, now=self.clock())

    async def remind(self) -> datetime | None:
        return await remind_due(self, self.clock())

    async def rows(self, query: str, *parameters: object) -> list[dict[str, Any]]:
        async with as_tenant(self.database, self.tenant_id) as connection:
            return [dict(row) for row in await connection.fetch(query, *parameters)]

    async def execute(self, statement: str, *parameters: object) -> None:
        async with as_tenant(self.database, self.tenant_id) as connection:
            await connection.execute(statement, *parameters)

    async def notifications(self, *, about: UUID | None = None, channel: str | None = None) -> list[dict[str, Any]]:
        query = """select * from notifications where ($1::uuid is null or about = $1) and ($2::text is null or channel = $2)
            order by created_at, template, channel, user_id"""
        return await self.rows(query, about, channel)


@dataclass
class PostOffice:
    """The sending of one practice on all channels."""

    practice: Practice
    settings: Settings
    providers: dict[Channel, Provider]
    rounds: dict[Channel, SendingRounds] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for channel in Channel:
            post = Post(channel, self.providers.get(channel), self.settings.timing, LINKS, self.settings.public_url)
            self.rounds[channel] = SendingRounds(post, self.practice, 8, self.practice.clock)

    async def serve(self, *channels: Channel) -> None:
        """Do what is due on these channels, all without names, until nothing more is under way or due."""
        for channel in channels or tuple(Channel):
            rounds = self.rounds[channel]
            while await self._is_due(channel):
                await rounds.work(self.practice.clock())
                if rounds._under_way:
                    await asyncio.wait(rounds._under_way)

    async def _is_due(self, channel: Channel) -> bool:
        query = "select 1 from notifications where channel = $1 and due_at <= $2"
        return bool(await self.practice.rows(query, channel, self.practice.clock()))

    async def close(self) -> None:
        for provider in self.providers.values():
            await provider.close()


@pytest.fixture(scope="module")
def database(service_database: Callable[..., ServiceDatabase]) -> ServiceDatabase:
    return service_database("notifications")


@pytest.fixture
async def pool(database: ServiceDatabase) -> AsyncIterator[Pool]:
    pool = await create_pool(SecretStr(database.app_url), size=12, application_name="notifications-tests")
    yield pool
    await pool.close()


@pytest.fixture
async def outbox(database: ServiceDatabase) -> AsyncIterator[Callable[[UUID], Any]]:
    """Reads, as the relay does, what a tenant has published, in order: pairs of type and body."""
    pool = await create_pool(SecretStr(database.relay_url), size=2, application_name="notifications-tests-relay")

    async def published(tenant_id: UUID) -> list[tuple[str, bytes]]:
        rows = await pool.fetch("select type, payload from outbox where tenant_id = $1 order by id", tenant_id)
        return [(row["type"], row["payload"]) for row in rows]

    yield published
    await pool.close()


@pytest.fixture
def clock() -> FixedClock:
    """The real moment, standing still: simulated providers date what they take by the machine's clock."""
    return FixedClock(datetime.now(UTC))


LEAVE_NOTHING_OPEN = """
    update notifications set status = 'suppressed', reason = 'test_over', due_at = null, address = null, ended_at = now()
    where due_at is not null
"""


@pytest.fixture
async def practice(pool: Pool, clock: FixedClock) -> AsyncIterator[Practice]:
    """A tenant of its own; the rounds serve all tenants, so that what a test leaves open would be the next one's."""
    practice = Practice(pool, clock)
    yield practice
    await practice.execute(LEAVE_NOTHING_OPEN)
    await practice.execute("delete from reminders")


@pytest.fixture
async def second_practice(pool: Pool, clock: FixedClock) -> AsyncIterator[Practice]:
    """Another tenant beside it."""
    practice = Practice(pool, clock)
    yield practice
    await practice.execute(LEAVE_NOTHING_OPEN)


@pytest.fixture
def settings(database: ServiceDatabase, mail_sink: MailSink, providers: ProviderSimulator) -> Settings:
    """As the local stack would set it, but for short waits."""
    told = {name.lower(): value for name, value in {**mail_sink.settings, **providers.settings}.items()}
    # Short, but longer than a crowded machine takes to pass a request on: what hangs must have been taken before.
    quick = {"provider_seconds": 2.5, "settle_seconds": 5.0}
    names = {"portal_url": "https://portal.example", "public_url": "https://api.example"}
    return Settings(
        environment="test",
        database_url=SecretStr(database.app_url),
        master_key=SecretStr("a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s="),
        **{**told, **quick, **names},  # type: ignore[arg-type]  # pydantic reads the texts
    )


@pytest.fixture
async def office(practice: Practice, settings: Settings) -> AsyncIterator[PostOffice]:
    opened = open_providers(mail=settings.mail, sms=settings.sms, push=settings.push, portal_url=settings.portal_url)
    office = PostOffice(practice, settings, dict(opened))
    yield office
    await office.close()


@pytest.fixture(autouse=True)
def no_faults_left(request: pytest.FixtureRequest) -> Iterator[None]:
    """A fault that no request ran into would hit the next test."""
    yield
    if "mail_sink" in request.fixturenames:
        assert request.getfixturevalue("mail_sink").faults_left() == 0
    if "providers" in request.fixturenames:
        simulator = request.getfixturevalue("providers")
        assert (simulator.faults_left("sms"), simulator.faults_left("push")) == (0, 0)
