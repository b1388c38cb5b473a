"""A migrated database, the API in memory, and a ward: a tenant whose patients write, and whose messages are scored, or not."""

import base64
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from pydantic import SecretStr

from bloom_events.auth import Role, TherapistVerified, UserRegistered, UserSuspended
from bloom_events.envelope import Envelope, wrap
from bloom_events.event import Event
from bloom_events.ids import ConversationId, MessageId, TenantId, UserId, new_id
from bloom_events.messaging import MessageDeleted, MessageEdited, MessageSent
from bloom_events.risk import Probabilities, RiskLabel, RiskLevel, RiskScored, RiskWithdrawn
from local_stack.postgres import ServiceDatabase
from notifications.clients.master_key import NoteSeal, read_master_key
from notifications.domain.alerts import Alert, Change
from notifications.domain.visibility import VisibleAlerts
from notifications.domain.watch import Patience
from notifications.main import create_app
from notifications.settings import Settings
from notifications.use_cases import accounts, by_the_clock, messages
from notifications.use_cases.alerts import acknowledge, resolve
from service_kit.database import Pool, create_pool
from service_kit.testing import AUDIENCE, ISSUER, FixedClock, TokenIssuer, as_tenant
from service_kit.unit_of_work import Context, UnitOfWork

NOW = datetime(2030, 1, 7, 9, 0, tzinfo=UTC)
# A busy machine is not what is tested.
PATIENCE = 30.0
MASTER_KEY = base64.b64encode(b"k" * 32).decode()


@dataclass
class Written:
    """A message of a patient, with the events that tell of it and of its score; `revision` counts its changes."""

    ward: "Ward"
    conversation_id: ConversationId = field(default_factory=lambda: ConversationId(new_id()))
    message_id: MessageId = field(default_factory=lambda: MessageId(new_id()))
    author_role: Role = Role.PATIENT
    therapists: tuple[UUID, ...] | None = None
    revision: int = 1

    def _facts(self) -> dict[str, Any]:
        return {
            "conversation_id": self.conversation_id, "message_id": self.message_id, "sequence": self.revision,
            "revision": self.revision, "patient_id": self.ward.patient_id, "author_id": self.ward.patient_id,
            "author_role": self.author_role,
            "therapist_ids": (self.ward.therapist,) if self.therapists is None else self.therapists,
        }  # fmt: skip

    @property
    def _sealed(self) -> dict[str, Any]:
        return {"key_version": 1, "nonce": "AAAAAAAAAAAAAAAA", "ciphertext": "AAAAAAAAAAAAAAAAAAAAAAAAAAAA"}

    def sent(self) -> Envelope[Any]:
        return self.ward.told(MessageSent(**self._facts(), **self._sealed, sent_at=self.ward.clock()))

    def edited(self) -> Envelope[Any]:
        self.revision += 1
        now = self.ward.clock()
        return self.ward.told(MessageEdited(**self._facts(), **self._sealed, sent_at=now, edited_at=now))

    def deleted(self) -> Envelope[Any]:
        self.revision += 1
        return self.ward.told(MessageDeleted(**self._facts(), deleted_at=self.ward.clock()))

    def withdrawn(self) -> Envelope[Any]:
        return self.ward.told(RiskWithdrawn(**self._facts(), withdrawn_at=self.ward.clock()))

    def scored(self, level: RiskLevel = RiskLevel.HIGH, *, revision: int | None = None) -> Envelope[Any]:
        now = self.ward.clock()
        share = {label: 1.0 if label is RiskLabel.SUICIDAL else 0.0 for label in RiskLabel}
        facts = {**self._facts(), "revision": revision or self.revision}
        return self.ward.told(
            RiskScored(
                **facts, analysis_id=new_id(), label=RiskLabel.SUICIDAL, probabilities=Probabilities.by_label(share), level=level,
                model_name="risk", model_version="1", model_hash="a" * 64, tokenizer_hash="b" * 64, windows=1,
                message_sent_at=now, received_at=now, scored_at=now, model_milliseconds=3.0,
            )
        )  # fmt: skip


