"""Rows of notifications: written as intents, claimed when they are due, brought to their end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from asyncpg import Record

from bloom_events.ids import EventId, NotificationId, TenantId, UserId
from bloom_events.notifications import Channel
from notifications.domain.deciding import PushAddress, Recipient
from notifications.domain.notices import Notification, Status, Template, Urgency
from notifications.domain.timeline import Sent
from notifications.repository.preferences import preferences_from
from service_kit.database import Connection, Pool
from service_kit.unit_of_work import Context

# Everybody has a place for e-mail, even before auth has told which; phones and browsers only those who told us of one.
_INTEND = """
    with addressed as (
        select u.user_id, 'email' as channel, '00000000-0000-0000-0000-000000000000'::uuid as target_id
        from unnest($1::uuid[]) as u (user_id)
        union all
        select p.user_id, 'sms', '00000000-0000-0000-0000-000000000000' from phones p where p.user_id = any($1)
        union all
        select s.user_id, 'push', s.id from push_subscriptions s where s.user_id = any($1))
    insert into notifications (user_id, channel, target_id, template, about, occasion, urgency, facts, status, due_at, expires_at,
        correlation_id, causation_id, created_at, updated_at)
    select user_id, channel, target_id, $2, $3, $4, $5, $6::jsonb, 'pending', $7, $8, $9, $10, $7, $7 from addressed
    on conflict do nothing
"""
# What may be out already keeps its state: its provider is asked, and then it is not sent again.
_WITHDRAW = """
    update notifications set withdrawn = $2::text, updated_at = $3::timestamptz,
        status = case status when 'pending' then 'suppressed' else status end,
        due_at = case status when 'pending' then null else due_at end,
        ended_at = case status when 'pending' then $3::timestamptz else null end,
        reason = case status when 'pending' then $2 else reason end
    where about = $1 and due_at is not null and withdrawn is null
        and ($4::text[] is null or template = any($4)) and ($5::uuid[] is null or user_id = any($5))
        and occasion is distinct from $6
"""
_RAISE = """
    update notifications set urgency = 'critical', updated_at = $2,
        due_at = case status when 'pending' then least(due_at, $2) else due_at end
    where about = $1 and due_at is not null and urgency <> 'critical'
"""
_CLAIM = """
    select n.*, c.email, c.locale, c.time_zone, coalesce(o.is_suspended, false) as is_suspended, f.number as phone,
        p.revision, p.wanted, p.quiet_from, p.quiet_until, p.quiet_time_zone, s.endpoint, s.p256dh, s.auth
    from notifications n
        left join contacts c on c.tenant_id = n.tenant_id and c.user_id = n.user_id
        left join people o on o.tenant_id = n.tenant_id and o.user_id = n.user_id
        left join preferences p on p.tenant_id = n.tenant_id and p.user_id = n.user_id
        left join phones f on f.tenant_id = n.tenant_id and f.user_id = n.user_id
        left join push_subscriptions s on s.id = n.target_id and s.user_id = n.user_id
    where n.channel = $1 and n.due_at <= $2 and n.template = any($4)
    order by array_position(array['critical', 'urgent', 'routine'], n.urgency), n.due_at
    limit $3 for update of n skip locked
"""
# Only by whoever made that attempt: another one may have taken over since.
_SAVE = """
    update notifications set status = $4, due_at = $5, attempts = $6, address = $7, called_at = $8, provider_id = $9,
        reason = $10, ended_at = $11, updated_at = $12
    where id = $1 and attempts = $2 and status = $3
    returning true
