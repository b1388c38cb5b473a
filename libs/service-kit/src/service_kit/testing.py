"""What the services' tests share: a clock that stands still, an issuer of tokens, and the proof that tenants are apart."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any
from uuid import UUID, uuid4

import asyncpg
from joserfc.jwk import OKPKey
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from service_kit.database import Connection, Pool
from service_kit.jwks import JwksSource, fixed_jwks
from service_kit.tokens import TokenVerifier, sign_token

ISSUER = "https://bloom.test/auth"
AUDIENCE = "bloom"


class FixedClock:
    """A clock that shows the time it was set to until it is moved; give it wherever a Clock is asked for."""

    def __init__(self, moment: datetime | None = None) -> None:
        self.moment = moment or datetime(2030, 1, 7, 9, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.moment

    def advance(self, **units: float) -> None:
        """Moves the clock on by a timedelta's units: `clock.advance(minutes=5)`."""
        self.moment += timedelta(**units)


class TokenIssuer:
    """Issues access tokens with an Ed25519 key of its own, as the auth service would."""

    def __init__(self, *, issuer: str = ISSUER, audience: str = AUDIENCE, kid: str = "test-key") -> None:
        self.issuer = issuer
        self.audience = audience
        self.key = OKPKey.generate_key("Ed25519", {"kid": kid, "use": "sig", "alg": "EdDSA"})

    @property
    def jwks(self) -> dict[str, Any]:
        """The public half, as `/.well-known/jwks.json` would show it."""
        return {"keys": [self.key.as_dict(private=False)]}

    def verifier(self) -> TokenVerifier:
        """Accepts this issuer's tokens; put it in `app.state.kit.tokens`."""
        return TokenVerifier(JwksSource(fixed_jwks(self.jwks)), issuer=self.issuer, audience=self.audience)

    def token(
        self,
        *,
        role: str,
        tenant_id: UUID,
        subject: UUID | None = None,
        session_id: UUID | None = None,
        claims: Mapping[str, Any] | None = None,
    ) -> str:
        """A token for an hour from now; `claims` replaces claims by name, and takes out those given as None."""
        issued_at = int(datetime.now(UTC).timestamp())
        all_claims = {
            "iss": self.issuer, "aud": self.audience, "sub": str(subject or uuid4()), "iat": issued_at, "exp": issued_at + 3600,
            "jti": str(uuid4()), "role": role, "tenant": str(tenant_id), "sid": str(session_id or uuid4()),
        } | dict(claims or {})  # fmt: skip
        return sign_token({name: value for name, value in all_claims.items() if value is not None}, self.key)

    def headers(self, *, role: str, tenant_id: UUID, subject: UUID | None = None) -> dict[str, str]:
        """The Authorization header of a request by this person."""
        return {"Authorization": f"Bearer {self.token(role=role, tenant_id=tenant_id, subject=subject)}"}


@cache
def recorded_spans() -> InMemorySpanExporter:
    """Where the spans of this test process are kept from now on; there is one for all tests, so look for your own trace id."""
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    return exporter


@asynccontextmanager
async def rolled_back(pool: Pool) -> AsyncIterator[Connection]:
    """A connection inside a transaction that is rolled back at the end: a UnitOfWork on it commits savepoints only."""
    async with pool.acquire() as connection:
        outer = connection.transaction()
        await outer.start()
        try:
            yield connection
        finally:
            await outer.rollback()


@asynccontextmanager
async def as_tenant(pool: Pool, tenant_id: UUID) -> AsyncIterator[Connection]:
    """A connection in a transaction of this tenant."""
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute("select set_config('app.tenant_id', $1, true)", str(tenant_id))
        yield connection


async def assert_tenant_isolated(pool: Pool, table: str, insert_row: Callable[[Connection, UUID], Awaitable[object]]) -> None:
    """Fails unless rows of `table` are read, changed, removed and written by their own tenant alone.

    `pool` is the application role's; `insert_row(connection, tenant_id)` writes one row, and what it refers to, for that tenant.
    """
    owner, stranger = uuid4(), uuid4()
    async with as_tenant(pool, owner) as connection:
        await insert_row(connection, owner)
    mine = await _count(pool, table, owner)
    _expect(mine > 0, f"{table}: the row cannot be read by its own tenant")
    _expect(await _count(pool, table, stranger) == 0, f"{table}: another tenant reads the row")
    for verb in ("update {} set tenant_id = tenant_id", "delete from {}"):
        touched = await _rows_touched(pool, stranger, verb.format(table))
        _expect(touched == 0, f"{table}: another tenant can {verb.split()[0]} the row")
    _expect(await _count(pool, table, owner) == mine, f"{table}: another tenant has changed the rows")
    _expect(await _is_write_refused(pool, stranger, lambda connection: insert_row(connection, owner)), f"{table}: foreign write")
    async with pool.acquire() as connection:
        _expect(await _rows(connection, table) == 0, f"{table}: rows are read without a tenant")


def _expect(holds: bool, otherwise: str) -> None:
    if not holds:
        raise AssertionError(otherwise)


async def _is_write_refused(pool: Pool, tenant_id: UUID, write: Callable[[Connection], Awaitable[object]]) -> bool:
    try:
        async with as_tenant(pool, tenant_id) as connection:
            await write(connection)
    except asyncpg.InsufficientPrivilegeError:
        return True
    return False


async def _count(pool: Pool, table: str, tenant_id: UUID) -> int:
    async with as_tenant(pool, tenant_id) as connection:
        return await _rows(connection, table)


async def _rows(connection: Connection, table: str) -> int:
    return int(await connection.fetchval(f"select count(*) from {table}"))  # noqa: S608  # the table's name comes from a test


async def _rows_touched(pool: Pool, tenant_id: UUID, statement: str) -> int:
    try:
        async with as_tenant(pool, tenant_id) as connection:
            return int((await connection.execute(statement)).rpartition(" ")[2])
    except asyncpg.InsufficientPrivilegeError:
        return 0  # The role may not even try.
