"""The worker on a real Kafka: killed, redelivered, reordered, two at a time, without Kafka; one alert for each conversation."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer

from bloom_events.alerts import ChainStep
from bloom_events.envelope import Envelope, to_kafka
from bloom_events.risk import RiskLevel
from bloom_events.topics import all_topics
from local_stack.kafka import KafkaCluster
from local_stack.ports import free_port
from local_stack.postgres import ServiceDatabase
from local_stack.services import ServiceProcess, Surroundings
from local_stack.topics import create_topics
from notifications.domain.chain import Deadlines
from notifications.use_cases import chains
from service_kit.database import Pool
from service_kit.unit_of_work import utc_now

# So that nothing of a test is called unscored by chance, on a machine that is slow at the moment.
PATIENT = {"NOTIFICATIONS_UNSCORED_AFTER_SECONDS": "300"}
HASTY = {"NOTIFICATIONS_UNSCORED_AFTER_SECONDS": "0.5"}
INBOX_OFF = {**PATIENT, "NOTIFICATIONS_UNSAFE_INBOX_OFF": "true"}
MASTER_KEY = "a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s="
LIMIT_SECONDS = 90.0
STEP_SECONDS = 5


class Workers:
    """Worker processes on the test's database."""

    def __init__(self, database: ServiceDatabase, kafka: str, folder: Path) -> None:
        self._database, self._kafka, self._folder = database, kafka, folder
        self.started: list[ServiceProcess] = []

    def start(self, extra: Mapping[str, str] = PATIENT, *, kafka: str | None = None) -> ServiceProcess:
        around = Surroundings(
            environment="test", databases={"notifications": self._database}, kafka_bootstrap=kafka or self._kafka, valkey_url="",
            jwks_url="", own_settings={"notifications": {"MASTER_KEY": MASTER_KEY, "WORKER_SESSION_SECONDS": "6"}},
        )  # fmt: skip
        port, instance = free_port(), len(self.started) + 1
        worker = ServiceProcess(
            "notifications", "worker", port=port, environment={**around.of("notifications", "worker", port=port), **extra},
            logs=self._folder, pids=self._folder, instance=instance, guarded=True,
        )  # fmt: skip
        self.started.append(worker)
        worker.start()
        return worker

    def kill_all(self) -> None:
        for worker in self.started:
            worker.kill()


@pytest.fixture
def workers(database: ServiceDatabase, kafka_topics: str, tmp_path: Path) -> Iterator[Workers]:
    made = Workers(database, kafka_topics, tmp_path)
    yield made
    made.kill_all()


@pytest.fixture
async def ward(pool: Pool, ward_maker: Callable[..., Any]) -> Any:
    """A ward in the present, whose chain has the shortest deadlines there are."""
    ward = await ward_maker(pool, utc_now).open()
    await chains.set_chain(
        ward.uow(), supervisors=[ward.supervisor], on_call=[ward.on_call],
        deadlines=dict.fromkeys(ChainStep, Deadlines(STEP_SECONDS, STEP_SECONDS, STEP_SECONDS)), seen=0,
        set_by=ward.administrator, now=utc_now(),
    )  # fmt: skip
    return ward


def deliver(kafka: str, events: Sequence[Envelope[Any]]) -> None:
    """Put events on their topics in just this order and wait until Kafka has them."""
    producer = Producer({"bootstrap.servers": kafka, "enable.idempotence": True, "acks": "all"})
    for event in events:
        message = to_kafka(event)
        producer.produce(message.topic, message.value, message.key, headers=list(message.headers), timestamp=message.timestamp_ms)
    assert producer.flush(30) == 0


async def eventually(is_so: Callable[[], Awaitable[bool]]) -> bool:
    deadline = time.monotonic() + LIMIT_SECONDS
    while not await is_so():
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(0.1)
    return True