class ReadLog:
    """A topic of scores of which everything until `until` has been handled."""

    def __init__(self, until: datetime | None = datetime(2100, 1, 1, tzinfo=UTC)) -> None:
        self.until = until

    async def handled_until(self) -> datetime | None:
        return self.until


class Ward:
    """One tenant on a pool of the application's role, with a therapist, a supervisor and somebody on call whom auth told of."""

    def __init__(self, pool: Pool, clock: FixedClock) -> None:
        self._pool, self.clock = pool, clock
        self.tenant_id, self.patient_id = TenantId(uuid4()), uuid4()
        self.therapist, self.supervisor, self.on_call = UserId(new_id()), UserId(new_id()), UserId(new_id())
        self.administrator = UserId(new_id())
        self.score_log = ReadLog()
        self.patience = Patience()
        self.seal = NoteSeal(read_master_key(MASTER_KEY))

    def told(self, event: Event) -> Envelope[Any]:
        return wrap(event, source="/bloom/tests", tenant_id=self.tenant_id, time=self.clock(), correlation_id=new_id())

    def uow(self, cause: Envelope[Any] | None = None) -> UnitOfWork:
        context = Context(self.tenant_id, cause.correlation_id if cause else new_id(), cause.id if cause else None)
        return UnitOfWork(self._pool, source="/bloom/notifications", context=context, clock=self.clock, acquire_seconds=PATIENCE)

    async def pool(self) -> Pool:
        return self._pool

    async def unit_of(self, tenant_id: TenantId, correlation_id: UUID | None = None) -> UnitOfWork:
        context = Context(tenant_id, correlation_id or new_id())
        return UnitOfWork(self._pool, source="/bloom/notifications", context=context, clock=self.clock, acquire_seconds=PATIENCE)

    def message(self, **more: Any) -> Written:
        return Written(self, **more)

    async def open(self) -> "Ward":
        """Have auth tell of everybody."""
        for user_id, role in ((self.administrator, Role.ADMINISTRATOR), (self.patient_id, Role.PATIENT)):
            await self.hear(self.told(UserRegistered(user_id=user_id, role=role, status="active")))
        for user_id in (self.therapist, self.supervisor, self.on_call):
            await self.hear(self.told(UserRegistered(user_id=user_id, role=Role.THERAPIST, status="pending_verification")))
            await self.hear(self.told(TherapistVerified(user_id=user_id, display_name="Dr. Robin Vale")))
        return self

    async def suspend(self, user_id: UserId) -> None:
        await self.hear(self.told(UserSuspended(user_id=user_id, role=Role.THERAPIST)))

    async def hear(self, *events: Envelope[Any]) -> Change | None:
        """Handle events as the worker does, and return what the last one came to."""
        change = None
        for event in events:
            change = await self._hear(event)
        return change

    async def _hear(self, event: Envelope[Any]) -> Change | None:
        uow, now = self.uow(event), self.clock()
        match event.data:
            case RiskScored():
                return await messages.hear_score(uow, event, now=now)
            case MessageSent() | MessageEdited():
                await messages.hear_calm(uow, [event], patience=self.patience, now=now)
            case MessageDeleted():
                await messages.hear_deletion(uow, event)
            case RiskWithdrawn():
                await messages.hear_withdrawal(uow, event)
            case _:
                await accounts.note_account(uow, event)
        return None

    async def escalate(self) -> datetime | None:
        return await by_the_clock.escalate_due(self, self.clock(), clock=self.clock)

    async def give_up(self) -> datetime | None:
        return await by_the_clock.give_up_due(self, self.score_log, self.patience, self.clock(), clock=self.clock)

    async def rows(self, query: str, *parameters: object) -> list[dict[str, Any]]:
        async with as_tenant(self._pool, self.tenant_id) as connection:
            return [dict(row) for row in await connection.fetch(query, *parameters)]

    async def alerts(self) -> list[dict[str, Any]]:
        return await self.rows("select * from alerts order by raised_at, id")

    async def alert_of(self, message: Written) -> dict[str, Any]:
        """The one alert of a message's conversation."""
        (alert,) = [each for each in await self.alerts() if each["conversation_id"] == message.conversation_id]
        return alert

    async def alert(self) -> dict[str, Any]:
        (alert,) = await self.alerts()
        return alert

    async def answer(self, alert_id: UUID, by: UserId | None = None) -> Alert:
        """Acknowledge an alert; the therapist does unless somebody else is named."""
        return await acknowledge(self.uow(), alert_id, self.sight(by or self.therapist), seen=None, now=self.clock())

    async def end(self, alert_id: UUID, by: UserId | None = None, note: str = "Spoke by phone.") -> Alert:
        """Resolve an acknowledged alert."""
        sight = self.sight(by or self.therapist)
        return await resolve(self.uow(), alert_id, sight, self.seal, note=note, seen=None, now=self.clock())

    def sight(self, user_id: UserId) -> VisibleAlerts:
        return VisibleAlerts(user_id, sees_all=user_id == self.administrator)

    async def pass_deadline(self) -> None:
        """Let the time go on to the deadline of the only alert, and have what is due done."""
        self.clock.moment = (await self.alert())["deadline"] + timedelta(milliseconds=1)
        await self.escalate()


