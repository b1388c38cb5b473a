"""Answer once, over HTTP and PostgreSQL: one effect and one answer per key, however often it is asked."""

import asyncio
from datetime import timedelta
from uuid import uuid4

import asyncpg
import pytest
from pydantic import SecretStr

from service_kit.housekeeping import keep_house, remove_old_answers
from service_kit.idempotency import REPLAYED, purge_idempotency_keys
from service_kit.testing import as_tenant


@pytest.fixture
def person(issuer) -> dict[str, str]:
    """The headers of somebody in a tenant of his own."""
    return issuer.headers(role="PATIENT", tenant_id=uuid4(), subject=uuid4())


async def effects(relay_pool, answer):
    return await relay_pool.fetchval("select count(*) from outbox where key = $1", answer.json()["id"].encode())


async def write(live, person, key="k-1", text="a"):
    headers = person if key is None else {**person, "Idempotency-Key": key}
    return await live.post("/notes", json={"text": text}, headers=headers)


async def test_the_same_key_and_body_get_the_same_answer_byte_for_byte(live, person, relay_pool):
    first, second = await write(live, person), await write(live, person)
    assert (first.status_code, second.status_code) == (201, 201)
    assert second.content == first.content
    assert second.headers["location"] == first.headers["location"]
    assert REPLAYED not in first.headers
    assert second.headers[REPLAYED] == "true"
    assert await effects(relay_pool, first) == 1


async def test_the_same_key_with_another_body_is_refused(live, person):
    await write(live, person)
    response = await write(live, person, text="b")
    assert response.status_code == 422
    assert response.json()["type"] == "urn:bloom:problem:idempotency-key-reused"


async def test_without_a_key_every_request_counts(live, person):
    first, second = await write(live, person, key=None), await write(live, person, key=None)
    assert first.json()["id"] != second.json()["id"]


async def test_eight_at_once_have_one_effect(live, person, relay_pool):
    for round_number in range(10):
        answers = await asyncio.gather(*(write(live, person, key=f"round-{round_number}") for _ in range(8)))
        made = [answer for answer in answers if answer.status_code == 201]
        assert {answer.status_code for answer in answers} <= {201, 409}
        assert len({answer.content for answer in made}) == 1
        assert await effects(relay_pool, made[0]) == 1
        busy = [answer for answer in answers if answer.status_code == 409]
        assert all(answer.json()["type"] == "urn:bloom:problem:request-in-progress" for answer in busy)
        assert all(answer.headers["retry-after"] == "1" for answer in busy)


async def test_a_key_belongs_to_one_person_and_one_tenant(live, issuer, relay_pool):
    tenant = uuid4()
    people = [
        issuer.headers(role="PATIENT", tenant_id=tenant, subject=uuid4()),
        issuer.headers(role="PATIENT", tenant_id=tenant, subject=uuid4()),
        issuer.headers(role="PATIENT", tenant_id=uuid4(), subject=uuid4()),
    ]
    answers = [await write(live, person) for person in people]
    assert len({answer.json()["id"] for answer in answers}) == 3


async def test_what_failed_may_be_tried_again_with_the_same_key(live, person, owner):
    async with owner.acquire() as connection:
        await connection.execute("alter table notes add constraint no_b check (text <> 'b')")
    assert (await write(live, person, key="again", text="b")).status_code == 500
    async with owner.acquire() as connection:
        await connection.execute("alter table notes drop constraint no_b")
    response = await write(live, person, key="again", text="b")
    assert response.status_code == 201
    assert REPLAYED not in response.headers


@pytest.mark.parametrize("key", ["", "a b", "x" * 256, "ключ"])
async def test_a_key_that_is_not_visible_ascii_of_fair_length_is_refused(live, person, key):
    response = await live.post("/notes", json={"text": "a"}, headers={**person, "Idempotency-Key": key.encode()})
    assert response.status_code == 422
    assert response.json()["errors"][0]["location"] == ["header", "Idempotency-Key"]


async def test_answers_are_removed_in_bounded_batches_once_their_time_is_over(live, person, pool, issuer):
    tenant = uuid4()
    headers = issuer.headers(role="PATIENT", tenant_id=tenant, subject=uuid4())
    for number in range(5):
        await write(live, headers, key=f"old-{number}")
    async with as_tenant(pool, tenant) as connection:
        assert await purge_idempotency_keys(connection, older_than=timedelta(hours=1), limit=3) == 0
        assert await purge_idempotency_keys(connection, older_than=timedelta(seconds=-10), limit=3) == 3
        assert await purge_idempotency_keys(connection, older_than=timedelta(seconds=-10), limit=3) == 2


async def test_housekeeping_removes_old_answers_of_every_tenant(live, issuer, relay_pool, sample_database):
    for _ in range(5):
        await write(live, issuer.headers(role="PATIENT", tenant_id=uuid4(), subject=uuid4()), key="old")
    url = SecretStr(sample_database.relay_url)
    assert await remove_old_answers(url, timedelta(hours=1), batch_rows=2) == 0
    assert await remove_old_answers(url, timedelta(seconds=-10), batch_rows=2) >= 5
    assert await relay_pool.fetchval("select count(key) from idempotency_keys") == 0


async def test_housekeeping_cannot_read_what_was_answered(relay_pool):
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await relay_pool.fetch("select body from idempotency_keys")


async def test_housekeeping_works_once_and_ends_when_it_is_told_to(live, person, relay_pool, sample_database):
    await write(live, person, key="old")
    stop = asyncio.Event()
    url = SecretStr(sample_database.relay_url)
    keeping = asyncio.create_task(keep_house(url, retention=timedelta(seconds=-10), stop=stop, every_seconds=0.01))
    while await relay_pool.fetchval("select count(key) from idempotency_keys"):  # noqa: ASYNC110  # a row that goes tells nobody
        await asyncio.sleep(0.01)
    stop.set()
    await asyncio.wait_for(keeping, 5)
    assert keeping.done()
