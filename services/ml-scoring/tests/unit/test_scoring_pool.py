"""Threads score what waits, in order, with an end to the queue and a model that may change between two calls."""

import asyncio
import threading

import pytest

from ml_scoring.domain.models import NoModelYet
from ml_scoring.domain.scores import LONGEST_TEXT, ScorerBusy, TextTooLong
from ml_scoring.model import ScoringPool

TEXTS = [f"danke {number} " * (number % 5 + 1) for number in range(40)]
SECONDS = 60


class HeldModel:
    """A model that scores when it is let, and counts how many texts it has begun at a time."""

    def __init__(self, model) -> None:
        self.model = model
        self.let = threading.Event()
        self.lock = threading.Lock()
        self.now = self.most = self.begun = 0

    def score(self, text):
        with self.lock:
            self.begun += 1
            self.now += 1
            self.most = max(self.most, self.now)
        try:
            assert self.let.wait(SECONDS)
            return self.model.score(text)
        finally:
            with self.lock:
                self.now -= 1


@pytest.fixture
async def make_pool():
    pools = []

    def make(model, *, threads=2, queue_limit=10):
        pools.append(ScoringPool(lambda: model, threads=threads, queue_limit=queue_limit))
        return pools[-1]

    yield make
    for pool in pools:
        pool.close()


async def until(condition) -> None:
    async with asyncio.timeout(SECONDS):
        while not condition():  # noqa: ASYNC110  # what is waited for happens on threads
            await asyncio.sleep(0.005)


async def test_scores_come_in_the_order_of_the_texts(make_pool, tiny_xlmr):
    pool = make_pool(tiny_xlmr, queue_limit=100)

    scored = await pool.score_batch(TEXTS)

    assert [dict(each.probabilities) for each in scored] == [dict(tiny_xlmr.score(text).probabilities) for text in TEXTS]
    assert pool.inside == 0


async def test_no_texts_have_no_scores(make_pool, tiny_xlmr):
    assert await make_pool(tiny_xlmr).score_batch([]) == []
    assert await make_pool(tiny_xlmr).score_all([]) == []


async def test_as_many_texts_are_scored_at_a_time_as_there_are_threads(make_pool, tiny_xlmr):
    held = HeldModel(tiny_xlmr)
    pool = make_pool(held, threads=3, queue_limit=100)
    scoring = asyncio.create_task(pool.score_batch(TEXTS))

    await until(lambda: held.now == 3)
    held.let.set()
    await scoring

    assert held.most == 3
    assert held.begun == len(TEXTS)


async def test_a_full_queue_refuses_at_once_and_takes_again_when_there_is_room(make_pool, tiny_xlmr):
    held = HeldModel(tiny_xlmr)
    pool = make_pool(held, queue_limit=10)
    first = asyncio.create_task(pool.score_batch(TEXTS[:9]))
    await until(lambda: pool.inside == 9)

    with pytest.raises(ScorerBusy):
        await pool.score_batch(TEXTS[:2])
    second = asyncio.create_task(pool.score(TEXTS[0]))
    await until(lambda: pool.inside == 10)
    with pytest.raises(ScorerBusy):
        await pool.score(TEXTS[0])
    held.let.set()

    assert len(await first) == 9
    assert (await second).windows == 1
    assert len(await pool.score_batch(TEXTS[:10])) == 10


async def test_a_batch_larger_than_the_queue_is_refused(make_pool, tiny_xlmr):
    with pytest.raises(ScorerBusy):
        await make_pool(tiny_xlmr, queue_limit=10).score_batch(TEXTS[:11])


async def test_who_can_wait_gets_everything_scored_and_never_fills_more_than_the_queue(make_pool, tiny_xlmr):
    pool = make_pool(tiny_xlmr, queue_limit=7)
    most = 0

    async def watch() -> None:
        nonlocal most
        while True:
            most = max(most, pool.inside)
            await asyncio.sleep(0)

    watching = asyncio.create_task(watch())
    both = await asyncio.gather(pool.score_all(TEXTS), pool.score_all(TEXTS[::-1]))
    watching.cancel()

    alone = [dict(tiny_xlmr.score(text).probabilities) for text in TEXTS]
    assert [dict(each.probabilities) for each in both[0]] == alone
    assert [dict(each.probabilities) for each in both[1]] == alone[::-1]
    assert 0 < most <= 7


async def test_a_text_that_cannot_be_scored_leaves_its_neighbours_alone(make_pool, tiny_xlmr):
    pool = make_pool(tiny_xlmr)
    too_long = "a" * (LONGEST_TEXT + 1)

    scored = await pool.score_all(["danke", too_long, "gut"])

    assert [type(each).__name__ for each in scored] == ["Score", "TextTooLong", "Score"]
    with pytest.raises(TextTooLong):
        await pool.score(too_long)


async def test_a_caller_that_goes_away_leaves_nothing_in_the_queue(make_pool, tiny_xlmr):
    held = HeldModel(tiny_xlmr)
    pool = make_pool(held, queue_limit=40)
    scoring = asyncio.create_task(pool.score_batch(TEXTS))
    await until(lambda: held.now == 2)

    scoring.cancel()
    with pytest.raises(asyncio.CancelledError):
        await scoring
    held.let.set()

    assert len(await pool.score_batch(TEXTS)) == len(TEXTS)
    assert held.begun == len(TEXTS) + 2


async def test_a_broken_model_is_heard_of_and_the_pool_goes_on(make_pool, tiny_xlmr):
    class Broken:
        def score(self, _):
            raise ArithmeticError

    models = [Broken(), tiny_xlmr]
    pool = ScoringPool(lambda: models[0], threads=2, queue_limit=10)
    with pytest.raises(ArithmeticError):
        await pool.score_all(TEXTS)
    models.pop(0)

    assert len(await pool.score_all(TEXTS)) == len(TEXTS)
    pool.close()


async def test_without_a_model_nothing_is_scored_and_no_room_is_lost():
    def nothing():
        raise NoModelYet

    pool = ScoringPool(nothing, threads=1, queue_limit=1)
    for _ in range(2):
        with pytest.raises(NoModelYet):
            await pool.score("danke")
    pool.close()
