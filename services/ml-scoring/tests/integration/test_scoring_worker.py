"""The worker as a process on a real Kafka: killed, replayed, given broken records, without keys, switched to other models."""

import asyncio
import json
import os
import random
import subprocess
import sys
import urllib.request
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from confluent_kafka import Consumer, ConsumerGroupTopicPartitions, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from bloom_events.envelope import Envelope, to_kafka
from bloom_events.messaging import MessageSent
from bloom_events.topics import MESSAGES
from local_stack.ports import free_port
from local_stack.postgres import ServiceDatabase
from local_stack.services import ServiceProcess, Surroundings
from ml_scoring.domain.models import ModelReference
from ml_scoring.use_cases.live_models import activate_model
from ml_scoring.use_cases.scoring import CONSUMER, FAILPOINTS

DEAD_LETTERS = f"{MESSAGES.name}.{CONSUMER}.dlq"
Told = Callable[[Any], Awaitable[list[dict[str, Any]]]]
Deliver = Callable[[Sequence[Envelope[Any]]], None]
Start = Callable[..., ServiceProcess]


@pytest.fixture
def around(database: ServiceDatabase, kafka_topics: str, key_server: Any, model_store: Path) -> Surroundings:
    own = {
        "MODELS": str(model_store),
        "MODEL": "tiny-xlmr/1",
        "MESSAGING_URL": key_server.url,
        "SERVICE_KEY": key_server.service_key,
        "MODEL_POLL_SECONDS": "0.2",
        "BATCH_SIZE": "16",
        # On a busy machine the double of messaging is slow, and a message that waits may be overtaken by its edit.
        "KEY_PATIENCE_SECONDS": "2",
    }
    return Surroundings(
        environment="test",
        databases={"ml-scoring": database},
        kafka_bootstrap=kafka_topics,
        valkey_url="",
        jwks_url="",
        own_settings={"ml-scoring": own},
    )


@pytest.fixture
def start_worker(around: Surroundings, tmp_path: Path) -> Iterator[Start]:
    """Starts a worker process of its own; whatever still runs is killed at the end."""
    started: list[ServiceProcess] = []

    def start(*, failpoint: str = "") -> ServiceProcess:
        port, instance = free_port(), len(started) + 1
        environment = {**around.of("ml-scoring", "worker", port=port), "ML_SCORING_FAILPOINT": failpoint}
        places = {"logs": tmp_path, "pids": tmp_path, "folder": tmp_path / f"worker-{instance}"}
        worker = ServiceProcess(
            "ml-scoring", "worker", port=port, environment=environment, instance=instance, guarded=True, **places
        )
        started.append(worker)
        worker.start()
        return worker

    yield start
    for worker in started:
        worker.kill()


@pytest.fixture
def redrive(around: Surroundings, tmp_path: Path) -> Callable[[], str]:
    """Runs the operator's command and gives its answer."""

    def run() -> str:
        environment = {**os.environ, **around.of("ml-scoring", "redrive", port=0)}
        command = [sys.executable, "-m", "ml_scoring", "redrive"]
        done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=True)
        return done.stdout.strip().rpartition("}")[2].strip()

    return run


@pytest.fixture(scope="module")
def deliver(kafka_topics: str) -> Deliver:
    """Puts events on their topics in just this order and waits until Kafka has them."""
    producer = Producer({"bootstrap.servers": kafka_topics, "enable.idempotence": True, "acks": "all"})

    def send(events: Sequence[Envelope[Any]]) -> None:
        for event in events:
            m = to_kafka(event)
            producer.produce(m.topic, m.value, m.key, headers=list(m.headers), timestamp=m.timestamp_ms)
        assert producer.flush(20) == 0

    return send


def chat(scoring: Any, count: int, *, seed: int) -> list[Envelope[Any]]:
    """What is written in ten conversations: messages, some edited or deleted later, and a tenth of all delivered twice."""
    rng = random.Random(seed)
    conversations = [scoring.conversation() for _ in range(10)]
    written: list[tuple[Any, Envelope[Any]]] = []
    events: list[Envelope[Any]] = []
    for number in range(count):
        place = rng.random()
        if place < 0.7 or not written:
            conversation = rng.choice(conversations)
            written.append((conversation, conversation.sent(f"message {number}")))
            events.append(written[-1][1])
        else:
            conversation, message = written.pop(rng.randrange(len(written)))
            events.append(conversation.edited(message, f"edit {number}") if place < 0.9 else conversation.deleted(message))
            if place < 0.9:
                written.append((conversation, events[-1]))
        if rng.random() < 0.1:
            events.append(rng.choice(events))
    return events


