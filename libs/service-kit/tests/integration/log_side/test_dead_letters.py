"""Poison on a real topic: parked whole with its reason, the rest handled; redriven once the cause is mended."""

import asyncio
from collections import Counter
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from bloom_events.auth import Role, UserRegistered
from bloom_events.envelope import to_kafka, wrap
from bloom_events.ids import TenantId, UserId, new_id
from service_kit.consuming import Backoff, Consuming, Outcome, WorkerMustStop
from service_kit.dead_letters import DeadLetters, dead_letter_topic
from service_kit.faust_app import consume_topics, create_faust_app
from service_kit.redrive import redrive

CONSUMER = "notes"


def registered():
    event = UserRegistered(user_id=UserId(new_id()), role=Role.PATIENT, status="active")
    when, ids = datetime.now(UTC), {"tenant_id": TenantId(uuid4()), "correlation_id": uuid4()}
    message = to_kafka(wrap(event, source="/bloom/sample", time=when, **ids))
    return message.key, message.value, message.headers


class Handler:
    """Counts what it handled; while `broken` it fails on every user whose id it was told."""

    def __init__(self) -> None:
        self.seen: Counter[str] = Counter()
        self.broken: set[str] = set()

    async def __call__(self, envelope) -> None:
        if envelope.subject in self.broken:
            raise ValueError(envelope.subject)
        self.seen[envelope.subject] += 1


@pytest.fixture
def letters_topic(log, topic):
    return log.new_topic(1, name=dead_letter_topic(topic, CONSUMER))


@pytest.fixture
def consuming(kafka_cluster, letters_topic):
    """A consumer with its handler, which parks on the topic of this test."""
    handler = Handler()
    letters = DeadLetters(kafka_cluster.bootstrap, CONSUMER)
    reader = Consuming(CONSUMER, {UserRegistered: handler}, letters, backoff=Backoff(first=0.01), max_parked_in_row=5)
    return reader, handler


@pytest.fixture
def build(sample_worker_settings, consuming, topic):
    def build_app():
        app = create_faust_app(sample_worker_settings, app_id=f"{topic}-notes")
        consume_topics(app, consuming[0], [topic])
        return app

    return build_app


async def test_poison_is_parked_whole_with_its_origin_and_everything_else_is_handled(
    log, build, consuming, topic, letters_topic, worker_of, eventually
):
    good, poison = [registered() for _ in range(60)], (b"k", b"\x00\xffbroken", [("ce_type", b"?"), ("x", b"1")])
    log.write(topic, *good[:30], poison, *good[30:])
    async with worker_of(build):
        await eventually(lambda: is_true(lambda: log.committed(f"{topic}-notes", topic) == 61))
    assert consuming[1].seen == Counter(key.decode() for key, _, _ in good)
    (letter,) = log.read(letters_topic)
    headers = dict(letter.headers)
    assert (letter.key, letter.value, headers["ce_type"], headers["x"]) == (b"k", b"\x00\xffbroken", b"?", b"1")
    (origin,) = [record for record in log.read(topic) if record.value == b"\x00\xffbroken"]
    place = (headers["dlq_topic"].decode(), int(headers["dlq_partition"]), int(headers["dlq_offset"]))
    assert place == (topic, origin.partition, origin.offset)
    assert headers["dlq_reason"].startswith(b"unreadable: ")
    assert headers["dlq_attempts"] == b"1"
    assert letter.timestamp > origin.timestamp, "a letter is kept by the time of its parking"


async def test_a_flood_of_poison_stops_the_worker_with_the_rest_unread(
    log, build, topic, letters_topic, worker_of, sample_worker_settings
):
    log.write(topic, *[(b"same-key", b"poison", []) for _ in range(30)])
    async with worker_of(build) as running:
        with pytest.raises(WorkerMustStop):
            await asyncio.wait_for(asyncio.shield(running), 30)
    assert len(log.read(letters_topic)) == 5
    assert log.committed(f"{topic}-notes", topic) == 0


async def test_redrive_handles_what_was_parked_and_parks_again_what_still_fails(log, consuming, topic, letters_topic):
    reader, handler = consuming
    mended, hopeless = registered(), registered()
    handler.broken = {mended[0].decode(), hopeless[0].decode()}
    log.write(topic, mended, hopeless)
    for record in log.read(topic):
        assert await reader.consume(record) is Outcome.PARKED
    handler.broken = {hopeless[0].decode()}

    redriven = await redrive(log.bootstrap, reader, [topic])
    assert redriven.ends == {(topic, Outcome.HANDLED): 1, (topic, Outcome.PARKED): 1}
    assert redriven.summary() == f"{topic}: 1 handled\n{topic}: 1 parked"
    assert handler.seen == {mended[0].decode(): 1}
    assert len(log.read(topic)) == 2, "nothing goes back to the topic"
    again = dict(log.read(letters_topic)[-1].headers)
    assert (again["dlq_attempts"], again["dlq_topic"]) == (b"2", topic.encode())
    assert [name for name, _ in log.read(letters_topic)[-1].headers].count("dlq_reason") == 1

    handler.broken = set()
    assert (await redrive(log.bootstrap, reader, [topic])).ends == {(topic, Outcome.HANDLED): 1}
    assert (await redrive(log.bootstrap, reader, [topic])).summary() == "no dead letters"


async def test_redrive_passes_over_what_is_no_dead_letter(log, consuming, topic, letters_topic):
    log.write(letters_topic, (b"k", b"someone wrote this by hand", []))
    assert (await redrive(log.bootstrap, consuming[0], [topic])).ends == {(topic, Outcome.SKIPPED): 1}


async def test_a_record_too_large_for_a_letter_is_kept_cut_and_says_so(log, consuming, topic, letters_topic):
    small = log.new_topic(1, name=dead_letter_topic(f"{topic}-big", CONSUMER), **{"max.message.bytes": "600000"})
    log.write(topic, (b"k", b"x" * 700_000, []))
    (record,) = log.read(topic)
    assert await consuming[0].consume(record._replace(topic=f"{topic}-big")) is Outcome.PARKED
    (letter,) = log.read(small)
    assert len(letter.value) == 500_000
    assert dict(letter.headers)["dlq_value_cut_from"] == b"700000"


async def is_true(condition) -> bool:
    return bool(condition())
