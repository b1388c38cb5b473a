"""Counted tries at a password, under the address's mark."""

from datetime import datetime

from auth.domain.lockout import SignInTries
from bloom_events.ids import TenantId
from service_kit.database import Connection

# How many forgotten rows one try sweeps away: more than one, so that the table cannot grow for ever.
SWEEP = 5


class SignInTriesRepository:
    """Rows of the transaction's tenant."""

    def __init__(self, connection: Connection, tenant_id: TenantId) -> None:
        self._connection = connection
        self._tenant_id = tenant_id

    async def get_for_change(self, mark: bytes, *, now: datetime) -> SignInTries:
        """The tries so far; the row is made and held, so that tries at one address come one after the other."""
        row = await self._connection.fetchrow(
            """insert into sign_in_tries as tries (tenant_id, address_mark, count, window_started_at) values ($1, $2, 0, $3)
               on conflict (tenant_id, address_mark) do update set count = tries.count
               returning count, window_started_at, locked_until""",
            self._tenant_id, mark, now,
        )  # fmt: skip
        if row is None:
            return SignInTries.none_yet(now)
        return SignInTries(count=row["count"], window_started_at=row["window_started_at"], locked_until=row["locked_until"])

    async def save(self, mark: bytes, tries: SignInTries) -> None:
        await self._connection.execute(
            "update sign_in_tries set count = $2, window_started_at = $3, locked_until = $4 where address_mark = $1",
            mark, tries.count, tries.window_started_at, tries.locked_until,
        )  # fmt: skip

    async def clear(self, mark: bytes) -> None:
        await self._connection.execute("delete from sign_in_tries where address_mark = $1", mark)

    async def sweep(self, *, older_than: datetime) -> None:
        """Forget a few rows that no longer count, leaving alone what others hold."""
        await self._connection.execute(
            # Materialized: a subquery that locks may be run again inside of a join, and then takes more than its limit.
            """with old as materialized (
                   select address_mark from sign_in_tries where window_started_at < $1
                   order by window_started_at limit $2 for update skip locked)
               delete from sign_in_tries t using old where t.address_mark = old.address_mark""",
            older_than, SWEEP,
        )  # fmt: skip
