"""When a worker says that it is ready."""

from typing import ClassVar

import faust
import pytest
from pydantic import SecretStr

from service_kit.faust_app import add_checks, create_faust_app, worker_checks
from service_kit.settings import ServiceSettings, service_config


class _Settings(ServiceSettings):
    model_config = service_config("SAMPLE_")
    service_name: ClassVar[str] = "sample"


@pytest.fixture
def app() -> faust.App:
    url = SecretStr("postgresql://unused.invalid/none")
    return create_faust_app(_Settings(environment="test", database_url=url), app_id="sample")


async def reason_of(app: faust.App) -> str | None:
    return await worker_checks(app)["kafka"]()


async def test_a_worker_is_not_ready_before_it_has_its_place_in_the_group(app: faust.App) -> None:
    assert await reason_of(app) == "waiting for partitions"
    app._started.set()
    assert await reason_of(app) == "waiting for partitions"


async def test_a_worker_is_ready_once_kafka_has_given_it_a_generation(app: faust.App) -> None:
    app._started.set()
    app.consumer_generation_id = 1
    assert await reason_of(app) is None


async def test_a_worker_is_not_ready_while_the_group_is_rebalanced(app: faust.App) -> None:
    app._started.set()
    app.consumer_generation_id = 4
    app.rebalancing = True
    assert await reason_of(app) == "waiting for partitions"


async def test_a_worker_has_its_own_checks_beside_that_of_kafka(app: faust.App) -> None:
    async def engine() -> str | None:
        return "still loading"

    add_checks(app, {"engine": engine})
    assert set(worker_checks(app)) == {"kafka", "engine"}
    assert await worker_checks(app)["engine"]() == "still loading"
