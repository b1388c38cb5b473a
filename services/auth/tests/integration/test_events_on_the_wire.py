"""Rows of the outbox as the relay finds them: in the order of what happened, keyed by whom it happened to."""

import asyncpg
import orjson
import pytest

from bloom_events.registry import EVENT_TYPES


async def outbox(service) -> list[asyncpg.Record]:
    connection = await asyncpg.connect(service.database.relay_url)
    try:
        return await connection.fetch("select * from outbox where tenant_id = $1 order by id", service.tenant_id)
    finally:
        await connection.close()


@pytest.mark.promise("AU10")
async def test_each_event_is_keyed_by_its_aggregate_and_readable_by_its_contract(service):
    user = await service.registered("THERAPIST")
    device = await service.signed_in(user["email"])
    administrator = await service.administrator()
    await administrator.post(f"/api/users/{user['id']}/verify")
    await device.sign_out()

    rows = await outbox(service)

    assert [row["type"] for row in rows] == [
        "user.registered.v1", "session.started.v1", "user.registered.v1", "session.started.v1", "therapist.verified.v1",
        "session.revoked.v1",
    ]  # fmt: skip
    for row in rows:
        kind = EVENT_TYPES[row["type"]]
        event = kind.model_validate(orjson.loads(row["payload"]))
        assert (row["topic"], bytes(row["key"]).decode()) == (kind.TOPIC.name, str(event.aggregate_id))


async def test_the_request_id_joins_what_one_request_caused(service):
    request_id = "0198c1de-7a52-7d3e-9f8b-2f6f0f3c9a01"
    user = await service.registered()
    device = await service.signed_in(user["email"])
    await service.signed_in(user["email"])

    response = await device.post("/api/auth/sign-out-everywhere", headers={"X-Request-Id": request_id})

    revoked = [row for row in await outbox(service) if row["type"] == "session.revoked.v1"]
    assert response.headers["x-request-id"] == request_id
    assert len(revoked) == 2
    assert all(request_id in str(row["headers"]) for row in revoked)


async def test_a_refused_command_leaves_no_event(service):
    administrator = await service.administrator()
    before = len(await outbox(service))
    await administrator.post(f"/api/users/{administrator.user['id']}/suspend")
    await service.device().sign_in("nobody@example.test")

    assert len(await outbox(service)) == before