async def events_handled(ward: Any) -> int:
    (row,) = await ward.rows("select coalesce(sum(events_handled), 0)::int as handled from watched_messages")
    return int(row["handled"])


def stories(ward: Any, count: int) -> tuple[list[Any], list[Envelope[Any]]]:
    """As many conversations of three messages, every second one in crisis; the conversations, and all their events in order."""
    conversations, events = [], []
    for number in range(count):
        conversation = ward.message().conversation_id
        conversations.append(conversation)
        levels = [RiskLevel.HIGH, RiskLevel.LOW, RiskLevel.CRITICAL] if number % 2 == 0 else [RiskLevel.LOW] * 3
        for level in levels:
            message = ward.message(conversation_id=conversation)
            events += [message.sent(), message.scored(level)]
    return conversations, events


async def what_is_wrong(ward: Any, outbox: Any, conversations: Sequence[Any], published: int) -> list[str]:
    """Every way in which the alerts are not what the messages ask for."""
    wrong = []
    by_conversation: dict[Any, list[dict[str, Any]]] = {}
    for alert in await ward.alerts():
        by_conversation.setdefault(alert["conversation_id"], []).append(alert)
    for number, conversation in enumerate(conversations):
        found = by_conversation.get(conversation, [])
        if len(found) != (number % 2 == 0):
            wrong.append(f"alerts: {len(found)} in conversation {number}")
        for alert in found:
            wrong += await _wrong_in_chain(ward, outbox, alert)
    handled = await events_handled(ward)
    return wrong if handled == published else [*wrong, f"events: {handled} handled of {published}"]


async def _wrong_in_chain(ward: Any, outbox: Any, alert: dict[str, Any]) -> list[str]:
    changes = await ward.rows("select * from alert_changes where alert_id = $1 order by revision", alert["id"])
    wrong = [] if alert["level"] == "critical" else [f"level: {alert['level']}"]
    told = [
        event["data"]["revision"] for event in await outbox(ward.tenant_id) if event["data"].get("alert_id") == str(alert["id"])
    ]
    if not [change["revision"] for change in changes] == told == list(range(1, alert["revision"] + 1)):
        wrong.append(f"revisions: {len(changes)} kept and {len(told)} told of {alert['revision']}")
    deadline = changes[0]["deadline"]
    for change in changes[1:]:
        if change["hop"] == "escalated" and change["at"] < deadline:
            wrong.append("escalation: before its deadline, so for the second time")
        deadline = change["deadline"]
    intents = await ward.rows(
        "select user_id, channel, occasion from notifications where about = $1 group by 1, 2, 3 having count(*) > 1", alert["id"]
    )
    return [*wrong, *(f"calls: {intent['occasion']} twice" for intent in intents)]


async def answer_all(ward: Any) -> None:
    for alert in await ward.rows("select id from alerts where status = 'calling'"):
        await ward.answer(alert["id"], ward.administrator)