def expected_of(events: Sequence[Envelope[Any]]) -> dict[Any, tuple[int, str]]:
    """The newest revision of every message, and what its analysis has to be."""
    newest: dict[Any, Envelope[Any]] = {}
    for event in events:
        known = newest.get(event.data.message_id)
        if known is None or known.data.revision < event.data.revision:
            newest[event.data.message_id] = event
    return {
        message_id: (event.data.revision, "scored" if hasattr(event.data, "ciphertext") else "withdrawn")
        for message_id, event in newest.items()
    }


async def then_every_message_has_one_analysis(scoring: Any, told: Told, events: Sequence[Envelope[Any]]) -> None:
    rows = await scoring.analyses()
    assert {row["message_id"]: (row["revision"], row["state"]) for row in rows} == expected_of(events)
    published = Counter((event["message_id"], event["revision"]) for event in await told(scoring.tenant_id))
    changes = {(str(event.data.message_id), event.data.revision) for event in events}
    assert published == Counter(dict.fromkeys(changes, 1)), "each change is told once"


def all_there(scoring: Any, events: Sequence[Envelope[Any]]) -> Callable[[], Awaitable[bool]]:
    expected = expected_of(events)

    async def ask() -> bool:
        rows = await scoring.rows("select message_id, revision from analyses")
        return {row["message_id"]: row["revision"] for row in rows} == {key: found[0] for key, found in expected.items()}

    return ask


def ends(worker: ServiceProcess) -> Callable[[], Awaitable[bool]]:
    async def ask() -> bool:
        return not worker.processes[0].is_alive()

    return ask


@pytest.mark.promise("ML6", "ML8", "X3")
@pytest.mark.parametrize("failpoint", [f"{name}:3" for name in FAILPOINTS])
async def test_a_worker_killed_at_its_worst_moments_scores_every_message_once(
    scoring: Any, start_worker: Start, deliver: Deliver, told: Told, eventually: Any, failpoint: str
) -> None:
    events = chat(scoring, 150, seed=FAILPOINTS.index(failpoint.partition(":")[0]))
    deliver(events)
    await eventually(ends(start_worker(failpoint=failpoint)))
    start_worker()
    await eventually(all_there(scoring, events), 90)

    await then_every_message_has_one_analysis(scoring, told, events)


async def test_two_workers_of_which_one_is_killed_score_every_message_once(
    scoring: Any, start_worker: Start, deliver: Deliver, told: Told, eventually: Any
) -> None:
    events = chat(scoring, 300, seed=11)
    first, second = start_worker(), start_worker()
    deliver(events[:150])

    async def has_begun() -> bool:
        return len(await scoring.analyses()) > 20

    await eventually(has_begun, 90)
    first.kill()
    deliver(events[150:])
    await eventually(all_there(scoring, events), 120)
    await then_every_message_has_one_analysis(scoring, told, events)
    second.stop()


async def test_a_replay_of_the_topic_changes_and_tells_nothing(
    scoring: Any, start_worker: Start, deliver: Deliver, told: Told, eventually: Any, kafka_topics: str
) -> None:
    events = chat(scoring, 60, seed=5)
    deliver(events)
    worker = start_worker()
    await eventually(all_there(scoring, events), 90)
    before, said = await scoring.analyses(), await told(scoring.tenant_id)
    worker.stop()
    group = Group(kafka_topics)
    end = group.committed()
    group.rewind()
    again = start_worker()

    async def has_read_it_all() -> bool:
        return group.committed() >= end

    await eventually(has_read_it_all, 90)
    again.stop()
    assert await scoring.analyses() == before
    assert await told(scoring.tenant_id) == said


