"""Sessions of the transaction's tenant."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from auth.domain.outcomes import RefreshRefused
from auth.domain.sessions import RevocationReason, Session
from bloom_events.ids import SessionId, TenantId, UserId
from service_kit.database import Connection

_SESSION = (
    "select id, user_id, seed, generation, started_at, rotated_at, expires_at, ends_at, revoked_at, revoked_because from sessions"
)
_ONE_FOR_CHANGE = _SESSION + " where id = $1 for update"
_LIVE_FOR_CHANGE = _SESSION + " where user_id = $1 and revoked_at is null and expires_at > $2 order by id for update"
_IS_LIVE = "select true from sessions where id = $1 and user_id = $2 and revoked_at is null and expires_at > $3"


class SessionRepository:
    """Rows are kept after their end: they are the record of who was signed in when."""

    def __init__(self, connection: Connection, tenant_id: TenantId) -> None:
        self._connection = connection
        self._tenant_id = tenant_id

    async def add(self, session: Session) -> None:
        await self._connection.execute(
            """insert into sessions (tenant_id, id, user_id, seed, generation, started_at, rotated_at, expires_at, ends_at)
               values ($1, $2, $3, $4, $5, $6, $7, $8, $9)""",
            self._tenant_id, session.id, session.user_id, session.seed, session.generation, session.started_at,
            session.rotated_at, session.expires_at, session.ends_at,
        )  # fmt: skip

    async def save(self, *sessions: Session) -> None:
        await self._connection.executemany(
            """update sessions set generation = $2, rotated_at = $3, expires_at = $4, revoked_at = $5, revoked_because = $6
               where id = $1""",
            [(one.id, one.generation, one.rotated_at, one.expires_at, one.revoked_at, one.revoked_because) for one in sessions],
        )

    async def get_for_change(self, session_id: SessionId) -> Session:
        row = await self._connection.fetchrow(_ONE_FOR_CHANGE, session_id)
        if row is None:
            raise RefreshRefused
        return _session(row)

    async def list_live_for_change(self, user_id: UserId, *, now: datetime) -> Sequence[Session]:
        """In the order of their ids, so that two transactions never wait for each other."""
        return [_session(row) for row in await self._connection.fetch(_LIVE_FOR_CHANGE, user_id, now)]

    async def is_live(self, session_id: SessionId, user_id: UserId, *, now: datetime) -> bool:
        return bool(await self._connection.fetchval(_IS_LIVE, session_id, user_id, now))

    async def count_live(self, *, now: datetime) -> int:
        count = await self._connection.fetchval("select count(*) from sessions where revoked_at is null and expires_at > $1", now)
        return int(count)


def _session(row: Any) -> Session:
    return Session(
        id=SessionId(row["id"]),
        user_id=UserId(row["user_id"]),
        seed=row["seed"],
        generation=row["generation"],
        started_at=row["started_at"],
        rotated_at=row["rotated_at"],
        expires_at=row["expires_at"],
        ends_at=row["ends_at"],
        revoked_at=row["revoked_at"],
        revoked_because=RevocationReason(row["revoked_because"]) if row["revoked_because"] else None,
    )
