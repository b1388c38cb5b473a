"""A migrated database, the API in memory and on a port, and a practice whose windows are written as the worker does."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import orjson
import pytest
import uvicorn
from fastapi import FastAPI
from pydantic import SecretStr

from analytics.domain.metric import PLATFORM
from analytics.domain.metrics import METRICS
from analytics.domain.spans import SPANS, Window
from analytics.main import create_app
from analytics.settings import Settings
from analytics.windows.sketch import bucket_of
from bloom_events.ids import TenantId
from local_stack.postgres import ServiceDatabase
from service_kit.database import Connection, Pool, create_pool
from service_kit.testing import AUDIENCE, ISSUER, FixedClock, TokenIssuer, as_tenant

NOW = datetime(2030, 1, 9, 9, 30, tzinfo=UTC)
OPERATOR = UUID("0197f3a0-0000-7000-8000-000000000001")

_SERIES = """
    with made as (insert into series (metric, dimensions) values ($1, $2) on conflict do nothing returning id)
    select id from made union all select id from series where metric = $1 and dimensions = $2 limit 1
"""
_ADD = """
    insert into windows as w (series_id, span, starts_at, ends_at, n, total, changed_at) values ($1, $2, $3, $4, $5, $6, now())
    on conflict (tenant_id, series_id, span, starts_at) do update
    set n = w.n + excluded.n, total = w.total + excluded.total, changed_at = coalesce(w.changed_at, excluded.changed_at)
"""
_ADD_BUCKET = """
    insert into window_buckets as b (series_id, span, starts_at, bucket, n) values ($1, $2, $3, $4, 1)
    on conflict (tenant_id, series_id, span, starts_at, bucket) do update set n = b.n + 1
"""
_TELL = "update windows set revision = revision + 1, is_final = ends_at <= $1, changed_at = null where changed_at is not null"
_CLOSE = """
    insert into closed_windows (series_id, span, starts_at, ends_at, n, total, revision, buckets, members, closed_at)
    select w.series_id, w.span, w.starts_at, w.ends_at, w.n, w.total, w.revision,
           (select jsonb_object_agg(b.bucket::text, b.n) from window_buckets b
            where b.series_id = w.series_id and b.span = w.span and b.starts_at = w.starts_at),
           (select string_agg(m.member, '' order by m.member) from window_members m
            where m.series_id = w.series_id and m.span = w.span and m.starts_at = w.starts_at), now()
    from windows w where w.is_final and w.ends_at <= $1
