"""Messages whose key cannot be had: nobody waits for them, they are tried again, and in the end nothing shows of it."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any
from uuid import UUID, uuid4

import pytest

from bloom_events.envelope import Envelope, to_kafka
from bloom_events.ids import TenantId
from bloom_events.risk import RiskScored
from local_stack.postgres import PostgresServer, ServiceDatabase
from ml_scoring.agents import MessageBatches, waiting_chore
from ml_scoring.domain.waiting import FIRST_WAIT, LEASE, LONGEST_WAIT
from ml_scoring.use_cases import conversations
from ml_scoring.use_cases.scoring import CONSUMER
from ml_scoring.use_cases.waiting import TRIED_AT_ONCE, try_waiting
from service_kit import inbox
from service_kit.consuming import LogRecord
from service_kit.consuming_batches import Delivery
from service_kit.unit_of_work import utc_now

Told = Callable[[Any], Awaitable[list[dict[str, Any]]]]


@pytest.fixture(autouse=True)
def _nothing_waits(database: ServiceDatabase, postgres_server: PostgresServer) -> None:
    """A round tries what waits in all of the database, so that what other tests left is taken away."""
    postgres_server.sql("delete from waiting_messages", database=database.name)


@pytest.fixture
def told_to_wait() -> list[Any]:
    """When the loop of waiting messages was told to look."""
    return []


@pytest.fixture
def handle(scoring: Any, told_to_wait: list[Any]) -> Callable[[Sequence[Envelope[Any]]], Awaitable[dict[Any, str]]]:
    batches = MessageBatches(scoring.tools, told_to_wait.append)

    async def run(envelopes: Sequence[Envelope[Any]]) -> dict[Any, str]:
        records = [(envelope, to_kafka(envelope)) for envelope in envelopes]
        return await batches.write(
            await batches.prepare(
                [
                    Delivery(LogRecord(m.topic, 4, n, m.timestamp_ms, m.key, m.value, m.headers), envelope, None)
                    for n, (envelope, m) in enumerate(records)
                ]
            )
        )

    return run


async def waiting_rows(scoring: Any, tenant_id: UUID | None = None) -> list[dict[str, Any]]:
    return await scoring.rows("select * from waiting_messages order by read_offset", tenant_id=tenant_id)


async def test_a_message_without_a_key_waits_sealed_and_the_others_do_not(
    scoring: Any, handle: Any, told: Told, told_to_wait: list[Any]
) -> None:
    at_hand, missing = scoring.conversation(), scoring.conversation()
    missing.take_key_away()
    messages = [missing.sent("please help me"), at_hand.sent()]
    await handle(messages)

    (analysis,) = await scoring.analyses()
    (waiting,) = await waiting_rows(scoring)
    assert analysis["message_id"] == messages[1].data.message_id
    assert (waiting["event_id"], waiting["partition"], waiting["read_offset"]) == (messages[0].id, 4, 0)
    assert (waiting["attempts"], waiting["next_try_at"]) == (0, scoring.clock())
    assert b"please" not in waiting["payload"], "it waits as it came"
    assert told_to_wait == [scoring.clock()]
    assert len(await told(scoring.tenant_id)) == 1


async def test_it_is_scored_when_its_key_comes_once(scoring: Any, handle: Any, told: Told) -> None:
    conversation = scoring.conversation()
    conversation.take_key_away()
    message = conversation.sent()
    await handle([message])
    scoring.clock.advance(seconds=1)
    assert (await try_waiting(scoring.tools)).waiting == 1
    conversation.give_key()
    scoring.clock.advance(seconds=10)
    assert (await try_waiting(scoring.tools)).waiting == 0
    scoring.clock.advance(seconds=10)
    await try_waiting(scoring.tools)
    await handle([message])

    (analysis,) = await scoring.analyses()
    (event,) = await told(scoring.tenant_id)
    assert analysis["state"] == "scored"
    assert (event["type"], event["ce_causationid"]) == (RiskScored.TYPE, str(message.id))
    assert await waiting_rows(scoring) == []


async def test_tries_come_at_longer_intervals_up_to_a_limit(scoring: Any, handle: Any) -> None:
    conversation = scoring.conversation()
    conversation.take_key_away()
    await handle([conversation.sent()])
    waits = []
    for _ in range(8):
        (before,) = await waiting_rows(scoring)
        scoring.clock.moment = before["next_try_at"]
        await try_waiting(scoring.tools)
        (after,) = await waiting_rows(scoring)
        assert after["attempts"] == before["attempts"] + 1
        waits.append(after["next_try_at"] - scoring.clock())
    assert waits[0] == FIRST_WAIT
    assert waits == sorted(waits)
    assert waits[-1] == LONGEST_WAIT


async def test_what_is_not_due_is_left_alone_and_the_figures_say_when_it_is(scoring: Any, handle: Any) -> None:
    conversation = scoring.conversation()
    conversation.take_key_away()
    await handle([conversation.sent()])
    await try_waiting(scoring.tools)
    asked = len(scoring.key_server.asked)
    figures = await try_waiting(scoring.tools)
    assert len(scoring.key_server.asked) == asked
    assert (figures.waiting, figures.next_try_at) == (1, scoring.clock() + FIRST_WAIT)


async def test_two_loops_share_what_is_due_and_a_lease_that_ends_gives_it_back(scoring: Any, handle: Any, told: Told) -> None:
    conversation = scoring.conversation()
    conversation.take_key_away()
    await handle([conversation.sent(str(number)) for number in range(20)])
    conversation.give_key()
    scoring.clock.advance(seconds=1)
    await asyncio.gather(*(try_waiting(scoring.tools) for _ in range(4)))
    assert len(await scoring.analyses()) == 20
    assert [event["sequence"] for event in await told(scoring.tenant_id)] == list(range(1, 21))


async def test_a_loop_that_died_with_messages_in_hand_leaves_them_to_the_next(scoring: Any, handle: Any) -> None:
    conversation = scoring.conversation()
    conversation.take_key_away()
    await handle([conversation.sent()])
    conversation.give_key()
    scoring.clock.advance(seconds=1)

    class PowerCutError(BaseException):
        pass

    def power_cut(_: str) -> None:
        raise PowerCutError

    object.__setattr__(scoring.tools, "failpoint", power_cut)
    with pytest.raises(PowerCutError):
        await try_waiting(scoring.tools)
    object.__setattr__(scoring.tools, "failpoint", lambda _: None)
    await try_waiting(scoring.tools)
    assert await scoring.analyses() == [], "still leased"
    scoring.clock.advance(seconds=LEASE.total_seconds())
    await try_waiting(scoring.tools)
    assert len(await scoring.analyses()) == 1


async def test_an_edit_that_overtook_the_waiting_message_stays(scoring: Any, handle: Any, told: Told) -> None:
    conversation = scoring.conversation()
    conversation.take_key_away()
    message = conversation.sent("one")
    await handle([message])
    conversation.give_key()
    await handle([conversation.edited(message, "two")])
    (before,) = await scoring.analyses()
    scoring.clock.advance(seconds=1)
    await try_waiting(scoring.tools)

    assert await scoring.analyses() == [before]
    assert [event["revision"] for event in await told(scoring.tenant_id)] == [2]
    assert await waiting_rows(scoring) == []


async def test_a_destroyed_key_ends_the_wait_at_once(scoring: Any, handle: Any, told: Told) -> None:
    conversation = scoring.conversation()
    conversation.take_key_away()
    await handle([conversation.sent()])
    scoring.clock.advance(seconds=1)
    for _ in range(6):
        await try_waiting(scoring.tools)
        scoring.clock.advance(seconds=3)
    destroyed = conversation.key_destroyed()
    await conversations.forget_keys(scoring.unit(destroyed), scoring.keys, destroyed, now=scoring.clock())
    await try_waiting(scoring.tools)

    (analysis,) = await scoring.analyses()
    assert (analysis["state"], analysis["reason"]) == ("unreadable", "key-destroyed")
    assert await told(scoring.tenant_id) == []
    assert await waiting_rows(scoring) == []


async def test_a_waiting_message_whose_seal_is_broken_is_parked_and_can_be_redriven(scoring: Any, handle: Any) -> None:
    conversation = scoring.conversation()
    conversation.take_key_away()
    moved = conversation.sent(ciphertext=conversation.sent().data.ciphertext)
    await handle([moved])
    conversation.give_key()
    scoring.clock.advance(seconds=1)
    await try_waiting(scoring.tools)

    assert scoring.parked == [(moved.id, "the seal of the text is broken")]
    assert await waiting_rows(scoring) == []
    async with scoring.pool.acquire() as connection:
        assert await inbox.first_time(connection, CONSUMER, moved.id)


async def test_every_organisation_gets_its_turn_in_a_round(scoring: Any, handle: Any) -> None:
    other = TenantId(uuid4())
    mine, theirs = scoring.conversation(), scoring.conversation(other)
    for conversation in (mine, theirs):
        conversation.take_key_away()
    await handle([mine.sent() for _ in range(TRIED_AT_ONCE + 1)] + [theirs.sent()])
    for conversation in (mine, theirs):
        conversation.give_key()
    scoring.clock.advance(seconds=1)
    await try_waiting(scoring.tools)
    assert (len(await scoring.analyses()), len(await scoring.analyses(other))) == (TRIED_AT_ONCE, 1)
    await try_waiting(scoring.tools)
    assert len(await scoring.analyses()) == TRIED_AT_ONCE + 1


async def test_the_loop_tries_by_itself_when_a_message_is_due(scoring: Any, eventually: Any) -> None:
    object.__setattr__(scoring.tools, "clock", utc_now)
    conversation = scoring.conversation()
    conversation.take_key_away()
    chore, stop = waiting_chore(scoring.tools), asyncio.Event()
    batches = MessageBatches(scoring.tools, chore.due_at)
    running = asyncio.create_task(chore.run(stop))
    message = conversation.sent()
    m = to_kafka(message)
    record = LogRecord(m.topic, 0, 0, m.timestamp_ms, m.key, m.value, m.headers)
    await batches.write(await batches.prepare([Delivery(record, message, None)]))
    conversation.give_key()
    await eventually(scoring.analyses)
    stop.set()
    await running
    assert [row["message_id"] for row in await scoring.analyses()] == [message.data.message_id]
