"""Rows of what people want, of their phones and of their browsers."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from asyncpg import Record

from bloom_events.ids import UserId, new_id
from notifications.domain.deciding import PushAddress
from notifications.domain.preferences import Preferences, QuietHours, choices_from
from notifications.domain.reaching import PushSubscription
from service_kit.database import Connection

_COLUMNS = "revision, wanted, quiet_from, quiet_until, quiet_time_zone"
_FIND = f"select {_COLUMNS} from preferences where user_id = $1"  # noqa: S608  # the columns are written above
_LOCK = _FIND + " for update"
# Two first changes at once: the second one sees in the revision that it was not the first.
_FIRST = """
    insert into preferences (user_id, revision, wanted, quiet_from, quiet_until, quiet_time_zone, updated_at)
    values ($1, $2, $3, $4, $5, $6, $7) on conflict do nothing returning true
"""
_CHANGE = """
    update preferences set revision = $2, wanted = $3, quiet_from = $4, quiet_until = $5, quiet_time_zone = $6, updated_at = $7
    where user_id = $1 and revision = $2 - 1 returning true
"""
_PHONE = "select number from phones where user_id = $1"
_SET_PHONE = """
    insert into phones (user_id, number, updated_at) values ($1, $2, $3)
    on conflict (tenant_id, user_id) do update set number = excluded.number, updated_at = excluded.updated_at
"""
_FORGET_PHONE = "delete from phones where user_id = $1 returning true"
_SUBSCRIPTIONS = "select id, endpoint, created_at from push_subscriptions where user_id = $1 order by created_at, id"
_TAKE_OVER = "delete from push_subscriptions where endpoint = $1 and user_id <> $2"
_SUBSCRIBE = """
    insert into push_subscriptions (id, user_id, endpoint, p256dh, auth, created_at) values ($1, $2, $3, $4, $5, $6)
    on conflict (tenant_id, endpoint) do update set p256dh = excluded.p256dh, auth = excluded.auth
    returning id, endpoint, created_at
"""
_KEEP_NEWEST = """
    delete from push_subscriptions where user_id = $1 and id in (
        select id from push_subscriptions where user_id = $1 order by created_at desc, id desc offset $2)
"""
_UNSUBSCRIBE = "delete from push_subscriptions where user_id = $1 and id = $2 returning true"


class PreferenceRepository:
    """Reads and writes preferences within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def get(self, user_id: UserId) -> Preferences:
        """What somebody wants; the usual for who has not said."""
        return preferences_from(await self._connection.fetchrow(_FIND, user_id))

    async def lock(self, user_id: UserId) -> Preferences:
        """The same, kept from others until the end of the transaction if somebody has said."""
        return preferences_from(await self._connection.fetchrow(_LOCK, user_id))

    async def save(self, user_id: UserId, preferences: Preferences, now: datetime) -> bool:
        """Write the revision after the one that is there; False when another change came first."""
        quiet = preferences.quiet_hours
        hours = (quiet.from_minute, quiet.until_minute, quiet.time_zone) if quiet else (None, None, None)
        statement = _FIRST if preferences.revision == 1 else _CHANGE
        row = (user_id, preferences.revision, list(preferences.words()), *hours, now)
        return bool(await self._connection.fetchval(statement, *row))


class AddressRepository:
    """Reads and writes phones and browsers within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def find_phone(self, user_id: UserId) -> str | None:
        number: str | None = await self._connection.fetchval(_PHONE, user_id)
        return number

    async def set_phone(self, user_id: UserId, number: str, now: datetime) -> None:
        await self._connection.execute(_SET_PHONE, user_id, number, now)

    async def forget_phone(self, user_id: UserId) -> bool:
        """Says whether there was one."""
        return bool(await self._connection.fetchval(_FORGET_PHONE, user_id))

    async def list_subscriptions(self, user_id: UserId) -> list[PushSubscription]:
        """Somebody's browsers, the oldest first."""
        return [_subscription(row) for row in await self._connection.fetch(_SUBSCRIPTIONS, user_id)]

    async def subscribe(self, user_id: UserId, push: PushAddress, now: datetime, *, most: int) -> PushSubscription:
        """Keep a browser, take it from whoever used it before, and let somebody's oldest go when there are too many."""
        await self._connection.execute(_TAKE_OVER, push.endpoint, user_id)
        keys = (push.endpoint, push.p256dh, push.auth)
        kept = await self._connection.fetchrow(_SUBSCRIBE, new_id(), user_id, *keys, now)
        await self._connection.execute(_KEEP_NEWEST, user_id, most)
        return _subscription(kept)

    async def unsubscribe(self, user_id: UserId, subscription_id: UUID) -> bool:
        """Says whether it was there."""
        return bool(await self._connection.fetchval(_UNSUBSCRIBE, user_id, subscription_id))


def preferences_from(row: Record | None) -> Preferences:
    """Read preferences off a row that has their columns; the usual ones when it has none."""
    if row is None or row["revision"] is None:
        return Preferences()
    quiet = None
    if row["quiet_from"] is not None:
        quiet = QuietHours(row["quiet_from"], row["quiet_until"], row["quiet_time_zone"])
    return Preferences(choices_from(row["wanted"]), quiet, row["revision"])


def _subscription(row: Record | None) -> PushSubscription:
    assert row is not None  # noqa: S101  # an upsert returns its row
    return PushSubscription(row["id"], row["endpoint"], row["created_at"])
