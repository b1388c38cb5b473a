"""A migrated database, the API in memory, and a practice: a tenant with the means to tell billing what happened to visits."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from pydantic import SecretStr

from billing.main import create_app
from billing.settings import Settings
from billing.use_cases.terms import NewPrice, set_prices
from billing.use_cases.visits import bill_visit
from bloom_events.appointments import (
    AppointmentBooked,
    AppointmentCancelled,
    AppointmentCompleted,
    AppointmentCorrected,
    AppointmentEvent,
    AppointmentMissed,
    AppointmentRescheduled,
    VisitType,
)
from bloom_events.envelope import Envelope, wrap
from bloom_events.ids import TenantId, new_id
from local_stack.postgres import ServiceDatabase
from service_kit.database import Pool, create_pool
from service_kit.testing import AUDIENCE, ISSUER, FixedClock, TokenIssuer, as_tenant
from service_kit.unit_of_work import Context, UnitOfWork

NOW = datetime(2026, 3, 3, 12, 0, tzinfo=UTC)
PRICES = [NewPrice(visit_type, "EUR", 12_000, 1_900, None) for visit_type in VisitType]


@dataclass
class Story:
    """The events of one appointment in envelopes, numbered as its service numbers them."""

    tenant_id: TenantId
    patient_id: UUID = field(default_factory=uuid4)
    starts_at: datetime = datetime(2026, 3, 5, 9, 0, tzinfo=UTC)
    visit_type: VisitType = VisitType.STANDARD
    appointment_id: UUID = field(default_factory=new_id)
    therapist_id: UUID = field(default_factory=uuid4)
    events: list[Envelope[AppointmentEvent]] = field(default_factory=list)

    def booked(self) -> "Story":
        return self._add(AppointmentBooked)

    def rescheduled(self, by: timedelta) -> "Story":
        before = self.starts_at
        self.starts_at += by
        return self._add(AppointmentRescheduled, previous_starts_at=before, previous_ends_at=before)

    def cancelled(self, hours_before: float, by: str = "patient") -> "Story":
        return self._add(AppointmentCancelled, cancelled_by=by, cancelled_at=self.starts_at - timedelta(hours=hours_before))

    def completed(self) -> "Story":
        return self._add(AppointmentCompleted, completed_at=self.starts_at + timedelta(hours=1))

    def missed(self) -> "Story":
        return self._add(AppointmentMissed, recorded_at=self.starts_at + timedelta(hours=1))

    def corrected(self, to: str) -> "Story":
        return self._add(AppointmentCorrected, corrected_to=to, corrected_at=self.starts_at + timedelta(days=1))

    def _add(self, event_type: type[AppointmentEvent], **more: Any) -> "Story":
        event = event_type(
            appointment_id=self.appointment_id,
            revision=len(self.events) + 1,
            patient_id=self.patient_id,
            therapist_id=self.therapist_id,
            visit_type=self.visit_type,
            starts_at=self.starts_at,
            ends_at=self.starts_at + timedelta(minutes=50),
            **more,
        )
        self.events.append(wrap(event, source="/bloom/appointments", tenant_id=self.tenant_id, time=NOW, correlation_id=new_id()))
        return self


class Practice:
    """One tenant on a pool of the application's role."""

    def __init__(self, pool: Pool, clock: FixedClock) -> None:
        self.pool = pool
        self.clock = clock
        self.tenant_id = TenantId(uuid4())

    def uow(self, cause: Envelope[Any] | None = None) -> UnitOfWork:
        context = Context(self.tenant_id, new_id(), cause.id if cause else None)
        return UnitOfWork(self.pool, source="/bloom/billing", context=context, clock=self.clock)

    def story(self, **more: Any) -> Story:
        return Story(self.tenant_id, **more)

    async def with_prices(self, prices: Sequence[NewPrice] = PRICES, seen: int = 0) -> "Practice":
        await set_prices(self.uow(), prices, seen=seen, set_by=uuid4(), now=self.clock())
        return self

    async def hear(self, events: Sequence[Envelope[AppointmentEvent]]) -> None:
        for event in events:
            await bill_visit(self.uow(event), event, now=self.clock())

    async def rows(self, query: str, *parameters: object) -> list[dict[str, Any]]:
        async with as_tenant(self.pool, self.tenant_id) as connection:
            return [dict(row) for row in await connection.fetch(query, *parameters)]

    async def invoices(self) -> list[dict[str, Any]]:
        return await self.rows("select * from invoices order by appointment_id, sequence")

    async def balance(self) -> dict[str, int]:
        """What is on each account that is not at zero, debits up, credits down."""
        rows = await self.rows(
            "select account, sum(case side when 'debit' then amount_minor else -amount_minor end)::bigint as amount"
            " from journal_entries group by account order by account"
        )
        return {row["account"]: row["amount"] for row in rows if row["amount"]}


@pytest.fixture(scope="module")
def database(service_database: Callable[..., ServiceDatabase]) -> ServiceDatabase:
    return service_database("billing")


@pytest.fixture
async def pool(database: ServiceDatabase) -> AsyncIterator[Pool]:
    pool = await create_pool(SecretStr(database.app_url), size=12, application_name="billing-tests")
    yield pool
    await pool.close()


@pytest.fixture
async def owner(database: ServiceDatabase) -> AsyncIterator[Pool]:
    pool = await create_pool(SecretStr(database.owner_url), size=2, application_name="billing-tests-owner")
    yield pool
    await pool.close()


@pytest.fixture
async def outbox(database: ServiceDatabase) -> AsyncIterator[Callable[[UUID], Awaitable[list[str]]]]:
    """Reads, as the relay does, the types of events that a tenant has published, in order."""
    pool = await create_pool(SecretStr(database.relay_url), size=2, application_name="billing-tests-relay")

    async def types_of(tenant_id: UUID) -> list[str]:
        rows = await pool.fetch("select type from outbox where tenant_id = $1 order by id", tenant_id)
        return [row["type"] for row in rows]

    yield types_of
    await pool.close()


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(NOW)


@pytest.fixture
def practice(pool: Pool, clock: FixedClock) -> Practice:
    return Practice(pool, clock)


@pytest.fixture(scope="session")
def practice_maker() -> Callable[[Pool], Practice]:
    """Makes practices for tests that run an event loop of their own."""
    return lambda pool: Practice(pool, FixedClock(NOW))


@pytest.fixture
def other_practice(pool: Pool, clock: FixedClock) -> Practice:
    return Practice(pool, clock)


@pytest.fixture(scope="session")
def issuer() -> TokenIssuer:
    return TokenIssuer()


@pytest.fixture
async def client(
    database: ServiceDatabase, pool: Pool, clock: FixedClock, issuer: TokenIssuer
) -> AsyncIterator[httpx.AsyncClient]:
    """The API, called in memory as the gateway would."""
    settings = Settings(
        environment="test", database_url=SecretStr(database.app_url), token_issuer=ISSUER, token_audience=AUDIENCE
    )
    app = create_app(settings)
    app.state.kit.database, app.state.kit.tokens, app.state.kit.clock = pool, issuer.verifier(), clock
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://billing.test") as client:
            yield client


@pytest.fixture
def administrator(issuer: TokenIssuer, practice: Practice) -> dict[str, str]:
    return issuer.headers(role="ADMINISTRATOR", tenant_id=practice.tenant_id)