"""


class Practice:
    """One organisation; `add` is what the worker does with events, `tell` and `close` what the publisher does."""

    def __init__(self, pool: Pool, issuer: TokenIssuer, tenant_id: UUID | None = None) -> None:
        self.pool, self.issuer = pool, issuer
        self.tenant_id = TenantId(tenant_id or uuid4())
        self.therapist, self.colleague = uuid4(), uuid4()

    def token(self, role: str = "ADMINISTRATOR", *, subject: UUID | None = None, **claims: Any) -> str:
        return self.issuer.token(role=role, tenant_id=self.tenant_id, subject=subject, claims=claims)

    def bearer(self, role: str = "ADMINISTRATOR", *, subject: UUID | None = None, **claims: Any) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token(role, subject=subject, **claims)}"}

    async def add(
        self,
        metric: str,
        start: datetime,
        n: int = 1,
        total: int = 0,
        *,
        span: str = "day",
        group: Mapping[str, str] | None = None,
        values: Sequence[float] = (),
        members: Sequence[bytes] = (),
    ) -> None:
        assert SPANS[span] in METRICS[metric].spans, f"{metric} has no {span}"
        window = Window(start, start + SPANS[span].length)
        async with as_tenant(self.pool, self.tenant_id) as connection:
            dimensions = orjson.dumps(dict(group or {}), option=orjson.OPT_SORT_KEYS).decode()
            series_id = await connection.fetchval(_SERIES, metric, dimensions)
            place = (series_id, span, window.start)
            await connection.execute(_ADD, *place, window.end, 0 if members else len(values) or n, total)
            for value in values:
                await connection.execute(_ADD_BUCKET, *place, bucket_of(value))
            await _add_members(connection, place, members)

    async def tell(self, watermark: datetime = NOW) -> None:
        async with as_tenant(self.pool, self.tenant_id) as connection:
            await connection.execute(_TELL, watermark)

    async def close(self, until: datetime = NOW) -> None:
        """Final windows go out of the way of the others."""
        async with as_tenant(self.pool, self.tenant_id) as connection:
            await connection.execute(_CLOSE, until)
            await connection.execute("delete from windows where is_final and ends_at <= $1", until)

    async def register(self, role: str, *, at: datetime = NOW - timedelta(days=60)) -> None:
        async with as_tenant(self.pool, self.tenant_id) as connection:
            await connection.execute("insert into people (user_id, role, registered_at) values ($1, $2, $3)", uuid4(), role, at)

    async def start_session(self, *, expires_at: datetime | None, revoked_at: datetime | None = None) -> None:
        async with as_tenant(self.pool, self.tenant_id) as connection:
            query = "insert into sessions (session_id, expires_at, revoked_at) values ($1, $2, $3)"
            await connection.execute(query, uuid4(), expires_at, revoked_at)


async def _add_members(connection: Connection, place: tuple[Any, ...], members: Sequence[bytes]) -> None:
    for member in members:
        query = "insert into window_members (series_id, span, starts_at, member) values ($1, $2, $3, $4) on conflict do nothing"
        if await connection.execute(query, *place, member.ljust(16, b"\0")) == "INSERT 0 1":
            change = "update windows set n = n + 1 where series_id = $1 and span = $2 and starts_at = $3"
            await connection.execute(change, *place)


@pytest.fixture(scope="module")
def database(service_database: Callable[..., ServiceDatabase]) -> ServiceDatabase:
    return service_database("analytics")


@pytest.fixture
async def pool(database: ServiceDatabase) -> AsyncIterator[Pool]:
    pool = await create_pool(SecretStr(database.app_url), size=4, application_name="analytics-tests")
    yield pool
    await pool.close()


@pytest.fixture(scope="session")
def issuer() -> TokenIssuer:
    return TokenIssuer()


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(NOW)


@pytest.fixture
async def practice(pool: Pool, issuer: TokenIssuer) -> Practice:
    return Practice(pool, issuer)


@pytest.fixture
def make_practice(pool: Pool, issuer: TokenIssuer) -> Callable[[UUID], Practice]:
    """The practice of an organisation that is there already."""
    return lambda tenant_id: Practice(pool, issuer, tenant_id)


@pytest.fixture
async def neighbour(pool: Pool, issuer: TokenIssuer) -> Practice:
    return Practice(pool, issuer)


@pytest.fixture
async def operator(pool: Pool, issuer: TokenIssuer) -> Practice:
    """The organisation whose administrators may see all others together."""
    return Practice(pool, issuer, OPERATOR)


@pytest.fixture
async def platform_totals(pool: Pool, issuer: TokenIssuer) -> Practice:
    """Where the totals over all organisations are kept."""
    return Practice(pool, issuer, PLATFORM)


@pytest.fixture
def make_app(database: ServiceDatabase, issuer: TokenIssuer, clock: FixedClock) -> Callable[..., FastAPI]:
    """An app of this test's database, with settings of its own where they are given."""

    def make(**changed: Any) -> FastAPI:
        options = {"environment": "test", "operator_tenant": OPERATOR, "token_issuer": ISSUER, "token_audience": AUDIENCE}
        app = create_app(Settings(**{**options, "database_url": database.app_url, **changed}))
        app.state.kit.tokens, app.state.kit.clock = issuer.verifier(), clock
        return app

    return make


@asynccontextmanager
async def in_memory(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://analytics") as client,
    ):
        yield client


@pytest.fixture
async def api(make_app: Callable[..., FastAPI]) -> AsyncIterator[httpx.AsyncClient]:
    async with in_memory(make_app()) as client:
        yield client


@pytest.fixture
def connected() -> Callable[[FastAPI], Any]:
    """Clients of apps that a test makes itself: `async with connected(make_app(...)) as client`."""
    return in_memory


@asynccontextmanager
async def on_a_port(app: FastAPI) -> AsyncIterator[str]:
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning", ws="none", lifespan="on"))
    serving = asyncio.create_task(server.serve())
    while not server.started:
        assert not serving.done(), "the service ended while it started"
        await asyncio.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        # As the process does on a signal: open streams end.
        app.state.kit.health.draining = True
        server.should_exit = True
        await serving


@pytest.fixture
def served() -> Callable[[FastAPI], Any]:
    """The address of an app that a test makes itself: streams need a real connection."""
    return on_a_port