@pytest.mark.promise("AL1", "AL3", "PL18")
@pytest.mark.timeout(400)
async def test_two_workers_killed_again_and_again_raise_each_alert_once_and_escalate_it_in_time(
    ward: Any, workers: Workers, kafka_topics: str, outbox: Any
) -> None:
    rng = random.Random(11)
    conversations, events = stories(ward, 40)
    delivered = [*events, *rng.choices(events, k=len(events) // 5)]
    rng.shuffle(delivered)
    running = [workers.start(), workers.start()]

    for part in range(4):
        deliver(kafka_topics, delivered[part::4])
        before = await events_handled(ward)

        async def goes_on(before: int = before) -> bool:
            return await events_handled(ward) > before

        assert await eventually(goes_on)
        running.pop(rng.randrange(2)).kill()
        running.append(workers.start())

    async def is_handled() -> bool:
        return await events_handled(ward) >= len(events)

    async def went_through_the_chain() -> bool:
        return all(alert["round"] >= 4 for alert in await ward.alerts())

    assert await eventually(is_handled)
    assert await eventually(went_through_the_chain)
    await answer_all(ward)

    assert await what_is_wrong(ward, outbox, conversations, len(events)) == []


async def test_a_worker_that_forgets_what_it_handled_is_found_out(
    ward: Any, workers: Workers, kafka_topics: str, outbox: Any
) -> None:
    conversations, events = stories(ward, 4)
    workers.start(INBOX_OFF)
    deliver(kafka_topics, [*events, *events])

    async def is_handled_twice() -> bool:
        return await events_handled(ward) >= 2 * len(events)

    assert await eventually(is_handled_twice)
    await answer_all(ward)

    assert await what_is_wrong(ward, outbox, conversations, len(events)) == [
        f"events: {2 * len(events)} handled of {len(events)}"
    ]


async def test_a_deadline_that_passed_while_every_worker_was_away_is_the_first_thing_the_next_one_sees(
    ward: Any, workers: Workers
) -> None:
    ward.clock = lambda: utc_now() - timedelta(hours=1)
    await ward.hear(ward.message().scored())
    ward.clock = utc_now
    workers.start()

    async def is_escalated() -> bool:
        return bool((await ward.alert())["round"] >= 2)

    assert await eventually(is_escalated)
    first, second = await ward.rows("select at, deadline from alert_changes where revision <= 2 order by revision")
    assert second["at"] - first["deadline"] > timedelta(minutes=50)
    assert second["deadline"] - second["at"] == timedelta(seconds=STEP_SECONDS)
    await answer_all(ward)


async def test_a_message_that_nobody_scores_calls_people_and_one_that_has_its_score_does_not(
    ward: Any, workers: Workers, kafka_topics: str
) -> None:
    scored, unscored = ward.message(), ward.message()
    workers.start(HASTY)
    deliver(kafka_topics, [scored.sent(), scored.scored(RiskLevel.LOW), unscored.sent()])

    async def is_raised() -> bool:
        return len(await ward.alerts()) > 0

    assert await eventually(is_raised)
    alert = await ward.alert()
    assert (alert["conversation_id"], alert["cause"], alert["level"]) == (unscored.conversation_id, "unscored", "moderate")
    await answer_all(ward)


@pytest.mark.timeout(300)
async def test_after_a_pause_messages_whose_scores_lie_in_kafka_unread_call_nobody(
    ward: Any, workers: Workers, kafka_topics: str
) -> None:
    messages = [ward.message() for _ in range(600)]
    events = [*(message.sent() for message in messages), *(message.scored(RiskLevel.LOW) for message in messages)]
    deliver(kafka_topics, events)

    workers.start(HASTY)

    async def is_handled() -> bool:
        return await events_handled(ward) >= len(events)

    assert await eventually(is_handled)
    assert await ward.alerts() == []
    assert await ward.rows("select * from watched_messages where due_at is not null or unscored_at is not null") == []


@pytest.mark.timeout(300)
async def test_people_are_called_by_the_clock_whether_kafka_is_there_or_not(ward: Any, workers: Workers, tmp_path: Path) -> None:
    kafka = KafkaCluster(tmp_path / "own-kafka", quick=True, guarded=True)
    await ward.hear(ward.message().scored())
    worker = workers.start(kafka=kafka.bootstrap)

    async def round_is(number: int) -> bool:
        return bool((await ward.alert())["round"] >= number)

    async def is_ready() -> bool:
        return await asyncio.to_thread(worker.is_ready)

    try:
        assert await eventually(lambda: round_is(2))
        assert not await is_ready()
        kafka.start()
        kafka.wait_ready()
        create_topics(kafka.bootstrap, all_topics())
        assert await eventually(is_ready)
        kafka.kill()
        reached = (await ward.alert())["round"]
        assert await eventually(lambda: round_is(reached + 2))
    finally:
        kafka.kill()
    await answer_all(ward)
