"""Rows of contacts: how somebody is reached, as auth says it."""

from __future__ import annotations

from datetime import datetime

from bloom_events.ids import TenantId, UserId
from notifications.domain.reaching import Contact
from service_kit.database import Connection, Pool

_HEAR = """
    insert into contacts (user_id, heard_at, ask_at, updated_at) values ($1, $2, $2, $2)
    on conflict (tenant_id, user_id) do update set heard_at = excluded.heard_at, ask_at = excluded.ask_at, asks = 0
"""
_CLAIM = """
    with due as (select user_id from contacts where ask_at <= $1 order by ask_at limit $2 for update skip locked)
    update contacts c set ask_at = $3, asks = asks + 1 from due where c.user_id = due.user_id
    returning c.user_id, c.asks
"""
# An answer that is older than what is known changes nothing; a newer event meanwhile has set the next question itself.
_KEEP = """
    update contacts set email = $3, locale = $4, time_zone = $5, revision = $6, asks = 0, updated_at = $7,
        ask_at = case when ask_at = $2 then null else ask_at end
    where user_id = $1 and revision <= $6
"""
_KEEP_AWAY = "update contacts set ask_at = $3 where user_id = $1 and ask_at = $2"
_LOCALE = "select locale from contacts where user_id = $1"
_TENANTS = "select tenant_id, due_at from tenants_with_contacts_to_ask_for($1)"


async def tenants_with_contacts_to_ask_for(pool: Pool, now: datetime) -> list[tuple[TenantId, datetime]]:
    """Whose turn it is, and after those that are due the next one that will be."""
    return [(TenantId(row["tenant_id"]), row["due_at"]) for row in await pool.fetch(_TENANTS, now)]


class ContactRepository:
    """Reads and writes contacts within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def hear_of(self, user_id: UserId, now: datetime) -> None:
        """Auth has something new to say of somebody: it is to be asked."""
        await self._connection.execute(_HEAR, user_id, now)

    async def claim(self, limit: int, now: datetime, again_at: datetime) -> list[tuple[UserId, int]]:
        """Whom to ask for now, and how often that had no answer; each is asked for again at `again_at` unless answered."""
        rows = await self._connection.fetch(_CLAIM, now, limit, again_at)
        return [(UserId(row["user_id"]), row["asks"]) for row in rows]

    async def keep(self, user_id: UserId, contact: Contact, now: datetime, *, claimed_until: datetime) -> None:
        """Keep what auth said."""
        said = (contact.email, contact.locale, contact.time_zone, contact.revision)
        await self._connection.execute(_KEEP, user_id, claimed_until, *said, now)

    async def ask_later(self, user_id: UserId, at: datetime, *, claimed_until: datetime) -> None:
        """Auth could not say."""
        await self._connection.execute(_KEEP_AWAY, user_id, claimed_until, at)

    async def find_locale(self, user_id: UserId) -> str | None:
        """Somebody's language, if they have said."""
        locale: str | None = await self._connection.fetchval(_LOCALE, user_id)
        return locale
