"""What the database itself holds: tenants apart, states that fit together, and clocks that tell nothing but whose turn it is."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from bloom_events.ids import new_id
from bloom_events.notifications import Channel
from notifications.repository.contacts import tenants_with_contacts_to_ask_for
from notifications.repository.notifications import tenants_with_notifications
from notifications.repository.visits import tenants_with_reminders
from service_kit.database import Connection, Pool
from service_kit.testing import as_tenant, assert_tenant_isolated

InsertRow = Callable[[Connection, UUID], Awaitable[object]]


async def insert_contact(connection: Connection, tenant_id: UUID) -> None:
    await connection.execute(
        "insert into contacts (tenant_id, user_id, heard_at, ask_at, updated_at) values ($1, $2, now(), now(), now())",
        tenant_id,
        new_id(),
    )


async def insert_preferences(connection: Connection, tenant_id: UUID) -> None:
    await connection.execute(
        "insert into preferences (tenant_id, user_id, revision, wanted, updated_at) values ($1, $2, 1, '{}', now())",
        tenant_id,
        new_id(),
    )


async def insert_phone(connection: Connection, tenant_id: UUID) -> None:
    await connection.execute(
        "insert into phones (tenant_id, user_id, number, updated_at) values ($1, $2, '+15005550006', now())", tenant_id, new_id()
    )


async def insert_subscription(connection: Connection, tenant_id: UUID) -> None:
    await connection.execute(
        "insert into push_subscriptions (id, tenant_id, user_id, endpoint, p256dh, auth, created_at)"
        " values ($2, $1, $2, 'https://push.example/' || gen_random_uuid(), 'p', 'a', now())",
        tenant_id,
        new_id(),
    )


async def insert_notification(connection: Connection, tenant_id: UUID, **columns: Any) -> UUID:
    notification_id: UUID = await connection.fetchval(
        "insert into notifications (tenant_id, user_id, channel, template, about, occasion, urgency, facts, status, due_at,"
        " expires_at, correlation_id, created_at, updated_at)"
        " values ($1, $2, $3, 'alert_called', $2, 'round_1', 'urgent', '{}', 'pending', $4, now(), $2, now(), now())"
        " returning id",
        tenant_id,
        new_id(),
        columns.get("channel", "email"),
        columns.get("due_at", datetime.now(UTC)),
    )
    return notification_id


async def insert_visit(connection: Connection, tenant_id: UUID) -> UUID:
    appointment_id = new_id()
    await connection.execute(
        "insert into visits (tenant_id, appointment_id, revision, patient_id, therapist_id, starts_at, ends_at, is_ahead,"
        " updated_at) values ($1, $2, 1, $2, $2, now(), now() + interval '1 hour', true, now())",
        tenant_id,
        appointment_id,
    )
    return appointment_id


async def insert_reminder(connection: Connection, tenant_id: UUID) -> None:
    await connection.execute(
        "insert into reminders (tenant_id, appointment_id, template, round, due_at, expires_at)"
        " values ($1, $2, 'appointment_reminder_1h', 1, now(), now() + interval '1 hour')",
        tenant_id,
        await insert_visit(connection, tenant_id),
    )


ROWS: dict[str, InsertRow] = {
    "contacts": insert_contact,
    "preferences": insert_preferences,
    "phones": insert_phone,
    "push_subscriptions": insert_subscription,
    "notifications": insert_notification,
    "visits": insert_visit,
    "reminders": insert_reminder,
}


@pytest.mark.parametrize("table", ROWS)
async def test_rows_are_their_own_tenants_alone(pool: Pool, table: str) -> None:
    await assert_tenant_isolated(pool, table, ROWS[table])


@pytest.mark.parametrize("table", ["contacts", "preferences", "notifications", "visits"])
async def test_what_is_kept_for_good_cannot_be_deleted_by_the_application(pool: Pool, table: str) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await pool.execute(f"delete from {table}")


@pytest.mark.parametrize(
    "change",
    ["status = 'sent'", "status = 'sending'", "due_at = null", "address = 'x'", "occasion = 'Round 1'", "reason = 'A sentence.'"],
)
async def test_states_that_do_not_fit_together_are_refused(pool: Pool, change: str) -> None:
    tenant_id = uuid4()
    async with as_tenant(pool, tenant_id) as connection:
        await insert_notification(connection, tenant_id)
    with pytest.raises(asyncpg.CheckViolationError):
        async with as_tenant(pool, tenant_id) as connection:
            await connection.execute(f"update notifications set {change}")


@pytest.mark.parametrize("choice", ["safety.email", "reminders.fax"])
async def test_nothing_but_the_choices_can_be_wanted(pool: Pool, choice: str) -> None:
    tenant_id = uuid4()
    with pytest.raises(asyncpg.CheckViolationError):
        async with as_tenant(pool, tenant_id) as connection:
            await connection.execute(
                "insert into preferences (user_id, revision, wanted, updated_at) values ($1, 1, $2, now())", uuid4(), [choice]
            )


@pytest.mark.parametrize("number", ["15005550006", "+0500555000", "+1 500 555", "+123456", "+1234567890123456"])
async def test_a_phone_number_that_is_none_is_refused(pool: Pool, number: str) -> None:
    with pytest.raises(asyncpg.CheckViolationError):
        async with as_tenant(pool, uuid4()) as connection:
            await connection.execute("insert into phones (user_id, number, updated_at) values ($1, $2, now())", uuid4(), number)


async def test_the_clocks_name_tenants_and_times_and_nothing_else(pool: Pool) -> None:
    now = datetime.now(UTC)
    tenants = uuid4(), uuid4()
    for tenant_id in tenants:
        async with as_tenant(pool, tenant_id) as connection:
            await insert_contact(connection, tenant_id)
            await insert_reminder(connection, tenant_id)
            await insert_notification(connection, tenant_id, due_at=now - timedelta(seconds=1))
    async with as_tenant(pool, tenants[0]) as connection:
        await insert_notification(connection, tenants[0], due_at=now + timedelta(days=1))

    turns = await tenants_with_notifications(pool, Channel.EMAIL, now)
    assert set(tenants) <= {tenant_id for tenant_id, _ in turns}
    assert turns[-1][1] > now
    assert await tenants_with_notifications(pool, Channel.SMS, now) == []
    for clock in (tenants_with_contacts_to_ask_for, tenants_with_reminders):
        assert set(tenants) <= {tenant_id for tenant_id, _ in await clock(pool, now + timedelta(minutes=1))}
