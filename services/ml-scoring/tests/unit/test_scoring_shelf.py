"""Models side by side: each organisation is scored by its own, a broken one leaves in place what served before."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from bloom_events.ids import TenantId
from ml_scoring.clients import meters
from ml_scoring.clients.model_registry import ModelRegistry
from ml_scoring.clients.model_shelf import RETRY_SECONDS, Arrival, ModelShelf, Outcome, readiness
from ml_scoring.domain.limits import PoolShape
from ml_scoring.domain.live_models import Choice
from ml_scoring.domain.models import ModelReference, ModelUnusable, NoModelYet, UnknownModel
from service_kit.object_store.folder import FolderStore

DEFAULT = ModelReference("tiny-xlmr", "1")
MINE, THEIRS = TenantId(uuid4()), TenantId(uuid4())


class Clock:
    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="session")
def shelf_store(make_model: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("shelf")
    for version in ("1", "2", "3", "4"):
        make_model(root, version=version, seed=int(version))
    (make_model(root, version="9") / "model.onnx").write_bytes(b"not a graph")
    return root


@pytest.fixture
async def shelf(shelf_store: Path, tmp_path: Path, clock: Clock) -> AsyncIterator[ModelShelf]:
    registry = ModelRegistry(FolderStore(shelf_store), tmp_path, Arrival())
    shelf = ModelShelf(registry, DEFAULT, shape=PoolShape(threads=2, queue_limit=50), most=3, clock=clock)
    yield shelf
    shelf.close()


async def pinned(shelf: ModelShelf, version: str, revision: int = 1) -> Choice:
    identity = await shelf.check(ModelReference("tiny-xlmr", version))
    return Choice(revision, identity.reference)


async def test_before_the_first_model_there_is_none_and_readiness_says_so(shelf):
    check = readiness(shelf, Arrival())
    with pytest.raises(NoModelYet):
        shelf.serving(MINE)
    assert await check() == "the model is being loaded"
    await shelf.start()
    assert await check() is None
    assert shelf.serving(MINE).identity.version == "1"


async def test_readiness_tells_how_much_of_a_model_has_arrived(shelf):
    arrival = Arrival()
    arrival.percent = 40
    assert await readiness(shelf, arrival)() == "40 % of the model has arrived"


async def test_a_default_model_that_is_broken_is_told_and_tried_until_it_is_mended(make_model: Any, tmp_path: Path):
    directory = make_model(tmp_path / "store")
    good = (directory / "model.onnx").read_bytes()
    (directory / "model.onnx").write_bytes(b"not a graph")
    registry = ModelRegistry(FolderStore(tmp_path / "store"), tmp_path, Arrival())
    shelf = ModelShelf(registry, DEFAULT, shape=PoolShape(threads=1, queue_limit=50), retry_seconds=0.05)
    starting = asyncio.create_task(shelf.start())
    async with asyncio.timeout(30):
        while shelf.trouble is None:  # noqa: ASYNC110  # the shelf has no event for it
            await asyncio.sleep(0.01)
    reason = await readiness(shelf, Arrival())()
    assert reason is not None
    assert reason.startswith("the model is refused: model.onnx ")
    (directory / "model.onnx").write_bytes(good)
    await asyncio.wait_for(starting, 30)
    assert shelf.trouble is None
    assert shelf.is_ready
    shelf.close()


async def test_each_organisation_is_scored_by_what_it_chose_and_the_rest_by_the_default(shelf):
    await shelf.start()
    assert await shelf.follow({MINE: await pinned(shelf, "2")}) == []
    assert (shelf.serving(MINE).identity.version, shelf.serving(THEIRS).identity.version) == ("2", "1")


async def test_a_model_that_two_chose_is_loaded_once(shelf):
    await shelf.start()
    choice = await pinned(shelf, "2")
    await shelf.follow({MINE: choice, THEIRS: choice})
    assert shelf.serving(MINE) is shelf.serving(THEIRS)


async def test_an_organisation_that_chose_nothing_any_more_is_scored_by_the_default_again(shelf):
    await shelf.start()
    await shelf.follow({MINE: await pinned(shelf, "2")})
    await shelf.follow({})
    assert shelf.serving(MINE) is shelf.default


async def test_a_broken_model_is_refused_with_its_reason_and_what_served_goes_on_serving(shelf, clock):
    await shelf.start()
    await shelf.follow({MINE: await pinned(shelf, "2")})
    refusals = meters.MODEL_REFUSALS.labels("model-unusable")
    before = refusals._value.get()
    broken = Choice(2, ModelReference("tiny-xlmr", "9"))
    (outcome,) = await shelf.follow({MINE: broken})
    assert outcome.tenant_id == MINE
    assert "model.onnx" in (outcome.reason or "")
    assert shelf.serving(MINE).identity.version == "2"
    assert refusals._value.get() == before + 1
    assert await shelf.follow({MINE: broken}) == [], "it is left alone for a while"
    clock.seconds += RETRY_SECONDS
    assert len(await shelf.follow({MINE: broken})) == 1


async def test_a_model_that_is_not_in_the_store_is_refused(shelf):
    await shelf.start()
    (outcome,) = await shelf.follow({MINE: Choice(1, ModelReference("tiny-xlmr", "77"))})
    assert outcome.reason == "There is no such model"
    assert shelf.serving(MINE) is shelf.default


async def test_a_refused_model_that_can_be_loaded_after_all_is_told_once(shelf, shelf_store, make_model, clock):
    await shelf.start()
    choice = Choice(1, ModelReference("tiny-xlmr", "late"))
    assert len(await shelf.follow({MINE: choice})) == 1
    make_model(shelf_store, version="late")
    clock.seconds += RETRY_SECONDS
    assert await shelf.follow({MINE: choice}) == [Outcome(MINE, choice, None)]
    assert shelf.serving(MINE).identity.version == "late"


async def test_so_many_models_are_held_and_room_is_made_by_those_that_nobody_chose_any_more(shelf):
    await shelf.start()
    other = TenantId(uuid4())
    choices = {MINE: await pinned(shelf, "2"), THEIRS: await pinned(shelf, "3")}
    await shelf.follow(choices)
    (outcome,) = await shelf.follow({**choices, other: await pinned(shelf, "4")})
    assert outcome.reason == "This process holds 3 models already."
    assert shelf.serving(other) is shelf.default
    fourth = await pinned(shelf, "4", revision=2)
    await shelf.follow({THEIRS: choices[THEIRS]})
    assert await shelf.follow({THEIRS: choices[THEIRS], other: fourth}) == []
    assert shelf.serving(other).identity.version == "4"


async def test_a_text_in_work_is_scored_by_the_model_that_it_began_with(shelf):
    await shelf.start()
    await shelf.follow({MINE: await pinned(shelf, "2")})
    texts = [f"text {number} " * 200 for number in range(40)]
    running = asyncio.create_task(shelf.serving(MINE).pool.score_all(texts))
    await asyncio.sleep(0)
    await shelf.follow({MINE: await pinned(shelf, "3")})
    assert {score.model.version for score in await running} == {"2"}
    assert shelf.serving(MINE).identity.version == "3"


async def test_checking_a_model_loads_it_and_changes_nothing(shelf):
    await shelf.start()
    identity = await shelf.check(ModelReference("tiny-xlmr", "2"))
    assert (identity.version, shelf.serving(MINE).identity.version) == ("2", "1")
    with pytest.raises(ModelUnusable):
        await shelf.check(ModelReference("tiny-xlmr", "9"))
    with pytest.raises(UnknownModel):
        await shelf.check(ModelReference("tiny-xlmr", "77"))