"""
_SENT = "select user_id, channel, ended_at from notifications where about = $1 and status = 'sent' order by ended_at, id"
_TENANTS = "select tenant_id, due_at from tenants_with_notifications($1, $2)"


@dataclass(frozen=True, slots=True)
class DueNotification:
    """A notification that is due, with what is known about its reader and about its cause."""

    notification: Notification
    recipient: Recipient
    correlation_id: UUID
    causation_id: EventId | None

    def context(self, tenant_id: TenantId) -> Context:
        """On whose behalf its outcome is told."""
        return Context(tenant_id, self.correlation_id, self.causation_id)


async def tenants_with_notifications(pool: Pool, channel: Channel, now: datetime) -> list[tuple[TenantId, datetime]]:
    """Whose turn it is on a channel, the most urgent first, and after those that are due the next one that will be."""
    return [(TenantId(row["tenant_id"]), row["due_at"]) for row in await pool.fetch(_TENANTS, channel, now)]


class NotificationRepository:
    """Reads and writes notifications within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def intend(
        self,
        users: Sequence[UserId],
        template: Template,
        *,
        about: UUID,
        occasion: str,
        urgency: Urgency,
        facts: Mapping[str, str | int],
        expires_at: datetime,
        context: Context,
        now: datetime,
    ) -> None:
        """Write one intent per person and address; those that are there already stay as they are."""
        causes = (context.correlation_id, context.causation_id)
        row = (list(users), template, about, occasion, urgency, dict(facts), now, expires_at, *causes)
        await self._connection.execute(_INTEND, *row)

    async def withdraw(
        self,
        about: UUID,
        reason: str,
        now: datetime,
        *,
        templates: Sequence[Template] | None = None,
        users: Sequence[UserId] | None = None,
        but: str | None = None,
    ) -> None:
        """Send nothing more about this, of these templates or any, to these people or anybody, `but` on this occasion."""
        await self._connection.execute(_WITHDRAW, about, reason, now, templates, users, but)

    async def make_critical(self, about: UUID, now: datetime) -> None:
        """From now on all that is open about this goes out whatever the hour."""
        await self._connection.execute(_RAISE, about, now)

    async def sent_about(self, about: UUID) -> list[Sent]:
        """What providers took about this so far, in order of time."""
        rows = await self._connection.fetch(_SENT, about)
        return [Sent(UserId(row["user_id"]), Channel(row["channel"]), row["ended_at"]) for row in rows]

    async def claim(self, channel: Channel, limit: int, now: datetime) -> list[DueNotification]:
        """Lock what is due and nobody else has in hand, the most urgent first; texts of a newer version are left to that one."""
        rows = await self._connection.fetch(_CLAIM, channel, now, limit, list(Template))
        return [_due(row) for row in rows]

    async def save(self, before: Notification, after: Notification, now: datetime) -> bool:
        """Write what became of it, unless somebody else went on with it meanwhile; says whether it was written."""
        seen = (before.id, before.attempts, before.status)
        state = (after.status, after.due_at, after.attempts, after.address, after.called_at, after.provider_id, after.reason)
        return bool(await self._connection.fetchval(_SAVE, *seen, *state, after.ended_at, now))


def _due(row: Record) -> DueNotification:
    return DueNotification(_notification(row), _recipient(row), row["correlation_id"], row["causation_id"])


def _notification(row: Record) -> Notification:
    return Notification(
        id=NotificationId(row["id"]),
        user_id=UserId(row["user_id"]),
        channel=Channel(row["channel"]),
        target_id=row["target_id"],
        template=Template(row["template"]),
        about=row["about"],
        occasion=row["occasion"],
        urgency=Urgency(row["urgency"]),
        facts=row["facts"],
        status=Status(row["status"]),
        due_at=row["due_at"],
        expires_at=row["expires_at"],
        created_at=row["created_at"],
        attempts=row["attempts"],
        address=row["address"],
        called_at=row["called_at"],
        provider_id=row["provider_id"],
        reason=row["reason"],
        withdrawn=row["withdrawn"],
        ended_at=row["ended_at"],
    )


def _recipient(row: Record) -> Recipient:
    is_push = row["endpoint"] is not None
    return Recipient(
        email=row["email"],
        phone=row["phone"],
        push=PushAddress(row["endpoint"], row["p256dh"], row["auth"]) if is_push else None,
        locale=row["locale"],
        time_zone=row["time_zone"],
        is_suspended=row["is_suspended"],
        preferences=preferences_from(row),
    )