async def test_broken_records_are_parked_with_their_reason_and_hold_nobody_up(
    scoring: Any, start_worker: Start, deliver: Deliver, told: Told, eventually: Any, kafka_topics: str, redrive: Any
) -> None:
    conversation = scoring.conversation()
    good = [conversation.sent() for _ in range(5)]
    moved = conversation.sent(ciphertext=good[0].data.ciphertext)
    producer = Producer({"bootstrap.servers": kafka_topics})
    marker = str(uuid4()).encode()
    deliver(good[:2])
    headers: list[tuple[str, str | bytes | None]] = [("ce_type", MessageSent.TYPE.encode()), ("test", marker)]
    producer.produce(MESSAGES.name, b"\xff{", str(conversation.conversation_id).encode(), headers=headers)
    assert producer.flush(20) == 0
    deliver([moved, *good[2:]])
    start_worker()
    await eventually(all_there(scoring, good), 90)

    async def both_parked() -> Any:
        letters = letters_of(kafka_topics)
        mine = [each for each in letters if each.get("test") == marker or each.get("ce_id") == str(moved.id).encode()]
        return mine if len(mine) == 2 else None

    unreadable, broken = sorted(await eventually(both_parked), key=lambda each: "ce_id" in each)
    assert unreadable["dlq_reason"].startswith(b"unreadable: ")
    assert broken["dlq_reason"] == b"the seal of the text is broken"
    await then_every_message_has_one_analysis(scoring, told, good)
    assert f"{MESSAGES.name}: 2 parked" in await asyncio.to_thread(redrive)
    again = letters_of(kafka_topics)[-2:]
    assert {each["dlq_attempts"] for each in again} == {b"2"}


async def test_a_message_that_waits_for_its_key_is_scored_when_the_key_comes_and_nobody_waits_with_it(
    scoring: Any, start_worker: Start, deliver: Deliver, told: Told, eventually: Any
) -> None:
    at_hand, missing = scoring.conversation(), scoring.conversation()
    missing.take_key_away()
    first, others = missing.sent("first"), [at_hand.sent() for _ in range(3)]
    start_worker()
    deliver([first, *others])
    await eventually(all_there(scoring, others), 90)
    assert len(await scoring.rows("select 1 from waiting_messages")) == 1
    missing.give_key()
    await eventually(all_there(scoring, [first, *others]))
    await then_every_message_has_one_analysis(scoring, told, [first, *others])
    assert await scoring.rows("select 1 from waiting_messages") == []


async def test_while_messaging_is_away_messages_wait_and_are_all_scored_when_it_is_back(
    scoring: Any, start_worker: Start, deliver: Deliver, told: Told, eventually: Any, key_server: Any
) -> None:
    key_server.is_away = True
    events = chat(scoring, 80, seed=3)
    worker = start_worker()
    deliver(events)

    async def all_wait() -> bool:
        waiting = await scoring.rows("select 1 from waiting_messages")
        return len(waiting) == len({event.id for event in events if hasattr(event.data, "ciphertext")})

    await eventually(all_wait, 90)
    worker.kill()
    key_server.is_away = False
    start_worker()
    await eventually(all_there(scoring, events), 90)
    rows = await scoring.analyses()
    assert {row["message_id"]: (row["revision"], row["state"]) for row in rows} == expected_of(events)
    published = Counter((event["message_id"], event["revision"]) for event in await told(scoring.tenant_id))
    assert set(published.values()) == {1}


async def test_a_destroyed_key_is_forgotten_and_what_comes_later_is_unreadable(
    scoring: Any, start_worker: Start, deliver: Deliver, eventually: Any
) -> None:
    conversation = scoring.conversation()
    before = conversation.sent()
    start_worker()
    deliver([before])
    await eventually(all_there(scoring, [before]), 90)
    gone = conversation.key_destroyed()
    deliver([gone])

    async def is_heard() -> bool:
        return bool(await scoring.rows("select 1 from inbox where event_id = $1", gone.id))

    await eventually(is_heard)
    later = conversation.sent()
    deliver([later])
    await eventually(all_there(scoring, [before, later]))
    rows = await scoring.analyses()
    assert [(row["state"], row["reason"]) for row in rows] == [("scored", None), ("unreadable", "key-destroyed")]


