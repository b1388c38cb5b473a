"""The operator's commands: redrive and requeue, run as a service's `__main__` runs them."""

import asyncio
from typing import ClassVar

import pytest
from pydantic import SecretStr

from bloom_events.auth import UserRegistered
from service_kit.consuming import Consuming
from service_kit.dead_letters import DeadLetters, dead_letter_topic
from service_kit.faust_app import consume_topics, create_faust_app
from service_kit.mending import run_redrive, run_requeue
from service_kit.settings import ServiceSettings, service_config


class SampleSettings(ServiceSettings):
    model_config = service_config("SAMPLE_")
    service_name: ClassVar[str] = "sample"


@pytest.fixture
def settings(outbox):
    url = SecretStr(outbox.relay_url)
    return SampleSettings(environment="test", database_url=url, relay_database_url=url, kafka_bootstrap_servers=outbox.bootstrap)


async def test_redrive_says_what_became_of_the_dead_letters_of_the_worker(log, topic, settings):
    log.new_topic(1, name=dead_letter_topic(topic, "mended"))

    async def handle(_) -> None:
        raise AssertionError("the letter cannot be read, so no handler sees it")

    def create_worker(given):
        app = create_faust_app(given, app_id=f"{topic}-mended")
        letters = DeadLetters(given.kafka_bootstrap_servers, "mended")
        consume_topics(app, Consuming("mended", {UserRegistered: handle}, letters), [topic])
        return app

    log.write(topic, (b"k", b"broken", []))
    (record,) = log.read(topic)
    await DeadLetters(log.bootstrap, "mended").park(record, "unreadable: by the test")
    assert await asyncio.to_thread(run_redrive, create_worker, settings) == f"{topic}: 1 parked"


async def test_requeue_lists_the_parked_rows_and_puts_them_back(outbox, topic, settings, relay_of, eventually):
    (event_id,) = await outbox.add(topic, 1)
    async with relay_of(outbox.options("sample.other")):
        await eventually(outbox.is_empty)
    said = await asyncio.to_thread(run_requeue, settings)
    assert said.splitlines() == [f"{event_id} sample.noted.v1 was parked: unknown topic", "1 rows put back into the outbox"]
    assert await outbox.rows() == 1
