"""Another model takes the place of the one that serves at once or not at all, and no text is dropped meanwhile."""

import asyncio
import shutil

import pytest

from ml_scoring.clients.live_model import LiveModel
from ml_scoring.clients.model_registry import ModelRegistry
from ml_scoring.domain.models import ModelReference, ModelStoreAway, ModelUnusable, NoModelYet, UnknownModel
from ml_scoring.model import ScoringPool
from service_kit.object_store.folder import FolderStore
from service_kit.object_store.opening import open_store

ONE, TWO = ModelReference("tiny-xlmr", "1"), ModelReference("tiny-xlmr", "2")
TEXTS = [f"danke {number}" for number in range(30)]


@pytest.fixture
def store(make_model, tmp_path):
    make_model(tmp_path / "store", version="1", seed=1)
    make_model(tmp_path / "store", version="2", seed=2)
    return tmp_path / "store"


@pytest.fixture
def live(store, tmp_path) -> LiveModel:
    return LiveModel(ModelRegistry(FolderStore(store), tmp_path / "cache", lambda _: None))


async def test_before_the_first_model_there_is_none(live):
    assert live.identity is None
    with pytest.raises(NoModelYet):
        live.current()


@pytest.mark.promise("ML9")
async def test_another_version_takes_the_place_of_the_first(live):
    await live.start(ONE)
    before = live.current().score("danke")

    assert (await live.switch(TWO)).version == "2"

    after = live.current().score("danke")
    assert (before.model.version, after.model.version) == ("1", "2")
    assert before.risk != after.risk


async def test_no_text_is_dropped_and_none_is_scored_by_half_a_model_while_models_are_switched(live):
    await live.start(ONE)
    pool = ScoringPool(live.current, threads=2, queue_limit=len(TEXTS))
    known = {}
    for reference in (ONE, TWO):
        await live.switch(reference)
        known[reference.version] = [dict(live.current().score(text).probabilities) for text in TEXTS]
    done = asyncio.Event()

    async def score_on() -> list:
        scored = []
        while not done.is_set() or len(scored) < 3:
            scored.append(await pool.score_all(TEXTS))
        return scored

    scoring = asyncio.create_task(score_on())
    for reference in (ONE, TWO, ONE, TWO):
        await live.switch(reference)
    done.set()
    rounds = await scoring
    pool.close()

    assert all(len(scored) == len(TEXTS) for scored in rounds)
    for scored in rounds:
        (version,) = {each.model.version for each in scored}
        assert [dict(each.probabilities) for each in scored] == known[version]


async def test_a_text_that_is_being_scored_ends_with_the_model_it_began_with(live):
    await live.start(ONE)
    model = live.current()
    await live.switch(TWO)

    assert model.score("danke").model.version == "1"


BROKEN = {
    "a bit of the weights": lambda directory: damage(directory / "model.onnx"),
    "no tokenizer": lambda directory: (directory / "tokenizer.json").unlink(),
    "no config": lambda directory: (directory / "config.json").write_text("{}"),
}


def damage(path) -> None:
    content = bytearray(path.read_bytes())
    content[1000] ^= 1
    path.write_bytes(bytes(content))


@pytest.mark.parametrize("harm", BROKEN.values(), ids=BROKEN)
async def test_a_broken_model_is_refused_with_the_reason_and_the_old_one_serves_on(live, store, harm):
    await live.start(ONE)
    harm(store / "tiny-xlmr/2")

    with pytest.raises(ModelUnusable) as refused:
        await live.switch(TWO)

    assert refused.value.detail
    assert live.identity is not None
    assert live.identity.version == "1"
    assert live.current().score("danke").model.version == "1"


async def test_a_model_that_is_not_there_is_unknown_and_the_old_one_serves_on(live):
    await live.start(ONE)

    with pytest.raises(UnknownModel):
        await live.switch(ModelReference("tiny-xlmr", "3"))
    assert live.current().identity.version == "1"


async def test_a_pinned_model_must_be_exactly_that_one(live, store):
    identity = await live.start(ONE)
    assert await live.switch(identity.reference) == identity

    with pytest.raises(ModelUnusable, match="pinned"):
        await live.switch(ModelReference("tiny-xlmr", "1", "0" * 64))
    assert live.identity == identity


async def test_the_model_that_serves_already_is_not_loaded_again(live):
    await live.start(ONE)
    model = live.current()
    await asyncio.gather(live.switch(ONE), live.switch(ONE))

    assert live.current() is model


async def test_two_switches_at_once_follow_one_another(live):
    await live.start(ONE)
    await asyncio.gather(live.switch(TWO), live.switch(ONE))

    assert live.current().identity.version == "1"


async def test_a_folder_lists_its_models_and_passes_over_what_is_none(store, tmp_path):
    (store / "README.md").write_text("no model")
    (store / "tiny-xlmr/notes").mkdir()
    shutil.copytree(store / "tiny-xlmr/1", store / "Not A Name/1")

    registry = ModelRegistry(open_store(store.as_uri()), tmp_path / "cache", lambda _: None)

    assert await registry.list_models() == [ONE, TWO]


async def test_a_folder_that_cannot_be_read_is_a_store_that_is_away(tmp_path):
    (tmp_path / "tiny-xlmr/1/config.json").mkdir(parents=True)

    with pytest.raises(ModelStoreAway):
        await ModelRegistry(FolderStore(tmp_path), tmp_path, lambda _: None).open(ONE)
