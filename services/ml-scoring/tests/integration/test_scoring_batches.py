"""Batches of messages on PostgreSQL: what is written and told about each, whatever comes twice, late or broken."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any
from uuid import uuid4

import pytest

from bloom_events.envelope import Envelope, to_kafka
from bloom_events.ids import TenantId
from bloom_events.risk import RiskScored, RiskWithdrawn
from ml_scoring.agents import MessageBatches
from ml_scoring.use_cases import scoring as use_cases
from service_kit.consuming import LogRecord
from service_kit.consuming_batches import Delivery

Told = Callable[[Any], Awaitable[list[dict[str, Any]]]]
TRACE = f"00-{'a' * 32}-{'b' * 16}-01"


def delivery(envelope: Envelope[Any], offset: int = 0) -> Delivery:
    message = to_kafka(envelope)
    record = LogRecord(message.topic, 0, offset, message.timestamp_ms, message.key, message.value, message.headers)
    return Delivery(record, envelope, TRACE)


@pytest.fixture
def handle(scoring: Any) -> Callable[[Sequence[Envelope[Any]]], Awaitable[dict[Any, str]]]:
    """Runs a batch as the worker does."""
    batches = MessageBatches(scoring.tools, lambda _: None)

    async def run(envelopes: Sequence[Envelope[Any]]) -> dict[Any, str]:
        deliveries = [delivery(envelope, offset) for offset, envelope in enumerate(envelopes)]
        return await batches.write(await batches.prepare(deliveries))

    return run


@pytest.mark.promise("ML6", "X3")
async def test_a_message_gets_one_analysis_with_all_that_is_known_of_its_score(scoring: Any, handle: Any, told: Told) -> None:
    message = scoring.conversation().sent("I slept well and look forward to the week.")
    assert await handle([message]) == {}

    (row,) = await scoring.analyses()
    (event,) = await told(scoring.tenant_id)
    model = scoring.shelf.default.identity
    expected = scoring.shelf.default.pool
    score = await expected.score("I slept well and look forward to the week.")
    assert (row["message_id"], row["revision"], row["state"]) == (message.data.message_id, 1, "scored")
    assert (row["label"], row["level"], row["windows"]) == (score.label, score.level, score.windows)
    assert row["personality_disorder"] == score.probabilities["Personality disorder"]
    assert (row["model_name"], row["model_version"], row["model_seal"]) == (model.name, model.version, model.seal)
    assert (row["model_hash"], row["tokenizer_hash"]) == (model.model_hash, model.tokenizer_hash)
    assert (row["threshold_moderate"], row["threshold_high"], row["threshold_critical"]) == (0.1, 0.3, 0.6)
    assert event["type"] == RiskScored.TYPE
    assert event["analysis_id"] == str(row["id"])
    assert sum(event["probabilities"].values()) == pytest.approx(1)
    assert event["ce_causationid"] == str(message.id)
    assert event["ce_correlationid"] == str(message.correlation_id)
    assert event["traceparent"] == TRACE
    assert event["therapist_ids"] == [str(each) for each in message.data.therapist_ids]


async def test_a_repeated_delivery_changes_nothing_and_costs_no_score(scoring: Any, handle: Any, told: Told) -> None:
    message = scoring.conversation().sent()
    await handle([message, message])
    await handle([message])

    assert len(await scoring.analyses()) == 1
    assert len(await told(scoring.tenant_id)) == 1
    examined = await use_cases.skip_seen(scoring.tools, [_received(message)])
    assert examined == []


async def test_an_edit_is_scored_again_under_the_same_analysis(scoring: Any, handle: Any, told: Told) -> None:
    conversation = scoring.conversation()
    message = conversation.sent("first words")
    await handle([message])
    (before,) = await scoring.analyses()
    await handle([conversation.edited(message, "other words altogether")])

    (after,) = await scoring.analyses()
    events = await told(scoring.tenant_id)
    assert after["id"] == before["id"]
    assert (before["revision"], after["revision"], after["sequence"]) == (1, 2, 2)
    assert after["suicidal"] != before["suicidal"]
    assert [(event["revision"], event["analysis_id"]) for event in events] == [(1, str(before["id"])), (2, str(before["id"]))]


async def test_a_deleted_message_is_withdrawn_and_keeps_nothing_of_its_score(scoring: Any, handle: Any, told: Told) -> None:
    conversation = scoring.conversation()
    message = conversation.sent()
    await handle([message])
    await handle([conversation.deleted(message)])

    (row,) = await scoring.analyses()
    assert (row["state"], row["revision"], row["label"], row["suicidal"], row["level"]) == ("withdrawn", 2, None, None, None)
    assert [event["type"] for event in await told(scoring.tenant_id)] == [RiskScored.TYPE, RiskWithdrawn.TYPE]


async def test_of_changes_in_one_batch_each_is_told_in_order_and_the_last_one_stays(
    scoring: Any, handle: Any, told: Told
) -> None:
    conversation = scoring.conversation()
    message = conversation.sent("one")
    other = conversation.sent("two")
    edited = conversation.edited(message, "three")
    await handle([message, other, edited, conversation.deleted(edited)])

    rows = await scoring.analyses()
    assert {(row["message_id"], row["state"]) for row in rows} == {
        (message.data.message_id, "withdrawn"),
        (other.data.message_id, "scored"),
    }
    events = await told(scoring.tenant_id)
    assert [event["sequence"] for event in events] == [1, 2, 3, 4]
    assert [event["type"] for event in events] == [*[RiskScored.TYPE] * 3, RiskWithdrawn.TYPE]


async def test_a_late_revision_changes_nothing_and_is_not_told(scoring: Any, handle: Any, told: Told) -> None:
    conversation = scoring.conversation()
    message = conversation.sent("one")
    edited = conversation.edited(message, "two")
    await handle([edited])
    (before,) = await scoring.analyses()
    await handle([message])

    assert await scoring.analyses() == [before]
    assert [event["revision"] for event in await told(scoring.tenant_id)] == [2]


async def test_organisations_in_one_batch_are_written_apart(scoring: Any, handle: Any, told: Told) -> None:
    other = TenantId(uuid4())
    mine, theirs = scoring.conversation(), scoring.conversation(other)
    await handle([mine.sent(), theirs.sent(), mine.sent(), theirs.sent(), theirs.sent()])

    assert (len(await scoring.analyses()), len(await scoring.analyses(other))) == (2, 3)
    assert (len(await told(scoring.tenant_id)), len(await told(other))) == (2, 3)


async def test_a_text_that_was_changed_or_moved_is_refused_and_the_rest_of_the_batch_scored(
    scoring: Any, handle: Any, told: Told
) -> None:
    conversation = scoring.conversation()
    good, one, two = conversation.sent(), conversation.sent(), conversation.sent()
    moved = conversation.sent(ciphertext=one.data.ciphertext, nonce=one.data.nonce)
    no_text = conversation.sent(nonce="AAAA")
    refused = await handle([good, moved, no_text, two])

    assert refused == {moved.id: "the seal of the text is broken", no_text.id: "the seal of the text is broken"}
    assert {row["message_id"] for row in await scoring.analyses()} == {good.data.message_id, two.data.message_id}
    assert len(await told(scoring.tenant_id)) == 2
    assert await handle([moved]) == {moved.id: "the seal of the text is broken"}, "it was not taken, so a redrive finds it"


async def test_bytes_that_are_no_text_are_refused(scoring: Any, handle: Any) -> None:
    broken = _sealing(scoring.conversation(), b"\xff\xfe\x00")
    assert await handle([broken]) == {broken.id: "the seal of the text is broken"}


async def test_a_message_under_a_destroyed_key_is_unreadable_for_good_and_nobody_is_told(
    scoring: Any, handle: Any, told: Told
) -> None:
    conversation = scoring.conversation()
    message = conversation.sent()
    conversation.key_destroyed()
    await handle([message])

    (row,) = await scoring.analyses()
    assert (row["state"], row["reason"], row["label"]) == ("unreadable", "key-destroyed", None)
    assert await told(scoring.tenant_id) == []


async def test_a_text_that_no_model_can_score_is_unreadable_with_the_models_reason(scoring: Any, handle: Any, told: Told) -> None:
    message = scoring.conversation().sent("a" * 100_001)
    await handle([message])

    (row,) = await scoring.analyses()
    assert (row["state"], row["reason"]) == ("unreadable", "text-too-long")
    assert await told(scoring.tenant_id) == []


@pytest.mark.parametrize("text", ["", " ", "\x00\x07", "😀" * 50, "مرحبا", "a\u202eb", "x" * 10_000])
async def test_whatever_people_write_gets_an_analysis(scoring: Any, handle: Any, text: str) -> None:
    await handle([scoring.conversation().sent(text)])
    (row,) = await scoring.analyses()
    assert row["state"] == "scored"


async def test_two_workers_that_hold_the_same_messages_write_each_once(scoring: Any, told: Told) -> None:
    conversation = scoring.conversation()
    messages = [conversation.sent(str(number)) for number in range(30)]
    one, two = (MessageBatches(scoring.tools, lambda _: None) for _ in range(2))
    prepared = await asyncio.gather(*(each.prepare([delivery(m) for m in messages]) for each in (one, two)))
    await asyncio.gather(one.write(prepared[0]), two.write(prepared[1]))

    assert len(await scoring.analyses()) == 30
    events = await told(scoring.tenant_id)
    assert [event["sequence"] for event in events] == list(range(1, 31))


def _received(envelope: Envelope[Any]) -> Any:
    from ml_scoring.domain.waiting import Place, Received

    return Received(envelope, Place(0, 0), envelope.time)


def _sealing(conversation: Any, content: bytes) -> Envelope[Any]:
    """A message whose seal is right and whose content is no UTF-8."""

    class Bytes(str):
        __slots__ = ()

        def encode(self, *_: Any) -> bytes:
            return content

    return conversation.sent(Bytes("x"))