@pytest.fixture(scope="module")
def database(service_database: Callable[..., ServiceDatabase]) -> ServiceDatabase:
    return service_database("notifications")


@pytest.fixture
async def pool(database: ServiceDatabase) -> AsyncIterator[Pool]:
    pool = await create_pool(SecretStr(database.app_url), size=12, application_name="notifications-tests")
    yield pool
    await pool.close()


@pytest.fixture
async def owner(database: ServiceDatabase) -> AsyncIterator[Pool]:
    pool = await create_pool(SecretStr(database.owner_url), size=2, application_name="notifications-tests-owner")
    yield pool
    await pool.close()


@pytest.fixture
async def outbox(database: ServiceDatabase) -> AsyncIterator[Callable[[UUID], Awaitable[list[dict[str, Any]]]]]:
    """Reads, as the relay does, what a tenant has published, in order."""
    pool = await create_pool(SecretStr(database.relay_url), size=2, application_name="notifications-tests-relay")

    async def events_of(tenant_id: UUID) -> list[dict[str, Any]]:
        query = "select type, convert_from(payload, 'UTF8')::jsonb as data, headers from outbox where tenant_id = $1 order by id"
        return [dict(row) for row in await pool.fetch(query, tenant_id)]

    yield events_of
    await pool.close()


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(NOW)


@pytest.fixture
async def ward(pool: Pool, clock: FixedClock) -> Ward:
    return await Ward(pool, clock).open()


@pytest.fixture
async def other_ward(pool: Pool, clock: FixedClock) -> Ward:
    return await Ward(pool, clock).open()


@pytest.fixture(scope="session")
def ward_maker() -> Callable[[Pool, FixedClock], Ward]:
    """Makes wards for tests that run an event loop of their own."""
    return Ward


@pytest.fixture(scope="session")
def issuer() -> TokenIssuer:
    return TokenIssuer()


@pytest.fixture
async def client(
    database: ServiceDatabase, pool: Pool, clock: FixedClock, issuer: TokenIssuer
) -> AsyncIterator[httpx.AsyncClient]:
    """The API, called in memory as the gateway would."""
    settings = Settings(
        environment="test", database_url=SecretStr(database.app_url), token_issuer=ISSUER, token_audience=AUDIENCE,
        master_key=SecretStr(MASTER_KEY),
    )  # fmt: skip
    app = create_app(settings)
    app.state.kit.database, app.state.kit.tokens, app.state.kit.clock = pool, issuer.verifier(), clock
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://notifications.test") as client:
            yield client


@pytest.fixture
def headers(issuer: TokenIssuer, ward: Ward) -> Callable[..., dict[str, str]]:
    """The token of somebody of the ward: a therapist unless said otherwise."""

    def of(user_id: UUID, role: str = "THERAPIST") -> dict[str, str]:
        return issuer.headers(role=role, tenant_id=ward.tenant_id, subject=user_id)

    return of