async def test_another_model_takes_over_without_losing_a_message_and_a_broken_one_does_not(
    scoring: Any, start_worker: Start, deliver: Deliver, told: Told, eventually: Any
) -> None:
    conversation, events = scoring.conversation(), []
    worker = start_worker()

    async def version_after_more() -> str:
        """Writes ten more messages, waits for their scores, and gives the model of the last."""
        more = [conversation.sent(f"message {len(events) + number}") for number in range(10)]
        events.extend(more)
        deliver(more)
        await eventually(all_there(scoring, events), 90)
        return str((await scoring.analyses())[-1]["model_version"])

    async def is_scored_by(version: str) -> bool:
        return await version_after_more() == version

    assert await version_after_more() == "1"
    await activate_model(
        scoring.unit(), scoring.shelf, ModelReference("tiny-xlmr", "2"), activated_by=uuid4(), now=scoring.clock()
    )
    await eventually(lambda: is_scored_by("2"))
    await scoring.rows("update live_models set revision = 9, version = '3', seal = $1 returning 1", "f" * 64)

    async def is_refused() -> Any:
        return (await scoring.rows("select refused_reason from live_models"))[0]["refused_reason"]

    assert "config.json" in await eventually(is_refused)
    assert await version_after_more() == "2"
    assert 'bloom_scoring_model_refusals_total{problem="model-unusable"} ' in read(worker, "/metrics")
    await then_every_message_has_one_analysis(scoring, told, events)


async def test_a_worker_says_how_late_it_is_and_whether_it_has_a_model(
    scoring: Any, start_worker: Start, deliver: Deliver, eventually: Any
) -> None:
    worker = start_worker()
    message = scoring.conversation().sent()
    deliver([message])
    await eventually(all_there(scoring, [message]), 90)

    async def is_ready() -> bool:
        return worker.is_ready()

    await eventually(is_ready)
    found = read(worker, "/metrics")
    assert 'bloom_scoring_model_loaded{name="tiny-xlmr",version="1"} 1.0' in found
    for name in ("scoring_age_seconds_count", "scoring_oldest_in_hand_seconds", "scoring_waiting_messages"):
        assert f"\nbloom_{name} " in found
    assert 'bloom_consumer_lag_records{partition="' in found
    assert str(scoring.tenant_id) not in found
    assert json.loads(read(worker, "/health/ready"))["checks"] == {"kafka": "ok", "model": "ok"}


class Group:
    """The worker's consumer group, as an operator sees it."""

    def __init__(self, bootstrap: str) -> None:
        self._settings = {"bootstrap.servers": bootstrap, "group.id": CONSUMER}
        self._admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 2})
        self._places = [TopicPartition(MESSAGES.name, number) for number in range(MESSAGES.partitions)]

    def committed(self) -> int:
        reader = Consumer({**self._settings, "log_level": 2})
        try:
            return sum(max(0, place.offset) for place in reader.committed(self._places, timeout=20))
        finally:
            reader.close()

    def rewind(self) -> None:
        """Have the group begin at the beginning; it may have no members."""
        first = [TopicPartition(place.topic, place.partition, 0) for place in self._places]
        asked = self._admin.alter_consumer_group_offsets([ConsumerGroupTopicPartitions(CONSUMER, first)])
        asked[CONSUMER].result(20)


def letters_of(bootstrap: str) -> list[dict[str, bytes]]:
    """The headers of every dead letter."""
    reader = Consumer({"bootstrap.servers": bootstrap, "group.id": str(uuid4()), "log_level": 2})
    try:
        numbers = reader.list_topics(DEAD_LETTERS, timeout=20).topics[DEAD_LETTERS].partitions
        reader.assign([TopicPartition(DEAD_LETTERS, number, 0) for number in numbers])
        found: list[dict[str, bytes]] = []
        while messages := reader.consume(500, 3.0):
            found += [dict(message.headers() or []) for message in messages]  # type: ignore[arg-type]  # headers are pairs
        return found
    finally:
        reader.close()


def read(worker: ServiceProcess, path: str) -> str:
    with urllib.request.urlopen(f"http://{worker.address}{path}") as answer:
        return str(answer.read().decode())
